import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xbar_cli.errors import ModelError, RunError
from xbar_cli.runs.directory import check_free, new_run, reopened_run
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.results import (
    field,
    numbers,
    opened,
    read_dataset,
    read_tensors,
    variable,
    write_dataset,
    write_fields,
    write_tensors,
)

pytestmark = pytest.mark.made_up


def complete(path, command="fit"):
    with new_run(path, overwrite=False) as run:
        run.finish({"command": command})


def test_a_run_appears_only_when_complete(tmp_path):
    out = tmp_path / "run"
    with new_run(out, overwrite=False) as run:
        assert run.path.name == "run.partial"
        assert not out.exists()
        run.finish({"command": "compare"})
    assert not run.path.exists()
    assert open_run(out, commands=("compare",), use="x")[1] == {"command": "compare"}


def test_a_failed_run_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), new_run(tmp_path / "run", overwrite=False):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_run_with_a_checkpoint_stays_to_be_resumed(tmp_path):
    out = tmp_path / "run"

    def interrupted():
        with new_run(out, overwrite=False, keep_partial=True) as run:
            (run.path / "config.toml").touch()
            (run.path / "checkpoints" / "3").mkdir(parents=True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with reopened_run(out) as run:
        assert (run.path / "checkpoints" / "3").is_dir()
    with pytest.raises(RunError, match="is an interrupted run") as raised:
        check_free(out, overwrite=False)
    assert raised.value.state == "resumable"


def test_a_complete_run_is_not_replaced_unless_asked(tmp_path):
    out = tmp_path / "run"
    complete(out)
    with pytest.raises(RunError, match="is a complete run"), new_run(out, overwrite=False):
        pass
    with new_run(out, overwrite=True) as run:
        run.finish({"command": "pareto"}, overwrite=True)
    assert open_run(out, commands=("pareto",), use="x")[1]["command"] == "pareto"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_failed_replacement_keeps_the_old_run(tmp_path):
    out = tmp_path / "run"
    complete(out)
    with pytest.raises(ZeroDivisionError), new_run(out, overwrite=True):
        _ = 1 / 0
    assert open_run(out, commands=("fit",), use="x")[1]["command"] == "fit"


def test_somebody_elses_folder_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("…")
    with pytest.raises(RunError, match="no xbar run"), new_run(tmp_path / "mine", overwrite=True):
        pass
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_an_unwritable_place_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be made"), new_run(tmp_path / "file" / "run", overwrite=False):
        pass


def test_opening_says_what_is_wrong(tmp_path):
    with pytest.raises(RunError, match="no such run"):
        open_run(tmp_path / "none", commands=("map",), use="x")
    complete(tmp_path / "cell", "verify")
    with pytest.raises(RunError, match="is a `verify` run; xbar energy needs a `map` run"):
        open_run(tmp_path / "cell", commands=("map",), use="xbar energy")
    (tmp_path / "half.partial").mkdir()
    with pytest.raises(RunError, match="half-written"):
        open_run(tmp_path / "half", commands=("map",), use="x")
    with pytest.raises(RunError, match="half-written"):
        open_run(tmp_path / "half.partial", commands=("map",), use="x")
    (tmp_path / "cell" / "summary.json").write_text("{")
    with pytest.raises(RunError, match=r"summary\.json is damaged \(not as the run wrote it\)"):
        open_run(tmp_path / "cell", commands=("verify",), use="x")
    with pytest.raises(RunError, match="is complete; there is nothing to resume"), reopened_run(tmp_path / "cell"):
        pass


def test_metrics_are_lines_of_json(tmp_path):
    with new_run(tmp_path / "run", overwrite=False) as run:
        run.append_metrics({"step": 1})
        run.append_metrics({"step": 2})
        lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]


def test_results_are_the_same_bytes_for_the_same_values(tmp_path):
    def write(name):
        data = {"x": variable(("n",), np.arange(5.0), unit="V", long_name="x")}
        write_dataset(tmp_path / name, xr.Dataset(data))
        return (tmp_path / name).read_bytes()

    first = write("a.nc")
    assert first == write("b.nc")
    assert b"h5netcdf" not in first
    assert read_dataset(tmp_path / "a.nc")["x"].attrs["units"] == "V"


def test_fields_are_read_back_as_the_dataset_they_make(tmp_path):
    fields = {
        "current": field(("vg", "g"), np.arange(6.0).reshape(2, 3), unit="A", long_name="current"),
        "vg": field(("vg",), [0.8, np.nan], unit="V", long_name="gate voltage"),
        "layer": field(("layer",), ["conv1", "dense"], unit="1", long_name="layer"),
        "rank": field((), 3, unit="1", long_name="rank"),
    }
    write_fields(tmp_path / "a.nc", fields, attributes={"xbar_kind": "cell", "note": "", "tile": np.array([2, 3])})
    found = read_dataset(tmp_path / "a.nc")
    xr.testing.assert_identical(found.drop_attrs(deep=False), xr.Dataset(fields))
    assert set(found.coords) == {"vg", "layer"}
    assert (found.attrs["xbar_kind"], found.attrs["note"], found.attrs["tile"].tolist()) == ("cell", "", [2, 3])


