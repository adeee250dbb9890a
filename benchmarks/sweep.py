"""Cost of `xbar run`: seconds that it adds to a point, and how two workers compare with one, on equal points.

    OPENBLAS_NUM_THREADS=1 NPROC=1 python benchmarks/sweep.py [--json] [--points 8] [--samples 40] [--repeats 3]

A point is an evaluation of an untrained perceptron: one thread, and the same work in every point. The bare call of the
workflow in this process alternates with the same point on one warm worker; a worker is warm when it has done points.
The best of the repetitions counts.
"""

import argparse
import contextlib
import io
import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["NPROC"] = "1"

from xbar_cli.cli.shared.console import print_json, print_table
from xbar_cli.cli.sweeps.run import SweepTable
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.plan import Plan, make_plan, missing
from xbar_cli.runs.sweep_cluster import local_cluster
from xbar_cli.workflows.run import LOCAL_ENVIRONMENT, compute, payload, run_stage

EXPERIMENT = """
[stages.net]
command = "train"
network.name = "mlp"
training.epochs = 0
[stages.evaluate]
command = "evaluate"
run = "@net"
monte_carlo.samples = {samples}
variation.amount = 0.1
[sweep]
evaluate.seed = {seeds}
"""


def plan_of(folder: Path, name: str, *, seeds: list[int], samples: int, net: Path | None = None) -> Plan:
    """The plan of a fresh sweep, its network there already where one is given."""
    file = folder / f"{name}.toml"
    file.write_text(EXPERIMENT.format(samples=samples, seeds=seeds))
    out = folder / name
    (out / "logs").mkdir(parents=True)
    experiment = load_experiment(file)
    if net is not None:
        shutil.copytree(net, out / net.name)
    return make_plan(experiment, out)


def bare(plan: Plan) -> float:
    """Seconds to compute every point by calling the workflow here."""
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        for point in plan.points:
            run_stage(payload(point.runs["evaluate"], plan.out))
    return time.perf_counter() - began


def swept(plan: Plan, client: Any) -> float:
    """Seconds to compute every point on a cluster."""
    workers = len(client.nthreads())
    began = time.perf_counter()
    todo, watcher = {run.key: run for run in missing(plan)}, SweepTable(quiet=True)
    watcher.begin(plan.runs, cached=plan.cached, workers=workers, names={}, results=lambda _: {})
    outcomes = compute(client, todo, plan.out, retries=0, timeout=None, workers=workers, watcher=watcher)
    seconds = time.perf_counter() - began
    assert all(outcome.ok for outcome in outcomes.values()), outcomes
    return seconds


def measure(folder: Path, *, points: int, samples: int, repeats: int) -> dict[str, Any]:
    """Seconds of one point alone, bare and on a warm worker, and of all points on one and on two."""
    first = plan_of(folder, "first", seeds=[0], samples=samples)
    with contextlib.redirect_stdout(io.StringIO()):
        for run in first.runs.values():
            run_stage(payload(run, first.out))
    net = first.out / first.points[0].runs["net"].key
    number = itertools.count()

    def plan(n: int) -> Plan:
        return plan_of(folder, f"sweep-{next(number)}", seeds=list(range(n)), samples=samples, net=net)

    found: dict[str, list[float]] = {"bare": [], "alone": [], "one": [], "two": []}
    with local_cluster(1, LOCAL_ENVIRONMENT) as one, local_cluster(2, LOCAL_ENVIRONMENT) as two:
        swept(plan(2), one)
        swept(plan(4), two)
        for _ in range(repeats):
            for _ in range(3):
                found["bare"].append(bare(plan(1)))
                found["alone"].append(swept(plan(1), one))
            found["one"].append(swept(plan(points), one))
            found["two"].append(swept(plan(points), two))
    best = {name: min(values) for name, values in found.items()}
    return {
        "points": points,
        "bare_seconds": best["bare"],
        "on_a_worker_seconds": best["alone"],
        "added_seconds": best["alone"] - best["bare"],
        "one_worker_seconds": best["one"],
        "two_workers_seconds": best["two"],
        "two_workers_speedup": best["one"] / best["two"],
        "processors": os.cpu_count(),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--points", type=int, default=8)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xbar-bench-") as folder:
        found = measure(Path(folder), points=words.points, samples=words.samples, repeats=words.repeats)
    if words.json:
        print_json(found)
        return
    rows = [
        ("one point, bare workflow [s]", f"{found['bare_seconds']:.3f}", ""),
        ("one point, on a warm worker [s]", f"{found['on_a_worker_seconds']:.3f}", ""),
        ("added by the sweep [s]", f"{found['added_seconds']:+.3f}", "<= 0.1"),
        (f"{found['points']} points, one worker [s]", f"{found['one_worker_seconds']:.2f}", ""),
        (f"{found['points']} points, two workers [s]", f"{found['two_workers_seconds']:.2f}", ""),
        ("two workers over one", f"{found['two_workers_speedup']:.2f}", ">= 1.7"),
    ]
    print_table(
        f"Sweep of {found['points']} equal points, {found['processors']} processors", ["", "measured", "wanted"], rows
    )


if __name__ == "__main__":
    main()
