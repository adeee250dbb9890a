"""Places of runs that are not what they seem: links, two processes, what a kill left between two renames."""

import fcntl
import os

import pytest

from xbar_cli.errors import RunError
from xbar_cli.runs.directory import check_free, new_run, reopened_run
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.whole import write_whole


@pytest.fixture
def mine(tmp_path):
    """Somebody's folder, which nothing may touch."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("…")
    yield folder
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]
    assert (folder / "thesis.tex").read_text() == "…"


def make(out, command="fit", **given):
    with new_run(out, **({"overwrite": False} | given)) as run:
        run.finish({"command": command}, overwrite=given.get("overwrite", False))


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["run", "run.partial"])
def test_a_link_in_the_place_of_a_run_is_not_followed(tmp_path, mine, name, overwrite):
    (tmp_path / name).symlink_to(mine)
    with pytest.raises(RunError, match=r"is no xbar run|is an interrupted run|is a link"):
        make(tmp_path / "run", overwrite=overwrite)


def test_a_link_to_a_run_gives_way_and_the_run_stays(tmp_path):
    make(tmp_path / "old")
    (tmp_path / "run").symlink_to(tmp_path / "old")
    make(tmp_path / "run", "pareto", overwrite=True)
    assert open_run(tmp_path / "old", commands=("fit",), use="x")[1] == {"command": "fit"}
    assert open_run(tmp_path / "run", commands=("pareto",), use="x")[1] == {"command": "pareto"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "run"]


def test_links_left_in_an_unfinished_run_are_removed_not_followed(tmp_path, mine):
    (tmp_path / "run.partial").mkdir()
    for name, target in (("checkpoints", mine), ("config.toml", mine / "thesis.tex")):
        (tmp_path / "run.partial" / name).symlink_to(target)
    with pytest.raises(RunError, match=r"checkpoints is a link|config\.toml is a link"), reopened_run(tmp_path / "run"):
        pass
    make(tmp_path / "run", overwrite=True)
    assert (tmp_path / "run" / "done").exists()


def test_the_lock_is_no_link(tmp_path, mine):
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "run.partial" / ".lock").symlink_to(mine / "thesis.tex")
    with pytest.raises(RunError, match=r"\.lock cannot be written"):
        make(tmp_path / "run", overwrite=True)


def test_what_another_process_has_just_taken_is_left_to_it(tmp_path, monkeypatch):
    """It came between the look at the place and its use."""
    out, path = tmp_path / "run", tmp_path / "run.partial"
    path.mkdir()
    (path / "theirs").write_text("theirs")
    monkeypatch.setattr("xbar_cli.runs.directory.check_free", lambda out, *, overwrite: None)
    with (path / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="another process is at work"):
            make(out, overwrite=True)
    assert (path / "theirs").read_text() == "theirs"


def test_a_run_that_was_completed_meanwhile_is_not_written_into(tmp_path, monkeypatch):
    """The lock that was opened is of a folder that has got its final name."""
    out, path = tmp_path / "run", tmp_path / "run.partial"
    path.mkdir()
    locking = fcntl.flock

    def late(file, how):
        locking(file, how)
        (path / ".lock").unlink()
        path.rename(out)

    monkeypatch.setattr("xbar_cli.runs.directory.fcntl.flock", late)
    with pytest.raises(RunError, match="another process is at work"):
        make(tmp_path / "run", overwrite=True)


def test_a_run_that_a_kill_left_aside_comes_back(tmp_path):
    make(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "run.replaced")
    with pytest.raises(RunError, match="is a complete run"):
        make(tmp_path / "run")
    check_free(tmp_path / "other", overwrite=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_file_is_written_whole_or_stays(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    write_whole(path, "first")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "x\ud800")
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "second")
    assert (path.read_text(), [p.name for p in tmp_path.iterdir()]) == ("first", ["page.html"])


def test_links_are_followed_only_where_they_are_to_be_and_devices_stay(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("theirs")
    link.symlink_to(target)
    write_whole(link, "through", follow=True)
    assert (link.is_symlink(), target.read_text()) == (True, "through")
    write_whole(link, "own")
    assert (link.is_symlink(), target.read_text(), link.read_text()) == (False, "through", "own")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, "told", follow=True)
    assert os.read(reading, 9) == b"told"
    assert pipe.is_fifo()
    os.close(reading)
