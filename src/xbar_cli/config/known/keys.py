"""The keys that a configuration has, by dotted name, and what fields are made of: a walk over the sections, without values."""

import re
from collections.abc import Callable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from xbar_cli.config.base import Apart, Section, parse_quantity, parse_seconds, parse_share, parse_time


def fields_of(section: type[Section], prefix: str = "") -> dict[str, FieldInfo]:
    """Every key of a section with its field, those of the sections in it by dotted names.

    The variants of a union each have theirs: those of an effect stand at its name, `variation.effects.drift.t`, those of a
    training method in the table that is called so, `neat.vg`.
    """
    found: dict[str, FieldInfo] = {}
    for key, info in section.model_fields.items():
        parts = sections_of(info.annotation)
        listed = parts or items_of(info.annotation)
        apart = any(isinstance(mark, Apart) for mark in [*info.metadata, *marks_of(info.annotation)])
        if not parts or apart:
            found[prefix + key] = info
        for part in listed:
            tag = tag_of(part) if len(listed) > 1 else ""
            inner = f"{tag}." if apart else f"{prefix}{key}.{tag}." if tag and not parts else f"{prefix}{key}."
            for name, field in fields_of(part, inner).items():
                found.setdefault(name, field)
    return found


def names_in(section: type[Section]) -> list[str]:
    """Every key and the name of every table."""
    keys = list(fields_of(section))
    parts = (key.split(".") for key in keys)
    return list(dict.fromkeys([*keys, *(".".join(names[:n]) for names in parts for n in range(1, len(names)))]))


def marks_of(annotation: Any) -> Iterator[Any]:
    """The metadata inside an annotation, not of what its lists and tables hold."""
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
        yield from marks_of(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from marks_of(part)


def types_of(annotation: Any) -> list[Any]:
    """The types of which an annotation is a union, None left out."""
    if get_origin(annotation) is Annotated:
        return types_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in types_of(part)]
    return [] if annotation is NoneType else [annotation]


def sections_of(annotation: Any) -> list[type[Section]]:
    """The sections that an annotation is a union of."""
    return [kind for kind in types_of(annotation) if isinstance(kind, type) and issubclass(kind, Section)]


def items_of(annotation: Any) -> list[type[Section]]:
    """The sections that an annotation is a list of."""
    lists = [kind for kind in types_of(annotation) if get_origin(kind) is tuple]
    return [section for kind in lists for item in get_args(kind) for section in sections_of(item)]


def tag_of(section: type[Section]) -> str:
    """The text that tells a variant of a union from the others: that of its field with one choice."""
    alone = (literals_of(info.annotation) for info in section.model_fields.values())
    return next((texts[0] for texts in alone if len(texts) == 1), "")


def literals_of(annotation: Any) -> tuple[str, ...]:
    """The texts of an annotation that takes nothing else."""
    kinds = types_of(annotation)
    literal = kinds and all(get_origin(kind) is Literal for kind in kinds)
    return tuple(text for kind in kinds for text in get_args(kind)) if literal else ()


def parser_of(info: FieldInfo | None) -> Callable[[Any], Any]:
    """What reads a number of a field from a text: a time, a share, or else any quantity."""
    marks = [] if info is None else [*info.metadata, *marks_of(info.annotation)]
    functions = [mark.func for mark in marks if isinstance(mark, BeforeValidator)]
    return next((parse for parse in (parse_time, parse_seconds, parse_share) if parse in functions), parse_quantity)


def takes_time(info: FieldInfo) -> bool:
    """Whether a field is a time [s], which may be written as 1h."""
    return parser_of(info) is parse_time


_UNIT = re.compile(r"\[(s|V|K|1/K|eV|S|1/s)\]")


def unit_in(info: FieldInfo) -> str:
    """The unit of a field whose key does not end in one: s of a time, else what its docstring has in brackets; `1` without."""
    if takes_time(info):
        return "s"
    said = _UNIT.search(info.description or "")
    return said[1] if said else "1"
