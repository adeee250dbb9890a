"""A run whose newest checkpoint is damaged goes on from the one before, says so, and ends with the same bits."""

import pytest

from xbar_cli.runs.checkpoint import Checkpoints

WORDS = ("train", "--network", "mlp", "--hidden", 6, "--train-images", 200, "--epochs", 4)


class Interrupted(Exception):
    pass


@pytest.fixture
def cut(xbar, tmp_path, monkeypatch):
    """A run interrupted after its third checkpoint."""
    save = Checkpoints.save

    def save_and_stop(self, step, tree, record):
        save(self, step, tree, record)
        if step == 3:
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", save_and_stop)
        with pytest.raises(Interrupted):
            xbar(*WORDS, "--out", tmp_path / "cut")
    return tmp_path / "cut.partial"


def damage(step):
    largest = max((path for path in step.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-5])


def test_it_goes_on_from_the_one_before(xbar, cut, tmp_path):
    damage(cut / "checkpoints" / "3")
    resumed = xbar("train", "--resume", tmp_path / "cut")
    assert resumed.code == 0
    assert "checkpoint 3 is damaged: its files are not as they were written; resuming from checkpoint 2" in " ".join(
        resumed.err.split()
    )
    assert xbar(*WORDS, "--out", tmp_path / "whole").code == 0
    models = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("cut", "whole")]
    assert models[0] == models[1]
    lines = [len((tmp_path / run / "metrics.jsonl").read_text().splitlines()) for run in ("cut", "whole")]
    assert lines == [4, 4]


def test_with_none_left_it_says_so_and_removes_nothing(xbar, cut, tmp_path):
    for step in ("2", "3"):
        damage(cut / "checkpoints" / step)
    refused = xbar("train", "--resume", tmp_path / "cut")
    assert refused.code == 1
    assert "no other is left to resume from: start again, overwriting it" in " ".join(refused.err.split())
    assert sorted(path.name for path in (cut / "checkpoints").iterdir() if path.is_dir()) == ["2", "3"]
