"""Writes docs/training.md from the results of the papers' experiments.

    python scripts/make_training_docs.py FOLDER

FOLDER holds one folder for each paper, whose experiments share their runs, as `xbar run experiments/tat/fcn.toml --out
FOLDER/tat` makes them; "–" stands where an experiment is not there. scripts/training_head.md is the text around the tables.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import expand

ROOT = Path(__file__).resolve().parents[1]
SCALES = ("0.1", "0.25", "0.5", "1", "2")
"""Of the spread of biased's state table."""
COMPARED = ("0.25", "1")
"""Those at which biased training is compared with conventional training."""
Found = list[tuple[dict[str, Any], dict[str, dict[str, Any]]]]
"""For each point its swept values, and the summary of every stage."""


def results(folder: Path, name: str) -> Found:
    """The finished points of experiments/PAPER/NAME.toml in `folder`/PAPER."""
    paper, _, experiment = name.partition("-")
    place = folder / paper
    if not place.is_dir():
        return []
    found: Found = []
    for point in expand(load_experiment(ROOT / "experiments" / paper / f"{experiment}.toml")):
        files = {stage: place / run.key / "summary.json" for stage, run in point.runs.items()}
        if all(file.exists() for file in files.values()):
            found.append((point.values, {s: json.loads(f.read_text(encoding="utf-8")) for s, f in files.items()}))
    return found


def percent(values: Sequence[float], *, digits: int = 2) -> str:
    """Mean ± standard deviation in percent; the value alone where there is one."""
    if not len(values):
        return "–"
    mean = 100 * float(np.mean(values))
    spread = f" ± {100 * float(np.std(values, ddof=1)):.{digits}f}" if len(values) > 1 else ""
    return f"{mean:.{digits}f}{spread}"


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
    found = results(folder, "tat-fcn")
    rows = []
    for r_source, r_neuron, k in [(800, 0, 0), (0, 200, 0), *((800, 200, k) for k in (-2, -1, 0, 1, 2))]:
        wanted = {"r_source_ohm": float(r_source), "r_neuron_ohm": float(r_neuron), "corner": float(k)}
        here = list(where(found, **wanted))
        columns = [percent([s[stage]["accuracy_mean"] for s in here]) for stage in ("ideal", "gain", "aware")]
        rows.append([f"{r_source} Ω", f"{r_neuron} Ω", f"{k:+d}" if k else "0", *columns])
    floating = percent(sorted({s["net"]["test_accuracy"] for _, s in found}))
    head = ["sources", "neurons", "k", "trained ideally [%]", "and one gain a layer [%]", "technology aware [%]"]
    return f"In floating point: {floating} %.\n\n" + table(head, rows)


def limit(folder: Path) -> str:
    """The weight limit chosen for the levels: its share of the largest weight, and the columns of `tat` with it."""
    found = [summaries for _, summaries in results(folder, "tat-limit")]
    columns = [percent([s[stage]["accuracy_mean"] for s in found]) for stage in ("ideal", "gain", "aware")]
    shares = ", ".join(f"{s['tat']['limit_share']:g}" for s in found) or "–"
    head = ["limit over the largest weight", "trained ideally [%]", "and one gain a layer [%]", "technology aware [%]"]
    return table(head, [[shares, *columns]])


def refold(folder: Path) -> str:
    """What solving the arrays every N steps alone costs in accuracy, for arrays without and with wires."""
    rows = []
    for name, what in (
        ("tat-refold", "one array a layer, 800 Ω, 200 Ω"),
        ("tat-nodal", "64×128, 2.5 Ω wires, 80 Ω, 20 Ω"),
    ):
        found = results(folder, name)
        for steps in dict.fromkeys(next(iter(v for k, v in values.items() if "refold" in k)) for values, _ in found):
            here = list(where(found, refold=steps))
            before = [s["net"]["test_accuracy"] for s in here]
            after, seconds = ([s["tat"][key] for s in here] for key in ("test_accuracy", "wall_seconds"))
            rows.append([what, str(steps), percent(before), percent(after), f"{np.mean(seconds):.0f}"])
    head = ["arrays", "solved every … steps", "floating point [%]", "on the exact arrays [%]", "one training [s]"]
    return table(head, rows)


def acm(folder: Path) -> str:
    """Error of LeNet-5 against bits, scheme, update, and in adjacent connection the learning rate."""
    usual, lower = results(folder, "acm-lenet5"), results(folder, "acm-lenet5_rate")
    rows = []
    for nu in (0.0, 2.0):
        for scheme, rate, found in (
            ("de", 0.05, usual),
            ("acm", 0.05, usual),
            ("acm", 0.02, lower),
            ("bc", 0.05, usual),
        ):
            cells = []
            for bits in (2, 3, 4, 5, 6):
                here = [s["net"]["test_accuracy"] for s in where(found, scheme=scheme, bits=bits, nonlinearity=nu)]
                learned = [1 - accuracy for accuracy in here if accuracy > 0.2]
                lost = len(here) - len(learned)
                cells.append(percent(learned) + (f" ({lost} of {len(here)} at chance)" if lost else ""))
            rows.append([scheme, f"{rate:g}", "linear" if nu == 0 else f"ν = {nu:g}", *cells])
    return table(["scheme", "rate", "update", *(f"{bits} bits" for bits in (2, 3, 4, 5, 6))], rows)


