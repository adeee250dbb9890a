"""Networks computed on programmed arrays: noise, corrections and counts around each layer's product."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import jax
from jax import Array
from jaxtyping import Float

from xbar_cli.array.converters import Adc
from xbar_cli.array.gated import GatedLayer
from xbar_cli.array.ideal import Contract, LinearLayer
from xbar_cli.numerics import along_last, stream

from .layers import Product
from .noise import ColumnNoise
from .program import DrivenLayer
from .tiled import TiledLayer
from .wired.folded import FoldedWiredLayer
from .wired.solved import Trust, WiredLayer
from .wired.swept import SweptWiredLayer

ProgrammedLayer = LinearLayer | GatedLayer | DrivenLayer | TiledLayer | WiredLayer | SweptWiredLayer | FoldedWiredLayer


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Correction:
    """What turns decoded outputs into those that the floating-point network would have had: `gain · y + offset`."""

    gain: Float[Array, "..."]
    offset: Float[Array, "..."]

    def __call__(self, y: Float[Array, "*batch out"]) -> Float[Array, "*batch out"]:
        """The corrected outputs."""
        gain, offset = (v if v.ndim == 0 else along_last(v, y) for v in (self.gain, self.offset))
        return y * gain + offset


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Circuit:
    """The layers of one chip, ready to compute.

    Attributes:
        layers: by name; those that are not here are digital.
        adcs: the converters of tiled layers.
        noises: read noise of the layers that have some.
        corrections: of the layers that were calibrated.
        copies: circuits of the same layers whose outputs are averaged with these, before they are corrected.
    """

    layers: dict[str, ProgrammedLayer]
    adcs: dict[str, Adc] = field(default_factory=dict)
    noises: dict[str, ColumnNoise] = field(default_factory=dict)
    corrections: dict[str, Correction] = field(default_factory=dict)
    copies: tuple["Circuit", ...] = ()

    @property
    def solved(self) -> bool:
        """Whether a layer's arrays are solved or swept at every read."""
        read = [layer.layer if isinstance(layer, DrivenLayer) else layer for layer in self.layers.values()]
        return any(isinstance(layer, WiredLayer | SweptWiredLayer) for layer in read)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Counts:
    """A layer's inputs beyond the row drive, or conversions of its outputs beyond the range.

    Attributes:
        beyond: of each image.
        total: inputs, or conversions, for one image.
    """

    beyond: Float[Array, " images"]
    total: int = field(metadata={"static": True})


def layer_outputs(
    circuit: Circuit,
    name: str,
    x: Array,
    contract: Contract,
    *,
    key: Array,
    first: Array,
    counts: dict[str, Counts] | None,
    trusts: dict[str, Trust] | None = None,
    use: int = 0,
) -> Array:
    """The decoded and corrected outputs of one layer for the inputs `x` [images …]: those of its copies are averaged.

    Arguments as for `on_arrays`, and `use`: how often the layer was read before in this pass; every use is a read of its own.
    """
    y = _outputs(circuit, name, x, contract, key=key, first=first, counts=counts, trusts=trusts, use=use)
    for number, copy in enumerate(circuit.copies, start=1):
        own = stream(key, f"copy {number}")
        y = y + _outputs(copy, name, x, contract, key=own, first=first, counts=counts, trusts=trusts, use=use)
    if circuit.copies:
        y = y / (1 + len(circuit.copies))
    correction = circuit.corrections.get(name)
    return y if correction is None else correction(y)


def _outputs(
    circuit: Circuit,
    name: str,
    x: Array,
    contract: Contract,
    *,
    key: Array,
    first: Array,
    counts: dict[str, Counts] | None,
    trusts: dict[str, Trust] | None,
    use: int,
) -> Array:
    """The decoded outputs of one layer, neither averaged nor corrected."""
    layer, noise = circuit.layers[name], circuit.noises.get(name)
    noise_key = stream(key, name)
    if use:
        noise_key = stream(noise_key, f"use {use}")
    match layer:
        case TiledLayer():
            y, saturated = layer(x, contract, adc=circuit.adcs[name], noise=noise, key=noise_key, first=first)
            if counts is not None:
                positions = y[0].size // y.shape[-1]
                _add(counts, f"adc {name}", Counts(saturated, layer.conversions(positions)))
        case WiredLayer() | SweptWiredLayer() | DrivenLayer(layer=WiredLayer() | SweptWiredLayer()):
            y, trust = layer(x, contract)
            if trusts is not None:
                trusts[name] = trust if name not in trusts else trusts[name].worst(trust)
        case _:
            y = layer(x, contract)
    if noise is not None and not isinstance(layer, TiledLayer):  # whose noise is in front of its converters
        felt = layer.felt(x) if isinstance(layer, DrivenLayer) else x
        y = y + noise(noise_key, felt, contract, first=first)
    beyond = beyond_drive(layer, x)
    if counts is not None and beyond is not None:
        _add(counts, f"dac {name}", Counts(beyond.reshape(x.shape[0], -1).sum(axis=1), x[0].size))
    return y


