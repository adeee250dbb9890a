"""What a training fixed of its devices: kept in its summary, read from a run, taken up where nothing else is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter

from xbar_cli.config.arrays import ArraySection
from xbar_cli.config.chips.insitu import InsituMethod
from xbar_cli.config.devices import ImportConfig
from xbar_cli.config.effects import ChipCorner
from xbar_cli.config.hardware import MappingSection
from xbar_cli.config.methods import BiasedMethod
from xbar_cli.config.train import TrainConfig
from xbar_cli.errors import ConfigError, RunError
from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.mapping.periphery import SCHEMES as DIFFERENCES
from xbar_cli.mapping.placing import Slices
from xbar_cli.outside import quoted, quoted_error
from xbar_cli.runs.directory import SUMMARY
from xbar_cli.runs.results import read_tensors, write_tensors
from xbar_cli.runs.seal import ANEW
from xbar_cli.trained.learned import LearnedRanges

DEVICES = "devices.safetensors"
"""Conductances that periphery training ended with, 0 … 1 of their range, by layer [*window columns]."""

NUMBERS = TypeAdapter(dict[str, FiniteFloat], config=ConfigDict(strict=True))
BITS: TypeAdapter[int | None] = TypeAdapter(Annotated[int | None, Field(strict=True, ge=0, le=32)])
WEIGHT_SCALES = TypeAdapter(Literal["network", "layer"] | None)


@dataclass(frozen=True)
class TrainedArrays:
    """The arrays that every forward pass of a training went through (tat, neat).

    Attributes:
        array: their model and resistances.
        tile: rows and columns of one, written `784x24`: a weight takes two columns.
        corner: how far off every device of the chip is; None where none is.
    """

    array: ArraySection
    tile: str
    corner: ChipCorner | None = None


@dataclass(frozen=True, eq=False)
class Fixed:
    """What a training fixed of its devices. By layer: in the order in which layers compute.

    Attributes:
        vg: gate voltage of each layer [V] (neat).
        w_max: weight at full scale that the cut-offs are of (neat).
        w_cut: largest weight inside the linear range (neat).
        weight_scale: what w_max is the largest of: network or layer (neat).
        weight_limits: weight at the highest level of each layer, where that is not its largest (tat).
        scheme: of the columns (periphery, biased).
        technology: name or file of the devices (tat, biased, insitu).
        levels: `ratio` (tat); else levels are uniform.
        bits: of one device (tat, periphery, biased).
        layers: which are on arrays, where some are digital (tat): `dense`, or patterns of names.
        slices: how weights are cut into slices (biased).
        fraction_bits: behind the point of each layer, where they are not those of `slices` (biased).
        m_max: conductance range of each layer in units of its weights (periphery, insitu).
        devices: trained conductances of each layer, 0 … 1 of their range [*window columns] (periphery, insitu).
        factors: of the residual tiles that a weight is on, neighbouring columns; none where it is on one (insitu).
        activation_bits: of every layer's inputs, 0 for floating point (periphery).
        input_ranges: inputs at the ends of these levels; 0 where none was seen.
        arrays: those that the weights were trained on (tat, neat, insitu).
        learned: ranges of converters that were learned with the weights (ideal).
    """

    vg: Mapping[str, float] | None = None
    w_max: Mapping[str, float] | None = None
    w_cut: Mapping[str, float] | None = None
    weight_scale: str | None = None
    weight_limits: Mapping[str, float] | None = None
    scheme: Literal["de", "bc", "acm", "bitslice"] | None = None
    technology: str | None = None
    levels: str | None = None
    bits: int | None = None
    layers: str | None = None
    slices: SliceFormat | None = None
    fraction_bits: Mapping[str, float] | None = None
    m_max: Mapping[str, float] | None = None
    devices: Mapping[str, NDArray[np.float32]] | None = None
    factors: tuple[float, ...] = ()
    activation_bits: int | None = None
    input_ranges: Mapping[str, float] | None = None
    arrays: TrainedArrays | None = None
    learned: LearnedRanges | None = None

    def summary(self) -> dict[str, Any]:
        """The keys of a training's summary that say so."""
        found: dict[str, Any] = {"vg_volt": _values(self.vg)}
        if self.w_max is not None:
            found |= {"w_max": _values(self.w_max), "w_cut": _values(self.w_cut), "weight_scale": self.weight_scale}
        if self.m_max is not None:
            found |= {"scheme": self.scheme, "bits": self.bits, "activation_bits": self.activation_bits}
            found |= {"input_ranges": dict(self.input_ranges or {}), "m_max": _values(self.m_max)}
        if self.factors:
            found |= {"residual_factors": list(self.factors)}
        if self.slices is not None:
            found |= {"encoding": self.slices.encoding, "fraction_bits": _values(self.fraction_bits)}
        if self.arrays is not None:
            limits = None if self.weight_limits is None else dict(self.weight_limits)
            found |= {"array": self.arrays.array.model, "technology": self.technology, "weight_limits": limits}
            found |= {"arrays": self._arrays(self.arrays)}
        return found if self.learned is None else found | {"learned_ranges": self.learned.in_use()}

    def point_of(self, name: str, slices: Slices) -> float | None:
        """The fraction bits that a layer was trained for; None for none, or where `slices` have other bits."""
        if self.slices is None or self.fraction_bits is None or slices.weight_bits != self.slices.weight_bits:
            return None
        return self.fraction_bits.get(name)

    def _arrays(self, arrays: TrainedArrays) -> dict[str, Any]:
        """Arrays and the levels of their devices, as `read` takes them up."""
        given = {"levels": self.levels, "bits": self.bits, "layers": self.layers, "tile": arrays.tile}
        found = {key: value for key, value in given.items() if value is not None} | {"array": arrays.array.in_use()}
        return found if arrays.corner is None else found | {"corner": arrays.corner.in_use()}

    def save(self, folder: Path) -> None:
        """Write what no summary holds into a run: trained conductances, where there are any."""
        if self.devices is not None:
            write_tensors(folder / DEVICES, dict(self.devices))

    @classmethod
    def read(cls, summary: Mapping[str, Any], config: TrainConfig | ImportConfig, folder: Path) -> Self:
        """What the training of a run in `folder` fixed; RunError where a file is missing or the summary contradicts itself."""
        try:
            return cls._read(summary, config, folder)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = f"{error} is missing" if isinstance(error, KeyError) else quoted_error(error)
            raise RunError(f"{folder}: {SUMMARY} is damaged ({said}); {ANEW}") from None

    @classmethod
    def _read(cls, summary: Mapping[str, Any], config: TrainConfig | ImportConfig, folder: Path) -> Self:
        names = list(summary["layers"])

        def by_layer(key: str) -> dict[str, float] | None:
            found = summary.get(key)
            if found is not None and len(found) != len(names):
                raise RunError(f"{folder}: {key} of {SUMMARY} has {len(found)} values for {len(names)} layers; {ANEW}")
            return None if found is None else NUMBERS.validate_python(dict(zip(names, found, strict=True)))

        def named(key: str) -> dict[str, float] | None:
            return None if summary.get(key) is None else NUMBERS.validate_python(summary[key])

        own = {"neat": _neat, "tat": _tat, "biased": _biased, "periphery": _periphery, "insitu": _insitu}.get(
            summary["method"]
        )
        return cls(
            vg=by_layer("vg_volt"),
            w_max=by_layer("w_max"),
            w_cut=by_layer("w_cut"),
            weight_scale=WEIGHT_SCALES.validate_python(summary.get("weight_scale")),
            weight_limits=named("weight_limits"),
            m_max=by_layer("m_max"),
            fraction_bits=by_layer("fraction_bits"),
            activation_bits=BITS.validate_python(summary.get("activation_bits")),
            input_ranges=named("input_ranges"),
            learned=None if (found := summary.get("learned_ranges")) is None else LearnedRanges.read(found, names),
            **(own(summary, config, folder) if own else {}),
        )


