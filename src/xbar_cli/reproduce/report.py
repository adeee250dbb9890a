"""The report on a paper's items: one summary, one page of HTML, one of Markdown."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from xbar_cli.experiment.watching import SweepWatcher
from xbar_cli.report.opening import picture
from xbar_cli.report.page import RunSection, render
from xbar_cli.report.tables import Table, as_markdown
from xbar_cli.reproduce.drawing import draw, lines_of
from xbar_cli.reproduce.items import Item
from xbar_cli.reproduce.running import ItemPlan, Ran, run_items
from xbar_cli.reproduce.sections import Preset
from xbar_cli.reproduce.selection import matching
from xbar_cli.reproduce.verdicts import VERDICTS, Judged, judge_all, verdict_of, why
from xbar_cli.runs import environment
from xbar_cli.runs.whole import write_whole

SIZES: Mapping[Preset, str] = {
    "smoke": "smoke: small networks on bundled data, to see that every item runs; its verdicts say nothing of the papers.",
    "desk": "desk: sizes that two processors compute in hours; where they are smaller than the paper's, each item says so.",
    "full": "full: the paper's own sizes.",
}  # fmt: skip
OVERVIEW = ("paper", "item", "title", "verdict", "why", "wall [s]", "CPU [s]", "command")
QUANTITIES = ("quantity", "paper", "expected", "ours", "95 % interval", "n", "judged")


def reproduce_items(
    plans: Sequence[ItemPlan],
    *,
    preset: Preset,
    out: Path,
    name: str,
    workers: int | None,
    watcher: SweepWatcher,
    command_of: Callable[[Item], str],
) -> dict[str, Any]:
    """Run the items, judge them, draw them, and write `name`.md, .html and .json in `out`; returns what is in the last.

    `command_of` gives the command line of an item.
    """
    ran = run_items(plans, workers=workers, watcher=watcher)
    summary = summary_of(ran, preset=preset, out=out, name=name, command_of=command_of)
    write_report(ran, summary, out=out, name=name)
    write_whole(out / f"{name}.json", json.dumps(summary, indent=1, allow_nan=False) + "\n")
    return summary


def summary_of(
    ran: Sequence[Ran], *, preset: Preset, out: Path, name: str, command_of: Callable[[Item], str]
) -> dict[str, Any]:
    """What the report says, as JSON holds it."""
    items = [item_summary(one, preset=preset, command=command_of(one.item)) for one in ran]
    verdicts = [item["verdict"] for item in items]
    return {
        "command": "reproduce",
        "preset": preset,
        "verdicts": {verdict: verdicts.count(verdict) for verdict in VERDICTS},
        "items": items,
        "processor": environment.processor(),
        "commit": environment.commit(),
        "report": str(out / f"{name}.html"),
        "out": str(out),
    }


def item_summary(ran: Ran, *, preset: Preset, command: str) -> dict[str, Any]:
    """What the report says of an item."""
    item, about = ran.item, ran.item.about
    judged = judge_all(about.expect, ran.found, preset=preset)
    assumptions = [*about.assumptions, *(f"fitted: {text}" for text in about.fitted)]
    verdict = verdict_of(judged, assumes=bool(assumptions or item.smaller))
    reason = why(judged, verdict) if judged else "nothing is expected at this size"
    if ran.notes:
        reason = "; ".join([*ran.notes] if verdict == "not run" else [reason, f"not run: {'; '.join(ran.notes)}"])
    return {
        "paper": item.paper,
        "item": item.name,
        "figure": about.figure,
        "title": about.title,
        "claim": about.claim,
        "verdict": verdict,
        "why": reason,
        "assumptions": assumptions,
        "smaller": list(item.smaller),
        "quantities": [quantity_summary(one) for one in judged],
        "points": len(item.points),
        "points_run": len(ran.found.points),
        **ran.cost,
        "commit": environment.commit(),
        "command": command,
        "file": f"experiments/{item.paper}/{item.file.name}",
        "runs": str(ran.out),
    }


def quantity_summary(one: Judged) -> dict[str, Any]:
    """What was expected of a quantity, and what was found."""
    expect, ours = one.expect, one.ours
    return {
        "what": expect.what,
        "paper": expect.paper,
        "tolerance": expect.tolerance,
        "direction": expect.direction,
        "than": expect.than if expect.direction else None,
        "ours": ours.mean if ours else None,
        "ci95": list(ours.ci95) if ours and ours.ci95 else None,
        "n": ours.n if ours else 0,
        "judged": one.judgement,
        "reason": one.reason or None,
    }


def write_report(ran: Sequence[Ran], summary: Mapping[str, Any], *, out: Path, name: str) -> None:
    """Draw the figures and write `name`.html and `name`.md."""
    sections, parts = [], [head(summary)]
    for one, found in zip(ran, summary["items"], strict=True):
        pictures = [*drawn(one, out / "figures"), *taken(one)]
        sections.append(section(found, pictures))
        parts.append(markdown(found, [(title, path) for title, path in pictures if path.is_relative_to(out)], out))
    title = f"The papers reproduced: {name}, preset {summary['preset']}"
    page = render(title, sections=sections, overview=overview(summary), notes=notes(summary))
    write_whole(out / f"{name}.html", page)
    write_whole(out / f"{name}.md", "\n".join(parts))


def drawn(ran: Ran, folder: Path) -> list[tuple[str, Path]]:
    """The plots of an item, with their titles."""
    folder.mkdir(exist_ok=True)
    found: list[tuple[str, Path]] = []
    about = ran.item.about
    for number, plot in enumerate(about.plot):
        lines = lines_of(plot, ran.found)
        if lines:
            place = folder / f"{ran.item.paper}-{ran.item.name}-{number + 1}.png"
            caption = f"{ran.item.paper}, {about.figure}: {about.title}; bars: 95 % intervals; black: the paper's text"
            found.append((plot.title or about.title, draw(place, plot, lines, caption=caption)))
    return found


def taken(ran: Ran) -> list[tuple[str, Path]]:
    """The figures of runs that an item shows, with their titles."""
    found: list[tuple[str, Path]] = []
    for shown in ran.item.about.picture:
        for point in matching(ran.found.points, shown.where)[:1]:
            place = ran.out / point.runs[shown.stage].key / "figures" / shown.file
            if place.is_file():
                found.append((shown.title or f"{shown.stage}: {place.stem}", place))
    return found


def notes(summary: Mapping[str, Any]) -> list[str]:
    """What stands above all: size, counts, machine."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in summary["verdicts"].items())
    return [
        f"Preset {SIZES[summary['preset']]}",
        f"Items: {counts}.",
        f"Machine: {summary['processor']}; commit {summary['commit'] or 'unknown'}.",
        "A verdict is computed: each quantity is judged by a number with a tolerance, or an order, fixed in the item's file.",
        "Stages are shared: an item's time counts all of its runs, also those that others use.",
    ]


