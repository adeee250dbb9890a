"""Options come from the fields of sections: spelling, metavar, choices, help and default, unions and methods."""

import importlib
from typing import Annotated, ClassVar, Literal

import click
import pytest
from pydantic import Field

from xbar_cli.cli.main import COMMANDS, cli
from xbar_cli.cli.shared.declared import declared, spelled
from xbar_cli.cli.shared.options import options
from xbar_cli.config.base import Apart, Option, PositiveQuantity, RootSection, Section


class Ends(Section):
    r_source_ohm: Annotated[PositiveQuantity | None, Option()] = None
    """Each source (default 0)."""


class Lumped(Ends):
    kind: Annotated[Literal["lumped"], Option("--array")] = "lumped"
    """Model of the array (default ideal)."""


class Nodal(Ends):
    kind: Annotated[Literal["nodal"], Option("--array")] = "nodal"
    r_wire_ohm: Annotated[PositiveQuantity, Option()] = 30e3
    """Each segment."""


class Ideal(Section):
    kind: Annotated[Literal["ideal"], Option("--array")] = "ideal"


class Tat(Section):
    name: Literal["tat"] = "tat"
    bits: Annotated[int, Option()] = 4
    """Bits of a magnitude."""
    refold: Annotated[int | None, Option()] = None
    """Steps between solutions."""


class Periphery(Section):
    name: Literal["periphery"] = "periphery"
    bits: Annotated[int | None, Option(metavar="B")] = None
    """Bits of a device."""


class Biased(Section):
    name: Literal["biased"] = "biased"
    bits: Annotated[int | None, Option()] = None
    """Bits of a device."""


class Root(RootSection):
    method: Annotated[Annotated[Tat | Periphery | Biased, Field(discriminator="name")], Apart(), Option()] = Periphery()
    """How to train."""
    array: Annotated[Ideal | Lumped | Nodal, Field(discriminator="kind")] = Ideal()
    width_m: Annotated[PositiveQuantity, Field(lt=1), Option()] = 90e-9
    """Gate width,
    of all cells.

    More for the source."""
    cache: Annotated[bool, Option("--no-cache")] = True
    """Keep tables."""
    nominal: Annotated[bool, Option()] = False
    """At nominal values."""
    effects: Annotated[tuple[str, ...], Option("--effect", metavar="MODEL", repeatable=True)] = ()
    """An effect."""
    scheme: Annotated[Literal["de", "bc"] | None, Option()] = None
    """The default is de."""
    rate: Annotated[float | None, Option()] = None
    """A rate"""
    hidden: int = 3


@pytest.fixture
def of():
    return {option.name: option for option in declared(Root)}


def test_spelling_and_metavar_follow_from_key_unit_and_type(of):
    assert {name: option.metavar for name, option in of.items() if not option.choices and not option.flag} == {
        "--seed": "N", "--bits": "N", "--refold": "N", "--r-source": "OHM", "--r-wire": "OHM", "--width": "METRE",
        "--effect": "MODEL", "--rate": "X",
    }  # fmt: skip
    assert of["--width"].key == "width_m"
    assert of["--r-source"].key == "array.r_source_ohm"


def test_help_is_the_first_paragraph_with_the_default_unless_it_speaks_of_one(of):
    assert of["--width"].help == "Gate width, of all cells (default 90n)."
    assert of["--scheme"].help == "The default is de."
    assert of["--rate"].help == "A rate"
    assert of["--nominal"].help == "At nominal values."
    assert of["--method"].help == "How to train (default periphery)."


def test_choices_are_the_literals_and_the_tags(of):
    assert of["--scheme"].choices == ("de", "bc")
    assert of["--method"].choices == ("tat", "periphery", "biased")
    assert of["--array"].choices == ("ideal", "lumped", "nodal")


def test_a_flag_turns_the_default_round(of):
    assert (of["--nominal"].flag, of["--no-cache"].flag) == ("true", "false")


def test_a_key_of_several_variants_is_one_option_whose_help_names_them(of):
    assert of["--array"].help == "Model of the array (default ideal)."
    assert of["--r-source"].help == "lumped, nodal: each source (default 0)."
    assert of["--r-wire"].help == "nodal: each segment (default 30k)."


