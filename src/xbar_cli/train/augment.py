"""Random mirror images and shifts of training images, on the device."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

PAD = 4
"""Largest shift of `crop` in pixels (He et al. 2016, section 4.2)."""


def augment(images: Float[Array, "n h w c"], key: Array, *, rule: str) -> Float[Array, "n h w c"]:
    """Images mirrored (`flip`) with probability 1/2, shifted (`crop`) by up to 4 pixels over black, both, or `none`."""
    if rule not in ("none", "flip", "crop", "crop+flip"):
        raise ValueError(f"rule must be none, flip, crop or crop+flip, got {rule!r}")
    flip_key, crop_key = jax.random.split(key)
    if "flip" in rule:
        mirrored = jax.random.bernoulli(flip_key, 0.5, (images.shape[0], 1, 1, 1))
        images = jnp.where(mirrored, images[:, :, ::-1], images)
    if "crop" in rule:
        padded = jnp.pad(images, ((0, 0), (PAD, PAD), (PAD, PAD), (0, 0)))
        corners = jax.random.randint(crop_key, (images.shape[0], 2), 0, 2 * PAD + 1)

        def crop(image: Array, corner: Array) -> Array:
            return jax.lax.dynamic_slice(image, (corner[0], corner[1], jnp.zeros_like(corner[0])), images.shape[1:])

        images = jax.vmap(crop)(padded, corners)
    return images
