"""Two runs that contradict each other: for each pair of commands one line that names both values; what agrees is taken over."""

import json
import shutil

import pytest

from xbar_cli.runs.seal import seal


@pytest.fixture(scope="module")
def made(shared, small):
    """A mapped perceptron, and its evaluations without converters and with others."""
    words = ("--images", 40, "--samples", 1)
    no_pictures = ("--adc-bits", 6, "--adc-range", 1)
    run = shared("pairs-map", "map", small)
    sets = {
        "plain": (),
        "adc4": ("--input", "bitserial", "--dac-bits", 6, "--adc-bits", 4),
        "amplitude": ("--dac-bits", 5, *no_pictures),
        "offset": ("--input", "bitserial", "--dac-bits", 6, *no_pictures, "--adc-offset-error", 0.01),
        "shared": ("--dac-bits", 5, *no_pictures, "--set", "converters.columns_per_adc=8"),
        "differences": ("--dac-bits", 5, *no_pictures, "--set", "converters.adc_input=pair"),
        "rows": ("--dac-bits", 5, *no_pictures, "--set", "converters.rows_at_once=32"),
        "range": ("--dac-bits", 5, *no_pictures, "--dac-range", 0.7),
        "one pair": ("--dac-bits", 5, *no_pictures, "--adc-input", "pair", "--adc-offset-error", 0.01),
        "whole tile": (
            "--dac-bits", 5, *no_pictures, "--columns-per-adc", 1000, "--rows-at-once", 128, "--adc-gain-error", 0.1,
        ),
        "source": ("--array", "lumped", "--r-source", 300),
    }  # fmt: skip
    return {"map": run} | {name: shared(f"pairs-{name}", "eval", run, *words, *given) for name, given in sets.items()}


@pytest.fixture
def costed(made, shared):
    """An energy run of the map, made once for all that take it; words are options and names of evaluations."""

    def cost(*words):
        name = " ".join(["pairs-energy", *map(str, words)])
        images = () if "--images" in words else ("--images", 8)
        return shared(name, "energy", made["map"], *(made.get(word, word) for word in words), *images)

    return cost


@pytest.fixture
def pairs(made, xbar, tmp_path):
    """Run a command whose words are names of runs, options and `energy:NAME`, an energy run made before."""

    def run(*words):
        known = made | {f"energy:{path.name}": path for path in tmp_path.iterdir()}
        return xbar(*(known.get(word, word) for word in words))

    return run


def one_line(found, *values):
    assert found.code == 1, found.out
    assert found.err.count("\n") == 1, found.err
    for value in values:
        assert value in found.err


@pytest.mark.parametrize(
    ("evaluation", "asked", "values"),
    [
        ("plain", ("--adc-bits", 1), ("has no ADC", "ADC bits 1")),
        ("plain", ("--set", "energy.adc.bits=1"), ("has no ADC", "ADC bits 1")),
        ("plain", ("--input-bits", 3), ("has no DAC", "input bits 3")),
        ("adc4", ("--adc-bits", 8), ("ADC bits 4", "ADC bits 8")),
        ("adc4", ("--input-bits", 8), ("input bits 6", "input bits 8")),
        ("offset", ("--columns-per-adc", 16), ("columns per ADC 1,", "columns per ADC 16")),
        ("shared", ("--columns-per-adc", 16), ("columns per ADC 8", "columns per ADC 16")),
        ("rows", ("--rows-at-once", 64), ("rows at once 32", "rows at once 64")),
        ("amplitude", ("--rows-at-once", 64), ("all rows at once", "rows at once 64")),
        ("amplitude", ("--adc-input", "pair"), ("ADC input column", "ADC input pair")),
        ("amplitude", ("--model", "isaac"), ("inputs as amplitude", "one bit a cycle")),
        ("amplitude", ("--model", "neurosim"), ("inputs as amplitude", "one bit a cycle")),
        ("source", ("--r-source", 100), ("source 300 ohm", "source 100 ohm")),
        ("plain", ("--r-source", 100), ("no resistances", "source 100 ohm")),
    ],
)
def test_evaluate_and_energy(pairs, tmp_path, evaluation, asked, values):
    found = pairs("energy", "map", "--activity", evaluation, *asked, "--out", tmp_path / "x")
    one_line(found, "evaluate run", *values)
    assert not (tmp_path / "x").exists()