def test_a_key_in_the_tables_of_several_methods_is_the_bare_one(of):
    assert (of["--bits"].key, of["--bits"].keys) == ("bits", ("tat.bits", "periphery.bits", "biased.bits"))
    assert of["--bits"].help == "tat: bits of a magnitude (default 4); periphery, biased: bits of a device."
    assert of["--refold"].key == "tat.refold"


def test_keys_that_a_variant_shares_are_its_own_and_no_others_of_that_section_are_options():
    class Sharing(Tat):
        shares: ClassVar[tuple[str, ...]] = ("array.r_source_ohm",)

    class Shared(RootSection):
        method: Annotated[Annotated[Sharing | Biased, Field(discriminator="name")], Apart()] = Sharing()
        array: Nodal = Nodal()

    found = {option.name: option for option in declared(Shared)}
    assert found.keys() == {"--seed", "--bits", "--refold", "--r-source"}
    assert (found["--r-source"].key, found["--r-source"].help) == (
        "array.r_source_ohm",
        "tat: each source (default 0).",
    )


def test_two_keys_with_one_spelling_are_an_error():
    class Twice(Section):
        ends: Ends = Ends()
        r_source_ohm: Annotated[float, Option()] = 0.0

    with pytest.raises(ValueError, match=r"--r-source is the option of ends\.r_source_ohm and r_source_ohm"):
        declared(Twice)


def test_what_a_class_adds_comes_before_what_it_inherits():
    class More(Ends):
        size: Annotated[int, Option()] = 1

    assert [option.name for option in declared(More)] == ["--size", "--r-source"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (90e-9, "m", "90n"), (30e3, "ohm", "30k"), (2e6, "ohm", "2M"), (0.5, "volt", "0.5"), (300e3, "", "300000"),
        (1e-5, "", "1e-5"), (0.0, "ohm", "0"), (27.0, "celsius", "27"), (64, "", "64"), ("8x8", "", "8x8"),
    ],
)  # fmt: skip
def test_defaults_are_spelled_as_they_are_given(value, unit, text):
    assert spelled(value, unit=unit) == text


def test_a_command_gives_its_configuration_what_its_options_say(monkeypatch):
    class Small(RootSection):
        ends: Ends = Ends()
        nominal: Annotated[bool, Option()] = False
        effects: Annotated[tuple[str, ...], Option("--effect", repeatable=True)] = ("none",)
        run: str = ""

    seen = []

    @click.command()
    @click.argument("run")
    @options(Small, argument="run")
    @click.option("--mine", is_flag=True)
    def command(config, mine, out, **output):
        seen.append((config, mine, out, output))

    def said(*words):
        command.main(list(words), standalone_mode=False)
        return seen[-1]

    config, mine, out, output = said(
        "here", "--r-source", "1k", "--effect", "a", "--effect", "b", "--mine", "--seed", "3"
    )
    assert (config.run, config.ends.r_source_ohm, config.effects, config.seed) == ("here", 1000.0, ("a", "b"), 3)
    assert (config.nominal, mine, out) == (False, True, None)
    assert output == {"overwrite": False, "as_json": False, "quiet": False}
    config, mine, *_ = said("here", "--nominal", "--set", "ends.r_source_ohm=2")
    assert (config.nominal, config.effects, config.ends.r_source_ohm, mine) == (True, ("none",), 2.0, False)


def test_options_are_left_out_by_key_or_section():
    names = lambda **more: {p.opts[0] for p in click.command()(options(Root, **more)(lambda **_: None)).params}  # noqa: E731
    assert names() - names(without=("array", "width_m")) == {"--array", "--r-source", "--r-wire", "--width"}
    with pytest.raises(ValueError, match="no option to leave out: hidden"):
        options(Root, without=("hidden",))


def commands():
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        yield name, command
        yield from (command.commands if isinstance(command, click.Group) else {}).items()


@pytest.mark.parametrize(("name", "command"), [pytest.param(*found, id=found[0]) for found in commands()])
def test_every_option_of_every_command_says_what_it_does(name, command):
    silent = [
        p.opts[0] for p in command.params if isinstance(p, click.Option) and not (p.help and p.help.endswith("."))
    ]
    assert not silent


def test_no_command_has_a_choice_that_its_configuration_refuses():
    module = importlib.import_module("xbar_cli.config.chips.evaluate")
    found = {option.name: option for option in declared(module.EvaluateConfig)}
    for text in found["--scheme"].choices:
        assert module.EvaluateConfig.model_validate({"mapping": {"scheme": text}}).mapping.scheme == text
