"""`xbar verify`: the array models against oracles from outside, and solved arrays from a file."""

from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.config.load import write_toml
from xbar_cli.config.verify import VerifyConfig
from xbar_cli.errors import ModelError
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import RESULTS, Field, field, write_fields
from xbar_cli.spice.backends import find_library
from xbar_cli.spice.pool import version, workers_kept
from xbar_cli.verify.cases import read_cases
from xbar_cli.verify.models import JudgedCase, solve_case
from xbar_cli.verify.pack import Check, run_pack


def run(config: VerifyConfig, run: Run | None = None, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Verify the pack, or a file's cases, and keep the result in `run`; returns the summary, which `require_passed` judges."""
    with workers_kept():
        if config.cases is None:
            checks, outcomes = run_pack(config, reporter=reporter)
        else:
            checks, outcomes = [], solved(config, config.cases, reporter)
    found = summary(config, checks, outcomes)
    if run is not None:
        write_toml(run.path / CONFIG, config)
        write_fields(run.path / RESULTS, results(checks, outcomes), attributes={"xbar_kind": "verify"})
        environment.write(run.path / "env.json", environment.describe(seed=config.seed, simulator=found["simulator"]))
        found["out"] = str(run.final)
    return found


def solved(config: VerifyConfig, path: str, reporter: Reporter) -> list[JudgedCase]:
    """Every case of a file with its error."""
    cases = read_cases(Path(path), note=reporter.note)
    outcomes = []
    for done, case in enumerate(cases):
        reporter.progress("cases", done, len(cases))
        outcomes.append(solve_case(case, sweep=config.sweep, reporter=reporter))
    reporter.progress("cases", len(cases), len(cases))
    return outcomes


def summary(config: VerifyConfig, checks: list[Check], outcomes: list[JudgedCase]) -> dict[str, Any]:
    """The summary, as summary.json holds it."""
    linear, gated = ([o.error for o in outcomes if (o.case.cell is None) == kind] for kind in (True, False))
    simulator = version() if find_library() is not None and (config.cases is None or gated) else None
    found: dict[str, Any] = {
        "command": "verify",
        "max_relative_error": float(np.max(linear)) if linear else None,
        "max_full_scale_error": float(np.max(gated)) if gated else None,
        "passed": all(check.passed is not False for check in checks) and all(o.passed for o in outcomes),
        "cases": [outcome.summary() for outcome in outcomes],
        "simulator": simulator,
    }
    if config.cases is None:
        found["checks"] = [check.summary() for check in checks]
        found["left_out"] = sum(check.passed is None for check in checks)
    return found


def require_passed(summary: dict[str, Any]) -> None:
    """Raise ModelError, naming what failed, unless everything verified passed; what was left out for want of an oracle did."""
    checks = [(f"{c['model']} against {c['oracle']}", c["passed"]) for c in summary.get("checks", ())]
    named = checks or [(f"case {c['case']}", c["passed"]) for c in summary["cases"]]
    failed = [name for name, passed in named if passed is False]
    if failed:
        raise ModelError(f"{len(failed)} of {len(named)} failed: {'; '.join(failed)}")


def results(checks: list[Check], outcomes: list[JudgedCase]) -> dict[str, Field]:
    """What results.nc holds."""
    found = {
        "case": field(("case",), [o.case.name for o in outcomes], unit="1", long_name="solved array"),
        "case_error": field(("case",), [o.error for o in outcomes], unit="1", long_name="largest error of the array"),
    }
    if checks:
        names = [f"{check.model} / {check.oracle}" for check in checks]
        errors = [np.nan if check.error is None else check.error for check in checks]
        found |= {
            "check": field(("check",), names, unit="1", long_name="model / oracle"),
            "check_error": field(("check",), errors, unit="1", long_name="largest error"),
            "check_allowed": field(("check",), [c.allowed for c in checks], unit="1", long_name="error allowed"),
        }
    return found
