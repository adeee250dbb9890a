"""One section per training method: what it needs besides a network, data and plain training."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from .base import NonNegativeQuantity, PositiveQuantity, Quantity, Section, Text, parse_quantity, require
from .effect_list import Effects
from .effects import EFFECTS
from .ranges import TileSize, WeightLimit

Bits = Annotated[int, Field(ge=1, le=16)]
Encoding = Literal["offset", "twos_complement", "differential"]


class NeatSection(Section):
    """NEAT: restrict to ±W_cut, retrain, repeat (Algorithm 2, eq. 3)."""

    cell: str | None = None
    """The characterize run whose linear ranges apply."""
    vg: Text | None = None
    """Gate voltage of every layer [V], one of the cell's table; `auto` for each layer's own (Algorithm 1)."""
    vg_rule: Literal["previous", "covering"] | None = None
    """auto: the last gate voltage before W_cut covers the layer's weights (the default), or the first that covers them."""
    vg_offset: Quantity | None = None
    """auto: added to every layer's gate voltage [V], such as -0.05; none when absent."""
    start: str | None = None
    """A train run to start from; without one, a network is trained first."""
    rounds: Annotated[int, Field(ge=0, le=10_000)] = 30
    epochs_per_round: Annotated[int, Field(ge=1, le=1000)] = 2
    learning_rate: PositiveQuantity = 1e-5
    weight_scale: Literal["network", "layer"] = "network"

    def rules(self) -> None:
        """Rules that join several keys."""
        require(self.cell is not None, "--method neat needs --cell RUN, a characterize run")
        require(self.vg is not None, "--method neat needs --vg VOLT, a gate voltage of the cell's table, or --vg auto")
        if self.vg != "auto":
            require(self.vg_rule is None and self.vg_offset is None, "--vg-rule and --vg-offset belong to --vg auto")
        else:
            require(
                self.weight_scale == "network", "--vg auto needs the network's W_max; leave --weight-scale layer away"
            )


class TatSection(Section):
    """Technology aware training: discretised weights on non-ideal arrays in every forward pass."""

    array: Literal["published", "lumped", "nodal"] | None = None
    """The array model: the paper's closed form, the exact arrays that share neurons, or with wires (own neurons)."""
    technology: str | None = None
    """Sets R_on and the ratio of the levels (R_off/R_on)."""
    start: str | None = None
    """A train run to start from; fresh weights without one."""
    bits: Bits | None = None
    """Of a weight's magnitude, 4 when absent;"""
    levels: Annotated[int, Field(ge=1, le=65535)] | None = None
    """or its levels besides 0, 2^bits - 1: 15."""
    weight_limit: WeightLimit = "max"
    """|W| at the highest level: the layer's largest at each step, a number, or the share of that largest at which the levels
    cost the network that training starts from the least accuracy on held-out images (auto)."""
    r_source_ohm: NonNegativeQuantity = 0.0
    r_neuron_ohm: NonNegativeQuantity = 0.0
    r_wire_ohm: NonNegativeQuantity = 0.0
    tile: TileSize | None = None
    """Rows and outputs of one array; as large as the layer when absent."""
    corner: Annotated[Quantity, Field(ge=-10, le=10)] = 0.0
    """Chip-to-chip corner k, in units of the technology's sigma."""
    sigma_chip: Annotated[Quantity, Field(ge=0, le=1)] | None = None
    layers: Literal["all", "dense"] = "all"
    """Which layers sit on arrays."""
    refold: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Steps between two solutions of lumped or nodal arrays, 256 or an epoch's when absent: in between, a device conducts
    what the closed form says times its part of that in the last solution. With 1 every step solves them, and gradients pass
    through."""

    def rules(self) -> None:
        """Rules that join several keys."""
        require(self.array is not None, "--method tat needs --array published, lumped or nodal")
        require(self.technology is not None, "--method tat needs --technology NAME|FILE: R_on and the ratio of levels")
        require(self.r_wire_ohm == 0 or self.array == "nodal", "--r-wire belongs to --array nodal")
        require(self.sigma_chip is None or self.corner != 0, "tat.sigma_chip needs --corner K, the sigmas off")
        require(self.refold is None or self.array != "published", "--refold belongs to --array lumped or nodal")
        require(self.weight_limit != "largest", "--weight-limit of --method tat is max, auto or a number above 0")
        require(
            self.weight_limit != "auto" or self.start is not None,
            "--weight-limit auto chooses for weights that are trained: it needs --start RUN, or give max or a number",
        )
        require(self.bits is None or self.levels is None, "--bits and --levels say the same: give one of them")
        require(
            self.levels is None or self.levels == 2**self.magnitude_bits - 1,
            f"--levels {self.levels} is not 2^bits - 1, such as 7 or 15",
        )

    @property
    def every_step(self) -> bool:
        """Whether every step goes through the arrays themselves, which may be the closed form."""
        return self.array == "published" or self.refold == 1

    @property
    def magnitude_bits(self) -> int:
        """Bits of a weight's magnitude, its sign apart."""
        return self.bits or (4 if self.levels is None else self.levels.bit_length())


