"""Checkpoints that are damaged in any file, in any way, are not resumed from; an older one that is whole is."""

import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.errors import RunError
from xbar_cli.runs.checkpoint import DIGESTS, Checkpoints

TREE = {"a": jnp.arange(500.0), "b": {"c": jnp.ones((3, 4))}}


def three(folder):
    folder.mkdir()
    checkpoints = Checkpoints(folder)
    for step in (1, 2, 3):
        checkpoints.save(step, {"a": TREE["a"] + step, "b": TREE["b"]}, {"epoch": step})
    return checkpoints


def largest_array(folder):
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


DAMAGES = {
    "a flipped byte": flip,
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:7]),
    "emptied": lambda path: path.write_bytes(b""),
    "deleted": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("which", ["array", "record"])
def test_the_older_one_is_taken_and_written_over(damage, which, tmp_path):
    checkpoints = three(tmp_path / "c")
    checkpoints.close()
    newest = tmp_path / "c" / "3"
    damage(largest_array(newest / "tree") if which == "array" else newest / "record" / "metadata")
    checkpoints = Checkpoints(tmp_path / "c")
    said = checkpoints.drop_damaged()
    assert said == ["checkpoint 3 is damaged: its files are not as they were written"]
    assert checkpoints.latest() == 2
    assert checkpoints.record(2) == {"epoch": 2}
    np.testing.assert_array_equal(checkpoints.restore(2, TREE)["a"], TREE["a"] + 2)
    checkpoints.save(3, TREE, {"epoch": 30})
    assert checkpoints.drop_damaged() == []
    assert checkpoints.record(3) == {"epoch": 30}
    checkpoints.close()


def test_whole_checkpoints_stay_and_none_is_none(tmp_path):
    checkpoints = three(tmp_path / "c")
    assert checkpoints.drop_damaged() == []
    assert checkpoints.latest() == 3
    checkpoints.close()
    empty = Checkpoints(tmp_path / "none")
    assert empty.drop_damaged() == []
    empty.close()


def test_when_all_are_damaged_nothing_is_removed(tmp_path):
    three(tmp_path / "c").close()
    for step in ("2", "3"):
        flip(tmp_path / "c" / step / "record" / "metadata")
    checkpoints = Checkpoints(tmp_path / "c")
    with pytest.raises(
        RunError, match=r"checkpoint 3 is damaged.*checkpoint 2 is damaged.*start again, overwriting it"
    ):
        checkpoints.drop_damaged()
    assert (tmp_path / "c" / "3").is_dir()
    checkpoints.close()


def test_a_checkpoint_whose_digest_was_not_written_yet_is_taken_if_it_can_be_read(tmp_path):
    three(tmp_path / "c").close()
    (tmp_path / "c" / DIGESTS).write_text("{}")
    checkpoints = Checkpoints(tmp_path / "c")
    assert checkpoints.drop_damaged() == []
    (tmp_path / "c" / "3" / "record" / "metadata").write_bytes(b"")
    assert "checkpoint 3 cannot be read" in checkpoints.drop_damaged()[0]
    assert checkpoints.latest() == 2
    checkpoints.close()
