"""What a sweep is about to compute, in its folder before it begins: whoever watches it knows what is still to come."""

import json
from collections.abc import Sequence
from pathlib import Path

from xbar_cli.experiment.plan import LOGS, Plan
from xbar_cli.runs.whole import write_whole

PLAN = "plan.json"
"""Name of the file, among the logs."""


def announce(plans: Sequence[Plan], out: Path) -> None:
    """Write the points with their values, the run of each stage, and which of these are results."""
    points = [
        {
            "name": point.name,
            "values": {key: str(value) for key, value in point.values.items()},
            "runs": {stage: run.key for stage, run in point.runs.items()},
            "last": [run.key for run in plan.last_runs(point)],
        }
        for plan in plans
        for point in plan.points
    ]
    names = dict.fromkeys(plan.experiment.name for plan in plans)
    write_whole(out / LOGS / PLAN, json.dumps({"experiment": ", ".join(names), "points": points}, indent=1) + "\n")
