"""Writes docs/training.md from the results of the papers' experiments.

    python scripts/make_training_docs.py FOLDER

FOLDER holds one folder for each experiment, as `xbar run experiments/tat/fcn_tat.toml --out FOLDER/tat-fcn_tat` makes them;
a table is left out where its experiment is not there. scripts/training_head.md is the text above the tables.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.config.experiment import load_experiment
from xbar_cli.config.experiment_grid import expand

ROOT = Path(__file__).resolve().parents[1]
Found = list[tuple[dict[str, Any], dict[str, dict[str, Any]]]]
"""For each point its swept values, and the summary of every stage."""


def results(folder: Path, name: str) -> Found:
    """The finished points of experiments/PAPER/NAME.toml in `folder`/PAPER-NAME."""
    paper, _, experiment = name.partition("-")
    place = folder / name
    if not place.is_dir():
        return []
    found: Found = []
    for point in expand(load_experiment(ROOT / "experiments" / paper / f"{experiment}.toml")):
        files = {stage: place / run.key / "summary.json" for stage, run in point.runs.items()}
        if all(file.exists() for file in files.values()):
            found.append((point.values, {s: json.loads(f.read_text(encoding="utf-8")) for s, f in files.items()}))
    return found


def percent(values: Sequence[float]) -> str:
    """Mean ± standard deviation in percent; the value alone where there is one."""
    if not len(values):
        return "–"
    mean = 100 * float(np.mean(values))
    return f"{mean:.2f}" if len(values) == 1 else f"{mean:.2f} ± {100 * float(np.std(values, ddof=1)):.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def where(found: Found, **wanted: Any) -> Iterator[dict[str, dict[str, Any]]]:
    """The summaries of the points whose values, by the last words of their keys, are these."""
    for values, summaries in found:
        short = {key.replace(".", "_"): value for key, value in values.items()}
        if all(
            any(key.endswith(name) and value == want for key, value in short.items()) for name, want in wanted.items()
        ):
            yield summaries


def tat(folder: Path) -> str:
    """FCN on TaOx's worst resistances: ideal training, a gain, technology aware training."""
    ideal, gain, trained = (results(folder, f"tat-fcn_{name}") for name in ("ideal", "gain", "tat"))
    rows = []
    for r_source, r_neuron, k in [(800, 0, 0), (0, 200, 0), *((800, 200, k) for k in (-2, -1, 0, 1, 2))]:
        wanted = {
            "r_source_ohm": float(r_source), "r_neuron_ohm": float(r_neuron), "effects": [f"chip_corner:k={k}"],
        }  # fmt: skip
        columns = [
            percent([s["evaluate"]["accuracy_mean"] for s in where(part, **wanted)]) for part in (ideal, gain, trained)
        ]
        rows.append([f"{r_source} Ω", f"{r_neuron} Ω", f"{k:+d}" if k else "0", *columns])
    floating = percent(sorted({s["net"]["test_accuracy"] for _, s in ideal}))
    head = ["sources", "neurons", "k", "trained ideally [%]", "and one gain a layer [%]", "technology aware [%]"]
    return f"In floating point: {floating} %.\n\n" + table(head, rows)


def acm(folder: Path) -> str:
    """Error of LeNet-5 against bits, scheme and update."""
    found = results(folder, "acm-lenet5")
    rows = []
    for nu in (0.0, 2.0):
        for scheme in ("de", "acm", "bc"):
            errors = [
                percent(
                    [1 - s["net"]["test_accuracy"] for s in where(found, scheme=scheme, bits=bits, nonlinearity=nu)]
                )
                for bits in (2, 3, 4, 5, 6)
            ]
            rows.append([scheme, "linear" if nu == 0 else f"ν = {nu:g}", *errors])
    return table(["scheme", "update", *(f"{bits} bits" for bits in (2, 3, 4, 5, 6))], rows)


