"""Errors of products and accuracy against pulses and joules: programming cell by cell and by gradient, through wires.

    python scripts/programming_costs.py RUN results.jsonl [--device agsi] [--ohm 1,5] [--tolerance 1%,2%,4%] [--chips 3]
        [--images 2000]

RUN is a train run. One line of JSON a point: what docs/programming.md tabulates. Points that the file has already are left out.
"""

import argparse
import itertools
import json
import tempfile
from pathlib import Path

import xbar_cli

ROUNDS = {"verify": None, "gradient": 15}
"""Of reading and pulsing."""
KEPT = ("pulses", "reads", "seconds", "joules", "missed_fraction", "conductance_error", "product_error")


def point(given: argparse.Namespace, ohm: str, method: str, tolerance: str) -> dict[str, object]:
    """One evaluation."""
    asked = {"array": "nodal", "r_wire": ohm, "samples": given.chips, "images": given.images, "tile": "128x128"}
    programming = {"program": method, "program_device": given.device, "program_tolerance": tolerance}
    if ROUNDS[method]:
        programming["program_rounds"] = ROUNDS[method]
    with tempfile.TemporaryDirectory() as folder:
        found = xbar_cli.evaluate(str(given.run), **asked, **programming, out=str(Path(folder) / "run"), quiet=True)
        summary = dict(found.summary)
    told = {key: summary[key] for key in ("ideal_accuracy", "accuracy_mean", "accuracy_std", "samples", "images")}
    costs = {f"{key}_{kind}": summary["programming"][f"{key}_{kind}"] for key in KEPT for kind in ("mean", "std")}
    return {"ohm": ohm, "method": method, "device": given.device, "tolerance": tolerance} | told | costs


def main() -> None:
    """Compute the points that are not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--device", default="agsi")
    parser.add_argument("--ohm", default="1,5")
    parser.add_argument("--tolerance", default="1%,2%,4%")
    parser.add_argument("--chips", type=int, default=3)
    parser.add_argument("--images", type=int, default=2000)
    given = parser.parse_args()
    lines = given.results.read_text().splitlines() if given.results.exists() else []
    there = {tuple(json.loads(line)[key] for key in ("ohm", "method", "device", "tolerance")) for line in lines}
    for tolerance, ohm, method in itertools.product(given.tolerance.split(","), given.ohm.split(","), ROUNDS):
        if (ohm, method, given.device, tolerance) in there:
            continue
        with given.results.open("a") as file:
            file.write(json.dumps(point(given, ohm, method, tolerance)) + "\n")


if __name__ == "__main__":
    main()
