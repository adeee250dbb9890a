"""Every composition of scheme, devices, inputs, converters and arrays: which exist, and the package against the reference."""

import csv
from dataclasses import astuple, dataclass
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from tests import analytic
from tests.compositions import reference
from xbar_cli.cell.file import load_cell
from xbar_cli.chip.mapped import MappedNetwork, load_mapped, to_dataset
from xbar_cli.chip.place import map_network
from xbar_cli.chip.prepare import make_preparer
from xbar_cli.chip.resolve import resolve_cell, resolve_mapping
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.ranges import parse_tile
from xbar_cli.config.train import TrainConfig
from xbar_cli.data.datasets import Dataset
from xbar_cli.errors import XbarError
from xbar_cli.nn.layers import Conv, Dense, digital
from xbar_cli.nn.reading import on_arrays
from xbar_cli.reporter import SILENT
from xbar_cli.runs.directory import Run
from xbar_cli.runs.results import RESULTS, write_dataset
from xbar_cli.trained.opening import CELL, Trained
from xbar_cli.workflows import characterize
from xbar_cli.workflows.evaluate import build_hardware

SCHEMES: dict[str, dict[str, Any]] = {
    "de": {"scheme": "de"},
    "bc": {"scheme": "bc"},
    "acm": {"scheme": "acm"},
    "bitslice offset": {"scheme": "bitslice", "encoding": "offset"},
    "bitslice twos_complement": {"scheme": "bitslice", "encoding": "twos_complement"},
    "bitslice differential": {"scheme": "bitslice", "encoding": "differential"},
}
DEVICES = ("resistive", "1T-1R")
INPUTS: dict[str, dict[str, Any]] = {
    f"{name}{', 3 bits' if bits else ''}": {"input": name} | ({"dac_bits": 3} if bits else {})
    for name, bits in product(("amplitude", "bitserial", "pwm"), (False, True))
}
ERRORS = {"adc_gain_error": 0.05, "adc_offset_error": 0.02}
CONVERTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "a column": {"adc_bits": 5},
    "shared, erring": {"adc_bits": 5, "columns_per_adc": 3, **ERRORS},
    "3 rows at once": {"adc_bits": 5, "adc_range": "0.37", "rows_at_once": 3},
    "a pair": {"adc_bits": 6, "adc_input": "pair"},
    "a pair, shared, erring, 3 rows": {
        "adc_bits": 6, "adc_input": "pair", "columns_per_adc": 2, "rows_at_once": 3, **ERRORS,
    },
    "levels": {"adc_bits": 8, "adc_range": "levels"},
    "levels, 3 rows": {"adc_bits": 8, "adc_range": "levels", "rows_at_once": 3},
    "sar": {"adc_bits": 5, "adc_kind": "sar", "adc_mismatch": 0.05, "columns_per_adc": 3},
    "ramp, a pair, charge": {
        "adc_bits": 6, "adc_kind": "ramp", "adc_mismatch": 0.2, "adc_input": "pair", "accumulate": "analog",
    },
    "flash, lloyd, charge, 3 rows": {
        "adc_bits": 4, "adc_kind": "flash", "adc_mismatch": 0.2, "adc_range": "lloyd", "accumulate": "analog", "rows_at_once": 3,
    },
}  # fmt: skip
ARRAYS: dict[str, dict[str, Any]] = {
    "ideal": {"model": "ideal"},
    "lumped": {"model": "lumped", "r_source_ohm": 300.0, "r_neuron_ohm": 200.0},
    "nodal": {"model": "nodal", "r_source_ohm": 300.0, "r_neuron_ohm": 200.0, "r_wire_ohm": 20.0},
    "gated": {"model": "gated"},
}
TILE = "8x6"
TEST, CALIBRATION = 6, 5
VG = 0.9
LIMIT = 1e-4
"""Of the largest logit: what float32 and float64 may differ by."""
FLOAT32 = {"resistive": 1e-6, "1T-1R": 3e-6}
"""Error of a current in float32, of the largest current of a column."""


@dataclass(frozen=True, order=True)
class Case:
    """One composition, by the names of its parts."""

    scheme: str
    device: str
    inputs: str
    converters: str
    array: str


CASES = [Case(*names) for names in product(SCHEMES, DEVICES, INPUTS, CONVERTERS, ARRAYS)]


def covering(cases: list[Case]) -> list[Case]:
    """Few of the cases, in which every two parts that go together anywhere go together."""
    pairs = {case: frozenset(combinations(enumerate(astuple(case)), 2)) for case in cases}
    left, chosen = set().union(*pairs.values()), []
    while left:
        chosen.append(max(cases, key=lambda case: len(pairs[case] & left)))
        left -= pairs[chosen[-1]]
    return chosen


