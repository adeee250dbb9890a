import numpy as np
import pytest

from xbar_cli.runs.results import read_dataset


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
