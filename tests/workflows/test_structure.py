"""The check of the source's structure finds what it is for."""

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def structure():
    spec = importlib.util.spec_from_file_location("structure", ROOT / "scripts" / "structure.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def made(structure):
    def make(where, text):
        return structure.Module(structure.SOURCE / where, text, ast.parse(text))

    return make


def said(findings):
    return [f"{Path(found.path).name}:{found.line}: {found.text}" for found in findings]


def test_long_functions_and_files_are_found_with_their_line(structure, made):
    long = made("nn/long.py", "import math\n\n\ndef f():\n" + "    math.pi\n" * 50)
    whole = made("nn/whole.py", "x = 1\n" * 301)
    assert said(structure.size_findings([long, whole])) == [
        "long.py:4: 51 lines in f, at most 50",
        "whole.py:301: 301 lines in a file, at most 300",
    ]
    assert structure.size_findings([made("nn/a.py", "def f():\n" + "    1\n" * 49 + "\n" * 250)]) == []


def test_full_folders_are_found(structure, made):
    assert said(structure.size_findings([made(f"nn/m{k}.py", "") for k in range(21)])) == [
        "nn:0: 21 files in a folder, at most 20"
    ]
    assert said(structure.size_findings([made(f"workflows/m{k}.py", "x\n" * 300) for k in range(11)])) == [
        "workflows:0: 3300 lines in workflows, at most 3000"
    ]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ('raise ValueError("leave out --r-wire, --bits")', ["--r-wire", "--bits"]),
        ('use="--cell"', ["--cell"]),
        ('"""What `--activity` names (--json)."""', ["--activity", "--json"]),
        ('f"--pair {name}: none"', ["--pair"]),
        ('"mapping.levels = ratio needs mapping.bits"', []),
        ('STYLE = "--line: #8884; color: var(--line)"', []),
        ('run("git", "status", "--porcelain", "--untracked-files=no")', []),
        ("a -- b, a--b, 2 --3", []),
    ],
)
def test_texts_of_options_are_found_outside_of_the_command_line(structure, made, line, options):
    found = structure.option_findings(
        [made("chip/a.py", f"\n{line}\n"), made("cli/a.py", line), made("config/a.py", line)]
    )
    assert said(found) == [f"a.py:2: {option} is an option's text: name its key" for option in options]


def test_a_name_of_two_modules_is_found_in_both(structure, made):
    one = made("nn/a.py", "class Kind:\n    pass\n")
    other = made("chip/b.py", "x = 1\nKind = int\nLIMIT = 3\n")
    third = made("chip/c.py", "LIMIT = 4\nfrom a import Kind\n_Private = 2\n")
    assert said(structure.name_findings([one, other, third])) == [
        "a.py:1: Kind is defined in chip/b.py too",
        "b.py:2: Kind is defined in nn/a.py too",
    ]


def test_the_source_has_no_import_cycle_and_a_made_one_is_found(structure, monkeypatch):
    assert structure.cycle_findings() == []
    graph = structure.grimp.build_graph("xbar_cli", cache_dir=None)
    graph.add_import(importer="xbar_cli.errors", imported="xbar_cli.outside", line_number=7, line_contents="")
    monkeypatch.setattr(structure.grimp, "build_graph", lambda *_, **__: graph)
    assert "errors.py:7: import cycle: xbar_cli.errors → xbar_cli.outside → xbar_cli.errors" in said(
        structure.cycle_findings()
    )
