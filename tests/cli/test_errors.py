"""Bad input: one clear line on stderr, exit 1 or 2, nothing on stdout, nothing left behind."""

import os
import subprocess
import sys

import pytest

BAD = [
    (("characterize", "--vg-range", "1.0:0.7:0.05"), "the stop is below the start"),
    (("characterize", "--vg-range", "0.7:1.0:0"), "the step must be above 0"),
    (("characterize", "--vg-range", "a:b:c"), "is not a number"),
    (("characterize", "--vg-range", "0:1:1e-9"), "1e+09 points; at most 4096"),
    (("characterize", "--vin-range", "0.01:nan:51"), "is not a number"),
    (("characterize", "--vin-range", "0.01:0.5:1e9"), "whole number from 5 to 4096"),
    (("characterize", "--width", "-90n"), "greater than 0"),
    (("characterize", "--r-on", "400k"), "--r-on 400000 must be below --r-off 300000"),
    (("characterize", "--g-points", "0"), "greater than or equal to 8"),
    (("characterize", "--tolerance", "0"), "greater than 0"),
    (("characterize", "--card", "nosuch"), "nosuch"),
    (("characterize", "--set", "a.b.c=1"), "unknown key 'a'"),
    (("characterize", "--set", "nonsense"), "write section.key=value"),
    (("characterize", "--jobs", "0"), "greater than or equal to 1"),
    (("train", "--epochs", "-1"), "greater than or equal to 0"),
    (("train", "--method", "magic"), "'ideal', 'neat', 'tat', 'periphery', 'biased'"),
    (("train", "--method", "tat"), "needs --array"),
    (("train", "--method", "tat", "--array", "lumped"), "needs --technology"),
    (
        ("train", "--method", "tat", "--array", "published", "--technology", "taox", "--refold", "8"),
        "--refold belongs to --array lumped or nodal",
    ),
    (
        ("train", "--method", "tat", "--array", "lumped", "--technology", "taox", "--r-wire", "1"),
        "--array lumped does not use --r-wire; nodal or gated does",
    ),
    (("train", "--method", "neat", "--vg", "0.8", "--cell", "c", "--refold", "8"), "--refold need --array gated"),
    (("train", "--refold", "8"), "--method ideal does not use --refold; it belongs to neat, tat"),
    (("train", "--bits", "4"), "--method ideal does not use --bits; it belongs to tat, periphery, biased"),
    (("train", "--activation", "sigmoid"), "belongs to mlp, not to lenet5"),
    (("train", "--width", "0.5"), "lenet5 has its own widths"),
    (("train", "--network", "alexnet"), "mlp, lenet5, lenet, cnn"),
    (("train", "--dataset", "imagenet"), "imagenet"),
    (("train", "--method", "neat"), "needs --cell"),
    (("train", "--r-wire", "2"), "--method ideal does not use --r-wire; only --method neat or tat or insitu does"),
    (("train", "--vg", "0.8"), "does not use --vg; only --method neat does"),
    (("train", "--config", "nowhere.toml"), "nowhere.toml: cannot be read"),
    (("train", "--resume", "nowhere"), "no interrupted run to resume"),
    (("eval", "nowhere"), "no such run directory"),
    (("eval",), "Missing argument 'RUN'"),
    (("nosuch",), "No such command 'nosuch'"),
    (("train", "--nosuch"), "No such option"),
    (("pareto", "a", "--against", "m" * 300), f"{'m' * 79}…' is not one of 'energy'"),
    (("pareto", "a", "--out", "m" * 300), "is longer than 255 bytes"),
    (("eval", "nowhere", "--r-on", "1e20"), "--r-on: mapping.r_on_ohm: 1e+20 is out of bounds: from 1e-12 to 1e12 ohm"),
    (("characterize", "--width", "1"), "1 is out of bounds: from 1e-09 to 0.001 m is allowed"),
    (("train", "--learning-rate", "1e9"), "from 1e-20 to 10000 is allowed"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_one_clear_line(xbar, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XBAR_DATA_DIR", str(tmp_path))
    found = xbar(*words)
    assert found.code in (1, 2)
    assert found.err.startswith("Error: ")
    assert found.err.count("\n") == 1
    assert message in found.err
    assert found.out == ""
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.spice
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--variation", "-1"), "greater than or equal to 0"),
        (("--variation", "nan"), "is not a number"),
        (("--samples", "0"), "greater than or equal to 1"),
        (("--vg", "0.83"), "0.83 V is not in the cell's table (0.8, 0.9, 1 V)"),
        (("--array", "quantum"), "'quantum'"),
        (("--tile", "0x4"), "is not a tile size"),
        (
            ("--array", "ideal", "--r-source", "5"),
            "; lumped or published or nodal or gated does",
        ),
        (("--array", "lumped", "--r-wire", "1"), "; nodal or gated does"),
        (("--array", "nodal", "--wired", "fold"), "--array nodal does not use --wired; gated does"),
        (("--array", "gated", "--wired-error", "0.01"), "--wired-error needs --r-wire, --r-source or --r-neuron"),
        (("--array", "nodal", "--r-wire", "1", "--r-wire-bit", "2"), "sets both wires"),
        (("--array", "nodal", "--r-wire", "-1"), "greater than or equal to 0"),
        (("--images", "10000000"), "more than the 1000 test images"),
        (("--r-on", "10k"), "--r-on: the cell's own where there is one"),
        (("--r-on", "300k"), "--r-on 300000 must be below --r-off 300000"),
        (("--r-off", "30k"), "--r-on 30000 must be below --r-off 30000"),
        (("--weight-scale", "layer"), "restricted with scale 'network'"),
    ],
)
def test_bad_options_of_evaluate(xbar, neat, tmp_path, words, message):
    found = xbar("eval", neat, *words, "--out", tmp_path / "e")
    assert found.code in (1, 2)
    assert message in found.err
    assert found.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.spice
def test_runs_of_the_wrong_kind(xbar, cell, trained, mapped, tmp_path):
    for command in ("map", "energy", "eval"):
        found = xbar(command, cell, "--out", tmp_path / "x")
        assert found.code == 1
        assert "is a `characterize` run" in found.err
    assert "needs a `map` run" in xbar("energy", trained, "--out", tmp_path / "x").err
    assert "mapped already" in xbar("eval", mapped, "--vg", "0.9", "--out", tmp_path / "x").err
    assert "needs a 1T-1R cell" in xbar("eval", trained, "--array", "gated", "--out", tmp_path / "x").err
    assert "is a `train` run" in xbar(
        "train", "--method", "neat", "--network", "mlp", "--vg", "0.8", "--cell", trained, "--out", tmp_path / "x"
    ).err  # fmt: skip


@pytest.mark.spice
def test_an_empty_linear_range_is_refused(xbar, trained, tmp_path):
    assert xbar(
        "characterize", "--vg-range", "0.5:1.0:0.5", "--surrogate-error", "0.5", "--g-points", 32, "--out", tmp_path / "c"
    ).code == 0  # fmt: skip
    found = xbar(
        "train",
        "--method",
        "neat",
        "--network",
        "mlp",
        "--vg",
        "0.5",
        "--cell",
        tmp_path / "c",
        "--out",
        tmp_path / "n",
    )
    assert found.code == 1
    assert "no linear range at V_g 0.5 V" in found.err


def test_a_half_written_run(xbar, trained, tmp_path):
    half = tmp_path / "half"
    half.mkdir()
    (half / "summary.json").write_text('{"command": "train"}')
    assert "half-written" in xbar("eval", half).err
    assert "no xbar run" in xbar("train", "--epochs", 0, "--out", half).err
    assert (
        "is a complete run; --overwrite replaces it, or choose another --out"
        in xbar("train", "--epochs", 0, "--out", trained).err
    )


def test_an_unknown_key_in_a_file(xbar, tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[training]\nepoch = 3\n")
    found = xbar("train", "--config", file)
    assert (found.code, found.err) == (
        1,
        f"Error: {file}: unknown key 'training.epoch' (did you mean training.epochs?)\n",
    )


def test_no_simulator(xbar, monkeypatch, tmp_path):
    monkeypatch.setenv("LIBNGSPICE", str(tmp_path / "libnone.so"))
    found = xbar("characterize", "--out", tmp_path / "c")
    assert found.code == 1
    assert found.err.count("\n") == 1
    assert "ngspice" in found.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.spice
def test_a_card_with_an_unknown_parameter(xbar, tmp_path):
    card = tmp_path / "card.lib"
    card.write_text(".model mine nmos level=1 vto=0.4 kp=200u colour=3\n")
    found = xbar("characterize", "--card", card, "--out", tmp_path / "c")
    assert found.code == 1
    assert "colour" in found.err
    assert found.err.count("\n") == 1


def test_a_data_set_that_is_not_there(xbar, tmp_path):
    found = xbar("train", "--dataset", "mnist", "--data-dir", tmp_path, "--out", tmp_path / "n")
    assert found.code == 1
    assert "xbar data import mnist" in found.err
    assert "train-images-idx3-ubyte" in found.err


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounting a small tmpfs needs root on Linux")
def test_a_full_disk(xbar, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        found = xbar("train", "--network", "mlp", "--width", 0.1, "--epochs", 1, "--out", small / "run", "--quiet")
        assert (found.code, found.out) == (1, "")
        advice = "free some space, or choose another --out; nothing was kept: the same command starts again"
        assert found.err == f"Error: the disk is full: {advice}\n"
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