def biased(folder: Path) -> str:
    """Software and hardware accuracy, conventional and biased, and their ratio."""
    plain, found = results(folder, "biased-conventional"), results(folder, "biased-lenet5")
    scales = ("0.5", "1", "2")
    rows = []
    for encoding in ("offset", "twos_complement", "differential"):
        base = [
            next((s["evaluate"] for s in where(plain, encoding=encoding, effects=[f"states:scale={x}"])), None)
            for x in scales
        ]
        rows.append([encoding, "conventional", "–", *_hardware(base)])
        for states in ("0,1,3", "0,1,2"):
            for m in (0.1, 0.3, 0.6):
                chosen = {"encoding": encoding, "favourable": states, "important": m}
                ours = [
                    next((s["evaluate"] for s in where(found, effects=[f"states:scale={x}"], **chosen)), None)
                    for x in scales
                ]
                rows.append([encoding, "{" + states + "}", f"{m:g}", *_hardware(ours, base)])
    return table(["encoding", "favourable", "m", "software [%]", *(f"{x} σ [%]" for x in scales), "ratio at 1 σ"], rows)


def _hardware(found: Sequence[dict[str, Any] | None], base: Sequence[dict[str, Any] | None] = ()) -> list[str]:
    if any(f is None for f in found):
        return ["–"] * 5
    cells = [f"{100 * f['accuracy_mean']:.1f} ± {100 * f['accuracy_std']:.1f}" for f in found if f is not None]
    ratio = "1"
    if base and base[1] is not None and found[1] is not None:
        ratio = f"{found[1]['accuracy_mean'] / base[1]['accuracy_mean']:.2f}"
    assert found[1] is not None
    return [f"{100 * found[1]['ideal_accuracy']:.1f}", *cells, ratio]


def neat(folder: Path, network: str) -> str:
    """Homogeneous gate voltages and each layer's own: restricted, retrained, on gated arrays."""
    rows = []
    for name, key in ((f"neat-{network}_cifar10", "vg"), (f"neat-{network}_cifar10_auto", "vg_rule")):
        seen: dict[tuple[Any, ...], list[str]] = {}
        for values, s in results(folder, name):
            row = tuple(value for k, value in values.items() if ".neat." in k)
            net, gated = s["neat"], s["evaluate"]
            label = f"{row[0]} V" if key == "vg" else f"{row[0]}, {row[1]:+.2f} V"
            layers = "" if key == "vg" else ", ".join(f"{v:g}" for v in net["vg_volt"])
            figures = seen.setdefault(row, [
                label, layers, f"{100 * net['start_accuracy']:.1f}", f"{100 * net['restricted_accuracy']:.1f}",
                f"{100 * net['test_accuracy']:.1f}", "–", "–",
            ])  # fmt: skip
            place = 5 if "amplitude" in values.values() else 6
            figures[place] = f"{100 * gated['accuracy_mean']:.1f}"
        rows += list(seen.values())
    head = ["V_g", "of each layer [V]", "start", "restricted", "retrained", "gated, amplitude", "gated, pwm"]
    return table(head, rows)


def full_size(folder: Path) -> str:
    """The rows of FOLDER/full_size.json, what benchmarks/full_size.py --json prints."""
    file = folder / "full_size.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    return "\n".join(
        f"| {r['network']} | {r['parameters'] / 1e6:.2f} M | {r['macs'] / 1e6:.0f} M | {r['step']['mean_seconds']:.2f} ± "
        f"{r['step']['std_seconds']:.2f} | {r['evaluation']['mean_seconds']:.2f} | {r['peak_memory_bytes'] / 2**30:.1f} |"
        for r in rows
    )


def main() -> None:
    """Write docs/training.md."""
    folder = Path(sys.argv[1])
    text = (ROOT / "scripts" / "training_head.md").read_text(encoding="utf-8")
    parts = {
        "{tat}": tat(folder), "{acm}": acm(folder), "{biased}": biased(folder), "{neat-lenet5}": neat(folder, "lenet5"),
        "{neat-resnet20}": neat(folder, "resnet20"), "{full-size}": full_size(folder),
    }  # fmt: skip
    for mark, part in parts.items():
        text = text.replace(mark, part.rstrip("\n"))
    (ROOT / "docs" / "training.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
