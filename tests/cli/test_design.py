"""`xbar design`: its costs are those of `xbar energy`, its gradients those of differences, its design what the commands say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.config.chips.design import DesignConfig
from xbar_cli.config.load import stored
from xbar_cli.design import converting
from xbar_cli.design.costs import Costing
from xbar_cli.design.objective import DescentStep, Objective, Shares
from xbar_cli.design.opening import open_bench
from xbar_cli.design.parameters import starts
from xbar_cli.numerics import stream
from xbar_cli.outside import read_json
from xbar_cli.reporter import SILENT
from xbar_cli.runs.results import read_dataset

WORDS = (
    "--array", "nodal", "--r-wire", 20, "--tile", "64x64", "--variation", 0.05, "--adc-bits", 6, "--samples", 3,
    "--images", 100, "--over", "wire_width", "--over", "adc_bits", "--over", "weight_limit", "--energy-weight", 0.1,
    "--area-weight", 0.02, "--steps", 4, "--step-images", 32,
)  # fmt: skip


def opened(run, **tree) -> Objective:
    """The objective of a design that starts from a run."""
    config = DesignConfig.model_validate({"run": str(run), **tree})
    config.check()
    bench, chosen = open_bench(config, reporter=SILENT)
    costing = Costing.of(bench, model=config.design.cost_model)
    return Objective(bench, costing, chosen, config.design, config.seed)


@pytest.fixture(scope="module")
def designed(shared, start):
    return read_json(shared("designed", "design", start, *WORDS) / "summary.json")


def test_what_is_reported_is_what_the_commands_say(designed, start, xbar, tmp_path):
    folder = designed["out"]
    found = xbar("eval", start, "--config", f"{folder}/evaluate.toml", "--out", tmp_path / "e", "--json").json
    assert found["metric_value"] == designed["metric_value"]
    assert found["metric_ci95"] == designed["metric_ci95"]
    mapped = tmp_path / "m"
    assert xbar("map", start, "--config", f"{folder}/map.toml", "--out", mapped).code == 0
    cost = xbar("energy", mapped, "--config", f"{folder}/energy.toml", "--out", tmp_path / "c", "--json").json
    for name in ("energy_joule", "area_m2", "latency_seconds"):
        assert cost[name] == pytest.approx(designed[name], rel=1e-6)


def test_designs_are_what_can_be_built_and_kept_with_their_history(designed):
    by_name = {p["name"]: p for p in designed["parameters"]}
    assert by_name["adc_bits"]["built"] == round(by_name["adc_bits"]["built"])
    for p in designed["parameters"]:
        assert p["low"] <= p["built"] <= p["high"]
    history = read_dataset(f"{designed['out']}/results.nc")
    assert history.sizes["step"] == designed["steps"] == 4
    assert float(history["adc_bits"][0]) == 6.0
    assert by_name["wire_width"]["slopes"]["area_m2"] > 0 > by_name["wire_width"]["slopes"]["loss"]
    assert by_name["adc_bits"]["slopes"]["energy_joule"] > 0


def test_a_design_is_the_same_each_time(designed, xbar, start, tmp_path):
    again = xbar("design", start, *WORDS, "--out", tmp_path / "again", "--json").json
    assert again["parameters"] == designed["parameters"]
    assert again["metric_value"] == designed["metric_value"]


@pytest.mark.parametrize("model", ["resparc", "isaac"])
def test_costs_of_resistive_arrays_are_those_of_xbar_energy(model, start, xbar, tmp_path):
    mapped = tmp_path / "m"
    words = ("--tile", "32x32", "--scheme", "acm", "--r-on", "50k")
    read = ("--input", "bitserial", "--dac-bits", 8)
    assert xbar("map", start, *words, *read, "--out", mapped).code == 0
    cost = xbar("energy", mapped, "--model", model, "--adc-bits", 6, "--out", tmp_path / "c", "--json").json
    tree = {
        "mapping": {"tile": "32x32", "scheme": "acm", "r_on_ohm": 50e3},
        "converters": {"adc_bits": 6, "input": "bitserial", "dac_bits": 8},
    }
    objective = opened(start, **tree, design={"over": ["r_on", "adc_bits", "tile"], "cost_model": model})
    for name, value in objective.costs({"r_on": 50e3, "adc_bits": 6.0, "tile": 32.0}).items():
        assert value == pytest.approx(cost[name], rel=1e-5)


def test_costs_of_cells_are_those_of_xbar_energy(start, cell, xbar, tmp_path):
    mapped = tmp_path / "m"
    assert xbar("map", start, "--cell", cell, "--vg", 0.9, "--out", mapped).code == 0
    cost = xbar("energy", mapped, "--out", tmp_path / "c", "--json").json
    tree = {"cell": {"run": str(cell), "vg": "1.0"}}
    objective = opened(start, **tree, design={"over": ["vg_layers"]})
    found = objective.costs({f"vg:{name}": 0.9 for name in objective.bench.network.layers})
    for name, value in found.items():
        assert value == pytest.approx(cost[name], rel=2e-5)


RESISTIVE = {
    "array": {"model": "nodal", "r_wire_ohm": 20.0, "r_source_ohm": 50.0, "r_neuron_ohm": 30.0},
    "variation": {"amount": 0.02, "negative": "allow"}, "mapping": {"tile": "32x32", "weight_limit": "80%"},
    "converters": {"adc_bits": 6},
}  # fmt: skip
OVER = ["r_on", "r_off", "wire_width", "r_source", "r_neuron", "weight_limit", "adc_bits"]


@pytest.mark.parametrize("kind", ["resistive", "cells", "tile", "range", "voltage", "wired"])
def test_gradients_are_those_of_central_differences(kind, start, cell, line_cell, monkeypatch):
    """In float64: the loss has the kinks of its ReLUs, and steps of a millionth of the bounds meet hardly any.

    Of row drive that is not rounded: that is what gradients pass straight through.
    """
    monkeypatch.setattr(converting, "straight_through", lambda _, x: x)
    trees = {
        "resistive": RESISTIVE | {"design": {"over": OVER}},
        "cells": {
            "cell": {"run": str(cell), "vg": "0.9"}, "variation": {"amount": 0.02, "negative": "reflect"},
            "design": {"over": ["vg_layers"]},
        },
        "tile": RESISTIVE | {"converters": {}, "design": {"over": ["tile=16:128", "wire_width"]}},
    }  # fmt: skip
    trees["range"] = RESISTIVE | {
        "converters": {"adc_bits": 6, "adc_range": "0.1"},
        "design": {"over": ["adc_range", "adc_bits"]},
    }
    trees["voltage"] = trees["cells"] | {
        "converters": {"input": "pwm", "dac_bits": 6, "adc_bits": 7, "adc_range": "0.2"},
        "mapping": {"tile": "32x32"}, "design": {"over": ["v_read", "vg"]},
    }  # fmt: skip
    trees["wired"] = trees["cells"] | {
        "cell": {"run": str(line_cell), "vg": "0.9"}, "mapping": {"tile": "128x16"}, "converters": {"adc_bits": 7},
        "array": {"model": "gated", "r_wire_ohm": 5.0, "r_neuron_ohm": 40.0, "wired": "fold"},
        "design": {"over": ["vg_layers", "r_neuron", "weight_limit"]},
    }  # fmt: skip
    middle = {p.name: p.at(0.5) for p in opened(start, **trees[kind]).chosen}
    taken = opened(start, **trees[kind]).taken(middle)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        objective = opened(start, **trees[kind])
        shares: Shares = {
            name: jnp.asarray(0.35 + 0.1 * n, jnp.float64) for n, name in enumerate(starts(objective.chosen))
        }
        values = {name: float(value) for name, value in objective.values(shares).items()}
        tiles = objective.tiles(values)
        losses, costings = objective.losses(tiles), objective.costings(tiles)
        slopes = losses(shares, jax.random.key(5), taken, *objective.batch(0))[1]
        steep = costings(shares)[0]
        for name in shares:
            wanted, size = difference(
                lambda s: losses(s, jax.random.key(5), taken, *objective.batch(0))[0], shares, name
            )
            assert float(slopes[name]) == pytest.approx(wanted, rel=1e-4, abs=1e-4 * size), name
            for cost, by_share in steep.items():
                wanted, size = difference(lambda s, c=cost: costings(s)[1][c], shares, name)
                assert float(by_share[name]) == pytest.approx(wanted, rel=1e-4, abs=1e-6 * size), (name, cost)


@pytest.mark.parametrize(
    "converters",
    [
        {"adc_bits": 12, "adc_range": "0.3"},
        {"dac_bits": 10},
        {"dac_bits": 10, "adc_bits": 12, "adc_range": "0.3"},
        {"dac_bits": 10, "adc_bits": 16, "adc_range": "0.3", "input": "bitserial"},
    ],
)
def test_gradients_pass_converters_that_are_not_designed(converters, start):
    """Many bits say what none say, and so do gradients by what is in front of them."""

    def slopes(converters):
        tree = RESISTIVE | {"converters": converters, "design": {"over": ["r_source", "weight_limit"]}}
        objective = opened(start, **tree)
        shares = {name: jnp.asarray(0.4) for name in ("r_source", "weight_limit")}
        taken = objective.taken({name: float(v) for name, v in objective.values(shares).items()})
        loss, found = objective.losses(())(shares, jax.random.key(5), taken, *objective.batch(0))
        return float(loss), {name: float(value) for name, value in found.items()}

    (loss, found), (free, wanted) = slopes(converters), slopes({})
    assert loss == pytest.approx(free, rel=0.02)
    for name, slope in wanted.items():
        assert abs(slope) > 1e-3
        assert found[name] == pytest.approx(slope, rel=0.2), name


def test_a_size_of_tiles_that_is_built_has_a_gradient_toward_the_next(start):
    objective = opened(start, **RESISTIVE | {"converters": {}, "design": {"over": ["tile=16:128"]}})
    assert [objective.tiles({"tile": size}) for size in (16, 20, 32, 127, 128)] == [
        (16, 32),
        (16, 32),
        (32, 64),
        (64, 128),
        (64, 128),
    ]
    at = objective.at({"tile": jnp.asarray(1 / 3)}, 0, objective.taken({"tile": 32.0}))
    assert float(at.steep["energy_joule"]["tile"]) != 0
    assert at.costs["energy_joule"] == pytest.approx(float(objective.costing.at({}, 32)["energy_joule"]), rel=1e-5)


def test_roundings_are_compared_by_what_descends(start):
    """A size of tile that is built, alone and without gradients, is what its end of two sizes mixed is."""
    design = {"over": ["tile=16:128", "adc_bits"], "energy_weight": 0.3, "step_images": 24}
    objective = opened(start, **RESISTIVE | {"design": design})
    values = {"tile": 32.0, "adc_bits": 5.0}
    shares: Shares = {p.name: jnp.asarray(p.share(values[p.name])) for p in objective.chosen}
    found, finer = objective.totals([values, values | {"adc_bits": 7.0}], shares, batches=2, of="roundings")
    assert finer == pytest.approx(
        objective.totals([values | {"adc_bits": 7.0}], shares, batches=2, of="roundings")[0], rel=1e-6
    )
    taken = objective.taken(values)
    wanted = [objective.at(shares, number, taken, of="roundings").total for number in range(2)]
    assert found == pytest.approx(wanted, rel=1e-4)
    assert found[0] != found[1]


def test_between_two_sizes_of_tile_the_loss_is_what_is_expected_of_either(start):
    """A third of an octave above 32, by what each size loses alone; its slope by the size is their difference."""
    objective = opened(start, **RESISTIVE | {"design": {"over": ["tile=16:128"], "step_images": 24}})
    size = {"tile": 32.0 * 2 ** (1 / 3)}
    shares: Shares = {p.name: jnp.asarray(p.share(size[p.name])) for p in objective.chosen}
    at = objective.at(shares, 0, objective.taken(size))
    below, above = (objective.totals([{"tile": tile}], shares, batches=1, of="design")[0, 0] for tile in (32.0, 64.0))
    assert at.loss == pytest.approx((2 * below + above) / 3, rel=1e-4)
    assert float(at.slopes["tile"]) == pytest.approx(3 * (above - below), rel=1e-3)  # three octaves from bound to bound
    assert above != pytest.approx(below, rel=1e-3)


@pytest.mark.parametrize(
    ("key", "cost"),
    [("energy_weight", "energy_joule"), ("area_weight", "area_m2"), ("latency_weight", "latency_seconds")],
)
def test_a_weighed_cost_descends(key, cost, start):
    objective = opened(start, design={"over": ["r_on"], key: 0.5})
    doubled = {name: value * (2 if name == cost else 1) for name, value in objective.first.items()}
    assert objective.total(1.0, doubled) == pytest.approx(1.0 + 0.5 * np.log(2))
    steep = {name: {"r_on": jnp.asarray(3.0 * value)} for name, value in objective.first.items()}
    step = DescentStep(1.0, objective.first, 1.0, {"r_on": jnp.asarray(-1.0)}, steep)
    assert float(objective.downhill(step)["r_on"]) == pytest.approx(-1.0 + 0.5 * 3.0)


def difference(of, shares, name, step=1e-5):
    """The central difference of a function by one share, and the size of the function."""
    ends = [float(of(shares | {name: shares[name] + sign * step})) for sign in (1, -1)]
    return (ends[0] - ends[1]) / (2 * step), abs(ends[0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--over", "vg"), "vg is of 1T-1R cells"),
        (("--over", "adc_bits"), "adc_bits needs --adc-bits"),
        (("--over", "adc_range", "--adc-bits", 6), "adc_range starts at a share of the most that a column can send"),
        (("--over", "adc_range"), "adc_range needs --adc-bits"),
        (("--over", "wire_width"), "of resistive arrays with --r-wire"),
        (("--over", "r_source"), "r_source needs --r-source"),
        (("--over", "tile", "--tile", "60x64"), "not 60x64"),
        (("--over", "r_on=50k:90k"), "take in the start"),
        (("--over", "colour"), "no parameter of a design"),
        ((), "--over names what is designed"),
        (("--over", "r_on", "--technology", "taox"), "of resistive devices that"),
    ],
)
def test_bad_designs_are_one_line(words, said, start, xbar):
    found = xbar("design", start, *words, "--steps", 1)
    assert found.code in (1, 2)
    assert said in found.err
    assert found.err.count("\n") == 1
    assert "Traceback" not in found.err


def test_parameters_that_nothing_weighed_depends_on_are_told(start, xbar, tmp_path):
    words = (
        "--over",
        "r_on",
        "--steps",
        1,
        "--step-images",
        8,
        "--samples",
        2,
        "--images",
        20,
        "--out",
        tmp_path / "d",
    )
    found = xbar("design", start, *words)
    assert found.code == 0, found.err
    assert "nothing that is weighed depends on r_on" in found.err
    assert "What 1 % more" in found.out
    assert np.isfinite(stored(DesignConfig, tmp_path / "d").design.rate)


def test_rate_images_and_chips_of_a_step_act(start, xbar, tmp_path):
    """The first step of Adam is the rate; a step's loss is the mean over its images, more chips have another."""

    def designed_with(**own):
        words = {"rate": 0.02, "step-images": 24, "step-chips": 1} | own
        given = [word for name, value in words.items() for word in (f"--{name}", value)]
        fixed = ("--over", "r_on=10k:40k", "--r-on", "20k", "--variation", 0.1, "--energy-weight", 0.1, "--steps", 2)
        out = tmp_path / "-".join(map(str, words.values()))
        summary = xbar("design", start, *fixed, *given, "--samples", 2, "--images", 20, "--out", out, "--json").json
        history = read_dataset(f"{summary['out']}/results.nc")
        return summary, history["loss"].values.tolist(), np.log(history["r_on"].values / 10e3) / np.log(4)

    summary, losses, shares = designed_with()
    assert shares[0] == pytest.approx(0.5)
    assert abs(shares[1] - shares[0]) == pytest.approx(0.02, rel=1e-3)
    _, alike, faster = designed_with(rate=0.05)
    assert alike[0] == losses[0]
    assert faster[1] - 0.5 == pytest.approx(2.5 * (shares[1] - 0.5), rel=1e-3)
    less, fewer, _ = designed_with(**{"step-images": 8})
    more, both, _ = designed_with(**{"step-chips": 3})
    assert len({losses[0], fewer[0], both[0]}) == 3
    assert (summary["chips_seen"], less["chips_seen"], more["chips_seen"]) == (2, 2, 6)

    tree = {"mapping": {"r_on_ohm": 20e3}, "variation": {"amount": 0.1}}
    objective = opened(start, **tree, design={"over": ["r_on=10k:40k"], "step_images": 24, "step_chips": 1})
    key = jax.random.fold_in(stream(jax.random.key(objective.seed), "design"), 0)
    found = [
        float(objective.losses(())({"r_on": jnp.asarray(0.5)}, key, objective.taken({}), images, labels)[0])
        for images, labels in zip(*(jnp.split(part, 3) for part in objective.batch(0)), strict=True)
    ]
    assert np.mean(found) == pytest.approx(losses[0], rel=1e-5)


