"""The user's network file of a run: it is kept there, and the text of Python must be that of the file when the run is opened."""

from pathlib import Path

from xbar_cli.config.network import NetworkSection, graph_file, own_file
from xbar_cli.errors import NetworkFileError
from xbar_cli.outside import read_text

KEPT, KEPT_GRAPH = "network.py", "network.onnx"
"""The files of a run that hold the text of its network file, or its graph with all of its data."""


def keep_network_file(section: NetworkSection, folder: Path) -> None:
    """Puts the network file into a run that begins; NetworkFileError where that of a run that goes on has another text."""
    if (graph := graph_file(section.name)) is not None:
        if not (folder / KEPT_GRAPH).exists():
            from xbar_cli.graph.file import load

            (folder / KEPT_GRAPH).write_bytes(load(graph).SerializeToString())
        return
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


def kept_network(section: NetworkSection, folder: Path) -> NetworkSection:
    """The network of a finished run: a graph is that of the run; Python is run only where it is still what was trained.

    NetworkFileError where the network file is missing or has another text, or the run lacks its own.
    """
    graph, own = graph_file(section.name), own_file(section.name)
    if graph is None and own is None:
        return section
    kept = folder / (KEPT if graph is None else KEPT_GRAPH)
    if not kept.exists():
        raise NetworkFileError(f"{folder} lacks its network file ({kept.name}): train or import it anew")
    if graph is not None:
        return section.model_copy(update={"name": str(kept)})
    if own is not None and not own.path.exists():
        looked = "" if own.path.is_absolute() else f" in {Path.cwd()}"
        looked = "" if own.path.is_absolute() else f" in {Path.cwd()}"
        raise NetworkFileError(
            f"{folder} was trained with {own.path}, which is not there{looked}: work in the folder that has it, or copy it "
            f"from {kept} once you have read it (no run's Python is executed)"
        )
    keep_network_file(section, folder)
    return section
