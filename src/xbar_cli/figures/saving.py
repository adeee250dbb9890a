"""Pictures as files: PNG, PDF, SVG, the same bytes for the same values."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from xbar_cli.figures.style import DPI, styled


def save(figure: Figure, stem: Path, *, formats: Sequence[str], caption: str) -> list[Path]:
    """Write a figure as `stem` with the end of each format; the caption goes along as the file's description."""
    about: dict[str, dict[str, Any]] = {
        "png": {"Software": None, "Description": caption},
        "pdf": {"Creator": None, "Producer": None, "CreationDate": None, "Subject": caption},
        "svg": {"Creator": None, "Date": None, "Description": caption},
    }
    written: list[Path] = []
    with styled():
        for name in formats:
            path = stem.with_name(f"{stem.name}.{name}")
            figure.savefig(path, dpi=DPI, metadata=about[name])
            written.append(path)
    return written
