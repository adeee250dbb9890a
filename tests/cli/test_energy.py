"""`xbar energy` by command: every model, activity, resistances, chips, presets, and what it refuses."""

import subprocess
import sys

import numpy as np
import pytest

from xbar_cli.cli.main import guarded

MODELS = ("resparc", "neurosim", "isaac")


@pytest.fixture(scope="module")
def sliced(tmp_path_factory, small):
    """A small perceptron on resistive bit slices."""
    out = tmp_path_factory.mktemp("sliced") / "map"
    assert guarded(["map", str(small), "--scheme", "bitslice", "--out", str(out), "--quiet"]) == 0
    return out


def test_acm_table_by_command(xbar, tmp_path):
    found = xbar("energy", "--model", "neurosim", "--preset", "acm-table1", "--json", "--out", tmp_path / "a").json
    assert set(found["table"]) == {"bc", "de", "acm"}
    for scheme, figures in found["table"].items():
        assert set(figures) == {"crossbar_area_m2", "periphery_area_m2", "read_energy_joule", "read_delay_seconds"}
        for name, value in figures.items():
            assert found["ratio"][scheme][name] == pytest.approx(value / found["paper"][scheme][name])
    assert (tmp_path / "a" / "constants.toml").exists()
    other = xbar(
        "energy", "--model", "neurosim", "--preset", "acm-table1", "--node", 45, "--set", "energy.adc.energy_joule=0",
        "--json", "--out", tmp_path / "b",
    ).json  # fmt: skip
    assert other["area_m2"] > found["area_m2"]
    assert other["energy_joule"] < found["energy_joule"]


@pytest.mark.parametrize(("accuracy", "paper"), [(0.354, 96.9e9), (0.852, 233.4e9)])
def test_biased_table_by_command(xbar, tmp_path, accuracy, paper):
    words = ("energy", "--model", "isaac", "--preset", "biased-table1", "--json", "--accuracy", accuracy)
    found = xbar(*words, "--out", tmp_path / "a").json
    assert found["correct_ops_per_joule"] == pytest.approx(paper, rel=1e-3)
    assert (found["energy_joule"], found["area_m2"]) == (3738e-12, 21765e-12)
    assert found["component_table"]["area_m2"] == pytest.approx(13120e-12)


def test_neat_table_by_command(xbar, tmp_path):
    words = ("energy", "--preset", "neat")
    found = xbar(*words, "--json", "--out", tmp_path / "a").json
    assert set(found["table"]["3"]) == {"0.75", "0.8", "0.85", "0.9", "0.95", "1"}
    slower = xbar(*words, "--set", "energy.read.seconds=200n", "--json", "--out", tmp_path / "b").json
    assert slower["breakdown"]["children"]["cells"]["energy_joule"] == pytest.approx(
        2 * found["breakdown"]["children"]["cells"]["energy_joule"]
    )
    assert "23%" in xbar(*words, "--out", tmp_path / "c").out