def test_what_the_evaluation_says_is_costed(pairs, tmp_path):
    """Other hardware, other energy; without converters the accuracy says so."""
    found = {
        name: pairs("energy", "map", "--activity", name, "--images", 8, "--json", "--out", tmp_path / name).json
        for name in ("plain", "adc4", "amplitude", "offset", "shared", "rows", "range", "differences")
    }
    energies = [round(one["energy_joule"] * 1e18) for one in found.values()]
    # an ADC at every column or one for eight costs the same energy; only area and time differ
    assert len(set(energies)) == len(energies) - 1
    assert found["plain"]["accuracy_converters"] is None
    assert found["adc4"]["accuracy_converters"] == {"dac_bits": 6, "adc_bits": 4}
    used = found["adc4"]["operation"]
    assert (used["input"], used["dac_bits"], used["adc_bits"], used["columns_per_adc"]) == ("bitserial", 6, 4, 128)
    assert found["offset"]["operation"]["columns_per_adc"] == 1  # errors were drawn for every column
    area = {
        name: one["breakdown"]["tree"]["children"]["hidden"]["children"]["converters"]["area_m2"]
        for name, one in found.items()
    }
    assert area["shared"] == pytest.approx(128 / 8 * area["amplitude"])
    halves = found["differences"]["breakdown"]["converters_joule"] / found["amplitude"]["breakdown"]["converters_joule"]
    assert halves == pytest.approx(0.5)
    assert found["rows"]["latency_seconds"] > 2.99 * found["amplitude"]["latency_seconds"]
    shown = pairs("energy", "map", "--activity", "plain", "--images", 8, "--out", tmp_path / "shown").out
    assert "without converters" in " ".join(shown.replace("│", " ").split())


def test_resistances_come_with_an_energy_run_too(pairs, tmp_path):
    first = pairs(
        "energy", "map", "--activity", "source", "--images", 8, "--set", "array.reads=2", "--json", "--out", tmp_path / "a"
    ).json  # fmt: skip
    assert first["breakdown"]["sources_joule"] > 0
    again = pairs(
        "energy", "map", "--activity", "energy:a", "--set", "array.reads=2", "--json", "--out", tmp_path / "b"
    ).json
    assert again["energy_joule"] == pytest.approx(first["energy_joule"], rel=1e-12)


@pytest.mark.parametrize(
    ("first", "asked", "values"),
    [
        (("--adc-bits", 4), ("--adc-bits", 6), ("ADC bits 4", "ADC bits 6")),
        (("--activity", "adc4"), ("--adc-bits", 6), ("ADC bits 4", "ADC bits 6")),
        (("--activity", "plain"), ("--adc-bits", 6), ("has no ADC", "ADC bits 6")),
        (("--rows-at-once", 32), ("--rows-at-once", 16), ("rows at once 32", "rows at once 16")),
        ((), ("--model", "isaac"), ("amplitude", "bitserial of 16 bits")),
        ((), ("--input-bits", 4), ("amplitude", "amplitude of 4 bits")),
    ],
)
def test_energy_and_energy(pairs, costed, tmp_path, first, asked, values):
    found = pairs("energy", "map", "--activity", costed(*first), *asked, "--out", tmp_path / "x")
    one_line(found, "energy run", *values)


@pytest.mark.parametrize(
    ("lost", "said"), [("stated", "cost it anew"), ("operation", "summary.json is damaged (operation: field required)")]
)
def test_energy_runs_of_earlier_versions(pairs, costed, tmp_path, lost, said):
    shutil.copytree(costed("--accuracy", 0.8), tmp_path / "a")
    file = tmp_path / "a" / "summary.json"
    file.write_text(json.dumps({key: value for key, value in json.loads(file.read_text()).items() if key != lost}))
    seal(tmp_path / "a")
    one_line(pairs("energy", "map", "--activity", "energy:a", "--out", tmp_path / "x"), said)
    one_line(pairs("pareto", "energy:a", "--out", tmp_path / "x"), said)


@pytest.mark.parametrize("key", ["stated", "operation"])
def test_an_energy_run_that_says_nothing_of_how_arrays_are_read_is_damaged(pairs, costed, tmp_path, key):
    shutil.copytree(costed("--accuracy", 0.8), tmp_path / "a")
    file = tmp_path / "a" / "summary.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: None}))
    seal(tmp_path / "a")
    said = f"summary.json is damaged ({key} = None: input should be"
    one_line(pairs("energy", "map", "--activity", "energy:a", "--out", tmp_path / "x"), said)
    one_line(pairs("pareto", "energy:a", "--out", tmp_path / "x"), said)