def acm_seeds(folder: Path) -> str:
    """Error at few bits over ten seeds, and how often one scheme errs more than another with the same seed."""
    found, rows = results(folder, "acm-lenet5_seeds"), []
    for bits in (2, 3, 4):
        errors = {
            scheme: np.asarray([1 - s["net"]["test_accuracy"] for s in where(found, scheme=scheme, bits=bits)])
            for scheme in ("de", "acm", "bc")
        }
        pairs = [f"{np.sum(errors[a] < errors[b])} of {len(errors[a])}" for a, b in (("de", "acm"), ("acm", "bc"))]
        rows.append([f"{bits}", *(percent(e) for e in errors.values()), *pairs])
    head = ["bits", "de", "acm", "bc", "de errs less than acm", "acm errs less than bc"]
    return table(head, rows)


def biased(folder: Path) -> str:
    """Software and hardware accuracy, conventional and biased, and their ratio; the best m of every encoding."""
    found = results(folder, "biased-lenet5")
    rows: list[list[str]] = []
    best: dict[str, list[str]] = {scale: [] for scale in COMPARED}
    for encoding in ("offset", "twos_complement", "differential"):
        base = hardware(found, "plain", encoding=encoding, favourable="0,1,3", important=0.1)
        rows.append([encoding, "conventional", "–", *cells(base), *("1" for _ in COMPARED)])
        reached: dict[str, dict[str, float]] = {scale: {} for scale in COMPARED}
        for states in ("0,1,3", "0,1,2"):
            for m in (0.1, 0.3, 0.6):
                ours = hardware(found, "evaluate", encoding=encoding, favourable=states, important=m)
                ratios = []
                for scale in COMPARED:
                    ratios.append(f"{np.mean(ours[scale]) / np.mean(base[scale]):.2f}" if ours[scale] else "–")
                    if ours[scale]:
                        reached[scale][f"m = {m:g} with {{{states}}}"] = float(np.mean(ours[scale]))
                rows.append([encoding, "{" + states + "}", f"{m:g}", *cells(ours), *ratios])
        for scale, values in reached.items():
            if values:
                name = max(values, key=lambda key: values[key])
                best[scale].append(
                    f"{encoding} {name}, {100 * values[name]:.1f} % against {percent(base[scale], digits=1)} %"
                )
    head = [
        *("encoding", "favourable", "m", "software [%]"),
        *(f"{x} σ [%]" for x in SCALES),
        *(f"ratio at {x} σ" for x in COMPARED),
    ]
    lines = [f"\nHighest at {scale} σ: {'; '.join(names)}.\n" for scale, names in best.items() if names]
    return table(head, rows) + "".join(lines)


def hardware(found: Found, stage: str, **wanted: Any) -> dict[str, list[float]]:
    """For the software and every spread, the accuracy of each seed (of its 25 chips the mean)."""
    at = {x: [s[stage] for s in where(found, effects=[f"states:scale={x}"], **wanted)] for x in SCALES}
    return {
        "software": [s["ideal_accuracy"] for s in at["1"]],
        **{x: [s["accuracy_mean"] for s in summaries] for x, summaries in at.items()},
    }


def cells(accuracies: dict[str, list[float]]) -> list[str]:
    """The columns of one row."""
    return [percent(values, digits=1) for values in accuracies.values()]


def neat(folder: Path, network: str) -> str:
    """Homogeneous gate voltages and each layer's own: restricted, retrained, on gated arrays."""
    rows = []
    for name, automatic in ((f"neat-{network}_cifar10", False), (f"neat-{network}_cifar10_auto", True)):
        found = results(folder, name)
        groups: dict[tuple[Any, ...], Found] = {}
        for values, summaries in found:
            chosen = tuple(value for key, value in values.items() if ".neat." in key)
            groups.setdefault(chosen, []).append((values, summaries))
        for chosen, group in groups.items():
            nets, pulses = (list(where(group, input=kind)) for kind in ("amplitude", "pwm"))
            layers = [", ".join(f"{v:g}" for v in s["neat"]["vg_volt"]) for s in nets]
            columns = [
                *([s["neat"][f"{key}_accuracy"] for s in nets] for key in ("start", "restricted", "test")),
                *([s["evaluate"]["accuracy_mean"] for s in kind] for kind in (nets, pulses)),
            ]
            label = f"{chosen[0]}, {chosen[1]:+.2f} V" if automatic else f"{chosen[0]} V"
            row = [label, "; ".join(dict.fromkeys(layers)) if automatic and layers else ""]
            rows.append([*row, *(percent(column, digits=1) for column in columns)])
    head = ["V_g", "of each layer [V]", "start", "restricted", "retrained", "gated, amplitude", "gated, pwm"]
    return table(head, rows)


def full_size(folder: Path) -> str:
    """The rows of FOLDER/full_size.json, what benchmarks/full_size.py --json prints."""
    file = folder / "full_size.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    return "\n".join(
        f"| {r['network']} | {r['parameters'] / 1e6:.2f} M | {r['macs'] / 1e6:.0f} M | {r['step']['mean_seconds']:.2f} ± "
        f"{r['step']['std_seconds']:.2f} | {r['evaluation']['mean_seconds']:.2f} | {r['peak_memory_bytes'] / 2**30:.1f} | "
        f"{r['projected_hours']:.0f} |"
        for r in rows
    )


def main() -> None:
    """Write docs/training.md."""
    folder = Path(sys.argv[1])
    text = (ROOT / "scripts" / "training_head.md").read_text(encoding="utf-8")
    parts = {
        "{tat}": tat(folder),
        "{limit}": limit(folder),
        "{refold}": refold(folder),
        "{acm}": acm(folder),
        "{acm-seeds}": acm_seeds(folder),
        "{biased}": biased(folder),
        "{neat-lenet5}": neat(folder, "lenet5"),
        "{neat-resnet20}": neat(folder, "resnet20"),
        "{full-size}": full_size(folder),
    }
    for mark, part in parts.items():
        text = text.replace(mark, part.rstrip("\n"))
    (ROOT / "docs" / "training.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
