"""The kinds of bad input: each makes one case from a generator and the folder of good inputs."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import click

from tests.fuzz.case import HERE, Case, Edit, write
from tests.fuzz.nasty import JSON_VALUES, TEXTS, TOML_VALUES, damaged_json, damaged_lines, damaged_toml
from tests.fuzz.sets import graph, kept_set, own_set
from xbar_cli.cli.main import COMMANDS, cli

BASES: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "train": (("train", "--config", f"{HERE}/train.toml"), {"train.toml": "train.toml"}),
    "map": (("map", f"{HERE}/net"), {"net": "net"}),
    "evaluate": (("eval", f"{HERE}/mapped", "--samples", "1", "--images", "10"), {"mapped": "mapped", "net": "net"}),
    "energy": (("energy", f"{HERE}/mapped"), {"mapped": "mapped", "net": "net"}),
    "pareto": (
        ("pareto", f"{HERE}/chips", f"{HERE}/cost"),
        {"chips": "chips", "cost": "cost", "mapped": "mapped", "net": "net"},
    ),
    "compare": (("compare", f"{HERE}/chips", f"{HERE}/other"), {"chips": "chips", "other": "other"}),
    "report": (("report", f"{HERE}/chips", f"{HERE}/net"), {"chips": "chips", "net": "net"}),
    "ls": (("ls", HERE), {"chips": "chips", "net": "net", "cost": "cost"}),
    "characterize": (("characterize", "--vg-range", "0.8"), {}),
    "fit": (("fit", f"{HERE}/devices.csv"), {"devices.csv": "devices.csv"}),
    "import": (("import", f"{HERE}/net.safetensors", "--network", "mlp"), {"net.safetensors": "net.safetensors"}),
    "verify": (("verify", "--cases", f"{HERE}/cases.json"), {"cases.json": "cases.json"}),
    "run": (("run", f"{HERE}/experiment.toml", "--dry-run"), {"experiment.toml": "experiment.toml"}),
    "search": (("search", f"{HERE}/search.toml", "--dry-run"), {"search.toml": "search.toml"}),
    "design": (("design", f"{HERE}/net", "--over", "r_on", "--over", "weight_limit"), {"net": "net"}),
    "advise": (("advise", f"{HERE}/net", "--variation", "0.1"), {"net": "net"}),
    "plot": (("plot", f"{HERE}/chips"), {"chips": "chips"}),
}
"""A command line that is right for every command, and what lies in its folder."""
READERS = ("map", "evaluate", "energy", "pareto", "compare", "report", "plot", "ls")
"""Commands that open runs."""


def with_out(command: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments with a place for what the command makes."""
    name = {"report": "page.html", "plot": "out.png"}.get(command, "out")
    return argv if command == "ls" or "--out" in argv else (*argv, "--out", f"{HERE}/{name}")


def options_of(command: str) -> list[click.Option]:
    """Every option that a command has."""
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    return [param for param in found.params if isinstance(param, click.Option)]


def option(rng: random.Random, good: Path) -> Case:
    """One or two options with a value that is none."""
    del good
    command = rng.choice([name for name in BASES if name != "ls"])
    argv, copies = BASES[command]
    for _ in range(rng.choice((1, 1, 2))):
        chosen = rng.choice(options_of(command))
        name = rng.choice(chosen.opts)
        argv = (*argv, name) if chosen.is_flag else (*argv, name, rng.choice(TEXTS))
    return Case("option", with_out(command, argv), copies, stub=command not in ("run", "search", "plot"))


def setting(rng: random.Random, good: Path) -> Case:
    """A key of a configuration with a value of another kind."""
    del good
    command = rng.choice(("train", "map", "evaluate", "energy", "characterize", "fit", "verify", "import", "design"))
    argv, copies = BASES[command]
    keys = sorted({key for param in options_of(command) for key in keys_of(param)})
    key = rng.choice(keys)
    value = rng.choice((*TOML_VALUES, *TEXTS))
    return Case("setting", with_out(command, (*argv, "--set", f"{key}={value}")), copies, stub=True)


def keys_of(param: click.Parameter) -> list[str]:
    """The configuration keys that an option stands for."""
    name = param.name or ""
    return [name.removeprefix("key__").replace("__", ".")] if name.startswith("key__") else []


