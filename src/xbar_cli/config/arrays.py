"""Array models: a section each, with its own keys alone; what is asked for before the model is known; how a tile folds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, assert_never, get_args

from pydantic import model_validator

from .base import LineResistance, Option, PositiveQuantity, Section, require, within

if TYPE_CHECKING:
    from xbar_cli.array.wires import WiredFold, Wires

ArrayModel = Literal["ideal", "lumped", "published", "nodal", "gated"]
Neuron = Literal["separate", "shared"]
WiredWay = Literal["auto", "fold", "sweep", "exact"]


WiredError = Annotated[PositiveQuantity, within(1e-12, 1.0)]
"""An error over full scale."""


class EndsSection(Section):
    """Resistances at the ends of the lines."""

    r_source_ohm: Annotated[LineResistance | None, Option()] = None
    """Each source (default 0)."""
    r_neuron_ohm: Annotated[LineResistance | None, Option()] = None
    """Each neuron, between a bit line and ground (default 0)."""

    def wires(self) -> "Wires":
        """The resistances of an array."""
        from xbar_cli.array.wires import Wires

        return Wires(source=self.r_source_ohm or 0.0, neuron=self.r_neuron_ohm or 0.0)


class WiresSection(EndsSection):
    """Resistances of the lines too."""

    r_wire_ohm: Annotated[LineResistance | None, Option()] = None
    """Every segment of word lines and bit lines (default 0)."""
    r_wire_word_ohm: Annotated[LineResistance | None, Option()] = None
    """Segments of word lines alone."""
    r_wire_bit_ohm: Annotated[LineResistance | None, Option()] = None
    """Segments of bit lines alone."""

    @model_validator(mode="before")
    @classmethod
    def _apart(cls, given: object) -> object:
        """Where the kinds of wire are given apart, a default for both stands back."""
        if not isinstance(given, Mapping) or all(given.get(f"r_wire_{kind}_ohm") is None for kind in ("word", "bit")):
            return given
        require(
            given.get("r_wire_ohm") is None,
            "`r_wire_ohm` sets both wires; give it, or `r_wire_word_ohm` and `r_wire_bit_ohm`",
        )
        return {**given, "r_wire_ohm": None}

    def wires(self) -> "Wires":
        """The resistances of an array."""
        both = self.r_wire_ohm or 0.0
        return replace(super().wires(), word=self.r_wire_word_ohm or both, bit=self.r_wire_bit_ohm or both)


class NeuronSection(EndsSection):
    """Source and neuron resistance, and whether columns share neurons."""

    neuron: Neuron | None = None
    """A neuron for every column (separate, when absent), or one for the two columns of a weight, which are driven with
    opposite voltages (tat)."""


class IdealArray(Section):
    """Ohm and Kirchhoff alone."""

    model: Literal["ideal"] = "ideal"

    def wires(self) -> "Wires":
        """No resistances."""
        from xbar_cli.array.wires import Wires

        return Wires()


class LumpedArray(NeuronSection):
    """Source and neuron resistance, exactly."""

    model: Literal["lumped"] = "lumped"


class PublishedArray(NeuronSection):
    """Source and neuron resistance, in the closed form that was published (tat)."""

    model: Literal["published"] = "published"


class NodalArray(WiresSection):
    """Wires, sources and neurons, exactly."""

    model: Literal["nodal"] = "nodal"


class GatedArray(WiresSection):
    """1T-1R cells; with resistances, folded to products or solved at every read."""

    WIRED_ERROR: ClassVar[float] = 1e-3

    model: Literal["gated"] = "gated"
    wired: WiredWay | None = None
    """How arrays with resistances are computed: as products with a measured error, by sweeps, or by Newton's method."""
    wired_error: WiredError | None = None
    """Largest error of a column current, over the largest of its tile."""


AnyArrayModel = IdealArray | LumpedArray | PublishedArray | NodalArray | GatedArray