def test_a_designed_range_of_the_converters_is_that_of_the_evaluation(start, xbar, tmp_path):
    tree = {"mapping": {"tile": "32x32"}, "converters": {"adc_bits": 5, "adc_range": "0.1"}}
    objective = opened(start, **tree, design={"over": ["adc_range"]})
    asked = opened(start, **tree | {"converters": {"adc_bits": 5, "adc_range": "0.25"}}, design={"over": ["adc_bits"]})
    wanted = asked.nominal.taken({"adc_bits": 5.0}, {}).ranges
    values = {"adc_range": jnp.asarray(0.25)}
    built = objective.bench.built(values)
    for name, found in objective.nominal.taken({"adc_range": 0.1}, {}).ranges.items():
        adc = objective.bench.converters(values, built, name, found, jax.random.key(0))
        assert float(adc.full_scale) == pytest.approx(float(wanted[name].full_scale), rel=1e-6)
    words = ("--adc-bits", 5, "--adc-range", 0.1, "--over", "adc_range", "--samples", 2, "--images", 20)
    made = xbar("design", start, *words, "--steps", 2, "--out", tmp_path / "d", "--json").json
    (parameter,) = made["parameters"]
    folder = tmp_path / "d"
    assert parameter["built"] != parameter["start"]
    assert f'adc_range = "{parameter["built"]:g}"' in (folder / "evaluate.toml").read_text()
    found = xbar("eval", start, "--config", folder / "evaluate.toml", "--out", tmp_path / "e", "--json").json
    assert found["metric_value"] == made["metric_value"]
