import numpy as np
import pytest

from xbar_cli.array.wires import Wires
from xbar_cli.config.tile import TileConfig
from xbar_cli.runs.results import read_dataset
from xbar_cli.workflows.characterize_tile import pairs


def test_a_tile_obeys_kirchhoff_and_conserves_energy(xbar, tmp_path):
    out, r = tmp_path / "t", {"wire": 20.0, "source": 100.0, "neuron": 50.0}
    words = [part for name, value in r.items() for part in (f"--r-{name}", value)]
    summary = xbar("characterize", "tile", "--size", "6x5", *words, "--json", "--out", out).json
    data = read_dataset(out / "results.nc")
    v, word, bit, i = (data[name].values for name in ("input", "word", "bit", "current"))
    np.testing.assert_allclose(i, data["conductance"].values * (word - bit), rtol=1e-6)
    along_row = np.cumsum(i[:, ::-1], axis=1)[:, ::-1]  # what flows into each device's node from the left
    before = np.concatenate([v[:, None] - r["source"] * along_row[:, :1], word[:, :-1]], axis=1)
    np.testing.assert_allclose(before - word, r["wire"] * along_row, rtol=1e-4, atol=1e-9)
    down_column = np.cumsum(i, axis=0)
    after = np.concatenate([bit[1:], r["neuron"] * down_column[-1:]], axis=0)
    np.testing.assert_allclose(bit - after, r["wire"] * down_column, rtol=1e-4, atol=1e-9)
    lost = (
        np.sum(i * (word - bit)) + r["source"] * np.sum(along_row[:, 0] ** 2) + r["neuron"] * np.sum(down_column[-1] ** 2)
        + r["wire"] * (np.sum(along_row**2) + np.sum(down_column**2))
    )  # fmt: skip
    assert summary["power_watt"] == pytest.approx(lost, rel=1e-5)
    assert 0 < summary["mean_current_loss"] < summary["worst_current_loss"] < 1
    assert (out / "figures" / "tile.png").exists()


def test_closed_forms_stand_beside_the_solved_currents(xbar, tmp_path):
    words = ("--size", "6x5", "--r-wire", 0, "--r-source", 400, "--r-neuron", 300, "--json")
    found = xbar("characterize", "tile", *words, "--out", tmp_path / "t").json
    data = read_dataset(tmp_path / "t" / "results.nc")
    g, v, exact = data["conductance"].values, data["input"].values, data["current"].values.sum(axis=0)
    near = v / (1 + 400 * (g / (1 + 300 * g)).sum(axis=1)) @ g / (1 + 300 * g.sum(axis=0))  # tat, eq. (4)
    for name, currents in (("ideal", v @ g), ("published", near)):
        rms = np.sqrt(np.mean((currents - exact) ** 2))
        assert found["models"][name]["nrmsd"] == pytest.approx(rms / exact.mean(), rel=1e-3)
        assert found["models"][name]["nrmsd_of_range"] == pytest.approx(rms / np.ptp(exact), rel=1e-3)
    assert found["models"]["published"]["nrmsd"] < found["models"]["ideal"]["nrmsd"]
    assert found["pairs"] is None, "random conductances are no pairs"
    assert (tmp_path / "t" / "figures" / "currents.png").exists()


def test_pairs_share_their_neuron_in_the_closed_form_and_in_the_exact_arrays():
    g, v = np.random.default_rng(0).uniform(0, 1e-4, (6, 8)), np.linspace(0.1, 0.5, 6)
    plus, minus = g[:, ::2], g[:, 1::2]
    driven = [v / (1 + 400 * (h / (1 + 300 * h)).sum(axis=1)) @ h for h in (plus, minus)]
    near = (driven[0] - driven[1]) / (1 + 300 * (plus + minus).sum(axis=0))
    exact = np.zeros(4)
    for _ in range(500):  # both arrays draw through their sources against the voltage of the neuron that they share
        n = 300 * exact
        currents = []
        for h, sign in ((plus, 1), (minus, -1)):
            word = (sign * v + 400 * (h @ n)) / (1 + 400 * h.sum(axis=1))
            currents.append((h * (word[:, None] - n)).sum(axis=0))
        exact = 0.5 * exact + 0.5 * (currents[0] + currents[1])
    found = pairs(g, v, Wires(source=400.0, neuron=300.0))
    assert found["max_full_scale_error"] == pytest.approx(np.abs(near - exact).max() / np.abs(exact).max(), rel=1e-6)
    assert pairs(g, v, Wires(source=400.0))["nrmsd"] < 1e-12


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--size", "1000x1000"), "at most 262144 devices"),
        (("--r-on", "400k"), "must be below"),
        (("--layer", "fc1"), "layer needs"),
        (("--map", "nowhere", "--r-on", "10k"), "belong to random arrays"),
        (("--map", "nowhere"), "no such run directory"),
    ],
)
def test_one_clear_line(xbar, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    found = xbar("characterize", "tile", *words)
    assert (found.code, found.out) in ((1, ""), (2, ""))
    assert message in found.err
    assert found.err.count("\n") == 1


def test_the_configuration_of_a_mapped_tile_can_be_read_back():
    config = TileConfig.model_validate({"tile": {"run": "runs/map"}})
    again = TileConfig.model_validate(config.in_use())
    again.check()
    assert again.in_use() == config.in_use()
    assert "size" in TileConfig().in_use()["tile"]
