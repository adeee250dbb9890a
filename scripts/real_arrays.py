"""Networks that nobody here wrote, on real arrays: what each imperfection costs them, which layer the most, joules an inference.

    python scripts/real_arrays.py [recogniser|voice|files …] [--chips 10] [--out FOLDER] [--go-on]

Needs `onnx`, `rapidocr-onnxruntime`, `silero-vad`, `magika` (`pip install --no-deps`). Makes a data set of each network's inputs,
whose labels are what the network says in floating point; brings the network in as a train run; maps it (4 bits, 128x128 tiles,
groups packed); then evaluates chips with one imperfection more at each stage, those of `xbar eval` with the same options.
Prints the rows of docs/real_models.md, and writes all figures as FOLDER/NAME/figures.json.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from real_inputs import Inputs, files, lines, sounds, type_names
from real_networks import packaged
from real_scores import Score, agreement, read, shares

import xbar_cli as xbar
from xbar_cli.chip.prepare import make_sampler
from xbar_cli.chip.sample import Sampler
from xbar_cli.chip.sensitivity import only
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.devices import ImportConfig
from xbar_cli.config.effect_list import steps_of
from xbar_cli.data.batches import network_inputs
from xbar_cli.data.own.adding import add
from xbar_cli.data.own.raw import Ingest
from xbar_cli.nn.reading import Circuit, on_arrays
from xbar_cli.nn.sites.own import own_network
from xbar_cli.numerics import stream
from xbar_cli.runs.directory import new_run
from xbar_cli.statistics import estimate
from xbar_cli.tasks import Task
from xbar_cli.trained.opening import Trained
from xbar_cli.workflows import evaluate, importing

NETWORKS = Path(__file__).with_name("real_networks.py")
MAPPING = {"tile": "128x128", "pack": True, "weight_scale": "column"}
STAGES: dict[str, dict[str, Any]] = {
    "ideal arrays": {"mapping": MAPPING},
    "4 bits, one scale a layer (not kept)": {"mapping": {**MAPPING, "bits": 4, "weight_scale": "layer"}},
    "4 bits, a scale a column": {"mapping": {**MAPPING, "bits": 4}},
    "and wires of 1 Ω": {"array": {"model": "nodal", "r_wire_ohm": 1.0}},
    "and 5 % variation": {"variation": {"amount": 0.05}},
    "and 8-bit ADCs": {"converters": {"adc_bits": 8}},
}
"""What each stage adds to the one before, or has in the place of it."""
CHIPS = ("and 5 % variation", "and 8-bit ADCs")
"""Stages whose chips differ."""
ALONE = CHIPS[0]
"""The stage at which layers are alone on arrays: with converters every layer would be compiled anew."""


@dataclass(frozen=True)
class Subject:
    """A network and its inputs.

    Attributes:
        network: `FILE.py:NAME`, or an ONNX file.
        task: of the data set.
        outputs: classes.
        inputs: `(n, seed) -> Inputs`.
        counts: inputs that calibrate, and that test.
        batch: inputs of one pass.
        score: figures of some answers.
        few: inputs for which layers are alone on arrays.
    """

    network: str
    task: Task
    outputs: int
    inputs: Callable[..., Inputs]
    counts: tuple[int, int]
    batch: int
    score: Score
    few: int


def subjects() -> dict[str, Subject]:
    """The networks."""
    typer = str(packaged("magika", "models/standard_v3_3/model.onnx"))
    return {
        "recogniser": Subject(f"{NETWORKS}:Recogniser", "labelling", 6625, lines, (32, 200), 20, read, 20),
        "voice": Subject(f"{NETWORKS}:Voice", "labelling", 2, sounds, (16, 60), 30, partial(shares, "frames"), 60),
        "files": Subject(
            typer, "classification", len(type_names()), files, (32, 300), 20, partial(shares, "files"), 60
        ),
    }


def prepared(subject: Subject, folder: Path) -> tuple[Path, Inputs]:
    """The train run of the network in `folder`, its data set beside it, and the inputs that test it."""
    parts = [subject.inputs(n, seed=seed) for seed, n in enumerate(subject.counts)]
    npz, data = folder / "inputs.npz", folder / "data"
    labels = in_floating_point(subject, np.concatenate([part.x for part in parts]))
    known = {"y_train": labels[: subject.counts[0]], "y_test": labels[subject.counts[0] :]}
    np.savez(npz, x_train=parts[0].x, x_test=parts[1].x, **known)
    add("inputs", npz, Ingest(task=subject.task, classes=subject.outputs), data_dir=data, overwrite=True)
    run, common = folder / "net", {"name": "inputs", "data_dir": str(data)}
    if subject.network.endswith(".onnx"):
        with new_run(run, overwrite=True) as opened:
            opened.finish(
                importing.run(ImportConfig.model_validate({"file": subject.network, "dataset": common}), opened),
                overwrite=True,
            )
    else:
        xbar.train(network=subject.network, dataset="inputs", data_dir=data, epochs=0, out=run, overwrite=True)
    return run, parts[1]


def in_floating_point(subject: Subject, x: np.ndarray) -> np.ndarray:
    """What the network says of inputs, in floating point."""
    seen = network_inputs(x)
    if subject.network.endswith(".onnx"):
        from xbar_cli.nn.sites.graph_file import graph_network

        net = graph_network(Path(subject.network), shape=x.shape[1:], outputs=subject.outputs, dtype=seen.dtype)
    else:
        file, _, name = subject.network.rpartition(":")
        net = own_network(Path(file), name, shape=x.shape[1:], outputs=subject.outputs, seed=0, args={})
    say = jax.jit(lambda x: jnp.argmax(net(x), axis=-1).astype(jnp.int32))
    return np.concatenate([np.asarray(say(jnp.asarray(part))) for part in batches(seen, subject.batch)])


def batches(x: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """The inputs, so many at a time."""
    yield from (x[start : start + size] for start in range(0, len(x), size))


@dataclass(frozen=True)
class Chips:
    """The chips of one stage.

    Attributes:
        sampler: makes their circuits.
        trained: the network.
        say: the compiled `(state, circuit, key, first, inputs) -> classes`.
    """

    sampler: Sampler
    trained: Trained
    say: Callable[..., jax.Array]

    @classmethod
    def of(cls, run: Path, stages: Mapping[str, Any], size: int) -> "Chips":
        """The chips of `xbar eval RUN` with the settings of `stages`."""
        config = EvaluateConfig.model_validate({"run": str(run), **stages})
        config, trained, network = evaluate.open_network(config)
        hardware = evaluate.build_hardware(config, trained, network)
        images, labels = evaluate.test_part(trained, size)
        parts = evaluate.batched(images, labels, size=size)
        steps = steps_of(config.variation.on_devices(), network)
        sampler, _ = make_sampler(config, trained, hardware, steps, parts, most=1)

        @jax.jit
        def say(state: Any, circuit: Circuit, key: jax.Array, first: jax.Array, x: jax.Array) -> jax.Array:
            net = nnx.merge(sampler.graphdef, state)
            return jnp.argmax(net(x, on_arrays(circuit, key=key, first=first)), axis=-1).astype(jnp.int32)

        return cls(sampler, trained, say)

    def circuits(self, n: int) -> Iterator[tuple[int, Circuit]]:
        """The first n chips."""
        for chips, numbers in self.sampler.executor.chunks(n):
            conductances, _ = self.sampler.make(numbers)
            leaves, _, _ = self.sampler.build(numbers, conductances)
            yield chips.start, self.sampler.circuit(leaves, 0)

    def answers(self, chip: int, circuit: Circuit, x: np.ndarray, size: int) -> np.ndarray:
        """What a chip says of inputs."""
        key = stream(jax.random.fold_in(self.sampler.root, chip), "read")
        state, seen = self.sampler.state, network_inputs(x)
        found = [
            self.say(state, circuit, key, jnp.asarray(k * size), part) for k, part in enumerate(batches(seen, size))
        ]
        return np.concatenate([np.asarray(part) for part in found])


def stages(
    subject: Subject, run: Path, inputs: Inputs, kept: dict[str, Any], *, chips: int
) -> Iterator[dict[str, list[dict[str, float]]]]:
    """The figures of every chip at each stage, floating point first: all that there is, after every chip.

    Args:
        subject: the network.
        run: its train run.
        inputs: that test it.
        kept: figures that an interrupted run left; they are not computed again.
        chips: of the stages that vary.
    """
    floating = np.load(run.parent / "inputs.npz")["y_test"]
    kept["floating point"] = [subject.score(floating, inputs, floating)]
    asked: dict[str, Any] = {}
    for name, more in STAGES.items():
        asked |= more
        found, wanted = kept.setdefault(name, []), chips if name in CHIPS else 1
        if len(found) >= wanted and (name != ALONE or "alone" in kept):
            continue
        made = Chips.of(run, asked, subject.batch)
        for chip, circuit in made.circuits(wanted):
            if chip < len(found):
                continue
            found.append(subject.score(made.answers(chip, circuit, inputs.x, subject.batch), inputs, floating))
            print(f"  {name}, chip {chip}: {found[-1]}", flush=True)
            yield kept
        if name == ALONE:
            kept["alone"] = list(alone(subject, made, inputs, floating))
            yield kept


def alone(subject: Subject, made: Chips, inputs: Inputs, floating: np.ndarray) -> Iterator[dict[str, float]]:
    """Answers that are not those in floating point with one layer on the arrays of the first chip, layer by layer."""
    few = replace(inputs, x=inputs.x[: subject.few])
    kernels = {name: jnp.asarray(made.trained.kernels[name]) for name in made.trained.layers}
    for chip, circuit in made.circuits(1):
        lost = {}
        for name in circuit.layers:
            found = made.answers(chip, only(circuit, name, kernels), few.x, subject.batch)
            lost[name] = 1 - agreement(found, floating[: subject.few])
        yield lost


def costed(run: Path, folder: Path, data: Path) -> dict[str, Any]:
    """Devices, tiles and joules of one input."""
    mapped = xbar.place(run, **MAPPING, bits=4, data_dir=data, out=folder / "map", overwrite=True)
    costs = xbar.energy(mapped, r_wire=1, adc_bits=8, images=4, data_dir=data, out=folder / "energy", overwrite=True)
    told = ("energy_joule", "array_joule", "digital_joule", "latency_seconds", "devices", "tiles")
    return {key: costs.summary[key] for key in told}


def told(name: str, found: list[dict[str, float]]) -> str:
    """A row of the table of stages."""
    cells = []
    for figure in found[0]:
        value = estimate([chip[figure] for chip in found])
        span = "" if value.ci95 is None else f" ({value.ci95[0]:.1%} … {value.ci95[1]:.1%})"
        cells.append(f"{value.mean:.1%}{span}")
    return f"| {name} | {' | '.join(cells)} | {len(found)} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--chips", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("runs/real_arrays"))
    parser.add_argument("--go-on", action="store_true", help="keep the figures that FOLDER/NAME/figures.json has")
    given = parser.parse_args()
    every = subjects()
    for name in given.names or every:
        start, folder, subject = time.perf_counter(), given.out / name, every[name]
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "figures.json"
        figures: dict[str, Any] = json.loads(file.read_text()) if given.go_on else {"stages": {}, "seconds": 0.0}
        run, inputs = prepared(subject, folder)
        figures["cost"] = figures.get("cost") or costed(run, folder, folder / "data")
        print(f"{name}: {figures['cost']}", flush=True)
        before = figures["seconds"]
        for kept in stages(subject, run, inputs, figures["stages"], chips=given.chips):
            figures |= {"stages": kept, "seconds": before + time.perf_counter() - start}
            file.write_text(json.dumps(figures, indent=1) + "\n")
        rows = {stage: found for stage, found in figures["stages"].items() if stage != "alone"}
        print(f"\n| {name} | {' | '.join(rows['floating point'][0])} | chips |")
        print("\n".join(told(stage, found) for stage, found in rows.items()))
        lost = figures["stages"]["alone"][0]
        worst = sorted(lost, key=lambda layer: -lost[layer])[:5]
        print("costliest:", ", ".join(f"{layer} {lost[layer]:.1%}" for layer in worst), f"({figures['seconds']:.0f} s)")


if __name__ == "__main__":
    main()