def _values(by_layer: Mapping[str, float] | None) -> list[float] | None:
    return None if by_layer is None else list(by_layer.values())


def _periphery(summary: Mapping[str, Any], config: TrainConfig | ImportConfig, folder: Path) -> dict[str, Any]:
    """Trained conductances and what they stand behind."""
    del config
    if not (folder / DEVICES).exists():
        raise RunError(f"{folder} lacks {DEVICES}, the conductances that it trained: train or map it anew")
    asked = {key: summary[key] for key in ("scheme", "bits")}
    if asked["scheme"] not in DIFFERENCES:
        raise RunError(f"{folder}: {SUMMARY} is damaged (scheme {quoted(asked['scheme'])}); {ANEW}")
    _require_mapping(asked, f"{folder}: bits of {SUMMARY} are damaged")
    return asked | {"devices": read_tensors(folder / DEVICES)}


def _insitu(summary: Mapping[str, Any], config: TrainConfig | ImportConfig, folder: Path) -> dict[str, Any]:
    """Trained conductances, and the arrays that they were read in, where these were not ideal."""
    found = summary.get("arrays")
    read = {} if found is None else {"arrays": _arrays(found, folder), "technology": summary["technology"]}
    asked = config.method if isinstance(config, TrainConfig) else None
    factors = asked.factors() if isinstance(asked, InsituMethod) else ()
    if summary.get("residual_factors", []) != list(factors):
        raise RunError(f"{folder}: residual_factors of {SUMMARY} are not those of its configuration; {ANEW}")
    return _periphery(summary, config, folder) | read | {"factors": factors}


