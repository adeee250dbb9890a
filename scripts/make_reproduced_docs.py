"""Keeps the reports of `xbar reproduce PAPER` under docs/reproduced, and writes the page over them from what they say.

    python scripts/make_reproduced_docs.py [FOLDER]

FOLDER holds PAPER.json, PAPER.md and figures/, as `xbar reproduce PAPER --preset desk --out FOLDER` leaves them, or
PAPER-ITEM.json and so on of `--only ITEM`; each item that ran there replaces what was kept of it, so that a paper's items may run
in several sittings (each names its commit). Without FOLDER the page is written anew from the reports that are kept.
"""

import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xbar_cli.report.tables import as_markdown
from xbar_cli.reproduce.items import in_order
from xbar_cli.reproduce.report import head
from xbar_cli.reproduce.verdicts import VERDICTS
from xbar_cli.runs.whole import write_whole

KEPT = Path(__file__).resolve().parents[1] / "docs" / "reproduced"
PAPERS = ("neat", "tat", "acm", "biased")
HEAD = """# The papers reproduced: reports

What `xbar reproduce PAPER --preset desk` found, a report a paper: every item with its quantities, figures, assumptions, cost and
command. How verdicts are computed: [reproduce](../reproduce.md); what was taken where a paper is open, fixed before these runs:
[preregistration](../preregistration.md). "Refuted" is of this size under these assumptions.
"""


def parts_of(file: Path) -> list[str]:
    """A report's Markdown by item, without its head and without figures that lie elsewhere."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "![" not in line or "](figures/" in line]
    return [part.rstrip() + "\n" for part in re.split(r"^(?=## )", "\n".join(lines), flags=re.MULTILINE)[1:]]


def reports_of(folder: Path, paper: str) -> list[Path]:
    """The reports of a paper in a folder, of all items and of single ones."""
    return [file for file in sorted(folder.glob(f"{paper}*.json")) if file.stem.partition("-")[0] == paper]


def read(folder: Path, paper: str) -> dict[str, tuple[dict[str, Any], str]]:
    """Each item of a paper's reports: what its summary says, with the commit and processor of its runs, and its Markdown."""
    found: dict[str, tuple[dict[str, Any], str]] = {}
    for report in reports_of(folder, paper):
        summary = json.loads(report.read_text(encoding="utf-8"))
        made = {key: summary[key] for key in ("preset", "processor", "commit")}
        parts = parts_of(report.with_suffix(".md"))
        found |= {item["item"]: (made | item, part) for item, part in zip(summary["items"], parts, strict=True)}
    return found


def keep(folder: Path, paper: str) -> None:
    """Put the items that ran there in the place of those that are kept, with their figures; paths are the usual ones."""
    kept, new = read(KEPT, paper), read(folder, paper)
    size = next(iter(new.values()))[0]["preset"]
    kept = {name: one for name, one in kept.items() if one[0]["preset"] == size}
    ran = {name: one for name, one in new.items() if name not in kept or one[0]["verdict"] != "not run"}
    place = KEPT / "figures"
    place.mkdir(parents=True, exist_ok=True)
    for old in place.glob(f"{paper}-*.png"):
        if old.stem.removeprefix(f"{paper}-").rpartition("-")[0] not in kept.keys() - ran.keys():
            old.unlink()
    for name in ran:
        for figure in sorted((folder / "figures").glob(f"{paper}-{name}-*.png")):
            shutil.copyfile(figure, place / figure.name)
    both = kept | ran
    names = sorted(both, key=lambda name: in_order(Path(f"{name}.toml")))
    usual = f"runs/reproduce-{size}"
    items = [both[name][0] | {"runs": f"{usual}/{paper}"} for name in names]
    last = json.loads(reports_of(folder, paper)[-1].read_text(encoding="utf-8"))
    summary = last | {"report": f"{usual}/{paper}.html", "out": usual} | {"items": items} | together(items)
    text = head(summary).replace("# The papers reproduced", f"# {paper}: report", 1)
    write_whole(KEPT / f"{paper}.md", "\n".join([text, *(both[name][1] for name in names)]))
    write_whole(KEPT / f"{paper}.json", json.dumps(summary, indent=1) + "\n")


def together(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a summary says of all of its items."""
    verdicts = [item["verdict"] for item in items]
    return {
        "verdicts": {verdict: verdicts.count(verdict) for verdict in VERDICTS},
        "processor": ", ".join(sorted({item["processor"] for item in items})),
        "commit": ", ".join(
            sorted({(item["commit"] or "unknown")[:7] for item in items if item["verdict"] != "not run"})
        ),
    }


def counted(paper: str, found: dict[str, Any]) -> list[str]:
    """A paper's row: its verdicts, the time of all of its runs, the machine."""
    items = found["items"]
    seeds = sorted({q["n"] for item in items for q in item["quantities"] if q["n"]})
    hours = sum(item["cpu_seconds"] for item in items) / 3600
    return [
        f"[{paper}]({paper}.md)", *(str(found["verdicts"][verdict]) for verdict in VERDICTS), f"{hours:.1f}",
        ", ".join(map(str, seeds)), found["processor"],
        ", ".join(commit[:7] for commit in (found["commit"] or "unknown").split(", ")),
    ]  # fmt: skip


def page(reports: dict[str, dict[str, Any]]) -> str:
    """The page over the reports that are kept."""
    parts = [HEAD]
    missing = [paper for paper in PAPERS if paper not in reports]
    if missing:
        parts.append(f"Not run yet at this size: {', '.join(missing)}.\n")
    head = ["paper", *VERDICTS, "hours of a processor", "n", "machine", "commit"]
    parts.append(as_markdown(head, [counted(paper, found) for paper, found in reports.items()]) + "\n")
    parts.append("Stages are shared: hours count the runs of every item, also those that others use.\n")
    for paper, found in reports.items():
        rows = [[item["figure"], item["title"], item["verdict"], item["why"]] for item in found["items"]]
        parts.append(f"## {paper}\n\n" + as_markdown(["item", "what", "verdict", "why"], rows) + "\n")
    return "\n".join(parts)


def main() -> None:
    """Keep what is in the folder, write the page."""
    for paper in PAPERS if len(sys.argv) > 1 else ():
        if reports_of(Path(sys.argv[1]), paper):
            keep(Path(sys.argv[1]), paper)
    kept = {paper: KEPT / f"{paper}.json" for paper in PAPERS}
    reports = {paper: json.loads(file.read_text(encoding="utf-8")) for paper, file in kept.items() if file.is_file()}
    write_whole(KEPT / "index.md", page(reports))


if __name__ == "__main__":
    main()
