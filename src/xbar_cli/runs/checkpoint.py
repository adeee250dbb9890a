"""Resumable training state through Orbax: pytrees of arrays and a small JSON record, one folder per step."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from xbar_cli.errors import RunError
from xbar_cli.interruption import held
from xbar_cli.reporter import silenced
from xbar_cli.runs.whole import write_whole

DIGESTS = "sha256.json"
"""The sha256 of every checkpoint's files: arrays carry no checksum of their own, and a flipped bit would go unseen."""


class Checkpoints:
    """The checkpoints of one run; the newest two are kept."""

    def __init__(self, folder: Path) -> None:
        """Open (or make) the folder."""
        self._folder = folder
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
        with quiet():
            self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

    def save(self, step: int, tree: Any, record: dict[str, Any]) -> None:
        """Write `tree` and `record` as checkpoint `step`; it exists for a reader only when complete."""
        needed = 2 * sum(leaf.nbytes for leaf in jax.tree.leaves(tree)) + (1 << 20)
        if shutil.disk_usage(self._folder).free < needed:  # Orbax's threads would each print a traceback of their own
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))
        with quiet():
            self._manager.save(
                step, args=ocp.args.Composite(tree=ocp.args.StandardSave(tree), record=ocp.args.JsonSave(record))
            )
        there = {number: digest for number, digest in self._digests().items() if (self._folder / number).is_dir()}
        write_whole(self._folder / DIGESTS, json.dumps(there | {str(step): digest_of(self._folder / str(step))}))

    def latest(self) -> int | None:
        """The newest complete step; None before the first."""
        return self._manager.latest_step()

    def drop_damaged(self) -> list[str]:
        """Remove damaged checkpoints, newest first, down to the newest that is whole; what each of them is.

        RunError where all are damaged; they stay.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        digests, said = self._digests(), []
        for number, step in enumerate(steps):
            try:
                self._check(step, digests.get(str(step)))
            except RunError as error:
                said.append(str(error))
                continue
            for damaged in steps[:number]:
                shutil.rmtree(self._folder / str(damaged))
            if number:
                with quiet():
                    self._manager.reload()
            return said
        if said:
            raise RunError(f"{'; '.join(said)}; no other is left to resume from: start again, overwriting it")
        return said

    def _check(self, step: int, digest: str | None) -> None:
        """Raise RunError where a checkpoint is not as it was written; one without a digest must be readable."""
        if digest is None:
            self.record(step)
            self._restore(step, tree=ocp.args.StandardRestore())
        elif digest != digest_of(self._folder / str(step)):
            raise RunError(f"checkpoint {step} is damaged: its files are not as they were written")

    def _digests(self) -> dict[str, str]:
        """What `digest_of` gave for each checkpoint when it was written, by its number; none where that is not known."""
        try:
            return dict(json.loads((self._folder / DIGESTS).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}

    def record(self, step: int) -> dict[str, Any]:
        """The JSON record of checkpoint `step`."""
        return dict(self._restore(step, record=ocp.args.JsonRestore()).record)

    def restore(self, step: int, template: Any) -> Any:
        """The tree of checkpoint `step`, with the structure, shapes and dtypes of `template`; RunError where it has others."""
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, template)
        return self._restore(step, tree=ocp.args.StandardRestore(abstract)).tree

    def _restore(self, step: int, **items: Any) -> Any:
        try:
            with quiet():
                return self._manager.restore(step, args=ocp.args.Composite(**items))
        except Exception as error:  # Orbax raises bare Exceptions for damaged arrays
            raise RunError(f"checkpoint {step} cannot be read ({str(error).splitlines()[0]})") from None

    def close(self) -> None:
        """Release the folder."""
        with quiet():
            self._manager.close()


def digest_of(folder: Path) -> str:
    """The sha256 of the names and contents of all files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Orbax silent, and Ctrl-C waiting until it has ended: its threads would be left to themselves by an exception."""
    with silenced("absl"), held():
        yield
