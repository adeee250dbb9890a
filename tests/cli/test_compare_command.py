"""`xbar compare`, `xbar ls` and `xbar report` on real runs."""

import json
import shutil

import h5py
import jax
import numpy as np
import pytest

from xbar_cli.runs.seal import seal


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory, small):
    """Ideal devices, and twice devices of 3 bits under variation."""
    from xbar_cli.cli.main import guarded

    folder = tmp_path_factory.mktemp("evaluations")
    coarse = ("--bits", 3, "--variation", 0.15)
    for name, words in {"ideal": (), "coarse": coarse, "same": coarse}.items():
        words = ["eval", small, "--samples", 10, "--images", 300, "--out", folder / name, "--quiet", *words]
        assert guarded([str(word) for word in words]) == 0
    return folder


def test_compare_says_which_is_better_and_knows_the_same(xbar, evaluations, tmp_path):
    ideal, same, coarse = (evaluations / name for name in ("ideal", "same", "coarse"))
    found = xbar("compare", ideal, coarse, "--out", tmp_path / "c", "--json").json
    assert (found["method"], found["better"], found["identical"]) == ("paired t", "a", False)
    assert found["difference"] == pytest.approx(found["accuracy_mean"][1] - found["accuracy_mean"][0])
    assert found["difference_ci95"][0] < found["difference"] < found["difference_ci95"][1] < 0
    assert found["p_value"] < 0.05
    assert json.loads((tmp_path / "c" / "summary.json").read_text()) == found
    assert xbar("compare", coarse, ideal, "--out", tmp_path / "r", "--json").json["better"] == "b"
    text = xbar("compare", coarse, same, "--out", tmp_path / "d").out
    assert "Identical: every chip has the same accuracy in both." in text
    assert "A is better on these images" in xbar("compare", ideal, coarse, "--out", tmp_path / "e").out


def answers(folder):
    with h5py.File(folder / "results.nc") as file:
        return file["answered"][()]


def test_images_are_compared_in_pairs_where_both_runs_say_what_they_made_of_them(xbar, evaluations, small, tmp_path):
    ideal, coarse = evaluations / "ideal", evaluations / "coarse"
    half = xbar(
        "eval", small, "--bits", 3, "--variation", 0.15, "--samples", 10, "--images", 150, "--out", tmp_path / "half"
    )
    assert half.code == 0
    np.testing.assert_array_equal(answers(tmp_path / "half"), answers(coarse)[:150])
    found = xbar("compare", ideal, coarse, "--out", tmp_path / "c", "--json").json
    differences = answers(coarse) - answers(ideal)
    assert found["images_paired"]
    assert found["difference"] == pytest.approx(differences.mean())
    assert found["difference_test_set_error"] == pytest.approx(differences.std(ddof=1) / np.sqrt(300))
    assert found["difference_test_set_error"] < 0.9 * np.hypot(*found["test_set_error"])
    same = xbar("compare", coarse, evaluations / "same", "--out", tmp_path / "s", "--json").json
    assert same["difference_test_set_error"] == 0
    torn = shutil.copytree(coarse, tmp_path / "torn")
    with h5py.File(torn / "results.nc", "a") as file:
        file["answered"][:30] = 1 - file["answered"][:30]
    seal(torn)
    refused = xbar("compare", ideal, torn, "--out", tmp_path / "t")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "holds other answers than accuracies" in refused.err
    older = shutil.copytree(coarse, tmp_path / "older")
    with h5py.File(older / "results.nc", "a") as file:
        del file["answered"]
    seal(older)
    found = xbar("compare", ideal, older, "--out", tmp_path / "o", "--json").json
    assert not found["images_paired"]
    assert found["difference_test_set_error"] == pytest.approx(np.hypot(*found["test_set_error"]))
    assert "at most: images taken as independent" in xbar("compare", ideal, older, "--out", tmp_path / "p").out


