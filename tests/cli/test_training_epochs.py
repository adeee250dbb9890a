"""How many images an epoch sees, and which."""

import numpy as np
import pytest

from xbar_cli.train.session import Session


def test_epochs_of_some_images_see_others_each_time(xbar, tiny, tmp_path):
    """Of 540 training images 10 steps of 50 an epoch, or 4 where an epoch has 200."""
    words = ("train", *tiny, "--epochs", 2, "--learning-rate", 1e-3, "--json")
    seen: dict[int, list[bytes]] = {}
    original = Session.epoch_batches

    def noted(session, epoch, *, images=None):
        for x, y in original(session, epoch, images=images):
            seen.setdefault(epoch, []).append(np.asarray(x).tobytes())
            yield x, y

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "epoch_batches", noted)
        assert xbar(*words, "--out", tmp_path / "all").code == 0
        whole, seen = seen, {}
        assert xbar(*words, "--epoch-images", 240, "--out", tmp_path / "some").code == 0
    assert {epoch: len(steps) for epoch, steps in whole.items()} == {0: 10, 1: 10}
    assert {epoch: len(steps) for epoch, steps in seen.items()} == {0: 4, 1: 4}
    for epoch, steps in seen.items():
        assert steps == whole[epoch][:4]
    assert not set(seen[0]) & set(seen[1])
    refused = xbar(*words, "--epoch-images", 49, "--out", tmp_path / "none")
    assert refused.code == 1
    assert "--epoch-images 49 is no step of --batch-size 50" in refused.err


def test_a_start_of_all_images_is_restricted_in_rounds_of_some(xbar, tiny, cell, start, tmp_path):
    rounds = ("--method", "neat", "--cell", cell, "--vg", 0.9, "--start", start, "--rounds", 2, "--epochs-per-round", 1)
    found = xbar("train", *tiny, *rounds, "--epoch-images", 100, "--out", tmp_path / "some", "--json")
    assert found.code == 0, found.err
    fewer = xbar("train", *tiny, *rounds, "--train-images", 100, "--out", tmp_path / "fewer")
    assert fewer.code == 1
    assert "trained on images that are held out here" in fewer.err
