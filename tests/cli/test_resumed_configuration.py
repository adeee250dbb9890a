"""The configuration of an interrupted run, which no list of files vouches for yet."""

import pytest

from xbar_cli.config.load import CHECKED, stored, tell_changed, write_toml
from xbar_cli.config.train import TrainConfig
from xbar_cli.runs.seal import RunNote

NOTE = "is not as the run wrote it"


@pytest.fixture
def folder(tmp_path):
    write_toml(tmp_path / "config.toml", TrainConfig.model_validate({"dataset": {"train_images": 64}}))
    return tmp_path


def test_as_written_nothing_is_told(folder, recwarn):
    tell_changed(folder)
    assert not recwarn.list
    assert stored(TrainConfig, folder).dataset.train_images == 64


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("train_images = 64\n", ""),
        lambda text: text.replace("epochs = 15", "epochs = 16"),
        lambda text: text[: text.index("[training]")],
        lambda text: text.replace(CHECKED, "# "),
        lambda text: text[:-3] + "00\n",
    ],
    ids=["key", "value", "cut", "line", "checksum"],
)
def test_what_is_changed_is_told(folder, damage):
    file = folder / "config.toml"
    before = file.read_text()
    file.write_text(damage(before))
    assert file.read_text() != before
    with pytest.warns(RunNote, match=NOTE):
        tell_changed(folder)


def test_going_on_with_a_changed_configuration_says_so(xbar, folder, tmp_path):
    run = tmp_path / "net.partial"
    run.mkdir()
    text = (folder / "config.toml").read_text()
    (run / "config.toml").write_text(text.replace("epochs = 15", "epochs = 1"))
    found = xbar("train", "--resume", tmp_path / "net")
    assert found.code == 0
    assert NOTE in found.err
    assert f"{CHECKED}" in (tmp_path / "net" / "config.toml").read_text()