def overview(summary: Mapping[str, Any]) -> Table:
    """A row for each item."""
    rows = [
        (i["paper"], i["figure"], i["title"], i["verdict"], i["why"], f"{i['wall_seconds']:.0f}", f"{i['cpu_seconds']:.0f}",
         i["command"])
        for i in summary["items"]
    ]  # fmt: skip
    return Table("Items", OVERVIEW, rows)


def quantities(found: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """A row for each quantity of an item."""
    rows = []
    for q in found["quantities"]:
        paper = None if q["paper"] is None else f"{q['paper']:g} ± {q['tolerance']:g}"
        order = None if q["direction"] is None else f"{q['direction']} {q['than']:g}"
        ours = q["ours"]
        interval = None if q["ci95"] is None else f"{q['ci95'][0]:.4g} … {q['ci95'][1]:.4g}"
        judged = q["judged"] if q["reason"] is None else f"{q['judged']}: {q['reason']}"
        rows.append((q["what"], paper, order, None if ours is None else f"{ours:.4g}", interval, q["n"], judged))
    return rows


def facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What an item claims, assumes and took."""
    rows = [("the paper says", found["claim"]), ("verdict", found["verdict"]), ("why", found["why"])]
    rows += [("assumed", text) for text in found["assumptions"]]
    rows += [("smaller than the paper", "; ".join(found["smaller"]))] if found["smaller"] else []
    rows += [
        ("points", f"{found['points_run']} of {found['points']}"),
        ("cost", f"{found['wall_seconds']:.1f} s in all of its runs, {found['cpu_seconds']:.1f} s of a processor"),
        ("command", found["command"]),
        ("file", found["file"]),
        ("commit", found["commit"] or "unknown"),
    ]
    return rows


def section(found: Mapping[str, Any], pictures: Sequence[tuple[str, Path]]) -> RunSection:
    """An item on the page."""
    tables = [Table("Quantities", QUANTITIES, quantities(found)), Table("Item", ["", ""], facts(found))]
    shown = [
        (title, data, about.removeprefix(f"{title}; ")) for title, path in pictures for data, about in [picture(path)]
    ]
    name = f"{found['paper']}, {found['figure']}: {found['title']}"
    return RunSection(name, found["runs"], found["item"], found["verdict"], tables, shown)


def head(summary: Mapping[str, Any]) -> str:
    """The beginning of the Markdown."""
    table = overview(summary)
    return "\n\n".join(["# The papers reproduced", *notes(summary), as_markdown(table.head, table.rows)])


def markdown(found: Mapping[str, Any], pictures: Sequence[tuple[str, Path]], out: Path) -> str:
    """An item in Markdown; its own plots, which lie beside the report, are shown."""
    lines = [f"## {found['paper']}, {found['figure']}: {found['title']}", f"*{found['verdict']}*"]
    lines += [as_markdown(QUANTITIES, quantities(found)), as_markdown(["", ""], facts(found))]
    lines += [f"![{title}]({shlex.quote(path.relative_to(out).as_posix())})" for title, path in pictures]
    return "\n\n".join(lines) + "\n"
