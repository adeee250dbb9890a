"""`xbar eval --at`: the same chips at several times."""

import tomllib

import h5py
import pytest

WORDS = ("--effect", "pcm_programming", "--effect", "stuck:off=0.02")
FEW = ("--images", 60, "--samples", 3)
DAY = 86400.0


def test_each_time_is_the_evaluation_at_that_age(small, xbar, tmp_path):
    both = ("--effect", "pcm_drift", "--effect", "pcm_read", "--at", "25s,1h,1y")
    found = xbar("eval", small, *FEW, *WORDS, *both, "--json", "--out", tmp_path / "a").json
    assert [age["t_seconds"] for age in found["ages"]] == [25.0, 3600.0, 365.25 * DAY]
    for text, age in (("1h", found["ages"][1]), ("1y", found["ages"][2])):
        told = ("--effect", f"pcm_drift:t={text}", "--effect", f"pcm_read:t={text}")
        alone = xbar("eval", small, *FEW, *WORDS, *told, "--json", "--out", tmp_path / text).json
        assert alone["accuracy_samples"] == age["accuracy_samples"]
    assert found["accuracy_samples"] == found["ages"][-1]["accuracy_samples"]  # the summary is that of the last
    with h5py.File(tmp_path / "a" / "results.nc") as file:
        assert file["accuracy_at"].shape == (3, 3)
    assert (tmp_path / "a" / "figures" / "ages.png").exists()


@pytest.mark.parametrize("policy", ["gain", "global", "affine"])
def test_corrections_and_programming_win_back_what_drift_takes(small, xbar, tmp_path, policy):
    """Devices that all lose 95 % alike: right after a correction the chip answers as it did when it was new."""
    drift = ("--effect", "drift:t0=1,nu=0.2,nu_sigma=0", "--at", "1s,29d,30d")
    lost = xbar("eval", small, *FEW, *drift, "--json", "--out", tmp_path / "a").json["ages"]
    words = ("--recalibrate", f"{policy}@30d,reprogram@45d")
    kept = xbar("eval", small, *FEW, *drift, *words, "--json", "--out", tmp_path / "b").json["ages"]
    assert lost[2]["metric_value"] < lost[0]["metric_value"] - 0.02
    assert kept[1]["metric_value"] == pytest.approx(
        lost[1]["metric_value"], abs=0.04
    )  # corrected when it was new alone
    assert kept[2]["metric_value"] >= kept[0]["metric_value"] - 0.02
    assert [(age["programmings"], age["corrections"]) for age in kept] == [(1, 1), (1, 1), (1, 2)]


def test_the_table_and_the_configuration_of_the_run_say_it(small, xbar, tmp_path):
    words = ("--effect", "drift:t0=1,nu=0.05,nu_sigma=0.01", "--at", "1h,45d", "--recalibrate", "reprogram@30d")
    shown = xbar("eval", small, *FEW, *words, "--out", tmp_path / "a")
    assert shown.code == 0, shown.err
    assert "45 d" in shown.out
    assert "programmings" in shown.out
    again = xbar("eval", small, "--config", tmp_path / "a" / "config.toml", "--json", "--out", tmp_path / "b").json
    assert again["ages"][1]["programmings"] == 2
    assert again["ages"][1]["age_seconds"] == pytest.approx(15 * DAY)


def test_energy_and_compare_take_chips_over_time(small, xbar, tmp_path):
    """Joules do not age; two evaluations that differ in their times or policies are told apart."""
    assert xbar("map", small, "--out", tmp_path / "m").code == 0
    for name, words in (("a", ("--at", "1h,1y")), ("b", ("--at", "1h,1y", "--recalibrate", "gain@30d"))):
        assert xbar("eval", tmp_path / "m", *FEW, "--effect", "pcm_drift", *words, "--out", tmp_path / name).code == 0
    cost = [
        xbar(
            "energy",
            tmp_path / "m",
            "--activity",
            tmp_path / name,
            "--images",
            8,
            "--json",
            "--out",
            tmp_path / f"e{name}",
        )
        for name in ("a", "b")
    ]
    assert cost[0].json["energy_joule"] == cost[1].json["energy_joule"] > 0
    found = xbar("compare", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "c")
    assert found.code == 0, found.err
    assert "ageing.recalibrate" in found.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--effect", "pcm_drift", "--at", "1s,1h"), "1 s is before t0 of pcm_drift = 20 s"),
        (("--effect", "pcm_drift", "--at", "1h,25s"), "times in their order"),
        (("--effect", "pcm_drift", "--at", "1h,1x"), "write a time such as 20s, 1h, 30d or 1y"),
        (("--effect", "pcm_drift", "--at", "nans"), "write a time such as"),
        (("--effect", "pcm_drift"), "pcm_drift needs t="),
        (("--effect", "pcm_drift", "--effect", "pcm_read:t=1h"), "contradict each other"),
        (("--at", "1h"), "nothing ages"),
        (("--effect", "pcm_drift:t=1h", "--at", "1h"), "leave out t of pcm_drift"),
        (("--effect", "pcm_drift", "--at", "1h", "--recalibrate", "often@1d"), "is no policy"),
        (("--effect", "pcm_drift", "--at", "1h", "--recalibrate", "gain@1d,affine@1d"), "give one of them"),
        (
            ("--effect", "pcm_drift", "--at", "1h", "--recalibrate", "gain@1d", "--calibrate", "gain"),
            "give one of them",
        ),
        (("--effect", "pcm_drift", "--at", "1h", "--ci-width", 0.1), "--ci-width"),
        (("--effect", "pcm_drift:t=1h", "--recalibrate", "gain@1d"), "acts at times"),
    ],
)
def test_what_contradicts_itself_is_one_line(small, xbar, tmp_path, words, said):
    found = xbar("eval", small, *words, "--out", tmp_path / "x")
    assert found.code in (1, 2)
    assert (found.err.count("\n"), said in found.err) == (1, True), found.err
    assert not (tmp_path / "x").exists()


