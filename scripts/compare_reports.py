"""Sets the numbers of two reports of `xbar reproduce` side by side: those that are the same to the last digit, and the others.

    python scripts/compare_reports.py docs/reproduced/tat.json FOLDER/tat.json

Of every item that ran in both: its quantities, their intervals and n. Ends with status 1 where one differs.
"""

import json
import sys
from pathlib import Path
from typing import Any

from xbar_cli.report.tables import as_markdown

Numbers = dict[str, tuple[float | None, ...]]
"""What is compared of an item, by quantity: ours, both ends of its interval, n."""


def numbers_of(file: Path) -> dict[str, Numbers]:
    """By item that ran, its numbers."""
    items: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["items"]
    ran = [item for item in items if item["verdict"] != "not run"]
    return {
        item["item"]: {q["what"]: (q["ours"], *(q["ci95"] or ()), q["n"]) for q in item["quantities"]} for item in ran
    }


def apart(one: tuple[float | None, ...], other: tuple[float | None, ...]) -> float:
    """The largest difference of two quantities' numbers, relative to the larger; infinite where one is missing."""
    if len(one) != len(other) or [v is None for v in one] != [v is None for v in other]:
        return float("inf")
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    return max((abs(a - b) / max(abs(a), abs(b)) for a, b in pairs if a != b), default=0.0)


def main() -> None:
    """Compare, and print a line an item."""
    if len(sys.argv) != 3:
        raise SystemExit((__doc__ or "").strip())
    try:
        first, second = (numbers_of(Path(file)) for file in sys.argv[1:])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"no report of `xbar reproduce`: {error}") from None
    both = [name for name in first if name in second]
    if not both:
        raise SystemExit("no item ran in both reports")
    lines: list[list[str]] = []
    worst = 0.0
    for name in both:
        names = [*first[name], *(what for what in second[name] if what not in first[name])]
        differing = {what: apart(first[name].get(what, ()), second[name].get(what, ())) for what in names}
        most = max(differing, key=lambda what: differing[what])
        same = sum(difference == 0 for difference in differing.values())
        told = f"{differing[most]:.1e}: {most}" if differing[most] else "–"
        lines.append([name, str(len(differing)), str(same), told])
        worst = max(worst, differing[most])
    print(as_markdown(["item", "quantities", "the same to the digit", "largest relative difference"], lines), end="")
    raise SystemExit(worst > 0)


if __name__ == "__main__":
    main()
