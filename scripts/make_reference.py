"""Writes the generated pages of docs/reference from the sections of the configuration; `--check` fails where they are old."""

import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from reference import experiments, summaries
from reference.tables import HEAD, about, is_section, row, sections, table

from xbar_cli.cli.shared.declared import declared
from xbar_cli.config.base import RootSection
from xbar_cli.config.characterize import ArrayConfig, CharacterizeConfig, PowerConfig
from xbar_cli.config.chips.advise import AdviseConfig
from xbar_cli.config.chips.design import DesignConfig
from xbar_cli.config.chips.evaluate import EvaluateConfig, PartitionConfig
from xbar_cli.config.devices import DataConfig, FitConfig, ImportConfig
from xbar_cli.config.effects import EFFECTS
from xbar_cli.config.energy import EnergyConfig, ParetoConfig
from xbar_cli.config.hardware import MapConfig
from xbar_cli.config.tile import TileConfig
from xbar_cli.config.train import TrainConfig
from xbar_cli.config.verify import VerifyConfig

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
ROOTS: dict[str, type[RootSection]] = {
    "characterize": CharacterizeConfig, "characterize power": PowerConfig, "characterize array": ArrayConfig,
    "characterize tile": TileConfig, "train": TrainConfig, "import": ImportConfig, "map": MapConfig, "evaluate": EvaluateConfig,
    "energy": EnergyConfig, "partition": PartitionConfig, "advise": AdviseConfig, "design": DesignConfig, "fit": FitConfig,
    "pareto": ParetoConfig, "verify": VerifyConfig, "data add": DataConfig,
}  # fmt: skip
STAGES = {
    "programming": "what programming leaves", "device": "each device differs", "chip": "all devices of a chip together",
    "drift": "with the age of the chip", "faults": "devices that are stuck or open", "transistor": "the access transistors",
    "read": "anew at every read",
}  # fmt: skip
"""In the order in which they act."""
EXAMPLES: dict[str, str] = tomllib.loads(
    (Path(__file__).parent / "reference" / "effects.toml").read_text(encoding="utf-8")
)
"""Each effect, as `--effect` takes it."""
WRITTEN = "Written by `scripts/make_reference.py` from the source; do not edit."


@dataclass
class Keys:
    """The keys of one section.

    Attributes:
        place: the table that they stand in; empty for the top of the file.
        about: what the section is.
        commands: that read it.
        rows: of the table, by key.
    """

    place: str
    about: str
    commands: list[str] = field(default_factory=list)
    rows: dict[str, tuple[str, ...]] = field(default_factory=dict)


def keys_of_all() -> list[Keys]:
    """The sections of all commands: those of one class at one place once."""
    found: dict[tuple[str, str], Keys] = {}
    for command, root in ROOTS.items():
        options = {key: option for option in declared(root) for key in option.keys}
        schema = root.model_json_schema()
        for place, title, section in sections(schema, schema.get("$defs", {}), "", root.__name__):
            own = place or command
            keys = found.setdefault((own, title), Keys(place, about(section)))
            keys.commands.append(command)
            for name, info in section.get("properties", {}).items():
                if not is_section(info):
                    dotted = f"{place}.{name}" if place else name
                    option = options.get(dotted)
                    keys.rows.setdefault(name, row(name, info, option=option))
    return list(found.values())


def configuration() -> str:
    """docs/reference/configuration.md."""
    parts = [CONFIGURATION]
    for keys in keys_of_all():
        if not keys.rows:
            continue
        title = f"[{keys.place}]" if keys.place else f"Top of the file: {', '.join(keys.commands)}"
        read = f"Read by {', '.join(dict.fromkeys(keys.commands))}." if keys.place else ""
        parts.append(
            "\n\n".join(filter(None, [f"## {title}", keys.about, read, table(HEAD, list(keys.rows.values()))]))
        )
    return "\n\n".join(parts) + "\n"


CONFIGURATION = f"""# Configuration keys

{WRITTEN}

Every command reads one configuration: from `--config FILE.toml`, over it from its options, over these from
`--set section.key=value`; in an experiment file from the table of the stage. What a run was computed with stands in its
`config.toml`.

A number may have an SI suffix (`90n`, `30k`, `2meg`); a time its unit (`20s`, `5min`, `1h`, `30d`, `1y`). The unit of a key
stands at its end (`r_wire_ohm` is in Ω) and in brackets below. A key without a default is not used unless it is given; the
meaning says what then holds."""


def effects() -> str:
    """docs/reference/effects.md."""
    parts = [INTRODUCTION]
    for stage, meaning in STAGES.items():
        parts.append(f"## {stage}: {meaning}")
        for name, kind in EFFECTS.items():
            if kind.stage == stage:
                parts.append(f"### {name}\n\n{about({'description': kind.__doc__})}")
                schema = kind.model_json_schema()
                rows = [row(key, info) for key, info in schema["properties"].items() if key != "model"]
                needed = [f"`{key}`" for key in schema["required"] if key != "model"]
                parts += [table(HEAD, rows)] if rows else []
                must = f"Must be given: {', '.join(needed)}. " if needed else ""
                parts.append(f"{must}Example: `--effect {EXAMPLES[name]}`.")
    return "\n\n".join(parts) + "\n"


INTRODUCTION = f"""# Effects

{WRITTEN}

What befalls the devices of a chip. On the command line `--effect NAME:key=value,key=value`, as often as there are effects;
in files

```toml
[variation]
effects = ["lognormal:sigma=0.1", {{ model = "stuck", off = 0.01 }}]
```

`--variation X` is the short form of `additive` (or of `proportional`, with `--variation-model`). In whatever order they are
given, effects act in the order of this page. What an effect draws depends on the seed and the chip's number alone. Shares
and relative spreads may be per cent (`2%`), times take their unit (`t=1h`)."""
PAGES = {
    "configuration.md": configuration, "effects.md": effects, "experiments.md": experiments.page, "json.md": summaries.page,
}  # fmt: skip


def main() -> int:
    """Write the pages, or with `--check` compare them."""
    old = []
    for name, make in PAGES.items():
        content, path = make(), FOLDER / name
        if "--check" not in sys.argv:
            path.write_text(content, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != content:
            old.append(path.name)
    if old:
        print(
            f"docs/reference: {', '.join(old)} {'is' if len(old) == 1 else 'are'} old; python scripts/make_reference.py"
        )
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
