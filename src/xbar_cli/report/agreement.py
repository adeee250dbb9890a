"""Where the runs of a report do not agree in what their figures can only be compared by: one line each, all values named."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xbar_cli.runs import environment
from xbar_cli.runs.listing import Entry, keys_of, source_of
from xbar_cli.runs.results import MODEL, digest

SAME: dict[str, tuple[str, str]] = {
    "dataset": ("data sets", "their accuracies are of other tasks"),
    "images": ("numbers of test images", "their accuracies are of other tests"),
    "test_images_sha256": ("test images", "their accuracies are of other tests"),
}
"""Key of a summary that runs with an accuracy should share: what it is of several, and what follows where they differ."""


def disagreements(entries: Sequence[Entry]) -> list[str]:
    """One line for each thing that the runs do not share, and for each evaluation whose network was replaced since."""
    tested = [entry for entry in entries if entry.command in ("evaluate", "train")]
    evaluated = [entry for entry in tested if entry.command == "evaluate"]
    lines = [
        line
        for key, (what, so) in SAME.items()
        if (line := _differing(tested if key == "dataset" else evaluated, lambda e, k=key: _value(e, k), what, so))
    ]
    if any(line.startswith("other numbers") for line in lines):  # other images, as the numbers say already
        lines = [line for line in lines if not line.startswith("other test images")]
    return [*lines, *_drawn(evaluated), *(line for entry in evaluated if (line := _replaced(entry)))]


def _value(entry: Entry, key: str) -> Any:
    return keys_of(entry).get(key) if key == "dataset" else entry.summary.get(key)


def _differing(entries: Sequence[Entry], value: Callable[[Entry], Any], what: str, so: str) -> str | None:
    found: dict[Any, list[str]] = {}
    for entry in entries:
        if (own := value(entry)) is not None:
            found.setdefault(own, []).append(entry.path.name)
    if len(found) < 2:
        return None
    told = "; ".join(f"{own} ({', '.join(names)})" for own, names in found.items())
    return f"other {what}: {told}: {so}"


def _drawn(entries: Sequence[Entry]) -> list[str]:
    """Evaluations of one seed that drew other numbers from it: each against the first of the seed."""
    first: dict[Any, tuple[Entry, Mapping[str, Any]]] = {}
    lines: list[str] = []
    for entry in entries:
        own, seed = environment.read(entry.path / "env.json").get("random"), entry.config.get("seed")
        if own is None or not isinstance(seed, int):
            continue
        before, usual = first.setdefault(seed, (entry, own))
        if (why := environment.drawn_otherwise(usual, own)) is not None:
            lines.append(
                f"other random numbers of seed {seed}: {why} ({before.path.name}, {entry.path.name}): not the same chips"
            )
    return lines


def _replaced(entry: Entry) -> str | None:
    """The line on an evaluation of weights that its network's run no longer holds."""
    source, weights = source_of(entry), entry.summary.get("weights_sha256")
    if source is None or weights is None:
        return None
    now = [digest(p.read_bytes()) for p in (source.path / MODEL, source.path / "train" / MODEL) if p.is_file()]
    if not now or weights in now:
        return None
    return (
        f"{entry.path.name} evaluated other weights ({weights}) than {source.path} holds now ({now[0]}): its keys of the "
        "training are the new one's"
    )
