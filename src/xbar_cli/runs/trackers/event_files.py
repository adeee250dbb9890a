"""TensorBoard: event files beside the run, written without TensorFlow."""

import importlib
import json
import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from xbar_cli.runs.trackers.tracker import Tracked, numbers_of

FOLDER = "tensorboard"
VERSION = "brain.Event:2"


class EventFiles:
    """`tensorboard/NAME` beside the run, one of a sweep in the sweep's folder; a second of the same name gets a number."""

    def __init__(self, run: Tracked) -> None:
        """Of a run."""
        self._run, self._step = run, 0
        self._file: BinaryIO | None = None

    def start(self, config: Mapping[str, Any], *, known: str | None) -> str:
        """Open a file of events: a new one also where the run goes on, as TensorBoard reads all of a folder."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from tensorboard.plugins.text.summary_v2 import text_pb
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder = self._run.folder / FOLDER / known if known else self._new()
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}.xbar"
        self._file = (folder / name).open("xb")
        self._records = RecordWriter(self._file)
        self._write(file_version=VERSION)
        if known is None:
            plain = {
                key: value if isinstance(value, bool | int | float | str) else str(value)
                for key, value in config.items()
            }
            self._write(summary=hparams_pb(plain, trial_id="/".join(filter(None, (self._run.parent, folder.name)))))
            self._write(summary=text_pb("config", table(config)))
        return folder.name

    def _new(self) -> Path:
        place, count = self._run.folder / FOLDER / (self._run.parent or "") / self._run.name, 1
        while place.exists():
            count += 1
            place = place.with_name(f"{self._run.name}-{count}")
        return place

    def _write(self, step: int = 0, **content: Any) -> None:
        assert self._file is not None
        self._records.write(proto("event_pb2").Event(wall_time=time.time(), step=step, **content).SerializeToString())
        self._file.flush()

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """A scalar for each figure."""
        Summary = proto("summary_pb2").Summary
        values = [Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]
        self._step = step
        self._write(step, summary=Summary(value=values))

    def finish(self, summary: Mapping[str, Any], artefacts: Sequence[Path]) -> None:
        """The summary as scalars and text, the figures as pictures."""
        from tensorboard.plugins.text.summary_v2 import text_pb

        Summary = proto("summary_pb2").Summary
        self.log(self._step, {f"summary/{name}": value for name, value in numbers_of(summary).items()})
        self._write(self._step, summary=text_pb("summary", table(summary)))
        for path in artefacts:
            content = path.read_bytes() if path.suffix == ".png" else b""
            if len(content) > 24:
                width, height = struct.unpack(">II", content[16:24])  # of the PNG's header
                image = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=content)
                self._write(self._step, summary=Summary(value=[Summary.Value(tag=f"figures/{path.stem}", image=image)]))
        self.leave()

    def leave(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        self._file = None


def proto(name: str) -> Any:
    """A module of TensorBoard's messages, which are made as it is imported."""
    return importlib.import_module(f"tensorboard.compat.proto.{name}")


def table(values: Mapping[str, Any]) -> str:
    """Keys and values as Markdown, code throughout: texts of a run are no markup."""
    lines = [f"    {key} = {json.dumps(value, default=str)}" for key, value in values.items()]
    return "\n".join(lines)
