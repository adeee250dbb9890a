"""The reference has words for all that there is: options, keys, effects, JSON keys, files; what has none fails here.

Keys of summaries and files of runs are checked wherever a test makes a run, see tests/conftest.py.
"""

import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import click
import pytest
from pydantic import TypeAdapter

import xbar_cli.config
from scripts.reference.summaries import pattern_of, unexplained, words
from tests.docs.explained import known_files, require_files, require_words
from tests.docs.pages import ROOT
from xbar_cli.cli.main import cli
from xbar_cli.config.base import RootSection, Section
from xbar_cli.config.effect_list import Effects
from xbar_cli.config.effects import EFFECTS
from xbar_cli.config.known.keys import fields_of, literals_of
from xbar_cli.reproduce.sections import ItemSection
from xbar_cli.search.axes import OF_AXIS
from xbar_cli.search.section import SearchSection

REFERENCE = ROOT / "docs" / "reference"
LEAST_WORDS = 2


def sections(page: str) -> dict[str, str]:
    """What stands below each heading of a page, by the heading; what has the same heading is together."""
    found: dict[str, str] = {}
    for part in re.split(r"^#{2,3} ", (REFERENCE / page).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        found[heading] = found.get(heading, "") + text
    return found


def meanings(text: str) -> dict[str, list[str]]:
    """The last column of the tables in a text, by the key of the first."""
    found: dict[str, list[str]] = {}
    for line in re.findall(r"^\| `.*\|$", text, re.MULTILINE):
        first, *_, last = re.split(r"(?<!\\)\|", line[1:-1])
        found.setdefault(first.strip(" `"), []).append(last.strip())
    return found


def every(kind: type[RootSection]) -> Iterator[type[RootSection]]:
    """A configuration and all that are made of it."""
    yield kind
    for part in kind.__subclasses__():
        yield from every(part)


def configurations() -> list[type[RootSection]]:
    """The configuration of every command."""
    for module in pkgutil.walk_packages(xbar_cli.config.__path__, "xbar_cli.config."):
        importlib.import_module(module.name)
    return [
        kind for kind in every(RootSection) if kind is not RootSection and kind.__module__.startswith("xbar_cli.config")
    ]


def commands(group: click.Group, path: str = "xbar") -> Iterator[tuple[str, click.Command]]:
    """Every command with its subcommands, by what one types."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield f"{path} {name}", found
        if isinstance(found, click.Group):
            yield from commands(found, f"{path} {name}")


@cache
def tables() -> dict[str, str]:
    """The sections of the page of keys."""
    return sections("configuration.md")


@pytest.mark.parametrize("root", configurations(), ids=lambda root: root.__name__)
def test_every_key_has_words(root: type[RootSection]) -> None:
    top = "".join(text for heading, text in tables().items() if heading.startswith("Top of the file"))
    missing = []
    for name, info in fields_of(root).items():
        table, _, leaf = name.rpartition(".")
        if ".effects." in name or (len(literals_of(info.annotation)) == 1 and table):
            continue  # they have a page; a tag is the name of its table
        if name == "method":
            continue  # a table for each
        said = meanings(tables().get(f"[{table}]", "") if table else top).get(leaf, [""])
        if any(len(text.split()) < LEAST_WORDS for text in said):
            missing.append(name)
    assert not missing, (
        f"{root.__name__}: {', '.join(missing)}: a docstring below the key, then scripts/make_reference.py"
    )


@pytest.mark.parametrize("root", [SearchSection, ItemSection], ids=lambda root: root.__name__)
def test_every_key_of_an_experiment_s_tables_has_words(root: type[Section]) -> None:
    page = sections("experiments.md")
    classes = {root.__name__: root.model_json_schema()} | root.model_json_schema()["$defs"]
    said = [meanings(text) for text in page.values()]
    for name, schema in classes.items():
        keys = set(schema["properties"])
        found = next((one for one in said if one.keys() == keys), None)
        assert found, f"{name}: scripts/make_reference.py"
        assert all(len(text.split()) >= LEAST_WORDS for texts in found.values() for text in texts), name
    assert meanings(page["[search.STAGE.KEY]"]).keys() == set(OF_AXIS)


def test_a_key_without_words_is_met() -> None:
    assert meanings("| `a` | x | |\n| `b` | y \\| z | Two words. |") == {"a": [""], "b": ["Two words."]}
    assert "nothing" not in meanings(tables()["[array]"])


def test_every_option_has_words() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for path, command in commands(cli):
        part = page.partition(f"\n## {path}\n")[2].partition("\n## ")[0]
        assert command.help, path
        assert part, f"{path}: scripts/make_cli_docs.py"
        for option in (param for param in command.params if isinstance(param, click.Option) and not param.hidden):
            assert len((option.help or "").split()) >= LEAST_WORDS, f"{path}: {option.opts} has no words"
            assert option.opts[-1] in part, f"{path}: {option.opts[-1]}: scripts/make_cli_docs.py"


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_has_words_and_an_example_that_is_one(name: str) -> None:
    text = sections("effects.md")[name]
    keys = {key for key in EFFECTS[name].model_fields if key != "model"}
    said = meanings(text)
    assert said.keys() == keys
    assert all(len(text.split()) >= LEAST_WORDS for texts in said.values() for text in texts)
    example = re.search(r"Example: `--effect (\S+)`", text)
    assert example is not None
    (found,) = TypeAdapter(Effects).validate_python([example[1]])
    assert found.model == name


def test_every_word_on_a_json_key_is_of_one_that_is_there() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    fields = re.findall(r"f\"([^\"]*\{[^\"]*)\"", source)
    made = [re.compile(re.sub(r"\\\{[^}]*\\\}", r"\\w+", re.escape(text))) for text in fields]
    for command, keys in words().items():
        for key, text in keys.items():
            assert text.endswith("."), f"{command}: {key}"
            leaf = re.split(r"\.|\[\]", key)[-1]
            there = f'"{leaf}"' in source or re.search(rf"^ +{leaf}: |\b{leaf}=", source, re.MULTILINE)
            assert there or any(one.fullmatch(leaf.replace("METRIC", "accuracy")) for one in made), f"{command}: {key}"


def test_a_key_or_a_file_without_words_is_met(tmp_path) -> None:
    good = {"command": "map", "tiles": 3, "layers": [{"name": "a", "rows": 3}], "out": "x"}
    require_words(good)
    with pytest.raises(AssertionError, match=r"xbar map: layers\[\]\.weight, speed: no words"):
        require_words(good | {"layers": [{"name": "a", "weight": 3}], "speed": 1})
    assert unexplained({"command": "evaluate", "top5_mean": 1, "top6_mean": 1, "per_layer": {"fc": {"cost": 1}}}) == [
        "top6_mean"
    ]
    assert unexplained({"command": "evaluate", "per_layer": {"fc": {"price": 1}}}) == ["per_layer.fc.price"]
    assert pattern_of("models.NAME.nrmsd").fullmatch("models.linear with wires.nrmsd")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.png").touch()
    (tmp_path / "config.toml").touch()
    require_files(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(AssertionError, match=r"notes\.txt"):
        require_files(tmp_path)
    assert "results.nc" in known_files()


def test_the_pages_are_what_is_generated() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_reference.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
