"""`xbar run` as a user meets it: dry run, bad input, workers that do not matter, interruption."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from xbar_cli.cli.sweeps.run import show, untrusted
from xbar_cli.cli.sweeps.table import SweepTable
from xbar_cli.runs.sweep import Outcome

CELLS = """
name = "cells"
[stages.cell]
command = "characterize"
sweep.vg_range = "0.9"
sweep.g_points = 16
sweep.vin_range = "0.01:0.5:11"
sweep.cache = false
surrogate.error = 0.05
[sweep]
cell.cell.width_m = ["90n", "120n"]
cell.cell.temperature_celsius = [27, 75]
"""
START = "from xbar_cli.cli.shared.start import run; run()"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cells.toml"
    path.write_text(CELLS)
    return path


def start(*words, **extra):
    """The command in a process of its own, with a process group of its own."""
    words = [sys.executable, "-c", START, *map(str, words)]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **extra
    )


def finish(process):
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def checksums(folder):
    files = (path for path in sorted(folder.glob("cell-*/results.nc")))
    return {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def starts(folder):
    return {log.stem: len(re.findall(r"^== .*: start ", log.read_text(), re.M)) for log in folder.glob("logs/*.log")}


def test_a_dry_run_answers_at_once_and_writes_nothing(file):
    code = (
        "import sys; from xbar_cli.cli.main import guarded; "
        f"guarded(['run', {str(file)!r}, '--dry-run', '--json', '--out', {str(file.parent / 'out')!r}]); "
        "heavy = {'jax', 'numpy', 'xarray', 'distributed', 'matplotlib'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    summary = json.loads(done.stdout)
    assert (summary["points"], summary["done"], summary["cached"], summary["failed"]) == (4, 0, 0, 0)
    assert [entry["state"] for entry in summary["list"]] == ["missing"] * 4
    assert summary["list"][1]["values"] == {"cell.cell.width_m": "90n", "cell.cell.temperature_celsius": 75}
    assert list(file.parent.iterdir()) == [file]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The sweep, done by two workers in one go."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "cells.toml").write_text(CELLS)
    environment = os.environ | {"NPROC": "3"}  # of that process, not of its workers
    process = start("run", folder / "cells.toml", "--workers", 2, "--out", folder / "out", "--json", env=environment)
    code, out, err = finish(process)
    assert (code, err) == (0, "")
    return folder / "out", json.loads(out)


@pytest.mark.spice
def test_what_is_there_stays(xbar, file, whole):
    out, summary = whole
    assert [summary[key] for key in ("points", "done", "cached", "failed", "runs_computed")] == [4, 4, 0, 0, 4]
    assert json.loads((out / "summary.json").read_text())["done"] == 4
    environment = json.loads(next(out.glob("cell-*/env.json")).read_text())["environment"]
    assert (environment["NPROC"], environment["OPENBLAS_NUM_THREADS"]) == ("1", "1")
    again = xbar("run", file, "--out", out, "--json").json
    assert [again[key] for key in ("points", "done", "cached", "failed", "runs_computed")] == [4, 4, 4, 0, 0]
    assert set(starts(out).values()) == {1}
    summary_file = next(out.glob("cell-*")) / "summary.json"
    content = summary_file.read_text()
    summary_file.write_text("{")  # damaged: to be computed again
    assert xbar("run", file, "--out", out, "--dry-run", "--json").json["cached"] == 3
    summary_file.write_text(content)
    assert xbar("run", file, "--out", out, "--dry-run").out.count("cached") == 4


@pytest.mark.spice
@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_it_leaves_no_process_and_goes_on_to_the_same_bits(xbar, file, whole, tmp_path, sign):
    out = tmp_path / "out"
    process = start("run", file, "--workers", 1, "--out", out, "--json", "--quiet")
    deadline = time.monotonic() + 100
    while not list(out.glob("cell-*/done")):
        assert time.monotonic() < deadline
        assert process.poll() is None, "finished before it could be interrupted"
        time.sleep(0.01)
    family = psutil.Process(process.pid).children(recursive=True)
    if sign == signal.SIGINT:
        os.killpg(process.pid, sign)  # as a terminal does
    else:
        process.send_signal(sign)
    code, _, err = finish(process)
    if sign == signal.SIGINT:
        again = f"xbar run {file} --workers 1 --out {out} --json --quiet"
        assert (code, err.strip()) == (130, f"Error: interrupted; `{again}` goes on with what is missing")
    gone, alive = psutil.wait_procs(family, timeout=10)
    assert (bool(gone), alive) == (True, [])
    before = checksums(out)
    assert 1 <= len(before) < 4
    found = xbar("run", file, "--workers", 1, "--out", out, "--json")
    assert (found.code, found.err) == (0, "")
    summary = found.json
    assert (summary["done"], summary["cached"], summary["failed"]) == (4, len(before), 0)
    assert {starts(out)[name] for name in before} == {1}
    assert not list(out.glob("*.partial"))
    assert checksums(out) == checksums(whole[0])
    assert before.items() <= checksums(out).items()
    assert (out / "results.nc").read_bytes() == (whole[0] / "results.nc").read_bytes()


@pytest.mark.spice
def test_one_failed_point_fails_no_other(xbar, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text(
        CELLS.replace("[27, 75]", "[27]").replace('cell.width_m = ["90n", "120n"]', 'cell.card = ["lp", "no.lib"]')
    )
    found = xbar("run", file, "--out", tmp_path / "out", "--workers", 1, "--json")
    summary = found.json
    assert (found.code, summary["points"], summary["done"], summary["failed"]) == (1, 2, 1, 1)
    failed = next(entry for entry in summary["list"] if entry["state"] == "failed")
    assert "no.lib" in failed["reason"]
    assert failed["reason"] in Path(failed["log"]).read_text()
    assert found.err.splitlines()[-1].startswith("Error: 1 of 2 points failed; card=no.lib, temperature=27")
    assert failed["log"] in found.err
    assert not (tmp_path / "out" / "done").exists()


BAD = {
    "no stages": ("", "needs at least one [stages.NAME]"),
    "unknown table": ("[stage.a]", "unknown key stage"),
    "unknown command": ('[stages.a]\ncommand = "fly"', "stages.a: command = 'fly'; use one of data add, fit, characterize"),
    "unknown stage": ('[stages.a]\ncommand = "map"\nrun = "@b"', "stages.a: input '@b': there is no stage 'b'; stages: a"),
    "stage without @": (
        '[stages.a]\ncommand = "train"\n[stages.b]\ncommand = "map"\nrun = "a"',
        "stages.b: run = 'a' is a path; the run of that stage is '@a'",
    ),
    "unknown swept stage": ('[stages.a]\ncommand = "train"\n[sweep]\nb.seed = [1]', "sweep.b.seed: there is no stage 'b'"),
    "cycle": (
        '[stages.a]\ncommand = "map"\nrun = "@b"\n[stages.b]\ncommand = "train"\nneat.start = "@a"',
        "stages a → b → a form a cycle",
    ),
    "empty grid": ('[stages.a]\ncommand = "train"\n[sweep]', "the grid is empty"),
    "empty list": ('[stages.a]\ncommand = "train"\n[sweep]\na.seed = []', "sweep.a.seed: the grid is empty"),
    "no list": ('[stages.a]\ncommand = "train"\n[sweep]\na.seed = 3', "sweep.a.seed = 3 must be a list"),
    "twice": (
        '[stages.a]\ncommand = "train"\n[sweep]\na.seed = [1, 1]',
        "a.seed=1 is listed twice: two points would have one name",
    ),
    "one point written in two ways": (
        '[stages.a]\ncommand = "train"\n[sweep]\na.training.learning_rate = ["1m", 0.001]',
        "points a.training.learning_rate=1m and a.training.learning_rate=0.001 are one and the same run",
    ),
    "two tables": ('[stages.a]\ncommand = "train"\n[stages.a]\ncommand = "train"', "not TOML"),
    "unknown key": ('[stages.a]\ncommand = "train"\ntraining.epoch = 3', "stages.a: unknown key 'training.epoch'"),
    "bad value": ('[stages.a]\ncommand = "train"\n[sweep]\na.training.epochs = [1, -1]', "stages.a: training.epochs = -1"),
    "a rule": ('[stages.a]\ncommand = "train"\nmethod = "neat"', "stages.a: method = neat needs neat.cell"),
    "zip": (
        '[stages.a]\ncommand = "train"\n[sweep]\na.seed = [1, 2]\na.method = ["x"]\nzip = [["a.seed", "a.method"]]',
        "sweep.zip: a.seed has 2 values, a.method has 1 values",
    ),
    "zip of nothing": ('[stages.a]\ncommand = "train"\n[sweep]\na.seed = [1]\nzip = [["a.seed", "a.b"]]', "'a.b' is not swept"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=list(BAD))
def test_bad_files_are_one_clear_line(xbar, tmp_path, text, message):
    file = tmp_path / "e.toml"
    file.write_text(text)
    found = xbar("run", file, "--out", tmp_path / "out")
    assert (found.code, found.out, found.err.count("\n")) == (1, "", 1)
    assert found.err.startswith(f"Error: {file}: ")
    assert message in found.err
    assert list(tmp_path.iterdir()) == [file]


def test_bad_options_are_one_clear_line(xbar, file, tmp_path):
    out = tmp_path / "out"
    began = time.monotonic()
    found = xbar("run", file, "--out", out, "--scheduler", "tcp://127.0.0.1:9")
    assert time.monotonic() - began < 10
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in found.err
    assert xbar("run", file, "--scheduler", "tcp://h:1", "--workers", 1).code == 2
    assert "the file's [sweep] lists this key" in xbar("run", file, "--set", "cell.cell.width_m=1u").err
    assert "write STAGE.key=value; stages: cell" in xbar("run", file, "--set", "net.seed=1").err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    assert "no folder of `xbar run`" in xbar("run", file, "--out", tmp_path / "mine").err


def test_that_a_scheduler_has_no_tls_is_said_before_the_first_run(capsys):
    for address, lines in (("tcp://h:1", 1), ("tls://h:1", 0), (None, 0)):
        for quiet in (False, True):
            SweepTable(quiet=quiet, notice=untrusted(address)).begin({}, cached=(), workers=None)
            said = " ".join(capsys.readouterr().err.split())
            assert said.startswith("tcp://h:1 is reached without TLS" if lines and not quiet else "")
            assert bool(said) == (lines == 1 and not quiet)


def test_the_table_counts_every_run_in_one_column_and_tells_how_long_the_rest_takes():
    stages = {"a-1": "a", "b-1": "b", "b-2": "b", "b-3": "b", "b-4": "b"}
    runs = {key: SimpleNamespace(stage=stage) for key, stage in stages.items()}
    table = SweepTable(quiet=True)
    table.begin(runs, cached={"a-1"}, workers=2)
    assert table.remaining_seconds() is None
    table.started("b-1")
    table.started("b-2")
    table.ended("b-1", Outcome(True, None, 10.0, 1))
    table.ended("b-3", Outcome(False, "no", 0.0, 0))
    grid, names, _ = table._draw().renderables
    cells = [list(column.cells) for column in grid.columns]
    assert [list(row) for row in zip(*cells, strict=True)] == [list("a110000"), list("b401111")]
    assert str(names).startswith("at work: b-2")
    assert table.remaining_seconds() == pytest.approx((10 + 10) / 2, abs=0.5)


@pytest.mark.parametrize(("spread", "shown"), [(0.0, False), (0.02, True)])
def test_a_spread_stands_in_the_table_where_there_is_one(spread, shown, capsys):
    """Points of one chip each have none."""
    entry = {
        "values": {"evaluate.seed": 1}, "figures": {"accuracy": 0.5, "accuracy_std": spread}, "runs": {"e": "runs/e"},
        "state": "done", "reason": None, "log": None,
    }  # fmt: skip
    counts = {"done": 1, "cached": 0, "failed": 0, "points": 1}
    show({"experiment": "one", "list": [entry], "results": None, "out": "runs", **counts})
    assert ("std" in capsys.readouterr().out) is shown
