"""Sizes, import cycles, names with two meanings and texts of options where none belong: one line a finding, exit 1.

`--summary` also says what was counted. Limits are those of docs/house.md.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "xbar_cli"
FILES_IN_FOLDER, LINES_IN_FILE, LINES_IN_FUNCTION = 20, 300, 50
WORKFLOW_FILES, WORKFLOW_LINES = 20, 3000
OPTION_ROOMS = ("cli", "config")
"""Rooms that may write options."""
OPTION = re.compile(r"(?<![\w-])(?<!var\()--[a-z][a-z-]*\b(?!: #)")
"""The text of an option; not a colour of a style sheet, and what uses it."""
FOREIGN = ("--porcelain", "--untracked-files")
"""Options of other programs."""


@dataclass(frozen=True, order=True)
class Finding:
    """What breaks a rule, and where.

    Attributes:
        path: from the root of the repository.
        line: of that file; 0 for a folder.
        text: the rule and the figure.
    """

    path: str
    line: int
    text: str


@dataclass(frozen=True)
class Module:
    """A file of the source.

    Attributes:
        path: of the file.
        text: what is in it.
        tree: its syntax.
    """

    path: Path
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The folder below `xbar_cli`, or the module's own name where there is none."""
        return self.path.relative_to(SOURCE).parts[0].removesuffix(".py")

    @property
    def lines(self) -> int:
        """How many it has."""
        return len(self.text.splitlines())

    def finding(self, line: int, text: str) -> Finding:
        """A finding in this file."""
        return Finding(str(self.path.relative_to(ROOT)), line, text)


def modules() -> list[Module]:
    """Every module of the source, by path."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path, text, ast.parse(text)))
    return found


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function with its signature and docstring, without decorators."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def folders(source: list[Module]) -> dict[Path, list[Module]]:
    """The modules of each folder."""
    found: dict[Path, list[Module]] = defaultdict(list)
    for module in source:
        found[module.path.parent].append(module)
    return found


def size_findings(source: list[Module]) -> list[Finding]:
    """Folders, files and functions that are too large."""
    found = []
    for folder, inside in folders(source).items():
        name = str(folder.relative_to(ROOT))
        if len(inside) > FILES_IN_FOLDER:
            found.append(Finding(name, 0, f"{len(inside)} files in a folder, at most {FILES_IN_FOLDER}"))
        total = sum(module.lines for module in inside)
        if folder.name == "workflows" and total > WORKFLOW_LINES:
            found.append(Finding(name, 0, f"{total} lines in workflows, at most {WORKFLOW_LINES}"))
    for module in source:
        if module.lines > LINES_IN_FILE:
            found.append(module.finding(LINES_IN_FILE + 1, f"{module.lines} lines in a file, at most {LINES_IN_FILE}"))
        for function in functions(module.tree):
            if length(function) > LINES_IN_FUNCTION:
                text = f"{length(function)} lines in {function.name}, at most {LINES_IN_FUNCTION}"
                found.append(module.finding(function.lineno, text))
    return found


def option_findings(source: list[Module]) -> list[Finding]:
    """Texts of options where messages name keys."""
    return [
        module.finding(number, f"{option} is an option's text: name its key")
        for module in source
        if module.room not in OPTION_ROOMS
        for number, line in enumerate(module.text.splitlines(), start=1)
        for option in OPTION.findall(line)
        if not option.startswith(FOREIGN)
    ]


def definitions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Classes, and aliases of types: public names in capitals and small letters that a module binds."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and re.fullmatch(r"[A-Z]\w*[a-z]\w*", target.id):
                    yield target.id, node.lineno


def name_findings(source: list[Module]) -> list[Finding]:
    """Classes and aliases that two modules define."""
    places: dict[str, list[tuple[Module, int]]] = defaultdict(list)
    for module in source:
        for name, line in definitions(module.tree):
            places[name].append((module, line))
    found = []
    for name, where in places.items():
        for module, line in where if len(where) > 1 else ():
            others = ", ".join(str(other.path.relative_to(SOURCE)) for other, _ in where if other is not module)
            found.append(module.finding(line, f"{name} is defined in {others} too"))
    return found


def cycle_findings() -> list[Finding]:
    """Imports that lead back to the module they stand in, type-only imports and those inside functions among them."""
    graph = grimp.build_graph("xbar_cli", cache_dir=None)
    found = []
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            chain = graph.find_shortest_chain(imported, importer)
            if chain is not None:
                place = graph.get_import_details(importer=importer, imported=imported)[0]["line_number"]
                path = Path(*importer.split("."))
                file = next(p for p in (path.with_suffix(".py"), path / "__init__.py") if (SOURCE.parent / p).exists())
                found.append(Finding(str("src" / file), place, f"import cycle: {' → '.join((importer, *chain))}"))
    return found


def figures(source: list[Module]) -> dict[str, str]:
    """What was counted."""
    lengths = [(length(f), f.name, m) for m in source for f in functions(m.tree)]
    longest, name, where = max(lengths, key=lambda one: one[0])
    largest = max(source, key=lambda module: module.lines)
    folder, inside = max(folders(source).items(), key=lambda one: len(one[1]))
    workflows = [module for module in source if module.room == "workflows"]
    tests = [len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "tests").rglob("*.py")]
    lines = sum(module.lines for module in source)
    return {
        "source": f"{len(source)} files, {lines} lines, {len(lengths)} functions",
        "tests": f"{len(tests)} files, {sum(tests)} lines ({sum(tests) / lines:.2f} of the source)",
        "workflows": f"{len(workflows)} files, {sum(module.lines for module in workflows)} lines",
        "largest folder": f"{folder.relative_to(ROOT)}, {len(inside)} files",
        "largest file": f"{largest.path.relative_to(ROOT)}, {largest.lines} lines",
        "longest function": f"{name} of {where.path.relative_to(ROOT)}, {longest} lines",
    }


def main() -> int:
    """Print findings, and figures where asked for; the exit code."""
    source = modules()
    checks = [size_findings(source), cycle_findings(), option_findings(source), name_findings(source)]
    for finding in sorted(finding for found in checks for finding in found):
        print(f"{finding.path}:{finding.line}: {finding.text}")
    if "--summary" in sys.argv:
        counted = dict(zip(("sizes", "import cycles", "options' texts", "names"), map(len, checks), strict=True))
        for name, text in figures(source).items():
            print(f"{name}: {text}")
        print(f"findings: {', '.join(f'{name} {count}' for name, count in counted.items())}")
    return 1 if any(checks) else 0


if __name__ == "__main__":
    sys.exit(main())
