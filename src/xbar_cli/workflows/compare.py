"""`xbar compare`: is one evaluation better than another, over the same chips?"""

from pathlib import Path
from typing import Any

import tomli_w

from xbar_cli.report.compared import open_evaluation
from xbar_cli.report.paired import compare as compare
from xbar_cli.report.paired import figures, notes, on_chips
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run


def run(config: dict[str, str], run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Compare the evaluate runs `config["a"]` and `config["b"]` into `run`; returns the summary."""
    a, b = (open_evaluation(Path(config[name])) for name in ("a", "b"))
    pair = on_chips(a, b)
    for note in notes(a, b, pair):
        reporter.note(note)
    (run.path / CONFIG).write_text(tomli_w.dumps(config), encoding="utf-8")
    environment.write(run.path / "env.json", environment.describe(seed=a.seed))
    found = figures(a, b, pair)
    return {"command": "compare", "a": config["a"], "b": config["b"], **found, "out": str(run.final)}
