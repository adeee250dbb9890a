"""Configuration of `xbar design`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xbar_cli.config.base import (
    NonNegativeQuantity,
    Option,
    PositiveQuantity,
    Section,
    Text,
    parse_quantity,
    require,
    text_of,
    within,
)
from xbar_cli.outside import quoted

from .advise import ADVISE_WITHOUT
from .evaluate import EvaluateConfig

DESIGN_NAMES: tuple[str, ...] = (
    "vg", "vg_layers", "v_read", "r_on", "r_off", "wire_width", "r_source", "r_neuron", "weight_limit", "adc_bits",
    "adc_range", "tile",
)  # fmt: skip


def parse_over(text: str) -> tuple[str, tuple[float, float] | None]:
    """The parameter that `NAME` or `NAME=LOW:HIGH` names and its bounds, None where they are left open; else ValueError."""
    name, equals, span = text.partition("=")
    form = "write NAME or NAME=LOW:HIGH, such as adc_bits=3:8"
    if name not in DESIGN_NAMES:
        raise ValueError(f"{quoted(name)} is no parameter of a design; use {', '.join(DESIGN_NAMES)}")
    if not equals:
        return name, None
    low, colon, high = span.partition(":")
    try:
        bounds = float(parse_quantity(low)), float(parse_quantity(high))
    except ValueError:
        raise ValueError(f"{quoted(text)}: {form}") from None
    if not colon or not 0 < bounds[0] < bounds[1] <= 1e15:
        raise ValueError(f"{quoted(text)}: the bounds must be above 0, the first below the second; {form}")
    return name, bounds


def _over(text: str) -> str:
    parse_over(text)
    return text


Over = Annotated[Annotated[Text, AfterValidator(_over)], BeforeValidator(text_of)]


class DesignSection(Section):
    """What is designed, and what it is weighed by."""

    over: Annotated[
        tuple[Over, ...],
        Field(
            max_length=50,
            description=f"A parameter that is designed, may be repeated: {', '.join(DESIGN_NAMES)}. Bounds as the "
            "parameter's unit has them (V, ohm, bits, rows); without them its usual ones.",
        ),
        Option("--over", metavar="NAME[=LOW:HIGH]", repeatable=True),
    ] = ()
    energy_weight: Annotated[Annotated[NonNegativeQuantity, within(0, 1e3)], Option(metavar="X")] = 0.0
    """Loss that e times the energy of an image is worth."""
    area_weight: Annotated[Annotated[NonNegativeQuantity, within(0, 1e3)], Option(metavar="X")] = 0.0
    """The same of the arrays' area."""
    latency_weight: Annotated[Annotated[NonNegativeQuantity, within(0, 1e3)], Option(metavar="X")] = 0.0
    """The same of the time of an image."""
    cost_model: Annotated[Literal["resparc", "isaac"], Option()] = "resparc"
    """Cost model."""
    steps: Annotated[int, Field(ge=1, le=100_000), Option()] = 120
    """Steps of the descent."""
    rate: Annotated[Annotated[PositiveQuantity, within(1e-6, 1)], Option("--rate", metavar="X")] = 0.03
    """Largest change of a parameter in a step, as a share of its span."""
    step_images: Annotated[int, Field(ge=1, le=65536), Option()] = 128
    """Training images of a step."""
    step_chips: Annotated[int, Field(ge=1, le=1000), Option()] = 1
    """Chips of a step, none of which is ever seen again."""
    train_weights: Annotated[bool, Option("--train-weights")] = False
    """Whether the weights of the network descend beside the parameters; the design keeps them as a train run of its own."""
    weight_rate: Annotated[Annotated[PositiveQuantity, within(1e-7, 1)], Option("--weight-rate", metavar="X")] = 1e-3
    """Learning rate of the weights (Adam), where they descend."""


class DesignConfig(EvaluateConfig):
    """An evaluation, where the design starts, and what of it may change."""

    design: DesignSection = DesignSection()

    def check(self) -> None:
        """What the descent does not follow is an error."""
        require(bool(self.design.over), f"design.over names what is designed: {', '.join(DESIGN_NAMES)}")
        names = [parse_over(text)[0] for text in self.design.over]
        twice = sorted({name for name in names if names.count(name) > 1})
        require(not twice, f"design.over names {', '.join(twice)} twice")
        require(not {"vg", "vg_layers"} <= set(names), "design.over: vg is one gate voltage, vg_layers one a layer")
        for key in (*ADVISE_WITHOUT, "repair.remedies", "programming.method", "decoding.calibrate"):
            section, _, name = key.partition(".")
            own = getattr(self, section)
            given = getattr(own, name)
            require(given == type(own).model_fields[name].default, f"{key} is not followed by a design: leave it out")
        rate = DesignSection.model_fields["weight_rate"].default
        require(
            self.design.train_weights or self.design.weight_rate == rate,
            "design.weight_rate is of weights that descend: give design.train_weights too, or leave it out",
        )
        require(self.mapping.levels == "uniform", "mapping.levels must be uniform in a design")
        require(self.mapping.per_layer is None, "mapping.per_layer is not followed by a design: leave it out")
        require(self.mapping.scheme != "bitslice", "mapping.scheme = bitslice has no gradient: design de, bc or acm")
        require(self.mapping.weight_limit != "auto", "mapping.weight_limit = auto has no gradient: give a share")

    def evaluation(self) -> EvaluateConfig:
        """The evaluation where the design starts."""
        return EvaluateConfig(**{name: getattr(self, name) for name in EvaluateConfig.model_fields})
