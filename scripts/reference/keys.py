"""docs/reference/keys.md: every key of the configuration, from the sections that declare them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import annotated_types
import click
from pydantic import AfterValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from xbar_cli.cli.main import cli
from xbar_cli.cli.shared.declared import UNITS, declared, spelled
from xbar_cli.config.base import Apart, Bounds, Option, RootSection, Section, parse_share, parse_time
from xbar_cli.config.characterize import ArrayConfig, CharacterizeConfig, PowerConfig
from xbar_cli.config.chips.advise import AdviseConfig
from xbar_cli.config.chips.design import DesignConfig
from xbar_cli.config.chips.evaluate import EvaluateConfig, PartitionConfig
from xbar_cli.config.devices import DataConfig, FitConfig, ImportConfig
from xbar_cli.config.energy import EnergyConfig, ParetoConfig
from xbar_cli.config.hardware import MapConfig
from xbar_cli.config.keys import fields_of, items_of, literals_of, marks_of, parser_of, sections_of, tag_of, types_of
from xbar_cli.config.keys import unit_in as unit_said
from xbar_cli.config.tile import TileConfig
from xbar_cli.config.train import TrainConfig
from xbar_cli.config.verify import VerifyConfig

COMMANDS: dict[str, type[RootSection]] = {
    "characterize": CharacterizeConfig, "characterize power": PowerConfig, "characterize array": ArrayConfig,
    "characterize tile": TileConfig, "train": TrainConfig, "import": ImportConfig, "map": MapConfig,
    "evaluate": EvaluateConfig, "partition": PartitionConfig, "advise": AdviseConfig, "design": DesignConfig,
    "energy": EnergyConfig, "pareto": ParetoConfig, "verify": VerifyConfig, "fit": FitConfig, "data add": DataConfig,
}  # fmt: skip
"""The configuration of every command that has one."""
HEAD = Path(__file__).with_name("keys_head.md")


@dataclass(frozen=True)
class Key:
    """A key of the configuration of some commands, which is the same in all of them.

    Attributes:
        name: dotted.
        info: its field.
        option: its spelling on the command line; empty where it has none.
        of: the variants of a union that it belongs to, where it belongs to some alone.
        commands: those that read it.
    """

    name: str
    info: FieldInfo
    option: str
    of: tuple[str, ...]
    commands: tuple[str, ...]

    @property
    def table(self) -> str:
        """The table that it stands in."""
        return self.name.rpartition(".")[0]

    @property
    def words(self) -> str:
        """What its docstring says."""
        return " ".join((self.info.description or "").split())


def command_of(path: str) -> click.Command:
    """The command that is called so."""
    found: click.Command = cli
    for name in path.split():
        assert isinstance(found, click.Group)
        child = found.get_command(click.Context(found), name)
        assert child is not None, path
        found = child
    return found


def options_of(path: str) -> dict[str, str]:
    """The option of each dotted key of a command; empty for a key whose option it leaves out."""
    there = {param.name for param in command_of(path).params}
    every = declared(COMMANDS[path])
    taken = [o for o in every if f"key__{o.key.replace('.', '__')}" in there] or every
    return {key: option.name if option in taken else "" for option in every for key in option.keys}


def keys() -> list[Key]:
    """Every key, those of the effects left out; one that is another in another command stands there again."""
    found: dict[tuple[str, str], list[Key]] = {}
    for path, root in COMMANDS.items():
        options, owners = options_of(path), owners_of(root)
        for name, info in fields_of(root).items():
            if ".effects." in name or options.get(name) == "" or (len(literals_of(info.annotation)) == 1 and "." in name):
                continue
            key = Key(name, info, options.get(name, ""), owners.get(name, ()), (path,))
            same = (name, repr((key.words, info.default, allowed(info), key.option, key.of)))
            found.setdefault(same, []).append(key)
    return [
        Key(same[0].name, same[0].info, same[0].option, same[0].of, tuple(path for key in same for path in key.commands))
        for same in found.values()
    ]


def owners_of(root: type[Section]) -> dict[str, tuple[str, ...]]:
    """The variants that share the keys beside their union, by key."""
    variants = [part for info in root.model_fields.values() for part in sections_of(info.annotation)]
    shared = {key for part in variants for key in part.shares}
    return {key: tuple(tag_of(part) for part in variants if key in part.shares) for key in shared}


def tables_of(section: type[Section], prefix: str = "") -> Iterator[tuple[str, type[Section]]]:
    """The tables of a configuration with the section of each, as `fields_of` names them."""
    for key, info in section.model_fields.items():
        parts = sections_of(info.annotation)
        listed = parts or items_of(info.annotation)
        apart = any(isinstance(mark, Apart) for mark in [*info.metadata, *marks_of(info.annotation)])
        for part in listed:
            tag = tag_of(part) if len(listed) > 1 else ""
            name = tag if apart else f"{prefix}{key}.{tag}" if tag and not parts else f"{prefix}{key}"
            yield name, part
            yield from tables_of(part, f"{name}.")


def unit_of(name: str, info: FieldInfo) -> str:
    """The unit at the end of a key, or the one that its words have in brackets; empty for none."""
    leaf = name.rpartition(".")[2]
    ending = leaf.rpartition("_")[2]
    symbols = {"volt": "V", "ampere": "A", "siemens": "S", "seconds": "s", "celsius": "°C", "joule": "J"}
    if (ending in UNITS or ending in symbols) and ending != leaf:
        return symbols.get(ending, ending)
    said = unit_said(info)
    return "" if said == "1" else said


def allowed(info: FieldInfo, name: str = "") -> str:
    """The values that a key takes, in words."""
    marks = [*info.metadata, *spread(marks_of(info.annotation))]
    return " or ".join(dict.fromkeys(of_type(kind, marks, info, name) for kind in types_of(info.annotation)))


def spread(marks: Iterator[Any]) -> Iterator[Any]:
    """Marks, those inside of a pydantic field among them."""
    for mark in marks:
        yield from mark.metadata if isinstance(mark, FieldInfo) else (mark,)


def of_type(kind: Any, marks: Sequence[Any], info: FieldInfo, name: str) -> str:
    """The values of one type."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return f"`{tag_of(kind)}`" if len(sections_of(info.annotation)) > 1 else "a table"
    if choices := literals_of(kind):
        return ", ".join(f"`{text}`" for text in choices)
    if get_origin(kind) is tuple:
        if sections_of(get_args(kind)[0]):
            return "a list of tables"
        item = get_args(kind)[0]
        inner = " or ".join(of_type(part, list(spread(marks_of(item))), info, name) for part in types_of(item))
        return f"a list, each {inner}"
    if get_origin(kind) is dict:
        return "a table"
    if kind is bool:
        return "`true` or `false`"
    if kind in (int, float):
        return number(kind, marks, info, name)
    metavar = next((mark.metavar for mark in marks if isinstance(mark, Option) and mark.metavar), None)
    return f"a text, `{metavar}`" if metavar else "a text"