class Tiny(nnx.Module):
    """A convolution whose inputs are above 0, and a dense layer whose inputs have both signs."""

    def __init__(self):
        rngs = nnx.Rngs(3)
        self.conv = Conv("conv", 1, 3, size=3, padding="VALID", rngs=rngs)
        self.fc = Dense("fc", 12, 4, rngs=rngs)

    def __call__(self, images, product=digital, *, training=False):
        x = jnp.tanh(self.conv(images, product))
        return self.fc(x.reshape(x.shape[0], -1), product)


@cache
def trained() -> Trained:
    """The network as it is drawn; the right answers are its own."""
    rng = np.random.default_rng(1)
    train, test = (rng.integers(0, 256, (n, 4, 4, 1), dtype=np.uint8) for n in (CALIBRATION, TEST))
    net = Tiny()
    for layer in (net.conv, net.fc):
        layer.bias[...] = jnp.asarray(rng.normal(0, 0.1, layer.bias[...].shape), jnp.float32)
    labels = [np.asarray(net(jnp.asarray(x, jnp.float32) / 255).argmax(axis=1), np.int32) for x in (train, test)]
    data = Dataset("random", train, labels[0], test, labels[1], 4, tuple("0123"), None)
    summary = {"layers": ["conv", "fc"], "network": "tiny", "dataset": "random", "method": "ideal", "vg_volt": None}
    return Trained(Run(Path(), Path()), summary, TrainConfig(), net, data)


@cache
def characterised(folder: Path) -> Path:
    """A characterize run of a small table of an analytic cell."""
    out = folder / "cell"
    if not out.exists():
        table = folder / "cell.csv"
        g, v = np.linspace(0.1 * analytic.G_OFF, 1.75 * analytic.G_ON, 24), np.linspace(0.01, 0.5, 12)
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["G", "V", "I"])
            writer.writerows([a, 0.0, 1e-8 * (1 + a / analytic.G_ON)] for a in g)
            writer.writerows(
                [a, b, float(analytic.current(a, b, VG)) + 1e-8 * (1 + a / analytic.G_ON)] for a in g for b in v
            )
        section = {"cell": {"table": str(table)}, "sweep": {"vg_range": f"{VG}:{VG}:0.1"}}
        out.mkdir()
        config = characterize.CharacterizeConfig.model_validate(section)
        summary = characterize.run(config, Run(out, out))
        Run(out, out).finish(summary)
    return out


def devices_without_layers(config: EvaluateConfig, cell: Any) -> MappedNetwork:
    """A network that is mapped as the case asks, as far as what may be combined depends on it."""
    return MappedNetwork(
        layers={}, scheme=config.mapping.chosen, technology=None, cell=cell, g_off=analytic.G_OFF, g_on=analytic.G_ON,
        tile=parse_tile(config.mapping.tile), read=config.converters.read,
    )  # fmt: skip


