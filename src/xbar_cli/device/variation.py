"""Device-to-device and chip-to-chip variation: pure functions `(key, g, *, parameters) -> g`, any shape, dtype kept.

A model draws one number per device of the array it is given, so that a chip is one call on the *whole* layer, before
the layer is cut into tiles: the chip then depends on the key alone. Chips of a batch are `jax.vmap` over keys, bit for
bit the chips drawn one by one. A parameter is a scalar, or an array of the rank of `g` that broadcasts to it.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.device import draws
from xbar_cli.device.statistics import Statistics


def _like(parameter: ArrayLike, g: Array) -> Array:
    return jnp.asarray(parameter, g.dtype)


def normal_additive(key: Array, g: Float[Array, "*shape"], *, sigma_siemens: ArrayLike) -> Float[Array, "*shape"]:
    """Zero-mean normal of one spread for all devices: `G + σ·N(0, 1)`; may fall below 0 (`resolve_negative`).

    Args:
        key: random key of the chip.
        g: programmed conductances [S].
        sigma_siemens: standard deviation σ [S]; acm's is `x·(G_max − G_min)`.

    References:
        Kazemi et al. (acm), section IV-B and Fig. 4b: variation added to the desired conductance.
    """
    return g + _like(sigma_siemens, g) * draws.normal(key, g)


def normal_proportional(key: Array, g: Float[Array, "*shape"], *, sigma_relative: ArrayLike) -> Float[Array, "*shape"]:
    """Zero-mean normal in proportion to the state: `G·(1 + σ·N(0, 1))`; G = 0 stays 0.

    Args:
        key: random key of the chip.
        g: programmed conductances [S].
        sigma_relative: standard deviation over conductance, σ.

    References:
        Xiao et al., On the accuracy of analog neural network inference accelerators, IEEE Circuits and Systems Magazine
        22 (2022): state-proportional errors.
    """
    return g * (1 + _like(sigma_relative, g) * draws.normal(key, g))


def lognormal(key: Array, g: Float[Array, "*shape"], *, sigma_log: ArrayLike) -> Float[Array, "*shape"]:
    """Lognormal about the programmed value as median: `G·exp(σ·N(0, 1))`; never negative.

    The mean grows to `G·exp(σ²/2)` and the variance is `G²·exp(σ²)·(exp(σ²) − 1)`.

    Args:
        key: random key of the chip.
        g: programmed conductances [S].
        sigma_log: standard deviation σ of the natural logarithm.

    References:
        Liu et al., Vortex: variation-aware training for memristor X-bar, DAC 2015: `r → r·exp(θ)`, θ normal.
    """
    return g * jnp.exp(_like(sigma_log, g) * draws.normal(key, g))


def per_state(key: Array, g: Float[Array, "*shape"], *, table: Statistics) -> Float[Array, "*shape"]:
    """The spread and bias of the nearest state of a table: `G + (mean_s − target_s) + σ_s·N(0, 1)`.

    A device programmed exactly to a state is N(mean_s, σ_s); one between states keeps its distance from the state.

    Args:
        key: random key of the chip.
        g: programmed conductances [S].
        table: target, mean and standard deviation of every state [S].

    References:
        Diware et al. (biased), Fig. 4: each state of a multi-level device has its own distribution.
    """
    target, mean, sigma = (_like(values, g) for values in (table.target, table.mean, table.sigma))
    state = jnp.searchsorted((target[1:] + target[:-1]) / 2, g, method="compare_all" if target.size <= 32 else "scan")
    return g + (mean - target)[state] + sigma[state] * draws.normal(key, g)


def smooth(key: Array, g: Float[Array, "*shape"], *, curve: Statistics) -> Float[Array, "*shape"]:
    """Bias and spread interpolated linearly over the target conductance: `G + bias(G) + σ(G)·N(0, 1)`.

    Outside the knots of the curve the values at its ends hold.

    Args:
        key: random key of the chip.
        g: programmed conductances [S].
        curve: target, mean and standard deviation at ascending knots [S], as `measured.fit_smooth` gives them.

    References:
        Wan et al., Nature 608, 504 (2022), Extended Data Fig. 3d: spread against state.
    """
    target, mean, sigma = (_like(values, g) for values in (curve.target, curve.mean, curve.sigma))
    spread = jnp.interp(g, target, sigma) * draws.normal(key, g)
    return g + jnp.interp(g, target, mean - target) + spread


def chip_corner(
    key: Array, g: Float[Array, "*shape"], *, k: ArrayLike, sigma_relative: ArrayLike
) -> Float[Array, "*shape"]:
    """Every device of the chip at one process corner: `G·(1 + k·σ)`.

    Args:
        key: not drawn from, a corner is no random quantity; there so that all models are called alike.
        g: programmed conductances [S].
        k: corner in standard deviations, −2 … +2 in the paper.
        sigma_relative: relative standard deviation σ between chips.

    References:
        Chakraborty, Roy, Roy (tat), sections III-C and V-2.
    """
    del key
    return g * (1 + _like(k, g) * _like(sigma_relative, g))


def chip_to_chip(key: Array, g: Float[Array, "*shape"], *, sigma_relative: ArrayLike) -> Float[Array, "*shape"]:
    """One normal draw for the whole chip: `G·(1 + σ·n)`, n ~ N(0, 1) shared by every device.

    Args:
        key: random key of the chip, the same for each of its layers.
        g: programmed conductances [S].
        sigma_relative: relative standard deviation σ between chips.

    References:
        Chakraborty, Roy, Roy (tat), section III-C, with the corner k drawn.
    """
    return chip_corner(key, g, k=jax.random.normal(key, (), g.dtype), sigma_relative=sigma_relative)


def resolve_negative(
    g: Float[Array, "*shape"], *, policy: str
) -> tuple[Float[Array, "*shape"], Float[Array, ""], Float[Array, ""]]:
    """What becomes of conductances that a variation pushed below 0.

    Args:
        g: conductances after variation [S].
        policy: "clamp" sets them to 0, "reflect" takes |G|, "allow" leaves them.

    Returns:
        The conductances [S], the share of devices that were negative, and the shift of the mean by the policy [S].

    Raises:
        ValueError: for another policy.
    """
    match policy:
        case "clamp":
            resolved = jnp.maximum(g, 0)
        case "reflect":
            resolved = jnp.abs(g)
        case "allow":
            resolved = g
        case _:
            raise ValueError(f"policy must be 'clamp', 'reflect' or 'allow', got {policy!r}")
    return resolved, jnp.mean((g < 0).astype(g.dtype)), jnp.mean(resolved - g)


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