def test_damaged_and_newer_results_are_refused(tmp_path):
    data = xr.Dataset({"x": variable((), 1.0, unit="1", long_name="x")})
    write_dataset(tmp_path / "a.nc", data)
    data.attrs["xbar_format"] = 99
    data.to_netcdf(tmp_path / "new.nc", engine="h5netcdf")
    with pytest.raises(RunError, match="format 99"):
        read_dataset(tmp_path / "new.nc")
    (tmp_path / "cut.nc").write_bytes((tmp_path / "a.nc").read_bytes()[:200])
    for name in ("cut.nc", "none.nc"):
        with pytest.raises(RunError, match="missing or damaged"):
            read_dataset(tmp_path / name)


def test_tensors_read_back(tmp_path):
    write_tensors(tmp_path / "m.safetensors", {"b": np.eye(3, dtype=np.float32).T, "a": np.arange(4)})
    found = read_tensors(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(found["b"], np.eye(3))
    (tmp_path / "cut").write_bytes((tmp_path / "m.safetensors").read_bytes()[:20])
    with pytest.raises(RunError, match="missing or damaged"):
        read_tensors(tmp_path / "cut")


def test_nothing_is_written_or_removed_behind_a_link(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("mine")
    (tmp_path / "a.partial" / "checkpoints" / "1").mkdir(parents=True)
    (tmp_path / "a.partial" / "config.toml").write_text("")
    (tmp_path / "a.partial" / "figures").symlink_to(outside)
    with pytest.raises(RunError, match="figures is a link"), reopened_run(tmp_path / "a"):
        pytest.fail("a run with a link was continued")
    with new_run(
        tmp_path / "a", overwrite=True
    ) as run:  # what was there is removed, the link and not what is behind it
        (run.figures / "a.png").write_bytes(b"picture")
        run.finish({"command": "fit"})
    (tmp_path / "latest").symlink_to(tmp_path / "a")
    (tmp_path / "b.partial").symlink_to(outside)
    for out in ("latest", "b"):
        with new_run(tmp_path / out, overwrite=True) as run:
            run.finish({"command": "fit"}, overwrite=True)
        assert not (tmp_path / out).is_symlink()
    assert (tmp_path / "a" / "figures" / "a.png").exists()
    assert [path.name for path in outside.iterdir()] == ["kept"]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_run_without_a_name_is_one_line(name):
    with pytest.raises(RunError, match="needs a name"), new_run(Path(name), overwrite=True):
        pytest.fail("a run without a name was made")


def test_a_figure_that_is_no_number_is_named(tmp_path):
    with pytest.raises(ModelError, match="b: no finite number"), new_run(tmp_path / "a", overwrite=False) as run:
        run.finish({"command": "fit", "a": [1.0], "b": {"c": [float("inf")]}})
    assert not (tmp_path / "a").exists()


def test_results_of_another_kind_and_what_is_wrong_in_them_is_one_line(tmp_path):
    values = field(("x",), [1.0, np.nan], unit="1", long_name="a")
    texts = field(("x",), np.asarray(["a", "b"], object), unit="1", long_name="b")
    write_fields(tmp_path / "r.nc", {"a": values, "b": texts}, attributes={"xbar_kind": "accuracy"})
    with pytest.raises(RunError, match="of kind 'accuracy', wanted is cell"), opened(tmp_path / "r.nc", kind="cell"):
        pytest.fail("results of another kind were opened")
    for name, dims, said in (
        ("a", "x", "no numbers"),
        ("a", "y", "over"),
        ("b", "x", "wanted are numbers"),
        ("c", "x", "'c'.* missing"),
    ):
        with (
            pytest.raises(RunError, match=rf"r\.nc is damaged \(.*{said}"),
            opened(tmp_path / "r.nc", kind="accuracy") as found,
        ):
            numbers(found, name, dims)


@pytest.mark.parametrize("out", [".", "/", ".."])
def test_a_place_without_a_name_is_one_line(out, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for check in (
        lambda: check_free(Path(out), overwrite=True),
        lambda: new_run(Path(out), overwrite=True).__enter__(),
    ):
        with pytest.raises(RunError, match=f"needs a name of its own, and '{re.escape(out)}' is none"):
            check()
    assert list(tmp_path.iterdir()) == []
