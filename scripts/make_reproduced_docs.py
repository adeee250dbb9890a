"""Keeps the reports of `xbar reproduce PAPER` under docs/reproduced, and writes the page over them from what they say.

    python scripts/make_reproduced_docs.py [FOLDER]

FOLDER holds PAPER.json, PAPER.md and figures/, as `xbar reproduce PAPER --preset desk --out FOLDER` leaves them; each of the four
papers that is there replaces what was kept of it. Without FOLDER the page is written anew from the reports that are kept.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from xbar_cli.report.tables import as_markdown
from xbar_cli.reproduce.verdicts import VERDICTS
from xbar_cli.runs.whole import write_whole

KEPT = Path(__file__).resolve().parents[1] / "docs" / "reproduced"
PAPERS = ("neat", "tat", "acm", "biased")
HEAD = """# The papers reproduced: reports

What `xbar reproduce PAPER --preset desk` found, a report a paper: every item with its quantities, figures, assumptions, cost and
command. How verdicts are computed: [reproduce](../reproduce.md); what was taken where a paper is open, fixed before these runs:
[preregistration](../preregistration.md). "Refuted" is of this size under these assumptions.
"""


def keep(folder: Path, paper: str) -> None:
    """Copy the report of a paper, and the figures that it shows."""
    summary = json.loads((folder / f"{paper}.json").read_text(encoding="utf-8"))
    text = (folder / f"{paper}.md").read_text(encoding="utf-8")
    text = text.replace("# The papers reproduced", f"# {paper}: report", 1)
    place = KEPT / "figures"
    place.mkdir(parents=True, exist_ok=True)
    for old in place.glob(f"{paper}-*.png"):
        old.unlink()
    for figure in sorted((folder / "figures").glob(f"{paper}-*.png")):
        shutil.copyfile(figure, place / figure.name)
    lines = [line for line in text.splitlines() if not line.startswith("![") or "](figures/" in line]
    write_whole(KEPT / f"{paper}.md", "\n".join(lines).rstrip() + "\n")
    write_whole(KEPT / f"{paper}.json", json.dumps(summary, indent=1) + "\n")


def counted(paper: str, found: dict[str, Any]) -> list[str]:
    """A paper's row: its verdicts, the time of all of its runs, the machine."""
    items = found["items"]
    seeds = sorted({q["n"] for item in items for q in item["quantities"] if q["n"]})
    hours = sum(item["cpu_seconds"] for item in items) / 3600
    return [
        f"[{paper}]({paper}.md)", *(str(found["verdicts"][verdict]) for verdict in VERDICTS), f"{hours:.1f}",
        ", ".join(map(str, seeds)), found["processor"], (found["commit"] or "unknown")[:7],
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
        if (Path(sys.argv[1]) / f"{paper}.json").is_file():
            keep(Path(sys.argv[1]), paper)
    kept = {paper: KEPT / f"{paper}.json" for paper in PAPERS}
    reports = {paper: json.loads(file.read_text(encoding="utf-8")) for paper, file in kept.items() if file.is_file()}
    write_whole(KEPT / "index.md", page(reports))


if __name__ == "__main__":
    main()
