"""Read noise: new at every read, so never folded into an array.

In a linear array the noise of independent devices adds up at a column to one normal number of variance `Σ_i v_i²
σ_ij²`, drawn there (`output_noise`). Where the cells are not linear, the conductances are drawn anew at each read
(`read_conductances`).
"""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.device import draws


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


def read_conductances(key: Array, g: Float[Array, "*shape"], *, sigma: ArrayLike) -> Float[Array, "*shape"]:
    """The conductances of one read, `G + σ·N(0, 1)` [S].

    Args:
        key: random key of this read.
        g: conductances of the chip [S].
        sigma: standard deviation per device or for all [S].

    References:
        Joshi et al., Nature Communications 11, 2473 (2020): instantaneous fluctuation at every product.
    """
    return g + jnp.asarray(sigma, g.dtype) * draws.normal(key, g)


def output_sigma(v: Float[Array, "*batch rows"], sigma: Float[Array, "rows cols"]) -> Float[Array, "*batch cols"]:
    """Standard deviation of the column currents of a linear array [A]: `√(Σ_i v_i² σ_ij²)`.

    Args:
        v: row voltages [V].
        sigma: standard deviation of every device at a read [S].

    Accuracy:
        Exact for the ideal array. With wire or driver resistance a device's fluctuation also moves its neighbours'
        voltages, which is left out here.
    """
    return jnp.sqrt(jnp.square(v) @ jnp.square(sigma))


def output_noise(
    key: Array, i: Float[Array, "*batch cols"], v: Float[Array, "*batch rows"], *, sigma: Float[Array, "rows cols"]
) -> Float[Array, "*batch cols"]:
    """Column currents with the read noise of their devices added, `I + N(0, Σ v² σ²)` [A].

    Args:
        key: random key of this read.
        i: column currents without noise [A].
        v: the row voltages that gave them [V].
        sigma: standard deviation of every device at a read [S].

    References:
        The sum of independent normal numbers; compared with `read_conductances` in the tests.
    """
    return i + output_sigma(v, sigma) * draws.normal(key, i)