def _biased(summary: Mapping[str, Any], config: TrainConfig | ImportConfig, folder: Path) -> dict[str, Any]:
    """The slices of favourable states, as the run was asked for them."""
    del summary, folder
    assert isinstance(config, TrainConfig)
    assert isinstance(config.method, BiasedMethod)
    asked = config.method
    return {"scheme": "bitslice", "technology": asked.technology, "bits": asked.bits, "slices": asked.slices()}


def _neat(summary: Mapping[str, Any], config: TrainConfig | ImportConfig, folder: Path) -> dict[str, Any]:
    """The arrays that the rounds went through, where they did."""
    del config
    found = summary.get("arrays")
    return {} if found is None else {"arrays": _arrays(found, folder)}


def _arrays(found: Mapping[str, Any], folder: Path) -> TrainedArrays:
    """Arrays as a summary has them; RunError where they are damaged."""
    corner = found.get("corner")
    _require_mapping({"tile": found.get("tile") or ""}, f"{folder}: arrays of {SUMMARY} are damaged")
    try:
        return TrainedArrays(
            ArraySection(**found["array"]), found["tile"], None if corner is None else ChipCorner(**corner)
        )
    except (ValueError, TypeError, KeyError, ConfigError):
        raise RunError(f"{folder}: arrays of {SUMMARY} are damaged; {ANEW}") from None


def _tat(summary: Mapping[str, Any], config: TrainConfig | ImportConfig, folder: Path) -> dict[str, Any]:
    """Devices, their levels and the arrays around them; runs of xbar 0.1 and before do not say them whole."""
    del config
    found = summary.get("arrays")
    if found is None:
        raise RunError(f"{folder} was trained by an earlier version, which did not keep its arrays; {ANEW}")
    levels = {key: found.get(key) for key in ("levels", "bits", "layers")}
    _require_mapping(levels, f"{folder}: arrays of {SUMMARY} are damaged")
    return {"technology": summary["technology"], "arrays": _arrays(found, folder), **levels}


def _require_mapping(keys: Mapping[str, Any], otherwise: str) -> None:
    """RunError, beginning with `otherwise`, where keys of a mapping have values that none can have."""
    try:
        MappingSection(**{key: value for key, value in keys.items() if value is not None})
    except (ValueError, TypeError, ConfigError):
        raise RunError(f"{otherwise}; {ANEW}") from None
