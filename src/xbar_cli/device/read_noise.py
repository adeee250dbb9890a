"""Read noise: new at every read, so never folded into an array.

In a linear array the noise of independent devices adds up at a column to one normal number of variance `Σ_i v_i²
σ_ij²`, drawn there.
"""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float


def read_sigma(
    g: Float[Array, "*shape"], *, sigma_siemens: ArrayLike, sigma_relative: ArrayLike
) -> Float[Array, "*shape"]:
    """Standard deviation of a read [S]: a state-independent and a proportional part, `√(σ_a² + (σ_r·G)²)`.

    Where nothing conducts, G = 0, nothing fluctuates: absent and open devices have no noise.

    Args:
        g: conductances [S].
        sigma_siemens: state-independent part σ_a [S].
        sigma_relative: part in proportion to the state, σ_r.

    References:
        Xiao et al., IEEE Circuits and Systems Magazine 22 (2022): state-independent and state-proportional errors.
    """
    sigma = jnp.hypot(jnp.asarray(sigma_siemens, g.dtype), jnp.asarray(sigma_relative, g.dtype) * g)
    return jnp.where(g == 0, 0, sigma)