@pytest.mark.parametrize(
    ("asked", "values"),
    [
        (("--input-bits", 8), ("input bits 5", "input bits 8")),
        (("--model", "isaac"), ("inputs as pwm", "one bit a cycle")),
        (("--model", "neurosim"), ("inputs as pwm", "one bit a cycle")),
    ],
)
def test_map_and_energy(shared, small, xbar, tmp_path, asked, values):
    run = shared("pairs-pulsed", "map", small, "--input", "pwm", "--dac-bits", 5)
    one_line(xbar("energy", run, *asked, "--images", 8, "--out", tmp_path / "x"), "map run", *values)
    found = xbar("energy", run, "--images", 8, "--json", "--out", tmp_path / "a").json
    assert (found["operation"]["input"], found["operation"]["dac_bits"]) == ("pwm", 5)


@pytest.mark.spice
def test_cells_are_read_as_they_were_programmed(start, cell, xbar, tmp_path):
    """map and evaluate, and map and --baseline: other coding, other voltage, other cells, other tiles."""
    words = ("--input", "pwm", "--dac-bits", 6)
    run, other, mapped = tmp_path / "m", tmp_path / "n", tmp_path / "a"
    on_cells = ("map", start, "--cell", cell, "--vg", 0.8)
    assert xbar(*on_cells, *words, "--v-read", 0.2, "--out", run).code == 0
    assert xbar(*on_cells, *words, "--v-read", 0.3, "--out", other).code == 0
    assert xbar(*on_cells, "--out", mapped).code == 0
    few = ("--images", 20, "--samples", 1)
    assert xbar("eval", run, *few, "--v-read", 0.4, "--out", tmp_path / "e").code == 0
    found = xbar("energy", run, "--activity", tmp_path / "e", "--out", tmp_path / "x")
    one_line(found, "map run", "0.2 V or none", "evaluate run", "0.4 V or none")
    assert xbar("eval", mapped, *few, *words, "--out", tmp_path / "f").code == 0
    found = xbar("energy", mapped, "--activity", tmp_path / "f", "--out", tmp_path / "x")
    one_line(found, "map run", "all input voltages", "evaluate run", "0.5 V or none", "map with the read.input")
    one_line(
        xbar("energy", run, "--baseline", other, "--out", tmp_path / "x"),
        "--baseline",
        "0.3 V or none",
        "0.2 V or none",
    )
    assert xbar("energy", mapped, "--model", "neurosim", "--images", 8, "--out", tmp_path / "b").code == 0
    bits = ("--input", "bitserial", "--dac-bits", 8, "--adc-bits", 8)
    assert xbar("eval", mapped, *few, *bits, "--out", tmp_path / "i").code == 0
    one_line(
        xbar("pareto", tmp_path / "b", tmp_path / "i", "--out", tmp_path / "p"), "all input voltages", "0.5 V or none"
    )
    # a front pairs no accuracy with other cells than were costed; another coding at the same voltage reads the same cells
    low = xbar("energy", run, "--images", 8, "--json", "--out", tmp_path / "c").json
    one_line(
        xbar("pareto", tmp_path / "c", tmp_path / "e", "--out", tmp_path / "p"),
        "read voltage 0.2 V",
        "read voltage 0.4 V",
    )
    assert xbar("eval", run, *few, "--input", "bitserial", "--out", tmp_path / "g").code == 0
    assert xbar("energy", run, "--activity", tmp_path / "g", "--images", 8, "--out", tmp_path / "h").code == 0
    assert xbar("pareto", tmp_path / "h", tmp_path / "g", "--out", tmp_path / "q").code == 0
    high = xbar("energy", other, "--images", 8, "--json", "--out", tmp_path / "d").json
    assert [one["operation"]["v_read_volt"] for one in (low, high)] == [0.2, 0.3]
    ratio = high["breakdown"]["cells_joule"] / low["breakdown"]["cells_joule"]
    assert ratio == pytest.approx((0.3 / 0.2) ** 2, rel=0.05)


@pytest.mark.spice
def test_the_baseline_is_of_the_same_arrays(mapped, neat, xbar, tmp_path):
    assert xbar("map", neat, "--tile", "64x64", "--out", tmp_path / "m").code == 0
    found = xbar("energy", mapped, "--baseline", tmp_path / "m", "--out", tmp_path / "x")
    one_line(found, "arrays of 64x64", "arrays of 128x128")