def test_what_policies_spend_is_that_of_the_reads_and_pulses_they_take(small, xbar, tmp_path):
    """A fit costs its pictures as `xbar energy` has them; writing its pulses and verify reads, from the written conductances."""
    assert xbar("map", small, "--technology", "pcm", "--out", tmp_path / "m").code == 0
    words = ("--effect", "pcm_drift", "--at", "1h,1y,3y")
    policy = ("--recalibrate", "gain@1y,reprogram@1y")
    few = ("--set", "calibration.images=70")
    found = xbar("eval", tmp_path / "m", *FEW, *few, *words, *policy, "--json", "--out", tmp_path / "a").json["ages"]
    image = xbar("energy", tmp_path / "m", "--images", 64, "--json", "--out", tmp_path / "e").json
    with h5py.File(tmp_path / "m" / "results.nc") as file:
        g = [file[key][:].astype(float) for key in file if key.endswith("_conductance")]
    devices = sum((layer > 0).sum() for layer in g)
    constants = tomllib.loads((tmp_path / "e" / "constants.toml").read_text())
    conversion = constants["adc"]["energy_joule"]["value"]  # of 8 bits
    for age, fits, writes in zip(found, (1, 2, 4), (0, 1, 3), strict=True):
        spent = age["spent"]
        assert age["corrections"] == fits
        joule = image["energy_joule"] - image["digital_joule"]
        assert spent["correction_joule"] == pytest.approx(fits * 70 * joule, rel=1e-6)
        assert spent["pulses"] == writes * 20 * devices
        verified = 20 * sum(layer.sum() for layer in g) * 0.2**2 * 250e-9
        assert spent["programming_joule"] == pytest.approx(
            writes * (20 * devices * (10e-12 + conversion) + verified), rel=1e-6
        )
        assert spent["joule"] == pytest.approx(spent["correction_joule"] + spent["programming_joule"])
    read = spent_of(xbar, tmp_path, words, "global@1y")
    columns = sum(-(-layer.shape[0] // 128) * layer.shape[1] for layer in g)
    assert read[0]["conversions"] == columns  # every column of every tile, once
    assert read[0]["reads"] == len(g)
    cells = (
        sum(layer.sum() for layer in g)
        * constants["read"]["volt"]["value"] ** 2
        * constants["read"]["seconds"]["value"]
    )
    assert read[0]["joule"] > cells + columns * conversion
    assert read[2]["joule"] == pytest.approx(4 * read[0]["joule"])


def spent_of(xbar, folder, words, policy):
    """What a policy spends until each time."""
    out = folder / policy
    found = xbar("eval", folder / "m", *FEW, *words, "--recalibrate", policy, "--json", "--out", out).json
    return [age["spent"] for age in found["ages"]]


def test_writing_of_devices_that_nothing_is_known_of_costs_what_is_said(small, xbar, tmp_path):
    words = ("--effect", "drift:t0=1,nu=0.05,nu_sigma=0", "--at", "1h,45d", "--recalibrate", "reprogram@30d")
    found = xbar("eval", small, *FEW, *words, "--json", "--out", tmp_path / "a").json["ages"]
    assert [age["spent"]["joule"] for age in found] == [0, None]
    told = ("--set", "ageing.pulse_joule=1e-12", "--set", "ageing.pulses=5")
    found = xbar("eval", small, *FEW, *words, *told, "--json", "--out", tmp_path / "b").json["ages"]
    assert found[1]["spent"]["joule"] > found[1]["spent"]["pulses"] * 1e-12 > 0