class ArraySection(WiresSection):
    """An array as it is asked for: the keys of every model, one of which it becomes once the default is known."""

    models: ClassVar[tuple[ArrayModel, ...]] = get_args(ArrayModel)
    """Those that may be asked for."""

    model: Annotated[ArrayModel | None, Option("--array")] = None
    """Array model (default gated where there is a cell, else ideal)."""
    neuron: Annotated[Neuron | None, Option()] = None
    """lumped, published: a neuron for every column (default), or one for the two columns of a weight, which are driven with
    opposite voltages (tat)."""
    wired: Annotated[WiredWay | None, Option()] = None
    """gated with resistances: matrix products (fold); at every read a few sweeps (sweep) or Newton's method (exact); or the
    first of them whose measured error is small enough (default auto)."""
    wired_error: Annotated[WiredError | None, Option(metavar="X")] = None
    """The largest error of products and sweeps that auto takes, over the full scale of a tile (default 1e-3)."""

    @model_validator(mode="after")
    def _of_its_model(self) -> Self:
        if self.model is not None:
            self.known(self.model)
        return self

    def known(self, default: ArrayModel) -> AnyArrayModel:
        """The section of the model that was asked for, or else of the default; ConfigError for a key that it does not use."""
        model, given = self.model or default, self.model_dump(exclude_none=True, exclude={"model"})
        unused = sorted(given.keys() - section_of(model).model_fields.keys())
        knowing = [name for name in self.models if set(unused) <= section_of(name).model_fields.keys()]
        require(
            not unused,
            f"array.model = {model} does not use {', '.join(f'array.{key}' for key in unused)}; "
            f"{' or '.join(knowing) or 'no model'} does",
        )
        return section_of(model)(**given)


def section_of(model: ArrayModel) -> type[AnyArrayModel]:
    """The section of an array model."""
    match model:
        case "ideal":
            return IdealArray
        case "lumped":
            return LumpedArray
        case "published":
            return PublishedArray
        case "nodal":
            return NodalArray
        case "gated":
            return GatedArray
        case _:
            assert_never(model)


def tile_fold(array: AnyArrayModel) -> "WiredFold | None":
    """How one tile folds; None where currents are those of its devices alone, or no matrix says what they are."""
    from xbar_cli.array.lumped import lumped
    from xbar_cli.array.nodal import nodal
    from xbar_cli.array.pairs import lumped_pairs, published_pairs
    from xbar_cli.array.published import published
    from xbar_cli.array.wires import wired_fold

    wires = array.wires()
    match array:
        case IdealArray() | GatedArray():
            return None
        case LumpedArray():
            return wired_fold(lumped_pairs if array.neuron == "shared" else lumped, wires)
        case PublishedArray():
            return wired_fold(published_pairs if array.neuron == "shared" else published, wires)
        case NodalArray():
            return wired_fold(nodal, wires)
        case _:
            assert_never(array)


def check_neurons(
    array: AnyArrayModel, *, scheme: str, adc: bool, tile: tuple[int, int], widths: Mapping[str, int]
) -> None:
    """Raise ConfigError where neurons are shared and columns are no pairs, or a converter or an edge of a tile parts them.

    `adc`: columns are converted, each on its own; `tile` is [rows cols] of one array, `widths` the columns of every layer.
    """
    if not isinstance(array, NeuronSection) or array.neuron != "shared":
        return
    shared = "array.neuron = shared"
    require(scheme == "de", f"{shared} joins the two columns of mapping.scheme = de; {scheme} has none")
    require(
        not adc,
        f"{shared} leaves one current for two columns: converters.adc_input = pair, or no converters.adc_bits",
    )
    parted = ", ".join(name for name, width in widths.items() if width > tile[1])
    require(
        tile[1] % 2 == 0 or not parted,
        f"{shared} joins the two columns of a weight, and tiles of {tile[1]} columns part those of {parted}: "
        f"take an even number of columns, mapping.tile = {tile[0]}x{tile[1] + 1}",
    )
