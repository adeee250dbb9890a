"""Resumable training state through Orbax: pytrees of arrays and a small JSON record, one folder per step."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from xbar_cli.errors import RunError


class Checkpoints:
    """The checkpoints of one run; the newest two are kept."""

    def __init__(self, folder: Path) -> None:
        """Open (or make) the folder."""
        self._folder = folder
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
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

    def latest(self) -> int | None:
        """The newest complete step; None before the first."""
        return self._manager.latest_step()

    def record(self, step: int) -> dict[str, Any]:
        """The JSON record of checkpoint `step`."""
        return dict(self._restore(step, record=ocp.args.JsonRestore()).record)

    def restore(self, step: int, template: Any) -> Any:
        """The tree of checkpoint `step`, with the structure, shapes and dtypes of `template`.

        Raises:
            RunError: the checkpoint is damaged or belongs to another network.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, template)
        return self._restore(step, tree=ocp.args.StandardRestore(abstract)).tree

    def _restore(self, step: int, **items: Any) -> Any:
        try:
            with quiet():
                return self._manager.restore(step, args=ocp.args.Composite(**items))
        except (ValueError, KeyError, FileNotFoundError) as error:
            raise RunError(f"checkpoint {step} cannot be read ({str(error).splitlines()[0]})") from None

    def close(self) -> None:
        """Release the folder."""
        self._manager.close()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Orbax's log out of the terminal: its failures are raised, and told once."""
    import logging

    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
