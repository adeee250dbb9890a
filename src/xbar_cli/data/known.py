"""The names of the data sets that there are, from folders alone: it loads no NumPy, so that a shell can ask while one types."""

import os
from pathlib import Path

from xbar_cli.data import catalogue
from xbar_cli.outside import at_home

FOLDER = "xbar"
"""In the data directory, beside the sets of TFDS: the sets of one's own."""
FACTS = "set.json"
"""What such a set is."""
BUNDLED_FOLDER = Path(__file__).parent / "bundled"


def default_data_dir() -> Path:
    """`$XBAR_DATA_DIR`, else `$TFDS_DATA_DIR`, else `~/tensorflow_datasets` (TFDS's own default)."""
    folder = os.environ.get("XBAR_DATA_DIR") or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return at_home(folder)


def bundled() -> tuple[str, ...]:
    """The names of the sets inside the package that are kept as one's own are."""
    return _in(BUNDLED_FOLDER)


def known_names(data_dir: Path | None = None) -> tuple[str, ...]:
    """The names of all data sets: those that xbar knows, and those of one's own in the data directory."""
    return (*catalogue.names(), *bundled(), *_in((data_dir or default_data_dir()) / FOLDER))


def _in(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in folder.glob(f"*/{FACTS}")))
