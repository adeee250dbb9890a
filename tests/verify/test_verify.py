"""`xbar verify`: cases of a file against independent solutions, the pack, and everything that can be wrong in a file."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from xbar_cli.array.wires import Wires
from xbar_cli.cli.main import guarded
from xbar_cli.config.characterize import CharacterizeConfig, bit_line_voltages
from xbar_cli.config.verify import VerifyConfig
from xbar_cli.verify import pack as verify_pack
from xbar_cli.verify.cases import CellKind, read_cases
from xbar_cli.verify.models import bit_line_bound, cell_config
from xbar_cli.verify.sparse import crossbar

WIRES = {"r_word": 12.0, "r_bit": 7.0, "r_source": 150.0, "r_neuron": 60.0}
INF = math.inf
CELL = {"card": "lp", "width_m": 9e-8, "length_m": 4.5e-8, "vg_volt": 1.0}


def ohms():
    return 10 ** np.random.default_rng(0).uniform(3, 5, (5, 4))


def case(changes=(), *, ohm=None, **wires):
    """A case that SciPy's sparse LU solved; an infinite end stands at 1e13 ohm there."""
    ohm, v, wires = ohms() if ohm is None else ohm, np.linspace(-0.2, 0.5, 5), WIRES | wires
    finite = {name: min(r, 1e13) for name, r in wires.items()}
    g_eff, word, bit = crossbar(1 / ohm, Wires(*finite.values()))
    is_open = any(math.isinf(r) for r in wires.values())
    solved = {
        "resistance_ohm": ohm.tolist(), "applied_v": v.tolist(), **{f"{name}_ohm": r for name, r in wires.items()},
        "output_a": (0 * (v @ g_eff) if is_open else v @ g_eff).tolist(),
        "word_v": np.einsum("s,src->rc", v, word).tolist(), "bit_v": np.einsum("s,src->rc", v, bit).tolist(),
    }  # fmt: skip
    solved |= dict(changes)
    return {key: value for key, value in solved.items() if value is not ...}


@pytest.fixture
def verify(tmp_path, capsys):
    """Run `xbar verify` on cases: (exit code, JSON or None, stderr)."""

    def run(cases, *words, text=None):
        path = tmp_path / "cases.json"
        path.write_text(json.dumps({"about": "test", "cases": cases}) if text is None else text)
        capsys.readouterr()
        code = guarded(["verify", "--cases", str(path), "--json", *map(str, words)])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return run