def _add(counts: dict[str, Counts], name: str, more: Counts) -> None:
    """Count `more` conversions too: a layer may be used several times."""
    before = counts.get(name)
    counts[name] = more if before is None else Counts(before.beyond + more.beyond, before.total + more.total)


def beyond_drive(layer: ProgrammedLayer, x: Array) -> Array | None:
    """1 where an activation is beyond the row drive, which then ends at its range, else 0; None where no drive ends."""
    match layer:
        case TiledLayer() | DrivenLayer():
            return layer.dac.saturated(x) if layer.dac.limited else None
        case GatedLayer() | WiredLayer() | SweptWiredLayer() | FoldedWiredLayer():
            return layer.drive.beyond(x)
        case LinearLayer():
            return None


@dataclass
class Reads:
    """The product of one pass that computes every layer on its programmed arrays, or digitally where it has none.

    Attributes:
        circuit: the layers.
        key: of the read noise; the second, third … use of a layer in the pass draws from a stream of its own, and so does
            every step of a loop.
        first: number of the batch's first image; every image draws its noise from a stream of its own.
        counts: filled with the conversions beyond the converters' ranges, by "adc" or "dac" (the row drive, with a converter or
            without) and layer, while tracing.
        trusts: filled with how well the arrays of each layer were solved, likewise.
    """

    circuit: Circuit
    key: Array
    first: Array
    counts: dict[str, Counts] | None = None
    trusts: dict[str, Trust] | None = None
    uses: Counter[str] = field(default_factory=Counter)
    loops: int = 0

    def __call__(self, name: str, x: Array, kernel: Array, contract: Contract) -> Array:
        """The outputs of a layer."""
        if name not in self.circuit.layers:
            return contract(x, kernel)
        use, self.uses[name] = self.uses[name], self.uses[name] + 1
        return layer_outputs(
            self.circuit,
            name,
            x,
            contract,
            key=self.key,
            first=self.first,
            counts=self.counts,
            trusts=self.trusts,
            use=use,
        )

    def enter(self, step: Array | int, steps: int) -> "Reads":
        """The product of one step of a loop: a read of its own."""
        del steps
        key = jax.random.fold_in(stream(self.key, f"loop {self.loops}"), step)
        counts, trusts = (None if found is None else {} for found in (self.counts, self.trusts))
        return replace(self, key=key, counts=counts, trusts=trusts, uses=Counter(), loops=0)

    def found(self) -> tuple[dict[str, Counts], dict[str, Trust]]:
        """What it counted, and how well arrays were solved."""
        return self.counts or {}, self.trusts or {}

    def absorb(self, found: tuple[dict[str, Counts], dict[str, Trust]], steps: int) -> None:
        """Takes what the steps of a loop counted and solved [steps …]."""
        self.loops += 1
        counts, trusts = found
        for name, seen in counts.items():
            assert self.counts is not None
            _add(self.counts, name, Counts(seen.beyond.sum(axis=0), seen.total * steps))
        for name, trust in trusts.items():
            assert self.trusts is not None
            worst = Trust(*(value.max(axis=0) for value in trust))
            self.trusts[name] = worst if name not in self.trusts else self.trusts[name].worst(worst)


def on_arrays(
    circuit: Circuit,
    *,
    key: Array,
    first: Array,
    counts: dict[str, Counts] | None = None,
    trusts: dict[str, Trust] | None = None,
) -> Product:
    """The product of one pass on the arrays of `circuit`: see `Reads` for the arguments."""
    return Reads(circuit, key, first, counts, trusts)


def share_beyond(counts: Mapping[str, Counts], kind: str, weight: Float[Array, " images"]) -> tuple[Array, Array]:
    """Conversions of one kind, "adc" or "dac", beyond the range, and all of them, of images that count `weight`."""
    chosen = [c for name, c in counts.items() if name.startswith(f"{kind} ")]
    zero = weight.sum() * 0
    beyond = sum(((c.beyond * weight).sum() for c in chosen), start=zero)
    return beyond, sum((c.total * weight.sum() for c in chosen), start=zero)
