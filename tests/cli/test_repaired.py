"""`xbar eval --repair`: what a repaired chip is worth, what it says, and what it costs."""

import pytest

FEW = ("--images", 200, "--samples", 3)
FAULTS = ("--effect", "stuck:on=0.1,off=0.1")


def test_repaired_chips_answer_better_and_cost_what_they_have(small, xbar, tmp_path):
    assert xbar("map", small, "--out", tmp_path / "m").code == 0
    costs, found = {}, {}
    for name, words in (("plain", ()), ("repaired", ("--repair", "differential,ensemble=2", "--fault-map", "march"))):
        out = tmp_path / name
        found[name] = xbar("eval", tmp_path / "m", *FEW, *FAULTS, *words, "--json", "--out", out).json
        few = ("--activity", out, "--images", 4, "--json", "--out", tmp_path / f"{name} energy")
        costs[name] = xbar("energy", tmp_path / "m", "--model", "resparc", *few).json
    assert found["repaired"]["accuracy_mean"] > found["plain"]["accuracy_mean"] + 0.1
    repair, devices = found["repaired"]["repair"], costs["plain"]["devices"]
    assert (repair["devices"], repair["added_devices"]) == (2 * devices, devices)
    assert repair["test_reads"] == repair["test_writes"] == 2 * 2 * devices
    assert repair["stuck_fraction"] == pytest.approx(0.2, abs=0.03)
    assert repair["rms_error_after"] < 0.5 * repair["rms_error_before"]
    assert costs["repaired"]["devices"] == 2 * devices
    assert costs["repaired"]["tiles"] == 2 * costs["plain"]["tiles"]
    for figure in ("array_joule", "energy_joule"):
        assert costs["repaired"][figure] == pytest.approx(2 * costs["plain"][figure], rel=1e-6)
    assert costs["repaired"]["latency_seconds"] == costs["plain"]["latency_seconds"]
    assert costs["repaired"]["repair"] == repair
    assert "repair" not in found["plain"]
    assert "repair" not in costs["plain"]


def test_the_table_says_it_and_the_configuration_makes_it_again(small, xbar, tmp_path):
    words = ("--repair", "sign-flip,spares=1", "--fault-map", "march")
    shown = xbar("eval", small, *FEW, *FAULTS, *words, "--out", tmp_path / "a")
    assert shown.code == 0, shown.err
    for text in ("sign-flip,spares=1", "devices of a chip", "reads, and writes, of the test"):
        assert text in shown.out
    first = xbar("eval", small, *FEW, *FAULTS, *words, "--json", "--out", tmp_path / "b").json
    again = xbar("eval", small, "--config", tmp_path / "a" / "config.toml", "--json", "--out", tmp_path / "c").json
    assert again["accuracy_samples"] == first["accuracy_samples"]
    assert again["repair"] == first["repair"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*FAULTS, "--repair", "permute"), "the faults are unknown; give --fault-map march or given"),
        ((*FAULTS, "--repair", "spares=200", "--fault-map", "given"), "spares=200: a tile has 128 lines"),
        ((*FAULTS, "--repair", "differential", "--fault-map", "given", "--scheme", "acm"), "--scheme de, not acm"),
    ],
)
def test_what_does_not_go_together_is_one_line(small, xbar, tmp_path, words, message):
    found = xbar("eval", small, *FEW, *words, "--out", tmp_path / "a")
    assert found.code == 1
    assert message in " ".join(found.err.split())
    assert found.err.strip().count("\n") <= 1
