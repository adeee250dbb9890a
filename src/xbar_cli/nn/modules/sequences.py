"""Inputs as sequences: rows of a picture, places of a series, tokens."""

from typing import Any

import jax.numpy as jnp


def is_tokens(shape: tuple[int, ...], dtype: Any) -> bool:
    """Whether inputs of `shape` are tokens: whole numbers, each of which stands for something.

    Raises:
        ValueError: they are whole numbers in another shape than `[t]`.
    """
    if not jnp.issubdtype(dtype, jnp.integer):
        return False
    if len(shape) != 1:
        raise ValueError(f"tokens must be one after the other, [t], got inputs of shape {list(shape)}")
    return True


def row_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Steps and numbers a step of inputs: those of a picture `[h w c]` are its rows, `[h w·c]`.

    Raises:
        ValueError: neither a picture nor a sequence `[t channels]`.
    """
    match shape:
        case (height, width, channels):
            return height, width * channels
        case (steps, channels):
            return steps, channels
        case _:
            raise ValueError(
                f"shape must be a picture's [h w c] or a sequence's [t channels], or tokens [t], got {list(shape)}"
            )