@pytest.mark.parametrize(
    ("given", "evaluation", "values"),
    [
        (("--adc-bits", 1), "plain", ("has no ADC", "ADC bits 1")),
        ((), "amplitude", ("input bits 5", "input bits 8")),
        (("--input-bits", 5), "amplitude", ("ADC bits 6", "ADC bits 8")),
        (("--activity", "shared"), "amplitude", None),
        (("--activity", "amplitude"), "shared", ("columns per ADC 8", "columns per ADC 128")),
        (("--activity", "amplitude"), "adc4", ("inputs as bitserial", "inputs as amplitude")),
        (("--activity", "amplitude"), "range", ("range of the row drive 0.7", "the mapping's range of the row drive")),
        (("--activity", "range"), "amplitude", ("the mapping's range of the row drive", "range of the row drive 0.7")),
        (("--activity", "amplitude"), "rows", ("rows at once 32", "all rows at once")),
        (("--activity", "amplitude"), "differences", ("ADC input pair", "ADC input column")),
        ((), "source", ("source 300 ohm", "no resistances")),
        ((), "plain", None),
        (("--model", "isaac"), "plain", None),
        (("--activity", "one pair"), "one pair", None),
        (("--activity", "whole tile"), "whole tile", None),
    ],
)
def test_evaluate_and_energy_runs_in_pareto(pairs, costed, tmp_path, given, evaluation, values):
    energy = costed(*given)
    found = pairs("pareto", energy, evaluation, "--json", "--out", tmp_path / "p")
    if values is not None:
        one_line(found, "evaluate run", "energy run", *values)
        return
    assert found.code == 0, found.err
    (point,) = found.json["points"]
    assert (point["accuracy_converters"] is None) == (evaluation == "plain")
    shown = pairs("pareto", energy, evaluation, "--out", tmp_path / "q").out
    assert ("the accuracy is without ADC, of which" in shown) == (evaluation == "plain")


@pytest.mark.parametrize(
    ("first", "second", "values"),
    [
        (("--model", "resparc"), ("--model", "isaac"), ("by model resparc", "by model isaac")),
        ((), ("--images", 0), ("with the activity of data", "in the worst case")),
    ],
)
def test_energy_runs_in_pareto(pairs, costed, tmp_path, first, second, values):
    found = pairs("pareto", *(costed(*words, "--accuracy", 0.8) for words in (first, second)), "--out", tmp_path / "x")
    one_line(found, *values)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--scheme", "bc"), "subtracts the two columns of mapping.scheme = de; bc has none"),
        (("--tile", "64x33"), "tiles of 33 columns part those of hidden"),
    ],
)
def test_pairs_need_pairs(xbar, small, tmp_path, words, message):
    assert xbar("map", small, *words, "--out", tmp_path / "m").code == 0
    one_line(xbar("energy", tmp_path / "m", "--adc-input", "pair", "--images", 0, "--out", tmp_path / "x"), message)


def test_fewer_rows_at_once_drop_less_at_the_neurons(pairs, tmp_path):
    """K² of a sum of currents against the sum of squares of its parts: with a quarter of the rows about a quarter."""
    words = ("--images", 8, "--r-neuron", 10, "--set", "array.reads=40", "--json")
    lost = []
    for number, rows in enumerate(((), ("--rows-at-once", 32))):
        found = pairs("energy", "map", *words, *rows, "--out", tmp_path / str(number)).json
        layer = found["breakdown"]["layers"]["hidden"]
        lost.append(layer["neurons_joule"] / layer["cells_joule"])
    assert lost[1] / lost[0] == pytest.approx(0.25, rel=0.35)


def test_isaacs_converters_know_the_devices_and_the_rows(xbar, small, tmp_path):
    """`log2(rows) + device bits + 1`, less two (ISAAC, Section V): of the devices that were mapped, and the rows of a read."""
    assert xbar("map", small, "--bits", 4, "--out", tmp_path / "m").code == 0
    for number, (words, bits) in enumerate((((), 10), (("--rows-at-once", 32), 8))):
        words = ("--model", "isaac", "--images", 8, *words, "--json", "--out", tmp_path / str(number))
        assert xbar("energy", tmp_path / "m", *words).json["operation"]["adc_bits"] == bits
