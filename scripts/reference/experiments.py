"""docs/reference/experiments.md: the tables of an experiment file, from the classes that read them."""

from collections.abc import Iterator

from reference.tables import HEAD, about, row, sections, table

from xbar_cli.config.base import Section
from xbar_cli.experiment.file import MAX_POINTS, MODELS
from xbar_cli.reproduce.sections import ItemSection
from xbar_cli.search.axes import OF_AXIS
from xbar_cli.search.section import SearchSection

INTRODUCTION = f"""# Experiment files

Written by `scripts/make_reference.py` from the source; do not edit.

One file is read by `xbar run` (a grid), `xbar search` (its `[search]` table) and `xbar reproduce` (its `[reproduce]` table, in
the folder of a paper). `xbar new NAME --from TEMPLATE` writes one with comments; `--dry-run` checks every point. A guide: [A
study, to a figure](../pictures.md).

## Top of the file

| key | takes | meaning |
| --- | --- | --- |
| `name` | text | Names the folder of the runs, `runs/NAME`; the file's name without it. |

## [stages.NAME]

A stage is a command with its configuration: every key of [that command](configuration.md), and

| key | takes | meaning |
| --- | --- | --- |
| `command` | {", ".join(f"`{name}`" for name in MODELS)} | What the stage runs. |
| `run`, `start`, `cell`, `data_dir` | text | A run of another stage is `"@STAGE"`; other texts are folders. |

## [sweep]

| key | takes | meaning |
| --- | --- | --- |
| `STAGE.KEY` | list | The values of a dotted key; into one effect by its name: `evaluate.variation.effects.drift.t`. |
| `zip` | list of lists of keys | Keys of one list vary together, and have lists of one length. |

The grid has all combinations, {MAX_POINTS} points at most. Keys that end in `.seed` are the replicates: pictures and
reports take mean and spread over them."""
AXES = """## [search.STAGE.KEY]

An axis of a search, as in `map.mapping.bits = { low = 1, high = 6 }`; it takes the place of the list of its key in `[sweep]`."""


def page() -> str:
    """The page."""
    axes = table(("key", "meaning"), [(f"`{key}`", text) for key, text in OF_AXIS.items()])
    parts = [INTRODUCTION, *_tables("search", SearchSection), f"{AXES}\n\n{axes}", *_tables("reproduce", ItemSection)]
    return "\n\n".join(parts) + "\n"


def _tables(place: str, root: type[Section]) -> Iterator[str]:
    """The tables of a section and of those within it, each class once."""
    schema = root.model_json_schema()
    listed: set[str] = set()
    for where, title, section in sections(schema, schema.get("$defs", {}), place, root.__name__):
        if title not in listed:
            listed.add(title)
            rows = [row(key, info) for key, info in section["properties"].items()]
            yield f"## [{where}]\n\n{about(section)}\n\n{table(HEAD, rows)}"
