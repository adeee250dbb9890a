"""Sections of a configuration as tables of Markdown: key, option, what it takes, default, meaning."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from xbar_cli.cli.shared.declared import UNITS, Declared, spelled

SYMBOLS = {"ohm": "Ω", "volt": "V", "ampere": "A", "siemens": "S", "seconds": "s", "celsius": "°C", "m": "m", "nm": "nm",
           "joule": "J", "watt": "W"}  # fmt: skip
HEAD = ("key", "option", "takes", "default", "meaning")


def about(section: Mapping[str, Any]) -> str:
    """The first paragraph of a section's docstring."""
    return " ".join(str(section.get("description", "")).partition("\n\n")[0].split())


def sections(
    section: Mapping[str, Any], defs: Mapping[str, Any], place: str, title: str
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """A section and those within it, with the table that each stands in."""
    yield place, title, section
    for name, info in section.get("properties", {}).items():
        for reference in [*_references(info), *_listed(info)]:
            target = defs[reference]
            inner = f"{place}.{name}" if place else name
            if name == "method" and "discriminator" in info:  # a table of its own by the method's name
                inner = target["properties"]["name"]["const"]
            yield from sections(target, defs, inner, reference)


def _references(info: Mapping[str, Any]) -> list[str]:
    kinds = [info, *info.get("anyOf", ()), *info.get("oneOf", ())]
    return [kind["$ref"].rpartition("/")[2] for kind in kinds if "$ref" in kind]


def _listed(info: Mapping[str, Any]) -> list[str]:
    """The section of which a key holds a list; not those of effects, which have a page."""
    lists = [kind["items"] for kind in info.get("anyOf", [info]) if "items" in kind]
    return [reference for items in lists if "oneOf" not in items for reference in _references(items)]


def is_section(info: Mapping[str, Any]) -> bool:
    """Whether a key is a table of its own."""
    return bool(_references(info))


def row(name: str, info: Mapping[str, Any], *, option: Declared | None = None) -> tuple[str, ...]:
    """Key, option, what it takes, default, meaning."""
    unit = unit_of(name)
    default = info.get("default")
    shown = str(default).lower() if isinstance(default, bool) else spelled(default, unit=unit)
    text = f"`{shown}`" if isinstance(default, bool) or default not in (None, "", [], ()) else ""
    meaning = " ".join(str(info.get("description", "")).split())
    takes = allowed(info, unit=unit)
    if option is not None and option.metavar and takes == "text":
        takes = cell(f"`{option.metavar}`")
    return f"`{name}`", f"`{option.name}`" if option else "", takes, text, cell(meaning)


def unit_of(name: str) -> str:
    """The unit at the end of a key."""
    ending = name.rpartition("_")[2]
    return ending if ending in UNITS and ending != name else ""


def allowed(info: Mapping[str, Any], *, unit: str) -> str:
    """What a key takes: its choices, or its kind with bounds and unit."""
    kinds = [kind for kind in info.get("anyOf", [info]) if kind.get("type") != "null"]
    parts = list(dict.fromkeys(filter(None, (_one(kind) for kind in kinds))))
    return cell(" or ".join(parts) + (f" [{SYMBOLS[unit]}]" if unit else ""))


def _one(kind: Mapping[str, Any]) -> str:
    if "const" in kind:
        return f"`{kind['const']}`"
    if "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind["enum"])
    if kind.get("type") == "array":
        items = _one(kind.get("items", {}))
        return f"list of {items.replace('table', 'tables')}" if items else "list"
    if "$ref" in kind or "oneOf" in kind:
        return "table"
    words = {
        "object": "table",
        "number": "number",
        "integer": "whole number",
        "string": "text",
        "boolean": "true or false",
    }
    name = words.get(str(kind.get("type")), "")
    return " ".join([name, *bounds(kind)]).strip()


def bounds(kind: Mapping[str, Any]) -> list[str]:
    """The bounds of a number: the narrower ones, where a type has some and a key others."""
    low, above = (
        max(kind.get(key, -math.inf) for key in keys) for keys in (("minimum", "ge"), ("exclusiveMinimum", "gt"))
    )
    high, below = (
        min(kind.get(key, math.inf) for key in keys) for keys in (("maximum", "le"), ("exclusiveMaximum", "lt"))
    )
    least = f"above {figure(above)}" if above >= low else f"from {figure(low)}"
    most = f"below {figure(below)}" if below <= high else f"to {figure(high)}"
    besides = "".join(f"{figure(value)} or " for value in kind.get("besides", ()))
    found = [least] if max(low, above) > -math.inf else []
    found += [most] if min(high, below) < math.inf else []
    return [besides + " ".join(found)] if found else []


def figure(value: float) -> str:
    """A number without what its power of ten does not need: 1e-09 is 1e-9; whole ones with their digits up to a million."""
    if value == 2**32:
        return "2^32"
    if float(value).is_integer() and abs(value) <= 10**6:
        return str(int(value))
    return re.sub(r"e([+-])0*", lambda found: "e" + found[1].strip("+"), f"{value:g}")


def cell(text: str) -> str:
    """A text in a cell of a Markdown table."""
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table without its empty columns."""
    full = [n for n in range(len(head)) if any(line[n] for line in rows)]
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line[n] for n in full) + " |" for line in lines)