def number(kind: type, marks: Sequence[Any], info: FieldInfo, name: str) -> str:
    """A number within its bounds, in its unit."""
    bounds = next((m.func for m in marks if isinstance(m, AfterValidator) and isinstance(m.func, Bounds)), None)
    unit = unit_of(name, info)
    if bounds is not None:
        return f"a number, {tidy(str(bounds))}" + (f" {unit}" if unit and not bounds.unit else "")
    low = next((f"from {plain(m.ge)}" for m in marks if isinstance(m, annotated_types.Ge)), None)
    low = low or next((f"above {plain(m.gt)}" for m in marks if isinstance(m, annotated_types.Gt)), "")
    high = next((f"to {plain(m.le)}" for m in marks if isinstance(m, annotated_types.Le)), None)
    high = high or next((f"below {plain(m.lt)}" for m in marks if isinstance(m, annotated_types.Lt)), "")
    reader = parser_of(info)
    also = ", as `1h`" if reader is parse_time else ", or per cent" if reader is parse_share else ""
    return " ".join(filter(None, ("a whole number" if kind is int else "a number", low, high, unit))) + also


def plain(value: Any) -> str:
    """A bound: whole numbers with their digits up to a million."""
    whole = isinstance(value, int) and abs(value) <= 10**9
    return f"{value:,}".replace(",", " ") if whole else tidy(f"{value:g}")


def tidy(text: str) -> str:
    """A number without what powers of ten do not need: 1e-09 is 1e-9."""
    return re.sub(r"e([+-])0*", lambda found: "e" + found[1].strip("+"), text)


def default_of(key: Key) -> str:
    """What holds where the key is not given; empty where its words say so."""
    value = key.info.default
    if value is PydanticUndefined:
        return "needed" if key.info.default_factory is None else "empty"
    if isinstance(value, Section):
        return f"default `{tag_of(type(value))}`"
    if value is None or value in ("", ()):
        said = any(word in key.words for word in ("default", "absent", "argument"))
        return "" if said else "not set by default"
    text = str(value).lower() if isinstance(value, bool) else spelled(value, unit=unit_of(key.name, key.info))
    return f"default `{text}`"


def entry(key: Key) -> str:
    """A key as an item of a list."""
    leaf = key.name.rpartition(".")[2]
    option = f", `{key.option}`" if key.option else ""
    facts = [allowed(key.info, key.name), default_of(key)]
    if key.of:
        facts.append(f"of {', '.join(f'`{name}`' for name in key.of)} alone")
    return f"- **`{leaf}`**{option}: {key.words}<br>*{'; '.join(filter(None, facts))}*"


def said(commands: Sequence[str]) -> str:
    """Commands in a heading or a sentence."""
    return "every command" if len(commands) == len(COMMANDS) else ", ".join(f"`{path}`" for path in commands)


def table_text(table: str, inside: Sequence[Key]) -> str:
    """A table of the configuration: its keys by the commands that read them."""
    groups: dict[tuple[str, ...], list[Key]] = {}
    for key in inside:
        groups.setdefault(key.commands, []).append(key)
    text = f"\n## {f'`[{table}]`' if table else 'Outside of tables'}\n"
    told = ""
    for commands, group in groups.items():
        words = " ".join((dict(tables_of(COMMANDS[commands[0]])).get(table, Section).__doc__ or "").split()) if table else ""
        text += f"\n### Of {said(commands)}\n" if len(groups) > 1 else f"\nOf {said(commands)}.\n"
        text += f"\n{words}\n\n" if words not in ("", told) else "\n"
        told = words
        text += "\n".join(map(entry, group)) + "\n"
    return text


def page() -> str:
    """The page."""
    every = sorted(keys(), key=lambda key: key.table)
    tables = dict.fromkeys(key.table for key in every)
    return HEAD.read_text(encoding="utf-8") + "".join(
        table_text(table, [key for key in every if key.table == table]) for table in tables
    )