def test_compare_knows_which_chips_are_the_same(xbar, evaluations, small, tmp_path):
    """More chips, another seed, another generator, other devices, another number of images: each a real run."""
    ideal, coarse = evaluations / "ideal", evaluations / "coarse"
    words = ("eval", small, "--bits", 3, "--variation", 0.15, "--images", 300, "--quiet")
    others = {
        "more": ("--samples", 14),
        "seed": ("--samples", 10, "--seed", 5),
        "bc": ("--samples", 10, "--scheme", "bc"),
        "few": ("--samples", 10, "--images", 200),
    }
    for name, more in others.items():
        assert xbar(*words, *more, "--out", tmp_path / name).code == 0
    jax.config.update("jax_default_prng_impl", "rbg")
    try:
        drawn = xbar(*words[:-1], "--samples", 10, "--out", tmp_path / "rbg")
    finally:
        jax.config.update("jax_default_prng_impl", "threefry2x32")
    assert "jax_default_prng_impl = rbg is set for JAX: seed 0 draws other numbers" in " ".join(drawn.err.split())

    def against(name):
        return xbar("compare", coarse, tmp_path / name, "--out", tmp_path / f"c-{name}", "--json")

    found = against("more")
    more = found.json
    assert "the first 10 are in both and are compared, 4 are left out" in " ".join(found.err.split())
    assert (more["method"], more["common_chips"], more["samples"]) == ("identical", 10, [10, 14])
    assert more["differ_in"] == {"monte_carlo.samples": [10, 14]}
    for name, why in (
        ("seed", "seed 0 and 5"),
        ("rbg", "jax_default_prng_impl threefry2x32 and rbg"),
        ("bc", "devices hidden 784×100, output 50×20 and hidden 784×51"),
    ):
        found = against(name).json
        assert (found["method"], found["common_chips"]) == ("Welch t", None)
        assert found["not_paired_because"].startswith(why)
    refused = against("few")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "saw 300 test images and" in refused.err
    text = xbar("compare", ideal, tmp_path / "seed", "--out", tmp_path / "t")
    assert "A / B differ in: seed 0 / 5" in text.out
    page = xbar(
        "report", coarse, *(tmp_path / name for name in ("few", "rbg")), "--out", tmp_path / "r.html", "--json"
    ).json
    assert page["notes"] == [
        "other numbers of test images: 300 (coarse, rbg); 200 (few): their accuracies are of other tests",
        "other random numbers of seed 0: jax_default_prng_impl threefry2x32 and rbg (coarse, rbg): not the same chips",
    ]
    assert "other numbers of test images" in (tmp_path / "r.html").read_text()


def test_compare_refuses_other_runs_and_newer_results(xbar, evaluations, small, tmp_path):
    assert "needs a `evaluate` run" in xbar("compare", small, evaluations / "ideal").err.replace("an `eval", "a `eval")
    newer = shutil.copytree(evaluations / "same", tmp_path / "newer")
    with h5py.File(newer / "results.nc", "a") as file:
        file.attrs["xbar_format"] = 99
    (newer / "done").write_text("")
    found = xbar("compare", evaluations / "ideal", newer, "--out", tmp_path / "c")
    assert (found.code, found.err.count("Error: ")) == (1, 1)
    assert "kept no list of its files" in found.err
    assert "format 99; this version reads formats up to 1" in found.err


def test_ls_chooses_orders_and_fits_the_terminal(xbar, evaluations, monkeypatch):
    every = xbar("ls", evaluations, "--json").json["runs"]
    best = max(run["accuracy"] for run in every)
    found = xbar("ls", evaluations, "--sort=-accuracy", "--json").json["runs"]
    assert [run["accuracy"] for run in found] == sorted((run["accuracy"] for run in every), reverse=True)
    kept = xbar("ls", evaluations, "--where", f"accuracy>={best}", "--json").json["runs"]
    assert {run["path"] for run in kept} == {run["path"] for run in every if run["accuracy"] >= best}
    chosen = xbar("ls", evaluations, "--columns", "batch_size,accuracy", "--json").json["runs"]
    assert all(list(run) == ["path", "command", "batch_size", "accuracy"] for run in chosen)
    monkeypatch.setenv("COLUMNS", "40")
    narrow = xbar("ls", evaluations).out
    assert max(map(len, narrow.splitlines()[1:-1])) <= 40
    assert "no room for" in narrow
    wrong = xbar("ls", evaluations, "--sort", "accuracyy")
    assert (wrong.code, wrong.err.count("\n")) == (1, 1)
    assert "near: accuracy" in wrong.err


def test_ls_and_report_on_real_runs(xbar, evaluations, tmp_path):
    entries = xbar("ls", evaluations, "--json").json["runs"]
    assert [entry["command"] for entry in entries] == ["evaluate"] * 3
    assert {entry["network"] for entry in entries} == {"mlp"}
    text = xbar("ls", evaluations).out
    assert "coarse" in text
    assert "network mlp" in text.replace("\n", " ")
    assert xbar("ls", tmp_path).out == f"no runs in {tmp_path}\n"
    made = xbar(
        "report",
        evaluations / "ideal",
        evaluations / "coarse",
        "--out",
        tmp_path / "r.html",
        "--csv",
        tmp_path / "r.csv",
        "--json",
    ).json
    assert made["figures"] == 2
    assert (tmp_path / "r.html").stat().st_size > 20_000
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 3
    assert xbar("report").code == 2
