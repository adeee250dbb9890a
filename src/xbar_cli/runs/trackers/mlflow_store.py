"""MLflow: a local store beside the run, or the one that MLFLOW_TRACKING_URI names."""

import os
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xbar_cli.reporter import silenced
from xbar_cli.runs.trackers.tracker import Tracked, numbers_of

FOLDER = "mlruns"
EXPERIMENT = "xbar"
"""Where MLFLOW_EXPERIMENT_NAME names none."""
AT_ONCE = 100
"""Parameters that MLflow takes at once."""
LONGEST = 500
"""Characters of a parameter's value that every version of MLflow takes."""


class MlflowStore:
    """One run of MLflow."""

    def __init__(self, run: Tracked) -> None:
        """Of a run."""
        self._run, self._step = run, 0
        self._client: Any = None
        self._id = ""

    def start(self, config: Mapping[str, Any], *, known: str | None) -> str:
        """Make a run with the configuration as its parameters, or set the known one running again."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # asks its makers' machines otherwise
        place = os.environ.get("MLFLOW_TRACKING_URI")
        if place is None:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
            place = (self._run.folder / FOLDER).absolute().as_uri()
        with warnings.catch_warnings(), silenced("mlflow"):
            warnings.simplefilter("ignore")
            from mlflow.entities import Param
            from mlflow.tracking import MlflowClient

            self._client = MlflowClient(tracking_uri=place)
            if known is not None:
                self._id = known
                self._client.update_run(known, status="RUNNING")
                return known
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
            found = self._client.get_experiment_by_name(name)
            experiment = found.experiment_id if found is not None else self._client.create_experiment(name)
            tags = {"xbar.command": self._run.command, "xbar.run": str(self._run.path)}
            if self._run.parent is not None:
                tags["mlflow.parentRunId"] = self._run.parent
            self._id = self._client.create_run(experiment, run_name=self._run.name, tags=tags).info.run_id
            params = [Param(key, str(value)[:LONGEST]) for key, value in config.items()]
            for first in range(0, len(params), AT_ONCE):
                self._client.log_batch(self._id, params=params[first : first + AT_ONCE])
        return self._id

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """A metric for each figure."""
        from mlflow.entities import Metric

        self._step, now = step, int(time.time() * 1000)
        self._client.log_batch(self._id, metrics=[Metric(name, value, now, step) for name, value in metrics.items()])

    def finish(self, summary: Mapping[str, Any], artefacts: Sequence[Path]) -> None:
        """The numbers of the summary as metrics, all of it and the files as artefacts."""
        self.log(self._step, numbers_of({key: value for key, value in summary.items() if not isinstance(value, list)}))
        with silenced("mlflow"):
            self._client.log_dict(
                self._id, dict(summary), "xbar-summary.json"
            )  # summary.json would make a run of the folder
            for path in artefacts:
                self._client.log_artifact(self._id, str(path), "figures" if path.suffix == ".png" else None)
        self._client.set_terminated(self._id, status="FINISHED")

    def leave(self) -> None:
        """The run of MLflow ends as killed; one that is resumed sets it running again."""
        self._client.set_terminated(self._id, status="KILLED")
