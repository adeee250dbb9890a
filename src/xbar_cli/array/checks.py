"""Static checks that the array models share: shapes, memory."""

import os

from xbar_cli.errors import ModelError
from xbar_cli.types import Array


def require_tile(name: str, g: Array) -> None:
    """Raise unless `g` is a matrix with at least one device of floating-point type."""
    if g.ndim != 2 or g.size == 0:
        raise ValueError(f"{name} must be [rows cols] with at least one device, got shape {tuple(g.shape)}")


def require_same_shape(name: str, g: Array, other_name: str, other: Array) -> None:
    """Raise unless two arrays have one shape."""
    if g.shape != other.shape:
        raise ValueError(f"{name} and {other_name} must have one shape, got {tuple(g.shape)} and {tuple(other.shape)}")


def require_memory(name: str, shape: tuple[int, ...], n_bytes: int) -> None:
    """Raise ModelError when solving for `name` would take more than this machine's memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if n_bytes > total:
        raise ModelError(
            f"{name} must fit into memory when it is solved: shape {tuple(shape)} takes about {n_bytes / 2**30:.1f} GiB "
            f"of {total / 2**30:.1f} GiB; split the array into smaller tiles"
        )
