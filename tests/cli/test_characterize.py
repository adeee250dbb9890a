"""`xbar characterize` and its subcommands on real simulations: physics that must show, keys, errors, interruption."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from xbar_cli.cell.file import load_cell
from xbar_cli.cell.range import effective_conductance, ranges
from xbar_cli.device.linear_range import tolerance_metric
from xbar_cli.mapping.window import cell_window
from xbar_cli.runs.results import read_dataset
from xbar_cli.spice.cards import load_card
from xbar_cli.spice.netlist import CellCircuit
from xbar_cli.spice.sweep import Grid, sweep_cell

pytestmark = pytest.mark.spice
SMALL = ("--g-points", 32, "--vin-range", "0.01:0.5:26")


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XBAR_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


def run(xbar, out, *words):
    found = xbar("characterize", *words, "--json", "--out", out)
    assert found.code == 0, found.err
    return found.json


@pytest.mark.slow
def test_every_option_of_the_laboratory(xbar, tmp_path):
    found = run(
        xbar, tmp_path / "c", *SMALL, "--vg-range", "0.8:1.0:0.1", "--vdd", "0.25,0.5", "--leakage-limit", "100p", "--rows", 64,
        "--vth-sigma", "20m", "--mismatch-samples", 12, "--set", "mismatch.g_points=12", "--vbl", "60m", "--jobs", 2,
    )  # fmt: skip
    low, full = np.array(found["supply_g_cut_siemens"])
    np.testing.assert_allclose(full, found["g_cut_siemens"], rtol=2e-3)
    assert (low[:2] > 1.2 * full[:2]).all(), "GENIEx: the higher the supply, the more non-linear the cell"
    results = read_dataset(tmp_path / "c" / "results.nc")
    assert (results["supply_tolerance_metric"][0] < results["supply_tolerance_metric"][1]).all()
    np.testing.assert_allclose(found["w_cut_over_w_max"], [0.367, 0.690, 1.0], atol=2e-3)
    cell = load_cell(tmp_path / "c" / "results.nc")
    shares = [cell_window(cell, vg=float(vg), w_max=1.0, volt=None).w_cut for vg in cell.vg]
    np.testing.assert_allclose(found["w_cut_over_w_max"], shares, rtol=1e-9)

    leakage = np.array(found["line_leakage_ampere"])
    assert (np.diff(leakage) > 0).all()
    usable = leakage <= 100e-12
    assert usable.any()
    assert not usable.all()
    assert found["leakage_vg_volt"][: usable.sum()] == np.array(found["vg_volt"])[usable].tolist()
    whole = np.array(found["g_cut_siemens"])
    left = np.array([np.nan if g is None else g for g in found["leakage_g_cut_siemens"]])
    np.testing.assert_array_equal(left[usable], whole[usable])
    assert not (left[~usable] >= whole[~usable]).any()

    assert found["mismatch_samples"] == 12
    spread = np.array(found["mismatch_g_eff_at_g_on_relative_std"])
    assert (np.diff(spread) < 0).all(), "far above its threshold a transistor forgets it"
    shift, cuts = results["vth_shift"].values, results["mismatch_g_cut"].values
    assert 0.3 < np.sqrt(np.mean(shift**2)) / 0.02 < 1.7
    order = np.argsort(shift)
    kept = cuts[0][order][np.isfinite(cuts[0][order])]
    assert (np.diff(kept) <= 0).all(), "a higher threshold leaves a smaller range"
    nominal = np.polyval(np.polyfit(shift, cuts[0], 2), 0.0)
    assert nominal == pytest.approx(found["g_cut_siemens"][0], rel=0.02)

    for name in ("max_error", "rms_error", "full_scale_error"):
        assert len(found[f"surrogate_{name}"]) == len(found[f"bit_line_{name}"]) == 3
    assert max(found["bit_line_max_error"]) <= 5e-3
    check_bit_line(cell, found["bit_line_max_error"])


def check_bit_line(cell, errors):
    """The two surrogates agree on a grounded bit line, and the body effect is what shifting misses."""
    g, v = (a.ravel() for a in np.meshgrid(np.linspace(cell.g_off, cell.g_on, 9), np.linspace(0.02, 0.5, 9)))
    plain, line = cell.current[0], cell.bit_line[0]
    with jax.enable_x64(True):
        at = jax.jit(type(line).__call__)
        zero = at(line, jnp.asarray(g), jnp.asarray(v), jnp.zeros(g.size))
        here = jax.jit(type(plain).__call__)(plain, jnp.asarray(g), jnp.asarray(v))
        np.testing.assert_allclose(zero, here, rtol=1e-3 + errors[0])
        raised = at(line, jnp.asarray(g), jnp.asarray(v), jnp.full(g.size, 0.01))
        assert (np.asarray(raised) < np.asarray(here)).all()
        check_grads(
            jax.jit(lambda x, v, u: line(x * 1e-5, v, u) * 1e5),
            (jnp.asarray([0.6, 2.5]), jnp.asarray([0.1, 0.4]), jnp.asarray([0.005, 0.03])), order=1, modes=["rev"],
        )  # fmt: skip


def test_a_characterisation_loads_neither_jax_nor_xarray(tmp_path):
    """They would be a third of the whole command's time."""
    words = ["characterize", *map(str, SMALL), "--vg-range", "0.9", "--json", "--out", str(tmp_path / "c")]
    code = (
        "import sys; from xbar_cli.cli.main import guarded; code = guarded(sys.argv[1:]); "
        "sys.exit(code or ' '.join({'jax', 'xarray', 'pandas', 'dask'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    cell = load_cell(tmp_path / "c" / "results.nc")
    assert read_dataset(tmp_path / "c" / "results.nc")["w_cut_over_w_max"].values == [1.0]
    assert cell.current[0].rank >= 1


@pytest.mark.parametrize(("spacing", "vin"), [("linear", "0.01:0.5:51"), ("log", "-0.5:0.5:101")])
def test_real_tables_are_followed_monotonously(xbar, tmp_path, spacing, vin):
    """Between the grid's points too, the current grows with G wherever the table's does, at either sign of V_in."""
    found = run(xbar, tmp_path / "c", "--vg-range", "0.8", "--vin-range", vin, "--g-spacing", spacing)
    assert found["surrogate_max_error"][0] <= 1e-3
    cell, results = load_cell(tmp_path / "c" / "results.nc"), read_dataset(tmp_path / "c" / "results.nc")
    table = np.diff(np.abs(results["current"].values[0]), axis=0)
    volts = results["vin"].values
    keep = np.abs(volts) >= 0.01
    assert (table[:, keep] > 0).all()
    g = np.linspace(cell.g[0], cell.g[-1], 500)
    with jax.enable_x64(True):
        values = jax.jit(lambda g, v: cell.current[0].in_g(g) @ cell.current[0].in_v(v).T)(g, volts[keep])
    assert (np.diff(np.abs(np.asarray(values)), axis=0) > 0).all()
    assert np.abs(cell.vin).min() >= 0.01 * (1 - 1e-9)
    assert np.isfinite(cell.mean_effective).all()


@pytest.mark.parametrize(
    ("card", "width", "topology", "gates", "usable"),
    [
        ("lp", 90e-9, "drain", Grid(0.7, 1.3, 7), [True] * 7),
        ("hp", 90e-9, "drain", Grid(0.7, 1.3, 7), None),
        ("pdk45nvth", 90e-9, "drain", Grid(0.7, 1.3, 7), None),
        ("pdk45nvtg", 90e-9, "drain", Grid(0.7, 1.3, 7), None),
        ("bulk", 180e-9, "drain", Grid(0.7, 1.3, 3), [True, True, False]),
        ("lp", 90e-9, "source", Grid(0.7, 0.9, 3), [False] * 3),
    ],
)
def test_where_each_transistor_has_a_linear_range(card, width, topology, gates, usable):
    g = np.linspace(0.1 / 300e3, 1.75 / 30e3, 24)
    cell = CellCircuit(card=load_card(card), width_m=width, length_m=45e-9, topology=topology, temperature_celsius=27.0)
    table = sweep_cell(
        cell, g_siemens=g, vin=Grid(0.01, 0.5, 26), vg=gates, jobs=1, timeout_s=60.0, backend="auto",
    )  # fmt: skip
    tm = tolerance_metric(effective_conductance(table, 0.01)[1], metric="spread")
    cut = ranges(g, tm, tolerance=0.025, g_off=1 / 300e3, g_on=1 / 30e3).g_cut
    if usable is not None:
        assert np.isfinite(cut).tolist() == usable
    assert (np.diff(cut[np.isfinite(cut)]) >= 0).all(), "G_cut does not fall with V_g where the range is not empty"


def test_power_per_synapse_grows_with_the_gate_voltage(xbar, tmp_path):
    words = ("--vg-range", "0.7:1.0:0.1", *SMALL, "--samples", 40, "--seed", 3)
    found = xbar("characterize", "power", *words, "--json", "--out", tmp_path / "p")
    assert found.code == 0, found.err
    power = found.json["power_per_synapse_watt"]
    assert (np.diff(power) > 0).all()
    assert all(low < mean < high for mean, (low, high) in zip(power, found.json["power_ci95_watt"], strict=True))
    # E[G_eff] E[V²]: |w|/w_max of a half-normal cut at 3 sigma has mean √(2/π)/3; G_eff from 3.3 to about 25 µS; V² = 0.5²/3
    expected = (3.3e-6 + np.sqrt(2 / np.pi) / 3 * 21.5e-6) * 0.25 / 3
    assert power[-1] == pytest.approx(expected, rel=0.1)
    more = xbar(
        "characterize", "power", *words[:-4], "--samples", 41, "--seed", 3, "--json", "--out", tmp_path / "q"
    ).json
    first, second = (read_dataset(tmp_path / name / "results.nc")["power"].values for name in "pq")
    np.testing.assert_array_equal(first, second[:, :40])
    assert more["cached"]
    assert (tmp_path / "p" / "figures" / "power.png").exists()


@pytest.mark.slow
def test_whole_arrays_against_the_models(xbar, tmp_path):
    words = ("characterize", "array", *SMALL, "--size", "8x8", "--seed", 1, "--inputs", 4, "--json", "--out")
    found = xbar(*words, tmp_path / "a")
    assert found.code == 0, found.err
    models = found.json["models"]
    assert 1e-3 < models["gated"]["nrmsd"] < 0.05, "what wires of 2.5 Ω cost"
    assert models["linear with wires"]["nrmsd"] < 0.006
    assert found.json["oracle_seconds"] > 0
    bare = xbar(*words, tmp_path / "b", "--r-wire", 0).json["models"]
    assert bare["gated"]["max_relative_error"] < 1e-3, "without wires only the surrogate's error is left"
    assert bare["linear"]["max_relative_error"] > 3e-3


@pytest.mark.slow
def test_a_large_array_against_the_models(xbar, tmp_path):
    """The errors of docs/cells.md, which `scripts/make_cell_docs.py` writes."""
    found = xbar("characterize", "array", "--size", "32x32", "--json", "--out", tmp_path / "a")
    assert found.code == 0, found.err
    distances = {name: distance["nrmsd"] for name, distance in found.json["models"].items()}
    assert distances["gated"] == pytest.approx(0.0314, rel=0.02), "what wires of 2.5 Ω cost"
    assert distances["linear"] == pytest.approx(0.0340, rel=0.02)
    assert distances["linear with wires"] == pytest.approx(0.0036, rel=0.05)
    assert 0 < found.json["oracle_seconds_first_input"] < found.json["oracle_seconds"]
    assert found.json["inputs"] == 8


@pytest.mark.slow
def test_a_measured_table_gives_what_its_simulation_gave(xbar, tmp_path):
    simulated = run(xbar, tmp_path / "c", *SMALL, "--vg-range", "0.9:1.0:0.1")
    results = read_dataset(tmp_path / "c" / "results.nc")
    lines = ["G,V,I,V_g"]
    for i, vg in enumerate(results["vg"].values):
        for j, g in enumerate(results["g"].values):
            lines.append(f"{g!r},0,{results['leakage'].values[i, j]!r},{vg}")
            currents = zip(results["vin"].values, results["current"].values[i, j], strict=True)
            lines += [f"{g!r},{v!r},{current!r},{vg}" for v, current in currents]
    file = tmp_path / "cell.csv"
    file.write_text("\n".join(line.replace("np.float64(", "").replace(")", "") for line in lines))
    measured = run(xbar, tmp_path / "m", "--cell-table", file)
    np.testing.assert_allclose(measured["g_cut_siemens"], simulated["g_cut_siemens"], rtol=1e-9)
    assert (measured["points_per_second"], measured["simulator"], measured["vg_volt"]) == (None, None, [0.9, 1.0])
    assert max(measured["surrogate_max_error"]) <= 1e-3
    with jax.enable_x64(True):
        g, v = jnp.asarray([5e-6, 3e-5]), jnp.asarray([0.3, 0.3])
        ours, theirs = (load_cell(tmp_path / name / "results.nc").current[0](g, v) for name in "mc")
    np.testing.assert_allclose(ours, theirs, rtol=2e-3)
    refused = xbar("characterize", "--cell-table", file, "--card", "hp", "--out", tmp_path / "x")
    assert refused.code == 1
    assert "has no effect with a measured table" in refused.err


BAD = [
    (("--vin-range", "-0.5:-0.1:51"), "must end above 0 V"),
    (("--vin-range", "-0.01:0.01:21"), "2 points with |V_in| of at least 0.01 V"),
    (("--vdd", "0.5,0.25"), "ascending list of voltages above 0"),
    (("--vdd", "0.7"), "within --vin-range, up to 0.5 V"),
    (("--leakage-limit", "1n"), "--leakage-limit and --rows go together"),
    (("--mismatch-samples", "10"), "--mismatch-samples and mismatch.g_points need --vth-sigma"),
    (("--vth-sigma", "0"), "greater than 0"),
    (("--vth-sigma", "1m", "--mismatch-samples", "99999"), "the mismatch has"),
    (("--vbl", "-1m"), "greater than or equal to 0"),
    (("--section", "tt"), "card lp is built in"),
    (
        ("--surrogate-error", "1e-9", "--vg-range", "0.8", *map(str, SMALL)),
        "no surrogate of rank up to 12 reaches error 1e-09",
    ),
    (("--cell-table", "none.csv"), "none.csv: cannot be read"),
    (("--card", "hp", "power"), "--card must stand after power"),
    (("power", "--weights", "uniform:0,1"), "write normal:MU,SIGMA"),
    (("power", "--samples", "1"), "greater than or equal to 2"),
    (("array", "--size", "1000x1000"), "at most 16384 cells"),
    (("array", "--set", "sweep.vg_range=0.8"), "name its gate voltage with --vg"),
    (("array", "--vg-range", "0.8"), "No such option"),
    (("weigh",), "No such command 'weigh'"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_one_clear_line(xbar, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    found = xbar("characterize", *words)
    assert found.code in (1, 2)
    assert found.err.startswith("Error: ")
    assert found.err.count("\n") == 1
    assert message in found.err
    assert found.out == ""
    assert not list(tmp_path.rglob("*.partial"))


def children(pid):
    """Process numbers of the live children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(pid) and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_interrupted_sweep_leaves_no_process_and_no_half_written_run(tmp_path):
    script = Path(sys.executable).with_name("xbar")
    words = [
        "--vg-range",
        "0.7:1.0:0.001",
        "--g-points",
        "256",
        "--jobs",
        "2",
        "--no-cache",
        "--out",
        str(tmp_path / "c"),
    ]
    process = subprocess.Popen([script, "characterize", *words], stderr=subprocess.PIPE, text=True)
    deadline, workers = time.monotonic() + 60, []
    while len(workers) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None, "ended before it could be interrupted"
        workers = children(process.pid)
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.strip() == "Error: interrupted; nothing was kept: the same command starts again"
    assert list(tmp_path.iterdir()) == []
    assert not any(Path(f"/proc/{pid}/cwd").exists() for pid in workers)
