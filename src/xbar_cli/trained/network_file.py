"""The user's network file of a run: its text is kept there, and must be that of the file when the run is opened."""

from pathlib import Path

from xbar_cli.config.network import NetworkSection, own_file
from xbar_cli.errors import NetworkFileError
from xbar_cli.outside import read_text

KEPT = "network.py"
"""The file of a run that holds the text of its network file."""


def keep_network_file(section: NetworkSection, folder: Path) -> None:
    """Puts the text of the network file into a run that begins, or compares it with that of a run that goes on.

    Raises:
        NetworkFileError: the file is missing or has another text.
    """
    own = own_file(section.name)
    if own is None:
        return
    text, kept = read_text(own.path), folder / KEPT
    if not kept.exists():
        kept.write_text(text, encoding="utf-8")
    elif read_text(kept) != text:
        raise NetworkFileError(
            f"{own.path} has changed since the run began: put back its text, which is in {kept}, or train it anew"
        )


def require_network_file(section: NetworkSection, folder: Path) -> None:
    """Raises NetworkFileError where the network file of a finished run is missing or has another text."""
    own = own_file(section.name)
    if own is not None and not own.path.exists():
        raise NetworkFileError(
            f"{folder} was trained with {own.path}, which is not there: put it back (its text is in {folder / KEPT})"
        )
    if own is not None and not (folder / KEPT).exists():
        raise NetworkFileError(f"{folder} lacks the text of its network file ({KEPT}): train it anew")
    keep_network_file(section, folder)
