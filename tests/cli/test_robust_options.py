"""Options of training against variation change what is trained."""

import numpy as np

from xbar_cli.runs.results import read_tensors

NOISE = ("--inject", "normal:0.3", "--epochs", 2)


def kernels(out):
    return {name: value for name, value in read_tensors(out / "model.safetensors").items() if value.ndim > 1}


def test_cut_weights_and_growing_noise_act(xbar, tiny, tmp_path):
    found = {}
    for name, words in {"plain": (), "cut": ("--clip-weights", 1.0), "ramp": ("--inject-schedule", "ramp")}.items():
        assert xbar("train", *tiny, *NOISE, *words, "--out", tmp_path / name).code == 0
        found[name] = kernels(tmp_path / name)
    for name, plain in found["plain"].items():
        cut = found["cut"][name]
        assert np.abs(cut).max() < 1.5 * cut.std() < np.abs(plain).max()
        assert np.abs(found["ramp"][name] - plain).max() > 1e-3