def toml(rng: random.Random, good: Path) -> Case:
    """A configuration file that is damaged."""
    command, name = rng.choice((("train", "train.toml"), ("evaluate", "evaluate.toml")))
    argv, copies = BASES[command]
    argv = argv if "--config" in argv else (*argv, "--config", f"{HERE}/{name}")
    text = damaged_toml(rng, (good / name).read_text())
    return Case("toml", with_out(command, argv), {**copies, name: name}, (write(name, text),), stub=rng.random() < 0.9)


def experiment(rng: random.Random, good: Path) -> Case:
    """An experiment file that is damaged."""
    command = rng.choice(("run", "search"))
    argv, copies = BASES[command]
    file = "experiment.toml" if command == "run" else "search.toml"
    text = (good / file).read_text()
    if rng.random() < 0.2:
        text = text.replace("[sweep]", '[sweep]\nzip = [["map.seed", "net.seed"], [[0, [1]], 2]]')
    return Case("experiment", with_out(command, argv), copies, (write(file, damaged_toml(rng, text)),))


def run_file(rng: random.Random, good: Path) -> Case:
    """A run one of whose files is missing, cut, has a bit flipped, or is something else, into any command that reads it."""
    command, run, files = reader(rng, good)
    argv, copies = BASES[command]
    name = rng.choice(files)
    size = (good / copies[run] / name).stat().st_size
    path = f"{run}/{name}"
    edit = rng.choice(
        (
            Edit(path, "delete"),
            Edit(path, "truncate", rng.randrange(max(size, 1))),
            Edit(path, "flip", rng.randrange(max(8 * size, 1))) if size else Edit(path, "delete"),
            Edit(path, "flip", rng.randrange(max(8 * size, 1))) if size else Edit(path, "delete"),
            rng.choice((Edit(path, "fifo"), Edit(path, "folder"), write(path, ""), write(path, bytes(2000)))),
        )
    )
    return Case("run file", with_out(command, argv), copies, (edit,))


def run_key(rng: random.Random, good: Path) -> Case:
    """A run directory with a key of its summary or configuration missing, null, or of another type."""
    command, run, _ = reader(rng, good)
    argv, copies = BASES[command]
    if rng.random() < 0.6:
        edit = write(f"{run}/summary.json", damaged_json(rng, (good / copies[run] / "summary.json").read_text()))
    else:
        edit = write(f"{run}/config.toml", damaged_toml(rng, (good / copies[run] / "config.toml").read_text()))
    # a run of the version before has an empty `done`, and must be judged by what its files hold
    unsealed = (write(f"{run}/done", ""),) if rng.random() < 0.7 else ()
    return Case("run key", with_out(command, argv), copies, (edit, *unsealed))


def reader(rng: random.Random, good: Path) -> tuple[str, str, list[str]]:
    """A command that reads runs, one of its runs, and that one's files."""
    command = rng.choice(READERS)
    copies = BASES[command][1]
    run = rng.choice([name for name in copies if (good / copies[name]).is_dir()])
    folder = good / copies[run]
    return command, run, sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def card(rng: random.Random, good: Path) -> Case:
    """A transistor card that is damaged or has no end."""
    text = (good / "card.lib").read_text()
    extra: tuple[Edit, ...] = ()
    match rng.randrange(9):
        case 0:
            text += '.include "card.lib"\n' * rng.choice((1, 3, 40))
        case 1:
            text += ".include more.lib\n" * 20
            extra = (write("more.lib", ".include card.lib\n" * 20),)
        case 2:
            text += rng.choice((" ", "\n", "+\n", "*", "(")) * 1_000_000
        case 3:
            text += ".param " + " ".join(f"p{n}={n}" for n in range(rng.choice((100, 5000)))) + "\n"
        case 4:
            text = text.replace("0.04", "{" + "(" * rng.choice((10, 3000)) + "1" + ")" * 3000 + "}")
        case 5:
            text = text.replace("0.3", rng.choice(("{a}", "{b}", "{1/0}", "1e999", "{2**9999999}", "'a'")))
            text += ".param a={b} b={a}\n"
        case _:
            text = damaged_lines(rng, text)
    argv, _ = BASES["characterize"]
    argv = (*argv, "--card", f"{HERE}/card.lib", "--set", "sweep.g_points=8")
    return Case("card", with_out("characterize", argv), {}, (write("card.lib", text), *extra))