class PeripherySection(Section):
    """Training the conductances M >= 0 behind a fixed periphery matrix (acm)."""

    scheme: Literal["de", "bc", "acm"] = "acm"
    bits: Bits | None = None
    """Bits of one device; any conductance when absent."""
    nonlinearity: Annotated[Quantity, Field(ge=-20, le=20)] = 0.0
    """nu of the conductance's curve against pulses; 0 is a straight line."""
    nonlinearity_down: Annotated[Quantity, Field(ge=-20, le=20)] | None = None
    """nu of the curve that pulses down follow; the same as up when absent."""
    activation_bits: Annotated[int, Field(ge=0, le=16)] = 8
    """Bits of every layer's inputs; 0 for floating point."""
    weight_limit: PositiveQuantity = 4.0
    """Conductance range in units of the standard deviation of the weights at the start."""


def parse_states(value: object) -> object:
    """States written `0,1,3` or as a list of numbers, as text."""
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def check_states(text: str) -> str:
    """`text` itself if it is `best:N` or states between commas.

    Raises:
        ValueError: anything else.
    """
    rule, _, count = text.partition(":")
    good = count.isdecimal() and int(count) > 0 if rule == "best" else all(p.isdecimal() for p in text.split(","))
    if not good:
        raise ValueError(f"{text!r} names no states; write them between commas, such as 0,1,3, or best:N")
    return text


class BiasedSection(Section):
    """Biased training: the most significant slice of important weights in favourable states (biased, III-B)."""

    start: str | None = None
    """The trained run to start from."""
    important: Annotated[Quantity, Field(ge=0, le=1)] = 0.3
    """Share m of the columns of each layer that are restricted."""
    favourable: Annotated[str, BeforeValidator(parse_states), AfterValidator(check_states)] = "best:3"
    """Favourable states of a device: the N of least error current of the technology, or listed."""
    technology: str = "rram2bit"
    """Whose state table orders the states."""
    encoding: Encoding = "offset"
    weight_bits: Annotated[int, Field(ge=2, le=16)] = 8
    fraction_bits: Annotated[int, Field(ge=0, le=16)] = 6
    bits: Bits = 2
    """Bits of one device."""
    slice: Annotated[int, Field(ge=-16, le=15)] = -1
    """The slice that is restricted, 0 the least significant, -1 the most."""
    tile: TileSize = "128x128"
    """Crossbar: a column's importance is summed over its rows."""
    absolute: bool = False
    """Sum |SI_w| instead of SI_w, which can cancel."""
    images: Annotated[int, Field(ge=1)] = 1000
    """Training images over which importance is summed, new ones each epoch."""
    select: Literal["validation", "test"] = "validation"
    """The part that chooses the epoch kept; the paper's is test."""

    def rules(self) -> None:
        """Rules that join several keys."""
        require(self.start is not None, "--method biased needs --start RUN, a trained run")


class InjectSection(Section):
    """Noise on the weights of every training step, as the standard baseline."""

    model: Literal["additive", "proportional", "lognormal", "chip_to_chip", "stuck"] = "additive"
    """additive (or normal): in units of the layer's largest weight; proportional and lognormal: of the weight; one draw
    for the whole network; a share of the weights at 0."""
    sigma: Annotated[Quantity, Field(ge=0, le=10)] = 0.0
    effects: Effects | None = None
    """Or any effects of evaluate on the devices that hold the weights: a new chip at every step."""
    technology: Annotated[str, Field(min_length=1)] | None = None
    """Of those devices: a name or a file; the method's own, or 30 and 300 kohm, when absent."""

    def rules(self) -> None:
        """Rules that join several keys."""
        require(self.model != "stuck" or self.sigma < 1, "--inject stuck:X takes a share below 1")
        require(self.effects is None or self.sigma == 0, "inject.effects and inject.sigma: give one of them")
        require(
            all(effect.stage != "read" for effect in self.effects or ()),
            "--inject read_noise or pcm_read: every product of a training is a read; use --inject normal:X",
        )
        require(
            all(effect.model != "mismatch" for effect in self.effects or ()),
            "--inject mismatch: training has no access transistors; use --inject normal:X",
        )
        require(bool(self.effects) or self.technology is None, "inject.technology belongs to inject.effects")


INJECT_MODELS = ("normal", "additive", "proportional", "lognormal", "chip_to_chip", "stuck")


def parse_injection(value: object) -> object:
    """`normal:0.1`, `additive:0.1`, …, a number alone (additive) or `effect:key=value` as the table of an InjectSection.

    A key of any effect is `technology`, that of the devices.

    Raises:
        ValueError: an unknown model or no number.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"sigma": value}
    if not isinstance(value, str):
        return value
    model, colon, sigma = value.rpartition(":")
    if "=" in value or value in EFFECTS:
        name, _, rest = value.partition(":")
        parts = {part.partition("=")[0].strip(): part for part in rest.split(",")}
        technology = parts.pop("technology", None)
        effect = {"effects": [f"{name}:{','.join(parts.values())}"]}
        return effect if technology is None else effect | {"technology": technology.partition("=")[2].strip()}
    if not colon:
        return {"sigma": parse_quantity(value)}
    if model not in INJECT_MODELS:
        raise ValueError(
            f"{model!r} is no injected noise; use {', '.join(INJECT_MODELS)} with a number, or an effect of evaluate such as "
            "states:scale=0.5"
        )
    return {"model": "additive" if model == "normal" else model, "sigma": parse_quantity(sigma)}
