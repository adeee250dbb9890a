"""The resistances of one array, and what folding an array gives: the two values that every array model shares."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import DTypeLike
from jaxtyping import Float

from xbar_cli.types import Array, Conductances

Resistance = float | int | Array
"""A resistance [ohm]: a Python number, or a scalar array that may be traced."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Wires:
    """What is not a device in an array [ohm].

    A *known* resistance of 0 (a Python number, or an array outside `jit` and `grad`) selects the case without it.

    Attributes:
        word: of a word-line segment, before each device.
        bit: of a bit-line segment, after each device.
        source: of each source.
        neuron: between each bit line and ground.
    """

    word: Resistance = 0.0
    bit: Resistance = 0.0
    source: Resistance = 0.0
    neuron: Resistance = 0.0

    @property
    def any(self) -> bool:
        """Whether one of them is not known to be 0."""
        return not all(is_zero(r) for r in jax.tree.leaves(self))

    def require(self) -> "Wires":
        """These, if each whose value is known is finite and not below 0 (else ValueError); a traced one is not looked at."""
        for name, value in vars(self).items():
            if not isinstance(value, Tracer) and not (math.isfinite(value) and float(value) >= 0):
                raise ValueError(f"wires.{name} must be finite and not below 0 ohm, got {float(value)}")
        return self

    def require_ends(self) -> "Wires":
        """These, for a model that has ideal wires, sources and neurons alone; ValueError where a segment has resistance."""
        for name in ("word", "bit"):
            value = getattr(self, name)
            if not isinstance(value, Tracer) and float(value) != 0:
                raise ValueError(f"wires.{name} must be 0 ohm in a model with ideal wires, got {float(value)}")
        return self.require()

    def __str__(self) -> str:
        """The resistances in the words of captions."""
        word, bit, source, neuron = self.floats()
        segment = f"{word:g} Ω" if word == bit else f"{word:g} Ω (word) and {bit:g} Ω (bit)"
        return f"{segment} a wire segment, sources {source:g} Ω, neurons {neuron:g} Ω"

    def told(self) -> str:
        """Those that are not 0, in the words of messages."""
        names = {"word": "word line", "bit": "bit line"}
        above = [f"{names.get(name, name)} {float(r):g} ohm" for name, r in vars(self).items() if not is_zero(r)]
        return f"resistances of {', '.join(above)}" if above else "no resistances"

    def floats(self) -> tuple[float, float, float, float]:
        """Those of word-line segments, bit-line segments, sources and neurons as numbers."""
        return float(self.word), float(self.bit), float(self.source), float(self.neuron)

    def arrays(self, dtype: DTypeLike) -> tuple[Array, Array, Array, Array]:
        """Those of word-line segments, bit-line segments, sources and neurons as arrays of `dtype`."""
        word, bit, source, neuron = (jnp.asarray(r, dtype) for r in (self.word, self.bit, self.source, self.neuron))
        return word, bit, source, neuron


def is_zero(resistance: Resistance) -> bool:
    """Whether a resistance is known to be 0. A traced one is taken as positive."""
    return not isinstance(resistance, Tracer) and float(resistance) == 0


def shared(count: int, *, segment: Any, end: Any) -> Any:
    """The resistance [ohm] that the currents of two of a line's devices share, device 0 being nearest to the line's end."""
    places = np.arange(count)
    return end + segment * (1.0 + np.minimum.outer(places, places))


class Folded(NamedTuple):
    """What an array acts as.

    Attributes:
        g_eff: effective conductances, `I = V @ g_eff` [S].
        residual: how far Kirchhoff's laws are missed; 0 where a formula needs no solution.
    """

    g_eff: Conductances
    residual: Float[Array, ""]


Fold = Callable[[Array], Folded]
"""One array's conductances `[rows cols]` to what it acts as."""


WiredModel = Callable[[Array, Wires], Folded]
"""An array model: conductances `[rows cols]` and resistances to what the array acts as."""


@partial(jax.tree_util.register_dataclass, data_fields=["ohm"], meta_fields=["model"])
@dataclass(frozen=True, eq=False)  # hashed as the function that it is
class WiredFold:
    """A fold whose resistances are arguments of what is compiled with it: only which of them are 0 compiles anew.

    Attributes:
        model: array model; a function of a module, so that two folds of it are seen to be alike.
        ohm: the resistances that are not 0, by their name in `Wires` [ohm], float64 whatever the precision of the process.
    """

    model: WiredModel
    ohm: Mapping[str, Array]

    def __call__(self, g: Array) -> Folded:
        """What an array of conductances `g` [S] acts as."""
        return self.model(g, Wires(**self.ohm))


def wired_fold(model: WiredModel, wires: Wires) -> WiredFold:
    """The fold of a model with these resistances, whose values are known."""
    return WiredFold(model, above_zero(wires))


def above_zero(wires: Wires) -> dict[str, Array]:
    """The resistances that are not 0, by name, whose values are known [ohm], float64: what `Wires` is made of in a program."""
    with jax.enable_x64(True):
        return {name: jnp.asarray(r, jnp.float64) for name, r in vars(wires).items() if not is_zero(r)}


def exactly(g_eff: Array) -> Folded:
    """What a formula gives: nothing was solved, and nothing is left over."""
    return Folded(g_eff, jnp.zeros((), g_eff.dtype))
