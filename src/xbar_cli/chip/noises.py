"""Read noise of a chip's memristors: the spread at every read that the effects add up to."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from xbar_cli.config.effects import AnyReadNoise, PcmRead, ReadNoise
from xbar_cli.device.pcm import pcm_read_sigma
from xbar_cli.device.read_noise import read_sigma


def read_spread(noises: Sequence[AnyReadNoise], g: Array, target: Array, *, g_off: float, g_on: float) -> Array:
    """Standard deviation of every device at a read [S]: those of independent noises, added in squares.

    A stuck device still conducts, and fluctuates as one of its conductance does; an absent or open one has no noise.

    Args:
        noises: the effects.
        g: conductances of the chip [S].
        target: conductances aimed at [S].
        g_off: conductance of the high-resistance state [S].
        g_on: conductance of the low-resistance state [S].
    """
    parts = [_spread(noise, g, target, g_off=g_off, g_on=g_on) for noise in noises]
    return jnp.sqrt(sum(jnp.square(part) for part in parts))


def _spread(noise: AnyReadNoise, g: Array, target: Array, *, g_off: float, g_on: float) -> Array:
    match noise:
        case ReadNoise():
            return read_sigma(g, sigma_siemens=noise.sigma * (g_on - g_off), sigma_relative=noise.relative)
        case PcmRead():
            return pcm_read_sigma(g, target=target, g_max=g_on, t_seconds=noise.t, t_read_seconds=noise.t_read)
