"""`xbar eval --repair --at`: repaired chips at several times, and what is done to them on the way."""

import h5py
import pytest

FEW = ("--images", 100, "--samples", 2)
FAULTS = ("--effect", "stuck:on=0.1,off=0.1")
DRIFT = "drift:t0=1,nu=0.1,nu_sigma=0.05"


@pytest.mark.parametrize(
    "remedies", ["differential,permute,spares=1,ensemble=2", "sign-flip,retrain=1", "code,differential"]
)
def test_each_time_is_the_repaired_evaluation_at_that_age(start, xbar, tmp_path, remedies):
    repair = ("--repair", remedies, "--fault-map", "march")
    words = (start, *FEW, *FAULTS, *repair)
    found = xbar("eval", *words, "--effect", DRIFT, "--at", "1s,1y", "--json", "--out", tmp_path / "a").json
    new = xbar("eval", *words, "--json", "--out", tmp_path / "b").json
    old = xbar("eval", *words, "--effect", f"{DRIFT},t=1y", "--json", "--out", tmp_path / "c").json
    assert [age["accuracy_samples"] for age in found["ages"]] == [new["accuracy_samples"], old["accuracy_samples"]]
    assert new["accuracy_samples"] != old["accuracy_samples"]
    once = xbar("eval", *words, "--effect", DRIFT, "--at", "1s", "--json", "--out", tmp_path / "d").json
    assert once["accuracy_samples"] == new["accuracy_samples"]
    assert once["repair"] == new["repair"]
    assert found["repair"].keys() == new["repair"].keys()
    for key in found["repair"].keys() - {"flagged_fraction"}:  # a test read sees the tiles as old as they are
        assert found["repair"][key] == new["repair"][key], key


@pytest.mark.parametrize("policy", ["gain", "global"])
def test_corrections_and_programming_act_on_repaired_chips(small, xbar, tmp_path, policy):
    """Devices that all lose alike: right after a correction the repaired chip answers nearly as when it was new."""
    words = (*FEW, "--effect", "stuck:off=0.1", "--repair", "sign-flip,differential,ensemble=2", "--fault-map", "march")
    drift = ("--effect", "drift:t0=1,nu=0.2,nu_sigma=0", "--at", "1s,30d,45d")
    lost = xbar("eval", small, *words, *drift, "--json", "--out", tmp_path / "a").json["ages"]
    kept = xbar(
        "eval", small, *words, *drift, "--recalibrate", f"{policy}@30d,reprogram@45d", "--json", "--out", tmp_path / "b"
    ).json["ages"]
    assert lost[1]["metric_value"] < lost[0]["metric_value"] - 0.02
    assert kept[1]["metric_value"] > lost[1]["metric_value"] + 0.02
    assert kept[2]["accuracy_samples"] == kept[0]["accuracy_samples"]  # written anew as repair chose it
    assert [(age["programmings"], age["corrections"]) for age in kept] == [(1, 1), (1, 2), (2, 3)]


def test_what_policies_spend_is_of_the_copies_and_spare_lines_too(small, xbar, tmp_path):
    mapped = xbar("map", small, "--technology", "pcm", "--json", "--out", tmp_path / "m").json
    words = (tmp_path / "m", *FEW, "--effect", "pcm_drift", "--effect", "stuck:on=0.01", "--at", "1h,1y")
    found = {}
    for name, repair in (
        ("plain", ()),
        ("copied", ("--repair", "ensemble=3")),
        ("spare", ("--repair", "spares=2", "--fault-map", "given")),
    ):
        policies = ("--recalibrate", "global@1y,reprogram@1y")
        found[name] = xbar("eval", *words, *policies, *repair, "--json", "--out", tmp_path / name).json
    spent = {name: summary["ages"][1]["spent"] for name, summary in found.items()}
    for key in ("reads", "conversions", "pulses", "correction_joule", "programming_joule"):
        assert spent["copied"][key] == pytest.approx(3 * spent["plain"][key], rel=1e-6), key
    assert spent["spare"]["correction_joule"] == spent["plain"]["correction_joule"]
    added = found["spare"]["repair"]["added_devices"]
    assert spent["spare"]["pulses"] == spent["plain"]["pulses"] + 20 * added
    with h5py.File(tmp_path / "m" / "results.nc") as file:
        g = [file[key][:].astype(float) for key in file if key.endswith("_conductance")]
    devices, verify = sum((layer > 0).sum() for layer in g), 0.2**2 * 250e-9
    each = spent["plain"]["programming_joule"] / 20  # a pulse and a conversion a device, and the read currents of all
    conversion = (each - verify * sum(layer.sum() for layer in g)) / devices - 10e-12
    more = spent["spare"]["programming_joule"] - spent["plain"]["programming_joule"]
    assert more == pytest.approx(20 * added * (10e-12 + conversion + mapped["g_off_siemens"] * verify), rel=1e-4)
