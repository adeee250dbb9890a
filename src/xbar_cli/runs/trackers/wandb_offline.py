"""Weights & Biases: offline beside the run, unless WANDB_MODE says otherwise; `wandb sync` uploads it."""

import os
import uuid
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from xbar_cli.runs.trackers.tracker import Tracked

PROJECT = "xbar"
"""Where WANDB_PROJECT names none."""


class WandbOffline:
    """One run of W&B."""

    def __init__(self, run: Tracked) -> None:
        """Of a run."""
        self._run = run
        self._open: Any = None

    def start(self, config: Mapping[str, Any], *, known: str | None) -> str:
        """Begin a run, or one more part of the known one."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # tells its makers' machines otherwise
        wandb: Any = import_module("wandb")  # an extra that the lock leaves out
        quiet = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True)
        self._run.folder.mkdir(parents=True, exist_ok=True)
        self._open = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=self._run.name, job_type=self._run.command,
            id=known or uuid.uuid4().hex[:12], resume="allow", mode=_mode(), dir=str(self._run.folder),
            config=dict(config), settings=quiet, group=self._run.parent, reinit="create_new",
        )  # fmt: skip
        self._open.define_metric("*", step_metric="step")
        return str(self._open.id)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """The figures, with their step as one of them: W&B takes one line a step of its own, and a run may have two."""
        self._open.log({"step": step, **metrics})

    def finish(self, summary: Mapping[str, Any], artefacts: Sequence[Path]) -> None:
        """The summary, and the figures as pictures."""
        wandb: Any = import_module("wandb")
        for key, value in summary.items():
            self._open.summary[key] = value
        for path in artefacts:
            if path.suffix == ".png":
                self._open.log({f"figures/{path.stem}": wandb.Image(str(path))})
        self._open.finish()

    def leave(self) -> None:
        """End this part."""
        self._open.finish(exit_code=1)


def _mode() -> Any:
    return os.environ.get("WANDB_MODE", "offline")
