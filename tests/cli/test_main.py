"""The command itself: start-up, help, exit codes as a real process sees them."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from xbar_cli.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(sys.executable).with_name("xbar")


def test_help_imports_no_jax():
    code = (
        "import sys; from xbar_cli.cli.main import guarded; guarded(['--help']); "
        "heavy = {'jax', 'numpy', 'xarray', 'tensorflow_datasets', 'matplotlib'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_ends_with_an_example(xbar, command):
    found = xbar(command, "-h")
    assert found.code == 0
    assert re.search(rf"Example: xbar ({command}|eval)\b", found.out.replace("\n", " "))
    assert found.err == ""


def test_the_help_of_all_ends_with_commands_a_line_each(xbar):
    lines = [line.strip() for line in xbar("--help").out.rstrip().splitlines()]
    assert lines[-4] == "Example:"
    assert [line.split()[:2] for line in lines[-3:]] == [["xbar", c] for c in ("characterize", "train", "eval")]
    assert not any("\\b" in line for line in lines)


def test_eval_is_evaluate(xbar):
    assert xbar("eval", "-h").out.replace("xbar eval [", "xbar evaluate [") == xbar("evaluate", "-h").out


def test_a_real_process_returns_the_exit_codes():
    run = lambda *words: subprocess.run([SCRIPT, *words], capture_output=True, text=True)  # noqa: E731
    assert run("--version").returncode == 0
    usage = run("nosuch")
    assert (usage.returncode, usage.stdout, usage.stderr.count("\n")) == (2, "", 1)
    failed = run("run", "nowhere.toml", "--dry-run")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "Error: nowhere.toml: cannot be read (No such file or directory)\n"


def test_a_place_that_is_taken_is_told_before_anything_is_loaded(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "done").touch()
    code = (
        "import sys; from xbar_cli.cli.main import guarded; "
        f"code = guarded(['train', '--out', {str(tmp_path / 'taken')!r}]); "
        "assert 'jax' not in sys.modules, 'loaded'; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "is a complete run" in done.stderr
    assert "loaded" not in done.stderr


def test_doctor_finds_the_bundled_data(xbar):
    report = xbar("doctor", "--json").json
    found = {f["name"]: f for f in report["findings"]}
    assert found["data set fashion_mnist_mini"]["ok"]
    assert found["jax"]["found"].startswith("0.")
    assert "cpu" in found["JAX devices"]["found"]


def test_doctor_tells_what_is_optional_from_what_is_missing(xbar, monkeypatch):
    monkeypatch.setattr("xbar_cli.workflows.doctor.EXTRAS", {"no-such-package": ("search", "xbar search")})
    found = xbar("doctor", "--data-dir", "/nowhere", "--json")
    extra = next(f for f in found.json["findings"] if f["group"] == "extra")
    assert extra["ok"]
    assert not extra["there"]
    assert extra["remedy"] == "for xbar search: pip install 'xbar-cli[search]'"
    sets = [f for f in found.json["findings"] if f["group"] == "data set"]
    assert [f["there"] for f in sets][:2] == [True, False]
    shown = xbar("doctor", "--data-dir", "/nowhere")
    assert "optional" in shown.out
    assert "MISSING" not in shown.out
    assert shown.code == 0


def test_the_extras_that_doctor_knows_are_those_of_the_package():
    from xbar_cli.workflows.doctor import EXTRAS

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {extra for extra, _ in EXTRAS.values()} == set(declared) - {"dev", "docs", "notebook", "ngspyce"}


def test_doctor_says_how_much_the_cache_takes(xbar, monkeypatch, tmp_path):
    monkeypatch.setenv("XBAR_CACHE_DIR", str(tmp_path))
    (tmp_path / "compiled" / "machine").mkdir(parents=True)
    (tmp_path / "compiled" / "machine" / "program").write_bytes(bytes(3 << 20))
    cache = next(f for f in xbar("doctor", "--json").json["findings"] if f["name"] == "cache")
    assert cache["found"].startswith(f"{tmp_path}: 3 MiB")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("JAX_PLATFORMS", "nowhere", "Unable to initialize backend 'nowhere'"),
        ("JAX_DEFAULT_PRNG_IMPL", "dice", 'Invalid value "dice" for JAX flag jax_default_prng_impl'),
        ("XLA_FLAGS", "--xla_no_such_flag", "Unknown flag in XLA_FLAGS: --xla_no_such_flag"),
    ],
)
def test_doctor_goes_on_where_jax_does_not_start(xbar, monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    found = xbar("doctor", "--json")
    findings = {f["name"]: f for f in found.json["findings"]}
    assert found.code == 1
    assert not findings["JAX devices"]["ok"]
    assert said in findings["JAX devices"]["found"]
    assert f"{name}={value}" in findings["JAX devices"]["found"]
    assert findings["data set fashion_mnist_mini"]["ok"]


@pytest.mark.parametrize(("name", "value"), [("JAX_PLATFORMS", "nowhere"), ("JAX_ENABLE_X64", "perhaps")])
def test_a_platform_that_is_not_there_is_one_line_of_any_command(tmp_path, name, value):
    words = [
        SCRIPT,
        "train",
        "--method",
        "ideal",
        "--network",
        "mlp",
        "--dataset",
        "fashion_mnist_mini",
        "--epochs",
        "1",
    ]
    done = subprocess.run(
        [*words, "--out", tmp_path / "net", "--quiet"], capture_output=True, text=True, env=os.environ | {name: value}
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("Error: JAX does not start: ")
    assert f"{name}={value}" in done.stderr
    assert done.stderr.endswith("see `xbar doctor`\n")
    assert list(tmp_path.iterdir()) == []


def test_doctor_says_what_to_do_without_a_simulator(xbar, monkeypatch):
    monkeypatch.setenv("LIBNGSPICE", "/nowhere/libngspice.so")
    found = xbar("doctor", "--json")
    ngspice = next(f for f in found.json["findings"] if f["name"] == "ngspice")
    assert found.code == 1
    assert not ngspice["ok"]
    assert "LIBNGSPICE" in ngspice["remedy"]
