"""Small inputs that are right, made once by the commands themselves: what the mutators start from."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from xbar_cli.cli.main import guarded

CARD = """* a card of one's own
.model nlow nmos level=54 version=4.0 vth0=0.3 toxe=1.8n u0=0.04
.model plow pmos level=54 version=4.0 vth0=-0.3 toxe=1.8n u0=0.02
"""
MEASURED = "target_siemens,measured_siemens\n" + "".join(
    f"{target},{target * (1 + 0.01 * number)}\n" for target in (1e-5, 2e-5, 3e-5) for number in range(-4, 5)
)
CELL_TABLE = "G,V,I,V_g\n" + "".join(
    f"{g},{v},{g * v / (1 + g * 5e3)},0.8\n"
    for g in (3e-6, 6e-6, 9e-6, 1.2e-5, 1.6e-5, 2e-5, 2.5e-5, 3.5e-5)
    for v in (0, 0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
)
CASES = {
    "cases": {
        "two": {
            "resistance_ohm": [[1e4, 2e4], [3e4, 4e4]],
            "applied_v": [0.1, 0.2],
            "r_word_ohm": 1.0,
            "r_bit_ohm": 1.0,
            "output_a": [1.6661557298467376e-05, 9.997584042131819e-06],
        }
    }
}
TECHNOLOGY = 'source = "measured"\nr_on_ohm = 1e4\nr_off_ohm = 1e5\nsigma_chip_relative = 0.1\n'
EXPERIMENT = """name = "small"

[stages.net]
command = "train"
network.name = "mlp"
network.hidden = 4
training.epochs = 1
dataset.train_images = 64

[stages.map]
command = "map"
run = "@net"

[sweep]
map.mapping.scheme = ["de", "bc"]
map.mapping.bits = [2, 4]
"""
SEARCH = """
[search]
objectives = ["min weight_rmse", "min tiles"]
constraints = ["weight_rmse <= 1e3"]
budget = { trials = 12 }
race = false
seed = 3
net.training.learning_rate = { low = 1e-4, high = 1e-1, log = true }
map.mapping.tile = { choices = ["32x32", "64x64"], when = "map.mapping.scheme == 'de'" }
"""
TRAIN_CONFIG = """seed = 3
method = "ideal"
[network]
name = "mlp"
hidden = 4
[dataset]
train_images = 64
[training]
epochs = 1
batch_size = 32
"""
SET = "a,b,c,kind\n" + "".join(f"{n % 7},{n % 5 - k},{k * n},{'abc'[k]}\n" for n in range(12) for k in range(3))
EVALUATE_CONFIG = """seed = 1
[array]
model = "nodal"
r_wire_ohm = 1.0
[mapping]
scheme = "de"
bits = 4
r_on_ohm = 30e3
r_off_ohm = 300e3
[variation]
amount = 0.1
effects = ["stuck:on=0.01", "drift:t=10,t0=1,nu=0.05"]
[monte_carlo]
samples = 2
images = 20
"""
TEXTS = {
    "card.lib": CARD,
    "devices.csv": MEASURED,
    "cell.csv": CELL_TABLE,
    "cases.json": json.dumps(CASES),
    "own.toml": TECHNOLOGY,
    "experiment.toml": EXPERIMENT,
    "search.toml": EXPERIMENT + SEARCH,
    "set.csv": SET,
    "train.toml": TRAIN_CONFIG,
    "evaluate.toml": EVALUATE_CONFIG,
}
RUNS = {
    "net": ["train", "--config", "{good}/train.toml"],
    "mapped": ["map", "{good}/net", "--bits", "4"],
    "chips": ["eval", "{good}/mapped", "--variation", "0.1", "--samples", "2", "--images", "20"],
    "other": ["eval", "{good}/mapped", "--variation", "0.2", "--samples", "2", "--images", "20"],
    "cost": ["energy", "{good}/mapped"],
    "cell": ["characterize", "--cell-table", "{good}/cell.csv"],
    "stats": ["fit", "{good}/devices.csv"],
}
"""Runs by name, in the order they are made."""


def make(folder: Path, runs: Mapping[str, list[str]] = RUNS) -> None:
    """Every good input that is not there yet, with these runs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    for name, words in runs.items():
        if not (folder / name).exists():
            argv = [word.replace("{good}", str(folder)) for word in words]
            code = guarded([*argv, "--out", str(folder / name), "--quiet"])
            assert code == 0, f"the good run {name} failed: {argv}"
    weights = folder / "net" / "model.safetensors"
    (folder / "net.safetensors").write_bytes(weights.read_bytes())
    if not (folder / "data").exists():
        code = guarded(["data", "add", "mine", str(folder / "set.csv"), "--data-dir", str(folder / "data"), "--json"])
        assert code == 0, "the good data set failed"
    _graph(folder / "net.onnx")


def _graph(path: Path) -> None:
    """A network of one product for the bundled pictures; nothing where `onnx` is not installed."""
    try:
        from onnx import TensorProto, helper, numpy_helper, save
    except ImportError:
        return
    weight = np.random.default_rng(0).normal(size=(784, 10)).astype(np.float32)
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"], name="fc")]
    sizes = {"x": ["n", 1, 28, 28], "y": ["n", 10]}
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items())
    graph = helper.make_graph(nodes, "net", [x], [y], [numpy_helper.from_array(weight, "w")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