def csv(rng: random.Random, good: Path) -> Case:
    """A table of measured devices or of a measured cell that is damaged."""
    name, argv = rng.choice(
        (("devices.csv", BASES["fit"][0]), ("cell.csv", ("characterize", "--cell-table", f"{HERE}/cell.csv")))
    )
    text = damaged_lines(rng, (good / name).read_text())
    if rng.random() < 0.05:
        text += '1,"' + "1" * 3_000_000
    return Case("csv", with_out(argv[0], argv), {}, (write(name, text),))


def verify_cases(rng: random.Random, good: Path) -> Case:
    """A file of crossbars that is damaged."""
    argv, copies = BASES["verify"]
    return Case(
        "cases",
        with_out("verify", argv),
        copies,
        (write("cases.json", damaged_json(rng, (good / "cases.json").read_text())),),
    )


def technology(rng: random.Random, good: Path) -> Case:
    """A device technology that is damaged."""
    argv, copies = BASES["map"]
    argv = (*argv, "--technology", f"{HERE}/own.toml")
    return Case(
        "technology",
        with_out("map", argv),
        copies,
        (write("own.toml", damaged_toml(rng, (good / "own.toml").read_text())),),
    )


def weights(rng: random.Random, good: Path) -> Case:
    """A file of weights that is damaged in its bytes or in its header."""
    argv, copies = BASES["import"]
    raw = (good / "net.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    match rng.randrange(5):
        case 0:
            edit = Edit("net.safetensors", "truncate", rng.randrange(len(raw)))
        case 1:
            edit = Edit("net.safetensors", "flip", rng.randrange(8 * len(raw)))
        case 2:
            edit = Edit("net.safetensors", "flip", rng.randrange(8 * (8 + size)))
        case 3:
            head = json.dumps(
                rng.choice((*JSON_VALUES, {"a": {"dtype": "F32", "shape": [2**62], "data_offsets": [0, 4]}}))
            ).encode()
            edit = write("net.safetensors", len(head).to_bytes(8, "little") + head + raw[8 + size :])
        case _:
            head = damaged_json(rng, raw[8 : 8 + size].decode()).encode("utf-8", "surrogatepass")
            edit = write("net.safetensors", len(head).to_bytes(8, "little") + head + raw[8 + size :])
    return Case("weights", with_out("import", argv), copies, (edit,))


def odd_file(rng: random.Random, good: Path) -> Case:
    """A FIFO, a folder, a device, an endless or an empty file where a file is wanted."""
    del good
    command = rng.choice(("train", "fit", "import", "verify", "run", "card", "technology", "levels", "table"))
    argv, copies = {
        "card": (("characterize", "--vg-range", "0.8", "--card", f"{HERE}/odd"), {}),
        "technology": (("map", f"{HERE}/net", "--technology", f"{HERE}/odd"), {"net": "net"}),
        "levels": (("map", f"{HERE}/net", "--levels", f"{HERE}/odd"), {"net": "net"}),
        "table": (("characterize", "--cell-table", f"{HERE}/odd"), {}),
    }.get(command) or BASES[command]
    name = next((Path(word).name for word in argv if word.startswith(f"{HERE}/") and not word.endswith("/net")), "odd")
    edit = rng.choice(
        (Edit(name, "fifo"), Edit(name, "folder"), write(name, ""), write(name, bytes(3_000_000)), write(name, "\xff\xfe" * 99),
         Edit(name, "link", data=write("", rng.choice(("/dev/zero", "/nowhere", name))).data))
    )  # fmt: skip
    left = {k: v for k, v in copies.items() if k != name}
    # an empty file is a configuration, of a training that takes its time
    return Case("odd file", with_out(argv[0], argv), left, (edit,), stub=command == "train")


KINDS: tuple[Callable[[random.Random, Path], Case], ...] = (
    option, option, setting, setting, toml, toml, experiment, run_file, run_file, run_key, run_key, card, csv, verify_cases,
    technology, weights, odd_file, own_set, own_set, kept_set, graph,
)  # fmt: skip
"""Every kind; some twice, as their inputs are the most."""


def draw(number: int, *, seed: int, good: Path) -> Case:
    """Input `number` of a series."""
    rng = random.Random(f"{seed}-{number}")
    return rng.choice(KINDS)(rng, good)


assert set(BASES) <= set(COMMANDS)