def test_the_figures_of_qucs(capsys):
    assert guarded(["verify", "--cases", str(verify_pack.FIGURES / "crossbars_qucs.json"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["max_relative_error"] < 1e-12
    assert found["max_full_scale_error"] is None
    assert [c["case"] for c in found["cases"]] == ["1x1-b-2", "5x4-a-1", "5x4-b-1"]
    assert all(c["max_node_relative_error"] < 1e-12 for c in found["cases"])
    assert "out" not in found
    assert guarded(["verify", "--cases", str(verify_pack.FIGURES / "crossbars_qucs.json")]) == 0
    shown = capsys.readouterr().out
    assert (shown.count("yes"), shown.count("NO")) == (3, 0)


@pytest.mark.slow
@pytest.mark.spice
def test_the_figures_of_ngspice(capsys):
    assert guarded(["verify", "--cases", str(verify_pack.FIGURES / "crossbars_ngspice.json"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["max_relative_error"] < 1e-8
    assert found["max_full_scale_error"] < 1e-4


def test_zero_and_infinite_resistances_absent_devices_and_an_open_cell_array(verify):
    absent = ohms()
    absent[2, 1] = absent[4, 3] = INF
    null = case(ohm=absent)
    null["resistance_ohm"][2][1] = None
    zeros = case(r_word=0.0, r_bit=0.0, r_source=0.0, r_neuron=0.0)
    del zeros["r_source_ohm"], zeros["r_neuron_ohm"]
    cases = {
        "plain": case(), "absent": null, "no wires": case(r_word=0.0, r_bit=0.0), "nothing": zeros,
        "no word wires": case(r_word=0.0), "open neuron": case(r_neuron=INF),
        "open neuron, no wires": case(r_neuron=INF, r_word=0.0, r_bit=0.0),
        "open source": case(r_source=INF) | {"word_v": [[0.0] * 4] * 5, "bit_v": [[0.0] * 4] * 5},
        "open cells": case({"cell": CELL, "word_v": ..., "bit_v": ...}, r_source=INF),
    }  # fmt: skip
    code, found, err = verify(cases, "--quiet")
    assert (code, err) == (0, "")
    errors = {c["case"]: c["max_relative_error"] for c in found["cases"]}
    assert max(e for name, e in errors.items() if e is not None and "open" not in name) < 1e-10
    assert max(e for name, e in errors.items() if e is not None) < 1e-8
    assert found["max_full_scale_error"] == 0
    assert [c["output_ampere"] for c in found["cases"] if "open" in c["case"]] == [[0.0] * 4] * 4


def test_a_wrong_figure_fails_and_is_named(verify, tmp_path):
    wrong = case()
    wrong["bit_v"][3][2] *= 1 + 1e-6
    code, found, err = verify({"good": case(), "bad": wrong}, "--out", tmp_path / "run")
    assert code == 1
    assert err == "Error: 1 of 2 failed: case bad\n"
    assert [c["passed"] for c in found["cases"]] == [True, False]
    assert found["max_relative_error"] == pytest.approx(1e-6, rel=1e-3)
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == found
    assert {p.name for p in (tmp_path / "run").iterdir()} == {
        "config.toml",
        "env.json",
        "results.nc",
        "summary.json",
        "done",
    }


def test_a_reference_of_0_counts_against_what_the_column_carries(verify):
    """Inputs that cancel: the model's rounding is no error; a current is one, however small the wires let it be."""
    ohm = np.tile(ohms()[:1], (4, 1))
    v = {"applied_v": [0.3, -0.3, 0.2, -0.2]}
    none = {"r_word": 0.0, "r_bit": 0.0, "r_source": 0.0}
    nodes = {"word_v": ..., "bit_v": ...}

    def cancelling(changes=(), *, ohm=ohm, **wires):
        solved = case(nodes, ohm=np.concatenate([ohm, ohm[:1]]), **(none | wires))
        for key in ("resistance_ohm", "applied_v"):
            solved[key] = solved[key][:4]
        return solved | v | {"output_a": [0.0] * 4} | dict(changes)

    some = ohm.copy()
    some[1, 2] *= 1.001
    tiny = case(ohm=np.array([[1e4, 2e4]] * 2 + [[1e4, 2.1e4]] * 3), r_word=1e12) | {"word_v": ..., "bit_v": ...}
    cases = {
        "all cancel": cancelling(r_neuron=0.0), "with neurons": cancelling(r_neuron=60.0),
        "in rounding": cancelling({"output_a": [1e-21] * 4}), "unlike": cancelling(ohm=some),
        "behind wires": {key: x for key, x in tiny.items() if x is not ...} | {"output_a": [0.0] * 2},
        "ground": case() | {"bit_v": [[0.0] * 4] * 5},
    }  # fmt: skip
    code, found, err = verify(cases)
    assert (code, [c["passed"] for c in found["cases"]]) == (1, [True] * 3 + [False] * 3)
    assert max(c["max_relative_error"] for c in found["cases"][:3]) < 1e-13
    column = sum(0.3 / some[:2, 2]) + sum(0.2 / some[2:, 2])
    expected = 0.3 * abs(1 / some[0, 2] - 1 / some[1, 2]) / column
    assert found["cases"][3]["max_relative_error"] == pytest.approx(expected, rel=1e-6)
    assert found["cases"][4]["max_relative_error"] == pytest.approx(1, rel=0.5)
    assert "case unlike; case behind wires; case ground" in err


def test_figures_of_few_digits_pass_within_their_last_digit(verify):
    """Rounded to 4 digits a value is off by at most 5e-4 of itself."""
    rounded = case({"word_v": ..., "bit_v": ...})
    rounded["output_a"] = [float(f"{x:.3e}") for x in rounded["output_a"]]
    wrong = [x * 1.002 for x in rounded["output_a"]]
    cases = {
        "exact": rounded, "digits": rounded | {"digits": 4}, "tolerance": rounded | {"tolerance": 1e-3},
        "wrong": rounded | {"digits": 4, "output_a": wrong}, "wide": rounded | {"tolerance": 0.01, "output_a": wrong},
    }  # fmt: skip
    _, found, err = verify(cases)
    assert [c["passed"] for c in found["cases"]] == [False, True, True, False, True]
    assert [c["allowed"] for c in found["cases"]] == pytest.approx([1e-8, 5e-4, 1e-3, 5e-4, 0.01])
    assert "2 of 5 failed: case exact; case wrong" in err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output_a": ...}, "output_a is missing"),
        ({"r_bit_ohm": ...}, "r_bit_ohm is missing"),
        ({"r_word_ohm": -1.0}, r"r_word_ohm = -1\.0 must be a number of at least 0 ohm"),
        ({"r_neuron_ohm": "Infinity"}, r"r_neuron_ohm = 'Infinity' must be a number of at least 0 ohm"),
        ({"r_sorce_ohm": 10.0}, r"unknown key 'r_sorce_ohm'; known are .*r_source_ohm"),
        ({"applied_v": [0.1] * 4}, r"applied_v must have one number per row of resistance_ohm, 5 in all, got 4 numbers"),
        ({"applied_v": [0.1, 0.2, math.nan, 0.1, 0.3]}, r"applied_v\[2\] = nan must be a number finite"),
        ({"output_a": 3.0}, r"output_a must have one number per column of resistance_ohm, 4 in all, got 3\.0"),
        ({"resistance_ohm": [[1.0, 2.0], [3.0]]}, r"resistance_ohm has rows of 1 and of 2 numbers"),
        ({"resistance_ohm": [[1e4] * 3 + [0.0]] * 5}, r"resistance_ohm\[0\]\[3\] = 0\.0 must be a number above 0 ohm; Infinity"),
        ({"resistance_ohm": [[1e4, True, 1e4, 1e4]] * 5}, r"resistance_ohm\[0\]\[1\] = True must be a number above 0"),
        ({"resistance_ohm": []}, r"resistance_ohm must be a list of rows, each a list of numbers"),
        ({"bit_v": [[0.1] * 4]}, r"bit_v has 1×4 numbers, and resistance_ohm 5×4"),
        ({"cell": "lp"}, r"cell must be an object with the keys card, width_m, length_m, vg_volt"),
        ({"cell": CELL | {"vg_volt": -1}}, r"cell: vg_volt = -1 must be a number above 0 V"),
        ({"cell": CELL | {"topology": "gate"}}, r"cell: topology = 'gate' must be drain or source"),
        ({"cell": {"card": "lp"}}, r"cell: width_m is missing"),
        ({"cell": CELL | {"card": 45}}, r"cell: card = 45 must be the name"),
        ({"digits": 4, "tolerance": 1e-3}, r"tolerance and digits both say which error passes; leave out one"),
        ({"digits": 2.5}, r"digits = 2\.5 must be a number of digits, 1 to 17"),
        ({"tolerance": 0}, r"tolerance = 0 must be a number above 0 and below 1"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_one_line(verify, changes, message):
    code, found, err = verify({"5x4": case(changes)})
    assert (code, found) == (1, None)
    assert err.count("\n") == 1
    assert pytest.importorskip("re").search(rf"^Error: .*cases\.json, case 5x4: {message}", err), err


def test_files_that_hold_no_cases(verify, tmp_path, capsys):
    for text, message in (
        ("{", "not JSON"),
        ("[]", "wanted is"),
        ('{"cases": {}}', "at least one case"),
        ("[" * 10**5, "JSON"),
    ):
        code, found, err = verify(None, text=text)
        assert (code, found, err.count("\n")) == (1, None, 1)
        assert message in err
    assert guarded(["verify", "--cases", str(tmp_path / "nowhere.json")]) == 1
    assert "nowhere.json: cannot be read (No such file" in " ".join(capsys.readouterr().err.split())
    assert guarded(["verify", "--overwrite"]) == 1


@pytest.mark.spice
def test_a_cell_that_cannot_be_characterised_names_the_case(verify):
    code, _, err = verify({"odd": case({"cell": CELL | {"card": "nosuch"}, "word_v": ..., "bit_v": ...})})
    assert code == 1
    assert "Error: case odd: card 'nosuch' is neither built in" in " ".join(err.split())


def test_unused_keys_are_noted(verify, tmp_path):
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": {"a": case({"author": "nobody"})}}))
    notes = []
    read_cases(path, note=notes.append)
    assert notes == [f"{path}, case a: 'author' is not used"]


def test_the_bound_on_bit_line_voltages():
    g, v = 1 / ohms(), np.full((1, 5), 0.4)
    usual = Wires(*WIRES.values())
    ideal_drivers = replace(usual, word=0.0, source=0.0)
    for wires in (usual, ideal_drivers):
        reached = np.einsum("s,src->rc", v[0], crossbar(g, wires)[2]).max()
        assert bit_line_bound(g, v, wires) >= reached * (1 - 1e-12)
    np.testing.assert_allclose(bit_line_bound(g, v, ideal_drivers), reached, rtol=1e-10)


def test_the_table_of_a_cell_covers_its_array():
    kind = CellKind(**CELL, topology="drain", temperature_celsius=27.0)
    settings = {"sweep": VerifyConfig().sweep}
    usual = cell_config(kind, np.full((4, 4), 1e-5), np.full((1, 4), 0.3), Wires(*WIRES.values()), **settings)
    assert (usual.cell.r_on_ohm, usual.sweep.vin_range, usual.sweep.vbl_volt) == (30e3, "0.01:0.5:51", 0.02)
    far = cell_config(kind, np.array([[1e-3, 1e-8]]), np.array([[-0.71]]), Wires(12.0, 7.0, 150.0, 400.0), **settings)
    assert (far.sweep.vin_range, far.sweep.g_spacing) == ("-0.8:0.8:101", "log")
    assert far.cell.r_on_ohm == pytest.approx(1e3)
    assert far.cell.r_off_ohm == pytest.approx(1e8)
    assert far.sweep.vbl_volt == pytest.approx(0.22)
    assert len(bit_line_voltages(far)) == 31
    assert len(bit_line_voltages(CharacterizeConfig.model_validate({"sweep": {"vbl_volt": "60m"}}))) == 5


@pytest.mark.slow
@pytest.mark.spice
def test_the_pack_passes(capsys):
    code = guarded(["verify", "--json", "--seed", "5"])
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["left_out"] == 0
    assert {c["oracle"] for c in found["checks"]} >= {
        "Qucs figures",
        "ngspice figures",
        "ngspice now",
        "SciPy sparse LU",
    }
    assert all(c["passed"] and c["n"] > 0 for c in found["checks"])
    assert found["max_full_scale_error"] < 1e-4


@pytest.mark.slow
def test_the_pack_without_ngspice_leaves_out_what_needs_it_and_fails_where_an_error_is_too_large(capsys, monkeypatch):
    monkeypatch.setenv("LIBNGSPICE", "/nowhere/libngspice.so")
    monkeypatch.setattr(verify_pack, "SPARSE", 1e-30)
    code = guarded(["verify"])
    out, err = capsys.readouterr()
    assert code == 1
    assert "left out" in out
    assert "ngspice is not there" in out
    message = " ".join(err.split())
    assert "Error: 3 of" in message
    assert "nodal, random arrays against SciPy sparse LU" in message