def test_presets_need_no_jax(tmp_path):
    code = (
        "import sys; from xbar_cli.cli.main import guarded; "
        f"assert guarded(['energy', '--model', 'neurosim', '--preset', 'acm-table1', '--out', {str(tmp_path / 'x')!r}]) == 0; "
        "sys.exit(str({'jax', 'xarray', 'matplotlib'} & set(sys.modules) or '') or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.spice
@pytest.mark.parametrize("model", MODELS)
def test_every_model_costs_every_map(xbar, mapped, sliced, tmp_path, model):
    for number, run in enumerate((mapped, sliced)):
        out = tmp_path / str(number)
        found = xbar("energy", run, "--model", model, "--json", "--out", out).json
        assert set(found) >= {"energy_joule", "area_m2", "latency_seconds", "breakdown", "out"}
        tree = found["breakdown"]["tree"]
        assert tree["energy_joule"] == pytest.approx(found["energy_joule"])
        assert sum(layer["energy_share"] for layer in tree["children"].values()) == pytest.approx(1)
        assert sum(found["breakdown"]["shares"].values()) == pytest.approx(1)
        assert found["correct_ops_per_joule"] == pytest.approx(
            found["accuracy"] * found["operations"] / found["energy_joule"]
        )
        assert found["operations"] == 2 * 794 * (100 if run == mapped else 50)
        assert found["array_joule"] < found["energy_joule"]
        assert (out / "figures" / "energy.png").stat().st_size > 5000
        if run == mapped:
            continue
        again = xbar(
            "energy", run, "--model", model, "--activity", out, "--json", "--out", tmp_path / f"{number}b"
        ).json
        assert again["energy_joule"] == pytest.approx(found["energy_joule"], rel=1e-12)
        worst = xbar("energy", run, "--model", model, "--images", 0, "--json", "--out", tmp_path / f"{number}c").json
        assert worst["activity"] == "worst case"
        cells = "crossbar_joule" if model == "isaac" else "cells_joule"
        assert model == "isaac" or worst["breakdown"][cells] > found["breakdown"][cells]


@pytest.mark.spice
def test_energy_falls_with_the_gate_voltage_and_the_gain_is_split(xbar, trained, mapped, cell, tmp_path):
    assert xbar("map", trained, "--cell", cell, "--vg", "1.0", "--out", tmp_path / "m").code == 0
    found = xbar("energy", mapped, "--baseline", tmp_path / "m", "--json", "--out", tmp_path / "a").json
    gain = found["gain"]
    high = xbar("energy", tmp_path / "m", "--json", "--out", tmp_path / "b").json
    assert gain["saved"] == pytest.approx(1 - found["energy_joule"] / high["energy_joule"], rel=1e-6)
    assert gain["by_gate_voltage"] + gain["by_conductances"] == pytest.approx(gain["saved"])
    assert 0 < gain["by_gate_voltage"] < gain["arrays"]["saved"]
    doubled = xbar("energy", mapped, "--json", "--set", "energy.read.seconds=200n", "--out", tmp_path / "c").json
    assert doubled["breakdown"]["cells_joule"] == pytest.approx(2 * found["breakdown"]["cells_joule"])
    assert found["latency_seconds"] == pytest.approx(2 * 100e-9)


@pytest.mark.spice
def test_the_power_monte_carlo_agrees_with_the_model(xbar, cell, tmp_path):
    """8x8 arrays, the same weights and inputs: mean power from the SPICE table, and from the surrogate that costs use."""

    from xbar_cli.cell.file import load_cell
    from xbar_cli.chip.activity import of_inputs
    from xbar_cli.config.characterize import PowerConfig
    from xbar_cli.config.load import read_toml
    from xbar_cli.energy.activity import Coding
    from xbar_cli.energy.power import layer_watt
    from xbar_cli.nn.contracts import dense
    from xbar_cli.workflows.characterize_power import draws, programmed

    out = tmp_path / "p"
    words = ("characterize", "power", "--vg-range", "0.8:1.0:0.1", "--g-points", 32, "--vin-range", "0.01:0.5:26")
    found = xbar(*words, "--samples", 20, "--json", "--out", out).json
    assert found["array"] == [8, 8]
    config, known = PowerConfig.model_validate(read_toml(out / "config.toml")), load_cell(cell / "results.nc")
    weights, inputs = draws(config, 8, 8, low=0.0, high=0.5)
    for index, vg in enumerate(found["vg_volt"]):
        power = known.power[index]
        coding = Coding("amplitude", None, 0.5, {"l": power})
        g = programmed(config, known, weights, vg=vg).astype(np.float32)
        watts = []
        for one, v in zip(g, inputs, strict=True):
            x = np.asarray(v, np.float32)[None]
            seen = of_inputs(x, dense, (), full_scale=0.5, signed=False, wanted=coding.wanted)
            watts.append(layer_watt(one, seen, coding=coding, name="l", phases=1) / 64)
        assert np.mean(watts) == pytest.approx(found["power_per_synapse_watt"][index], rel=0.01)


@pytest.mark.spice
@pytest.mark.parametrize(
    ("kind", "bits", "v"),
    [("amplitude", None, 0.5), ("amplitude", 3, 0.5), ("bitserial", 4, 0.5), ("bitserial", 4, 0.1), ("pwm", 4, 0.2)],
)
def test_measured_power_is_that_of_every_cell_on_every_input(mapped, kind, bits, v):
    """Means of polynomials and a table of cells against a plain sum over cells, images, rows and moments of a read."""
    import jax.numpy as jnp

    from xbar_cli.chip.mapped import drive_of, load_mapped, surrogates
    from xbar_cli.energy.activity import Coding, measure
    from xbar_cli.energy.power import layer_watt
    from xbar_cli.nn.shapes import layer_inputs
    from xbar_cli.reporter import SILENT
    from xbar_cli.trained.opening import open_trained

    trained, network = open_trained(mapped / "train", use="test"), load_mapped(mapped)
    powers = surrogates(network, "power")
    coding = Coding(kind, bits, v, powers)
    activity = measure(trained, network, coding.wanted, images=4, reporter=SILENT)
    layer, power = network.layers["output"], powers["output"]
    found = layer_watt(layer.conductance, activity["output"], coding=coding, name="output", phases=1)
    x, _ = layer_inputs(trained.net, jnp.asarray(trained.data.test_images[:4], jnp.float32) / 255)["output"]
    share = np.asarray(drive_of(layer).fraction(x))
    codes = np.rint(share * (2 ** (bits or 0) - 1)).astype(int)
    match kind:
        case "amplitude":
            moments, reads = [share if bits is None else codes / (2**bits - 1)], 1
        case "bitserial":
            moments, reads = [codes >> bit & 1 for bit in range(bits)], 1
        case _:  # a moment for each step of the widest pulse, that share a read
            moments, reads = [codes > step for step in range(2**bits - 1)], 2**bits - 1
    volts = v * jnp.asarray(np.concatenate(moments), jnp.float32)
    g = jnp.asarray(layer.conductance)
    direct = sum(power(g, jnp.broadcast_to(one[:, None], g.shape)).sum() for one in volts) / 4 / reads
    np.testing.assert_allclose(found, direct, rtol=1e-4)


@pytest.mark.spice
def test_the_map_run_keeps_what_a_pass_over_its_images_finds(mapped, sliced):
    """Resistive cells to float rounding, 1T-1R cells too (their power is a polynomial of the moments)."""
    from dataclasses import replace

    from xbar_cli.chip.activity import STORED_BITS
    from xbar_cli.chip.mapped import load_mapped
    from xbar_cli.chip.observe import orders
    from xbar_cli.energy.activity import Coding, Wanted, measure
    from xbar_cli.energy.power import layer_watt
    from xbar_cli.reporter import SILENT
    from xbar_cli.trained.opening import open_trained

    for run in (mapped, sliced):
        network, trained = load_mapped(run), open_trained(run / "train", use="test")
        trained = replace(trained, data=replace(trained.data, test_images=trained.data.train_images))
        images = network.activity["output"].images
        wanted = Wanted(STORED_BITS, orders(network.cell))
        passed = measure(trained, network, wanted, images=images, reporter=SILENT)
        halves = measure(trained, network, wanted, images=images // 2, reporter=SILENT)
        for name, layer in network.layers.items():
            assert network.activity[name].positions == passed[name].positions
            power = None if network.cell is None else network.cell.power[network.cell.index(layer.vg)]
            for bits in (None, *STORED_BITS):
                kind = "amplitude" if bits is None else "bitserial"
                coding = Coding(kind, bits, 0.5, {} if power is None else {name: power})
                kept, seen, half = (
                    layer_watt(layer.conductance, a[name], coding=coding, name=name, phases=1)
                    for a in (network.activity, passed, halves)
                )
                # rounding of the pass moves activations on the edge of two codes
                assert kept == pytest.approx(seen, rel=1e-6 if bits is None else 1e-3)
                assert half == pytest.approx(seen, rel=0.2)  # fewer images, another energy
                assert half != pytest.approx(seen, rel=1e-4)


@pytest.mark.slow
def test_wires_and_older_map_runs(xbar, small, tmp_path):
    """--r-wire by command, and a map run that kept no activity: the network is passed over test images."""
    import h5py

    run = tmp_path / "m"
    assert xbar("map", small, "--tile", "16x20", "--out", run).code == 0  # tiles of two sizes: each is compiled
    kept = xbar("energy", run, "--json", "--out", tmp_path / "a").json
    assert (kept["activity"], kept["images"]) == ("calibration", 256)
    words = ("energy", run, "--r-wire", "5", "--set", "array.reads=2", "--json")
    wired = xbar(*words, "--out", tmp_path / "b").json
    assert wired["conservation_gap"] < 1e-6
    assert wired["breakdown"]["wires_joule"] > 0
    assert wired["breakdown"]["sources_joule"] == wired["breakdown"]["neurons_joule"] == 0
    lost = wired["breakdown"]["cells_joule"] + wired["breakdown"]["wires_joule"]
    assert wired["breakdown"]["cells_joule"] < lost < kept["breakdown"]["cells_joule"]
    with h5py.File(run / "results.nc", "a") as file:
        for name in [name for name in file if name.endswith("_activity")]:
            del file[name]
    (run / "done").write_text("")
    passed = xbar("energy", run, "--json", "--out", tmp_path / "c").json
    assert (passed["activity"], passed["images"]) == ("measured", 256)
    assert passed["energy_joule"] == pytest.approx(kept["energy_joule"], rel=0.05)  # test images, not training images


@pytest.mark.slow
def test_resistances_dissipate_and_evaluations_bring_accuracy(xbar, sliced, tmp_path):
    found = xbar(
        "energy", sliced, "--images", 8, "--r-source", 300, "--r-neuron", 100, "--set", "array.reads=2",
        "--json", "--out", tmp_path / "a",
    ).json  # fmt: skip
    assert found["conservation_gap"] < 1e-6
    assert min(found["breakdown"][f"{part}_joule"] for part in ("cells", "sources", "neurons")) > 0
    ideal = xbar("energy", sliced, "--images", 8, "--json", "--out", tmp_path / "b").json
    assert found["breakdown"]["cells_joule"] < ideal["breakdown"]["cells_joule"]
    words = (
        "eval",
        sliced,
        "--variation",
        "0.1",
        "--samples",
        2,
        "--set",
        "monte_carlo.images=100",
        "--out",
        tmp_path / "e",
    )
    assert xbar(*words).code == 0
    with_accuracy = xbar(
        "energy", sliced, "--images", 8, "--activity", tmp_path / "e", "--json", "--out", tmp_path / "c"
    ).json
    assert with_accuracy["accuracy_ci95"] is not None
    assert with_accuracy["accuracy_from"].startswith("evaluate run")


def test_chips_of_more_arrays(xbar, sliced, tmp_path):
    one = xbar("energy", sliced, "--images", 8, "--json", "--out", tmp_path / "a").json
    more = xbar(
        "energy", sliced, "--activity", tmp_path / "a", "--tiles", 2 * one["tiles"], "--pipeline", "--json",
        "--out", tmp_path / "b",
    ).json  # fmt: skip
    assert more["area_m2"] == pytest.approx(2 * one["area_m2"])
    assert more["interval_seconds"] == pytest.approx(one["latency_seconds"] / 2)
    shown = xbar("energy", sliced, "--activity", tmp_path / "a", "--per-layer", "--out", tmp_path / "c").out
    assert "hidden" in shown
    assert "buffers" not in shown
    assert "buffers" in xbar("energy", sliced, "--activity", tmp_path / "a", "--out", tmp_path / "d").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "isaac"), "give exactly one of them"),
        (("RUN", "--preset", "acm-table1", "--model", "neurosim"), "give exactly one of them"),
        (("--preset", "acm-table1"), "belongs to --model neurosim"),
        (("--preset", "neat", "--accuracy", "0.9"), "has no use for --accuracy"),
        (("--preset", "acm-table1", "--model", "neurosim", "--node", "28"), "no data for a node of 28 nm"),
        (("--preset", "acm-table1", "--model", "neurosim", "--images", "4"), "has no use for --images"),
        (
            ("--preset", "neat", "--line-charge", "column"),
            "--line-charge column is how neurosim counts; resparc charges a line",
        ),
        (
            ("--preset", "acm-table1", "--model", "neurosim", "--set", "energy.adc.energy_joule=-1"),
            "energy.adc.energy_joule",
        ),
        (("--preset", "acm-table1", "--model", "neurosim", "--set", "energy.adc.joule=1"), "has no such constant"),
        (("--preset", "acm-table1", "--model", "neurosim", "--constants", "SHORT"), "is missing"),
        (("RUN", "--tiles", "3"), "the weights take"),
        (("RUN", "--node", "14"), "--node is of --model neurosim"),
        (("RUN", "--images", "100000"), "more than the 1000 test images"),
        (("RUN", "--images", "0", "--r-wire", "1"), "worst case"),
        (("TRAINED",), "needs a `map` run"),
        (("RUN", "--baseline", "RUN"), "need 1T-1R cells"),
    ],
)
def test_refusals_are_one_line(xbar, trained, sliced, tmp_path, words, message):
    short = tmp_path / "short.toml"
    short.write_text('[adc]\nsource = "x"\nyear = 2020\nbits = { value = 8, unit = "1" }\n')
    names = {"RUN": sliced, "TRAINED": trained, "SHORT": short}
    found = xbar("energy", *(names.get(word, word) for word in words), "--out", tmp_path / "x")
    assert found.code == 1
    assert message in found.err
    assert found.err.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_arrays_that_share_neurons_are_refused(xbar, small, tmp_path):
    run, evaluated = tmp_path / "map", tmp_path / "eval"
    assert xbar("map", small, "--out", run).code == 0
    words = ("--array", "lumped", "--neuron", "shared", "--r-neuron", 100, "--images", 10, "--samples", 1)
    assert xbar("eval", run, *words, "--out", evaluated).code == 0
    found = xbar("energy", run, "--activity", evaluated, "--out", tmp_path / "energy")
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert "its columns share neurons" in found.err


def test_a_part_that_is_not_there_has_no_row(xbar, sliced, tmp_path):
    plain = xbar("energy", sliced, "--r-wire", 1, "--out", tmp_path / "plain").out
    assert "wires" in plain
    assert "sources" not in plain
    assert "gate lines" not in plain
    found = xbar("energy", sliced, "--r-source", 100, "--out", tmp_path / "sources").out
    assert "sources" in found
    assert "wires" not in found
