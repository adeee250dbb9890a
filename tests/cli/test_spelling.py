"""Messages name keys; the command line says them as options."""

from typing import Annotated, Literal

import click
import pytest

from xbar_cli.cli.shared.declared import declared
from xbar_cli.cli.shared.options import options
from xbar_cli.cli.shared.spelling import spoken, translated
from xbar_cli.config.base import Apart, Option, RootSection, Section, require
from xbar_cli.errors import ModelError, XbarError


class Mapping(Section):
    levels: Annotated[str, Option()] = "uniform"
    bits: Annotated[int | None, Option("--device-bits")] = None
    adc: Annotated[int | None, Option()] = None
    adc_range: Annotated[str | None, Option()] = None
    r_wire_ohm: Annotated[float, Option()] = 0.0
    r_wire_word_ohm: Annotated[float | None, Option()] = None
    second: int = 0


class Tat(Section):
    name: Literal["tat"] = "tat"
    weight_limit: Annotated[str, Option()] = "max"


class Biased(Section):
    name: Literal["biased"] = "biased"
    weight_limit: Annotated[str, Option()] = "max"


class Root(RootSection):
    method: Annotated[Tat | Biased, Apart(), Option()] = Tat()
    mapping: Mapping = Mapping()
    fold_norm: Annotated[bool, Option()] = False
    cache: Annotated[bool, Option("--no-cache")] = True
    activity: Annotated[str | None, Option()] = None
    node_nm: Annotated[float | None, Option()] = None


OPTIONS = declared(Root)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("mapping.levels = ratio needs mapping.bits", "--levels ratio needs --device-bits"),
        ("mapping.levels = ratio, and mapping.bits.", "--levels ratio, and --device-bits."),
        ("give mapping.r_wire_ohm or mapping.r_wire_word_ohm", "give --r-wire or --r-wire-word"),
        ("mapping.adc_range needs mapping.adc: none", "--adc-range needs --adc: none"),
        ("mapping.adc_range = percentile:99: no", "--adc-range percentile:99: no"),
        ("(mapping.bits = 3)", "(--device-bits 3)"),
        ("mapping.r_wire_ohm = 2.5.", "--r-wire 2.5."),
        ("mapping.adc_range = 0,1,3; leave it", "--adc-range 0,1,3; leave it"),
        ("activity = 'runs/my eval' is no run", "--activity 'runs/my eval' is no run"),
        ('activity = "my eval", of old', '--activity "my eval", of old'),
        ("`activity = my eval` is old, leave out `activity`", "--activity my eval is old, leave out --activity"),
        ("tat.weight_limit or biased.weight_limit", "--weight-limit or --weight-limit"),
        ("`weight_limit`, `adc_range = max`, `levels`", "--weight-limit, --adc-range max, --levels"),
        ("method = tat does not use `node_nm`", "--method tat does not use --node"),
        ("fold_norm = true, `fold_norm`", "--fold-norm, --fold-norm"),
        ("cache = false here, cache = true there", "--no-cache here, cache = true there"),
        ("mapping.r_wire_ohm = -1 is below 0", "--r-wire -1 is below 0"),
        ("activity = conv1=features.0: no such layer", "--activity conv1=features.0: no such layer"),
    ],
)
def test_keys_and_their_values_become_options(message, said):
    assert translated(message, OPTIONS) == said


@pytest.mark.parametrize(
    "message",
    [
        "mapping.second = 3 has no option",
        "bits of an activity by a method",
        "mine.toml: node_nm, r_wire_ohm = 3 and levels = 7 are keys of a file",
        "unknown key 'mapping.bits'",
        "\"mapping.bits\" is quoted, so is 'mapping.bits = 3'",
        "runs/mapping.bits is a path, mapping.bits/x too, mapping.bits.toml as well",
        "--set mapping.bits=3 sets it",
        "old.mapping.bits, mapping.bits_more and mapping.adc-range are other keys",
        "`mapping.second` stays",
    ],
)
def test_what_is_no_key_of_an_option_stays(message):
    assert translated(message, OPTIONS) == message
    assert translated("mapping.bits", []) == "mapping.bits"


def test_a_name_that_two_options_share_is_no_name():
    class Other(Section):
        adc: Annotated[int, Option("--other-adc")] = 0

    class Both(RootSection):
        mapping: Mapping = Mapping()
        other: Other = Other()

    message = "`adc` of mapping.adc or other.adc, `adc_range`"
    assert translated(message, declared(Both)) == "`adc` of --adc or --other-adc, --adc-range"


@pytest.fixture
def said():
    """What the errors of a command with these options say."""

    class Checked(Root):
        def check(self):
            require(self.mapping.levels != "ratio" or self.mapping.bits, "mapping.levels = ratio needs mapping.bits")

    @click.command()
    @options(Checked)
    def command(config, **_):
        raise ModelError(spoken("mapping.adc_range = max") + ": mapping.bits")

    def run(*words):
        with pytest.raises(XbarError) as caught:
            command.main(list(words), standalone_mode=False)
        return str(caught.value)

    return run


def test_errors_of_a_command_name_its_options(said):
    assert said("--levels", "ratio") == "--levels ratio needs --device-bits"
    assert said() == "--adc-range max: --device-bits"


def test_a_value_that_pydantic_refuses_names_origin_and_key(said):
    assert said("--device-bits", "x").startswith("--device-bits: mapping.bits = 'x': input should be a valid integer")
    assert said("--set", "mapping.bits=x").startswith("--set: mapping.bits = 'x': ")


def test_outside_of_a_command_nothing_is_translated():
    assert spoken("mapping.bits") == "mapping.bits"
