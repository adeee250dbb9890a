"""A complete run lists what it holds; a file that is not as it was written is named, whatever reads the run."""

import json

import pytest

from xbar_cli.errors import RunError
from xbar_cli.runs.directory import new_run
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.seal import RunNote, require_intact, seal, sealed_files

pytestmark = pytest.mark.made_up


@pytest.fixture
def run(tmp_path):
    with new_run(tmp_path / "run", overwrite=False) as opened:
        (opened.path / "model.bin").write_bytes(bytes(range(256)))
        (opened.figures / "a.png").write_bytes(b"picture")
        opened.finish({"command": "fit"})
    return tmp_path / "run"


def test_every_file_is_listed_and_a_whole_run_opens(run):
    assert set(sealed_files(run)) == {"model.bin", "figures/a.png", "summary.json"}
    assert open_run(run, commands=("fit",), use="x")[1]["command"] == "fit"
    (run / "notes.txt").write_text("one's own files may lie beside")
    require_intact(run)


@pytest.mark.parametrize("bit", [0, 777, 2047])
def test_one_flipped_bit_is_named(run, bit):
    content = bytearray((run / "model.bin").read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    (run / "model.bin").write_bytes(content)
    with pytest.raises(RunError, match=r"run: model\.bin is damaged \(not as the run wrote it\)"):
        open_run(run, commands=("fit",), use="x")
    require_intact(run, only=["summary.json"])


def test_missing_cut_and_replaced_files_are_named(run, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes((run / "model.bin").read_bytes())
    for damage, said in (
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(b"short"), "not as the run wrote it"),
        (lambda path: path.symlink_to(outside), "no regular file"),
    ):
        (run / "model.bin").unlink(missing_ok=True)
        if said != "no regular file":
            (run / "model.bin").write_bytes(b"")
        damage(run / "model.bin")
        with pytest.raises(RunError, match=rf"model\.bin is .*{said}"):
            require_intact(run)
    assert outside.read_bytes() == bytes(range(256))


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "3", '{"version": 1}', '{"version": 1, "files": {"a": [1]}}', '{"version": 1, "files": {"../a": [1, "x"]}}',
     '{"version": 1, "files": {"/a": [1, "x"]}}', "[" * 20000],
)  # fmt: skip
def test_a_damaged_list_is_one_line(run, text):
    (run / "done").write_text(text)
    with pytest.raises(RunError, match="the list of its files, is damaged"):
        require_intact(run)


def test_a_sweep_lists_its_own_files_and_not_those_of_its_runs(run):
    seal(run, within="*")
    assert set(sealed_files(run)) == {"model.bin", "summary.json"}


def test_versions_before_have_no_list_and_versions_to_come_are_refused(run):
    (run / "done").write_text("")
    (run / "model.bin").write_bytes(b"anything")
    with pytest.warns(RunNote, match=r"run was written by xbar 0\.1 or before, which kept no list"):
        require_intact(run)
    (run / "done").write_text(json.dumps({"version": 2, "files": {}}))
    with pytest.raises(RunError, match="another version of xbar"):
        require_intact(run)


def test_the_keys_of_a_run_without_a_list_are_looked_at(run):
    (run / "done").write_text("")
    for summary, said in (
        ({"command": "evaluate", "samples": True}, "samples = True"),
        ({"command": "train", "layers": "a"}, "layers = 'a'"),
        ({"command": "map"}, "field required"),
        ([], "valid dictionary"),
        ({"command": "fit", "out": 3}, "out = 3"),
        ({"command": "x" * 4000}, "command = 'x"),
    ):
        (run / "summary.json").write_text(json.dumps(summary))
        with pytest.raises(RunError, match=said) as raised:
            open_run(run, commands=("fit", "evaluate", "train", "map"), use="x")
        assert len(str(raised.value)) < 400
