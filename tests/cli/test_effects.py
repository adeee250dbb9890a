"""Effects through the command line: scores that overflow, statistics in other units, transistors that differ."""

import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.cell.file import load_cell
from xbar_cli.chip.mismatch import gate_shift
from xbar_cli.device.mismatch import MismatchedCell, node_weights
from xbar_cli.runs.results import read_tensors, write_tensors


def one_line(result, code=1):
    assert result.code == code
    lines = [line for line in result.err.splitlines() if line.startswith("Error")]
    assert len(lines) == 1
    assert "Traceback" not in result.err
    return lines[0]


def test_a_network_whose_scores_overflow_is_refused_not_counted(xbar, tmp_path, small):
    tensors = read_tensors(small / "model.safetensors")
    tensors["output.kernel"] = np.sign(tensors["output.kernel"]) * np.float32(3e38)
    write_tensors(tmp_path / "net.safetensors", tensors)
    words = (
        "import",
        tmp_path / "net.safetensors",
        "--layout",
        "xbar",
        "--network",
        "mlp",
        "--set",
        "network.width=0.1",
    )
    line = one_line(xbar(*words, "--out", tmp_path / "net"))
    assert "the network in floating point: scores are not finite" in line


def test_a_chip_whose_scores_overflow_is_named_with_its_layer(xbar, tmp_path, small):
    """A gain of the converters of 1e38 leaves the conductances as they are, and overflows behind them."""
    words = ("eval", small, "--samples", "2", "--images", "100", "--out", tmp_path / "e")
    statistics = tmp_path / "wide.toml"
    statistics.write_text(
        "target_siemens = [3e-6, 3.4e-5]\nmean_siemens = [3e-6, 3.4e-5]\nsigma_siemens = [3e-4, 3e-4]\n"
    )
    effect = f"smooth:file={statistics}"
    drifted = ("--effect", effect, "--effect", "drift:t=1e12,t0=1e-9,nu=-0.95,nu_sigma=0.0", "--negative", "allow")
    line = one_line(xbar(*words, *drifted))
    assert line.startswith("Error: chip 0: the scores are not finite, from layer output on")


def test_conductances_that_overflow_name_chip_effect_and_layer(xbar, tmp_path, small):
    words = ("eval", small, "--samples", "1", "--images", "100", "--out", tmp_path / "e")
    line = one_line(xbar(*words, "--effect", "drift:t=1e12,t0=1e-9,nu=-1,nu_sigma=1"))
    assert line.startswith("Error: chip 0: drift leaves conductances of layer hidden that are not finite")


def test_microsiemens_in_a_siemens_column_are_refused(xbar, tmp_path, small):
    rng = np.random.default_rng(0)
    target = np.repeat([4.0, 12.0, 31.0], 20)
    rows = [f"{t},{m}" for t, m in zip(target, target * rng.normal(1, 0.03, target.size), strict=True)]
    (tmp_path / "devices.csv").write_text("\n".join(["target_siemens,measured_siemens", *rows]))
    line = one_line(xbar("fit", tmp_path / "devices.csv", "--out", tmp_path / "fit"))
    assert "devices.csv: target_siemens spans 4 … 31 S" in line
    assert "are they microsiemens?" in line
    (tmp_path / "levels.txt").write_text("3e-3\n1e-2\n3e-2\n")
    line = one_line(xbar("map", small, "--levels", tmp_path / "levels.txt", "--out", tmp_path / "map"))
    assert (
        "its levels spans 0.003 … 0.03 S, and the devices lie at 3.333e-06 … 3.333e-05 S (are they millisiemens?)"
        in line
    )


@pytest.fixture
def cell(shared):
    """A characterize run with sampled transistors."""
    words = ("--vg-range", "0.65:0.85:0.05", "--vth-sigma", "30m", "--mismatch-samples", 20)
    return shared("cell-mismatch", "characterize", *words)


@pytest.mark.spice
@pytest.mark.slow
@pytest.mark.parametrize(("vg", "worst", "mean"), [(0.75, 0.02, 0.06), (0.8, 0.03, 0.15)])
def test_cells_at_shifted_thresholds_are_those_of_the_simulator(cell, vg, worst, mean):
    """The sampled transistors, each with its own shift and simulated whole, against the interpolated surrogates."""
    found = load_cell(cell / "results.nc")
    sampled, index = found.sampled, found.index(vg)
    assert sampled.sigma == pytest.approx(0.03)
    inside = (sampled.g >= found.g_off) & (sampled.g <= found.g_on)
    g, simulated = sampled.g[inside], sampled.effective[index][:, inside]
    spread = gate_shift(found, vg, sampled.sigma)
    assert 1.0 < spread.sigma / sampled.sigma < 1.25
    gates = -spread.sigma / sampled.sigma * sampled.shift
    weights = node_weights(np.repeat(gates[:, None], g.size, axis=1), [node - vg for node in spread.nodes])
    cells = MismatchedCell(
        tuple(found.current[place].astype(jnp.float32) for place in spread.index), jnp.asarray(weights, jnp.float32)
    )
    conductances = jnp.broadcast_to(jnp.asarray(g, jnp.float32), weights.shape[:2])
    effective = np.mean([cells(conductances, jnp.full(weights.shape[:2], v)) / v for v in found.vin], axis=0)
    error, effect = effective / simulated - 1, found.effective(index, g, volt=None) / simulated - 1
    assert np.abs(error).max() < worst
    assert np.sqrt(np.mean(error**2)) < mean * np.sqrt(np.mean(effect**2))


@pytest.mark.spice
@pytest.mark.slow
def test_transistors_that_differ_cost_accuracy_where_they_saturate(xbar, cell, trained, tmp_path):
    """The spread of the characterize run, by its scale."""
    words = ("eval", trained, "--cell", cell, "--vg", "0.75", "--images", "600", "--samples", "8", "--json")

    def accuracy(*more):
        return xbar(*words, *more, "--out", tmp_path / "e", "--overwrite").json

    none, one = accuracy(), accuracy("--effect", "mismatch")
    nothing, more = accuracy("--effect", "mismatch:scale=0"), accuracy("--effect", "mismatch:sigma=50m")
    assert nothing["accuracy_samples"] == none["accuracy_samples"]
    assert len(set(one["accuracy_samples"])) > 1
    assert more["accuracy_mean"] < one["accuracy_mean"] < none["accuracy_mean"] + 0.02
    assert one["effects"][0].startswith("1. transistor: mismatch")
    linear = accuracy("--effect", "mismatch", "--input", "pwm", "--dac-bits", "8", "--adc-bits", "8")
    assert len(set(linear["accuracy_samples"])) > 1
    wired = xbar(*words, "--effect", "mismatch", "--array", "gated", "--r-wire", "5", "--out", tmp_path / "w")
    assert "takes 1T-1R arrays without resistances" in one_line(wired)


def test_mismatch_on_resistive_arrays_is_refused(xbar, tmp_path, small):
    line = one_line(xbar("eval", small, "--effect", "mismatch:sigma=0.03", "--out", tmp_path / "e"))
    assert "resistive arrays have none" in line
    line = one_line(xbar("train", "--network", "mlp", "--inject", "mismatch:sigma=0.03", "--out", tmp_path / "t"), 1)
    assert "training has no access transistors" in line
