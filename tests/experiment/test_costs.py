"""The line `# Cost:` of every experiment file counts the runs of its grid, and is written from what they took."""

import json

import pytest

from scripts import write_costs
from xbar_cli.experiment.plan import COST, LOGS


def test_costs_of_all_experiments_count_their_grids():
    lines = {
        str(file.relative_to(write_costs.ROOT)): write_costs.line_of(file, [])
        for file in write_costs.ROOT.rglob("*.toml")
        if file.name not in write_costs.APART
    }
    assert len(lines) > 50
    assert {name for name, (old, new) in lines.items() if old != new} == set()


def test_what_runs_took_replaces_what_was_said(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text("""# A study.
# Cost:     3 trainings; an hour (estimated)
name = "own"
[stages.net]
command = "train"
[stages.chip]
command = "evaluate"
run = "@net"
[sweep]
net.seed = [0, 1]
chip.variation.amount = [0.1, 0.2, 0.3]
""")
    assert write_costs.line_of(file, []) == (
        "3 trainings; an hour (estimated)", "2 trainings, 6 evaluations; an hour (estimated)"
    )  # fmt: skip
    logs = tmp_path / "runs" / LOGS
    logs.mkdir(parents=True)
    runs = write_costs.runs_of(file)
    for key in list(runs)[1:]:
        (logs / f"{key}{COST}").write_text(json.dumps({"wall_seconds": 1.0, "cpu_seconds": 30.0}))
    assert write_costs.measured(runs, [tmp_path / "runs"]) is None
    (logs / f"{next(iter(runs))}{COST}").write_text(json.dumps({"wall_seconds": 1.0, "cpu_seconds": 30.0}))
    _, new = write_costs.line_of(file, [tmp_path / "empty", tmp_path / "runs"])
    assert new.startswith("2 trainings, 6 evaluations; 4 minutes of a processor, measured (")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (80, "80 s"), (90, "1.5 minutes"), (5399, "90 minutes"), (9000, "2.5 hours")]
)
def test_times_have_two_digits_and_a_unit(seconds, said):
    assert write_costs.said(seconds) == said
