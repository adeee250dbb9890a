"""Reports of several sittings become one: an item that ran replaces what was kept of it, the others stay."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import make_reproduced_docs as docs
from xbar_cli.reproduce.report import head, markdown

HAS_RUN = {"fig2": "refuted", "fig8": "direction only", "fig10": "not run"}


def item(name: str, verdict: str, why: str) -> dict[str, Any]:
    """An item as a summary holds it."""
    return {
        "paper": "neat", "item": name, "figure": name, "title": f"title of {name}", "claim": "a claim", "verdict": verdict,
        "why": why, "assumptions": [], "smaller": [], "quantities": [], "points": 1, "points_run": 1, "wall_seconds": 3600.0,
        "cpu_seconds": 3600.0, "commit": None, "command": "xbar", "file": "", "runs": "/somewhere/else",
    }  # fmt: skip


def sitting(
    folder: Path, verdicts: dict[str, str], commit: str, why: str, preset: str = "desk", name: str = "neat"
) -> Path:
    """A report as `xbar reproduce neat` leaves it, with a figure of each item that ran."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    items = [item(name, verdict, why) | {"commit": commit} for name, verdict in verdicts.items()]
    counts = {verdict: list(verdicts.values()).count(verdict) for verdict in docs.VERDICTS}
    summary = {"preset": preset, "verdicts": counts, "items": items, "processor": "a processor", "commit": commit}
    parts = [head(summary)]
    for one in items:
        figure = folder / "figures" / f"neat-{one['item']}-1.png"
        if one["verdict"] != "not run":
            figure.write_text(why)
        parts.append(markdown(one, [("a figure", figure)] if figure.is_file() else [], folder))
    (folder / f"{name}.json").write_text(json.dumps(summary))
    (folder / f"{name}.md").write_text("\n".join(parts))
    return folder


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was kept of a first sitting."""
    monkeypatch.setattr(docs, "KEPT", tmp_path / "kept")
    docs.keep(sitting(tmp_path / "first", HAS_RUN, "1" * 40, "the first"), "neat")
    return tmp_path / "kept"


def test_items_that_ran_replace_what_was_kept(kept: Path, tmp_path: Path):
    again = {"fig8": "not run", "fig10": "reproduced", "fig11": "not run"}
    docs.keep(sitting(tmp_path / "second", again, "2" * 40, "the second"), "neat")
    found = json.loads((kept / "neat.json").read_text())
    assert [(one["item"], one["verdict"], one["commit"][0]) for one in found["items"]] == [
        ("fig2", "refuted", "1"), ("fig8", "direction only", "1"), ("fig10", "reproduced", "2"), ("fig11", "not run", "2"),
    ]  # fmt: skip
    assert found["verdicts"] == {"reproduced": 1, "reproduced under a stated assumption": 0, "direction only": 1,
                                 "refuted": 1, "not run": 1}  # fmt: skip
    assert found["commit"] == "1111111, 2222222"
    text = (kept / "neat.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        f"## neat, {name}: title of {name}" for name in ("fig2", "fig8", "fig10", "fig11")
    ]
    assert "| refuted | the first |" in text
    figures = {figure.name: figure.read_text() for figure in (kept / "figures").iterdir()}
    assert figures == {"neat-fig2-1.png": "the first", "neat-fig8-1.png": "the first", "neat-fig10-1.png": "the second"}


def test_the_same_sitting_twice_changes_nothing(kept: Path, tmp_path: Path):
    before = {file: file.read_text() for file in kept.rglob("*") if file.is_file()}
    docs.keep(tmp_path / "first", "neat")
    assert {file: file.read_text() for file in kept.rglob("*") if file.is_file()} == before


def test_another_size_replaces_all(kept: Path, tmp_path: Path):
    docs.keep(sitting(tmp_path / "whole", {"fig2": "reproduced"}, "3" * 40, "whole", preset="full"), "neat")
    assert [one["item"] for one in json.loads((kept / "neat.json").read_text())["items"]] == ["fig2"]
    assert [figure.name for figure in (kept / "figures").iterdir()] == ["neat-fig2-1.png"]


def test_reports_of_single_items_are_kept_together(kept: Path, tmp_path: Path):
    for name in ("fig8", "fig10"):
        sitting(tmp_path / "single", {name: "reproduced"}, "4" * 40, f"alone, {name}", name=f"neat-{name}")
    docs.keep(tmp_path / "single", "neat")
    found = json.loads((kept / "neat.json").read_text())
    assert [(one["item"], one["verdict"], one["commit"][0]) for one in found["items"]] == [
        ("fig2", "refuted", "1"), ("fig8", "reproduced", "4"), ("fig10", "reproduced", "4"),
    ]  # fmt: skip
    assert (kept / "figures" / "neat-fig10-1.png").read_text() == "alone, fig10"
    assert "alone, fig8" in (kept / "neat.md").read_text()
    assert found["commit"] == "1111111, 4444444"
    assert {one["runs"] for one in found["items"]} == {"runs/reproduce-desk/neat"}