@dataclass(frozen=True)
class Compositions:
    """What the cases share: a folder with the cell and the map runs."""

    folder: Path

    def config(self, case: Case) -> EvaluateConfig:
        """The evaluation that the case stands for."""
        cell = {"run": str(characterised(self.folder)), "vg": VG} if case.device == "1T-1R" else {}
        return EvaluateConfig.model_validate(
            {
                "mapping": SCHEMES[case.scheme] | {"tile": TILE},
                "cell": cell,
                "converters": INPUTS[case.inputs] | CONVERTERS[case.converters],
                "array": ARRAYS[case.array],
                "calibration": {"images": CALIBRATION},
            }
        )

    def refusal(self, case: Case) -> str | None:
        """The line that refuses the case; None where it exists. Nothing is mapped."""
        try:
            config = self.config(case)
            config.check()
            cell = self.cell() if case.device == "1T-1R" else None
            build_hardware(config, trained(), devices_without_layers(config, cell))
        except XbarError as error:
            return str(error)
        return None

    @cache  # noqa: B019
    def cell(self) -> Any:
        """The characterised cell."""
        return load_cell(characterised(self.folder) / RESULTS)

    def mapped(self, case: Case, config: EvaluateConfig) -> Path:
        """The map run of the case, written once: its results.nc and the cell's file."""
        out = self.folder / f"{case.scheme} {case.device} {case.inputs}"
        if not out.exists():
            gates = resolve_cell(trained(), config.cell)
            read = config.converters.read
            placement = resolve_mapping(trained(), config.mapping, gates, read=read, reporter=SILENT)
            network = map_network(trained(), placement, gates, read=read, images=CALIBRATION)
            out.mkdir()
            write_dataset(out / RESULTS, to_dataset(network))
            if gates is not None:
                (out / CELL).write_bytes(gates.file.read_bytes())
        return out

    def compare(self, case: Case) -> "Found":
        """Logits and answers of the package and of the reference."""
        config = self.config(case)
        run = self.mapped(case, config)
        hardware = build_hardware(config, trained(), load_mapped(run))
        prepare, _ = make_preparer(trained(), hardware, config.decoding, images=CALIBRATION)
        nominal = {name: jnp.asarray(layer.conductance) for name, layer in hardware.network.layers.items()}
        circuit, _ = prepare(nominal, jax.random.key(7))
        pictures = trained().data.test_images

        @jax.jit
        def logits(circuit, x):
            found = {}
            y = trained().net(x, on_arrays(circuit, key=jax.random.key(0), first=jnp.asarray(0), counts=found))
            beyond = {kind: [c.beyond for n, c in found.items() if n.startswith(kind)] for kind in ("adc ", "dac ")}
            return y, [sum(each, jnp.zeros(len(x))) for each in beyond.values()]

        y, counts = logits(circuit, jnp.asarray(pictures, jnp.float32) / 255)
        return self.recomputed(case, run, config, circuit.adcs, np.asarray(y, float), counts)

    def recomputed(self, case, run, config, adcs, y, counts) -> "Found":
        """The reference's side of `compare`: from the files of the map run, and the errors drawn for the converters."""
        layers, tile = reference.read_layers(run / RESULTS)
        cells = {}
        for name, layer in layers.items():
            cells[name] = None if layer.vg is None else reference.Cell.read(run / CELL, layer.vg)
        c, array = config.converters, ARRAYS[case.array]
        wires = {"source": "r_source_ohm", "neuron": "r_neuron_ohm", "word": "r_wire_ohm", "bit": "r_wire_ohm"}
        reading = reference.Reading(
            model=case.array, resistances={name: array[key] for name, key in wires.items() if key in array},
            input=c.input, dac_bits=c.dac_bits, adc_bits=c.adc_bits, adc_range=c.adc_range, pair=c.adc_input == "pair",
            at_once=c.rows_at_once, tile=tile, analog=c.accumulate == "analog",
        )  # fmt: skip
        near = reference.Near(FLOAT32[case.device], np.zeros(TEST, bool), np.zeros(TEST), np.zeros(TEST))
        scales: dict[str, float] = {}

        def forward(pictures, layer_outputs):
            weights = {name: np.asarray(part.bias[...], float) for name, part in (("conv", net.conv), ("fc", net.fc))}
            x = pictures.astype(float) / 255
            x = np.tanh(layer_outputs("conv", x) + weights["conv"])
            return layer_outputs("fc", x.reshape(len(x), -1)) + weights["fc"]

        net: Any = trained().net

        def exact(name, x):
            if c.adc_bits is not None:
                scales[name] = reference.full_scale(layers[name], x, cells[name], reading)
            kernel = np.asarray(trained().kernels[name], float)
            return reference.windows(x, layers[name]) @ kernel.reshape(-1, kernel.shape[-1])

        def on_circuits(name, x):
            adc = None if name not in adcs else reference.Converters.of(adcs[name])
            return reference.outputs(layers[name], x, cells[name], reading, scale=scales.get(name), adc=adc, near=near)

        data = trained().data
        forward(data.train_images, exact)
        found = forward(data.test_images, on_circuits)
        for name, adc in adcs.items():
            np.testing.assert_allclose(float(adc.full_scale), scales[name], rtol=1e-5)
        beyond = np.asarray(counts), np.stack([near.saturated, near.clipped])
        return Found(y, found, ~near.images, data.test_labels, *beyond)


@dataclass
class Found:
    """What the package and the reference say.

    Attributes:
        package: logits [images classes].
        reference: likewise.
        clear: images in which no code is a toss-up.
        labels: right answers.
        beyond: conversions beyond the range and activations beyond the drive [2 images].
        reference_beyond: likewise.
    """

    package: np.ndarray
    reference: np.ndarray
    clear: np.ndarray
    labels: np.ndarray
    beyond: np.ndarray
    reference_beyond: np.ndarray

    @property
    def difference(self) -> float:
        """Largest difference of logits over the largest logit."""
        return float(np.abs(self.package - self.reference)[self.clear].max() / np.abs(self.reference).max())

    @property
    def accuracies(self) -> tuple[float, float]:
        """Of both, on the clear images."""
        package, mine = (
            float(np.mean(y[self.clear].argmax(axis=1) == self.labels[self.clear]))
            for y in (self.package, self.reference)
        )
        return package, mine

    def check(self) -> float:
        """The difference, where all is as it should be."""
        assert self.clear.any(), "too many codes are a toss-up to compare"
        assert self.difference <= LIMIT, self.difference
        package, mine = self.accuracies
        assert package == mine
        np.testing.assert_array_equal(self.beyond[:, self.clear], self.reference_beyond[:, self.clear])
        return self.difference
