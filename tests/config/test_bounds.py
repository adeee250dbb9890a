"""No number of a configuration is without bounds: what none of them allows would take all time or all memory."""

import types
import typing
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from xbar_cli.config.base import DeviceResistance, LineResistance, OpenResistance
from xbar_cli.config.characterize import ArrayConfig, CharacterizeConfig, PowerConfig
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.devices import FitConfig, ImportConfig
from xbar_cli.config.effects import EFFECTS
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.hardware import MapConfig
from xbar_cli.config.methods import METHODS
from xbar_cli.config.ranges import gate_voltages, input_voltages
from xbar_cli.config.tile import TileConfig
from xbar_cli.config.train import TrainConfig
from xbar_cli.config.verify import VerifyConfig

ROOTS = (
    ArrayConfig, CharacterizeConfig, EnergyConfig, EvaluateConfig, FitConfig, ImportConfig, MapConfig, PowerConfig, TileConfig,
    TrainConfig, VerifyConfig, *METHODS.values(), *EFFECTS.values(),
)  # fmt: skip


def parts(annotation: object) -> Iterator[object]:
    """A type and all that it is made of."""
    yield annotation
    for part in typing.get_args(annotation):
        yield from parts(part)


def numbers(section: type[BaseModel], path: str) -> Iterator[tuple[str, FieldInfo]]:
    """The fields of a section, and of those in it, that are numbers, by dotted key."""
    for name, field in section.model_fields.items():
        made_of = [part for part in parts(field.annotation) if isinstance(part, type)]
        inside = [part for part in made_of if not isinstance(part, types.GenericAlias) and issubclass(part, BaseModel)]
        for part in inside:
            yield from numbers(part, f"{path}.{name}")
        if not inside and {int, float} & set(made_of) and typing.get_origin(field.annotation) not in (dict, tuple):
            yield f"{path}.{name}", field


FOUND = dict(found for root in ROOTS for found in numbers(root, root.__name__))


@pytest.mark.parametrize("key", FOUND)
def test_every_number_has_bounds_on_both_sides(key):
    field = FOUND[key]
    allowed = TypeAdapter(typing.Annotated[field.annotation, *field.metadata, None])
    whole = int in parts(field.annotation)
    for far in (10**20, -(10**20)) if whole else (1e300, -1e300):
        with pytest.raises(ValidationError):
            allowed.validate_python(far)


def test_the_numbers_of_all_commands_were_found():
    assert len(FOUND) > 120
    assert {
        "EvaluateConfig.monte_carlo.samples",
        "TrainConfig.training.epochs",
        "CharacterizeConfig.cell.width_m",
    } <= set(FOUND)


def test_an_excess_is_told_with_its_bounds():
    with pytest.raises(ValidationError, match=r"1e\+20 is out of bounds: from 1e-12 to 1e12 ohm is allowed"):
        TypeAdapter(DeviceResistance).validate_python("1e20")
    with pytest.raises(ValidationError, match=r"1e-20 is out of bounds: 0 or from 1e-09 to 1e12 ohm is allowed"):
        TypeAdapter(LineResistance).validate_python(1e-20)
    assert TypeAdapter(LineResistance).validate_python(0) == 0
    assert TypeAdapter(OpenResistance).validate_python("inf") == float("inf")


def test_ranges_of_voltages_have_bounds():
    for parse, text in ((gate_voltages, "0:1e9:1e9"), (gate_voltages, "1e30"), (input_voltages, "-1e9:1:5")):
        with pytest.raises(ValueError, match="from -100 to 100 V"):
            parse(text)
