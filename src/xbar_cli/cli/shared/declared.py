"""The options that the fields of a configuration declare: what a command's root section says, without Click."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from xbar_cli.config.base import SUFFIXES, Apart, Option, Section
from xbar_cli.config.known.keys import literals_of, marks_of, sections_of, tag_of, types_of

UNITS = {"ohm": "OHM", "volt": "VOLT", "ampere": "AMPERE", "siemens": "SIEMENS", "seconds": "SECONDS",
         "celsius": "CELSIUS", "m": "METRE", "nm": "NM"}  # fmt: skip
"""Endings of keys that are units, and how help writes them."""


@dataclass(frozen=True)
class Declared:
    """One option of a command.

    Attributes:
        key: the dotted key that it sets, or the bare one that stands for it in the tables of several variants.
        name: its spelling.
        metavar: what stands for the value in the help; empty where the choices do.
        help: the first paragraph of the docstring, with the default.
        choices: the texts that it takes; empty for any.
        flag: the text that an option without a value sets.
        repeatable: whether it may be given several times.
        keys: every dotted key that it may set.
    """

    key: str
    name: str
    metavar: str
    help: str
    choices: tuple[str, ...]
    flag: str | None
    repeatable: bool
    keys: tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """A field with an option, at a dotted key; the tags of its variant and of all of them where it stands in a union."""

    key: str
    info: FieldInfo
    option: Option
    variant: str = ""
    variants: tuple[str, ...] = ()

    @property
    def leaf(self) -> str:
        """The key without its sections."""
        return self.key.rpartition(".")[2]

    @property
    def unit(self) -> str:
        """The unit at the end of the key, or nothing."""
        ending = self.leaf.rpartition("_")[2]
        return ending if ending in UNITS and ending != self.leaf else ""

    @property
    def name(self) -> str:
        """The option's spelling."""
        bare = self.leaf.removesuffix(f"_{self.unit}") if self.unit else self.leaf
        return self.option.name or "--" + bare.replace("_", "-")


def declared(root: type[Section]) -> list[Declared]:
    """The options of the command whose configuration is `root`, in the order of its sections, what is inherited last.

    ValueError where two keys have one spelling, and are not the same key of two variants.
    """
    found: dict[str, list[_Place]] = {}
    for place in _of_variants(root, list(_places(root, ""))):
        found.setdefault(place.name, []).append(place)
    return [_merged(places) for places in found.values()]


def _of_variants(root: type[Section], places: Sequence[_Place]) -> Iterator[_Place]:
    """The places, those in common sections as places of the variants that share them; what none shares is left out."""
    variants = [part for info in root.model_fields.values() for part in sections_of(info.annotation)]
    shared = {
        key: [tag_of(part) for part in variants if key in part.shares] for part in variants for key in part.shares
    }
    common = {key.partition(".")[0] for key in shared}
    for place in places:
        if place.key.partition(".")[0] not in common:
            yield place
        for tag in shared.get(place.key, ()):
            yield replace(place, variant=tag, variants=(tag, ""))


def _places(section: type[Section], prefix: str) -> Iterator[_Place]:
    for key in dict.fromkeys(key for part in section.__mro__ for key in inspect.get_annotations(part)):
        info = section.model_fields.get(key)
        if info is None:
            continue
        marks = [*info.metadata, *marks_of(info.annotation)]
        yield from (_Place(prefix + key, info, mark) for mark in marks if isinstance(mark, Option))
        sections = sections_of(info.annotation)
        tags = tuple(tag for tag in map(tag_of, sections) if tag) if len(sections) > 1 else ()
        apart = any(isinstance(mark, Apart) for mark in marks)
        for part in sections:
            tag = tag_of(part) if tags else ""
            for place in _places(part, f"{tag}." if apart else f"{prefix}{key}."):
                yield replace(place, variant=tag, variants=tags) if tags else place


def _merged(places: Sequence[_Place]) -> Declared:
    """The option of fields with one spelling: of one key, or of the same key in several variants."""
    first, keys = places[0], tuple(dict.fromkeys(place.key for place in places))
    if len({(place.leaf, bool(place.variant)) for place in places}) > 1 or (len(keys) > 1 and not first.variant):
        raise ValueError(f"{first.name} is the option of {' and '.join(keys)}")
    of = [_choices(place.info) for place in places]
    choices = tuple(dict.fromkeys(text for texts in of for text in texts)) if all(of) else ()
    return Declared(
        key=keys[0] if len(keys) == 1 else first.leaf,
        name=first.name,
        metavar=first.option.metavar or ("" if choices else _metavar(first)),
        help=_help(places),
        choices=choices,
        flag=_flag(first.info),
        repeatable=first.option.repeatable,
        keys=keys,
    )


def _choices(info: FieldInfo) -> tuple[str, ...]:
    """The texts that the option of a field takes; for a tagged union, its tags."""
    sections = sections_of(info.annotation)
    return tuple(map(tag_of, sections)) if len(sections) > 1 else literals_of(info.annotation)


def _flag(info: FieldInfo) -> str | None:
    """The text that a flag stands for: the opposite of the default."""
    return ("false" if info.default is True else "true") if types_of(info.annotation) == [bool] else None


def _metavar(place: _Place) -> str:
    kinds = types_of(place.info.annotation)
    return UNITS.get(place.unit) or {int: "N", float: "X"}.get(kinds[0] if len(kinds) == 1 else None, "VALUE")


def _help(places: Sequence[_Place]) -> str:
    """What the docstrings say, for each variant where not all of them say the same."""
    texts: dict[str, list[str]] = {}
    for place in places:
        tag = len(literals_of(place.info.annotation)) == 1  # the same option whichever variant explains it
        texts.setdefault(_sentence(place), []).append("" if tag else place.variant)
    texts.pop("", None)
    if len(texts) == 1 and (not any(named := next(iter(texts.values()))) or {*places[0].variants} <= {*named}):
        return next(iter(texts))
    told = [(", ".join(filter(None, variants)), text.removesuffix(".")) for text, variants in texts.items()]
    return "; ".join(f"{variants}: {_lowered(text)}" if variants else text for variants, text in told) + "."


def _sentence(place: _Place) -> str:
    """The first paragraph of a field's docstring, with its default unless it speaks of one."""
    text = " ".join((place.info.description or "").partition("\n\n")[0].split())
    value = place.info.default
    if isinstance(value, Section):
        value = tag_of(type(value))
    tag = len(literals_of(place.info.annotation)) == 1
    unsaid = not text or "default" in text.lower() or tag or isinstance(value, bool)
    if unsaid or value is PydanticUndefined or value in (None, "", ()):
        return text
    return f"{text.removesuffix('.')} (default {spelled(value, unit=place.unit)})."


def _lowered(text: str) -> str:
    """The sentence without its capital, unless its first word has more of them."""
    return text[0].lower() + text[1:] if text[1:2].islower() else text


def spelled(value: Any, *, unit: str = "") -> str:
    """A value as it is given on the command line; with a unit, large and small numbers with an SI suffix."""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    if unit and value and not 1e-3 <= abs(value) < 1e3:
        for suffix, power in SUFFIXES.items():
            if 1 <= abs(value) / 10.0**power < 1000:
                return f"{value / 10.0**power:g}{suffix}"
    mantissa, e, power = f"{value:g}".partition("e")
    return f"{mantissa}{e}{int(power)}" if e else mantissa
