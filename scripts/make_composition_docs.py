"""Writes docs/compositions.md: which compositions exist, and how far the package is from NumPy's word on them."""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import tests.conftest  # noqa: E402, F401 - XLA then compiles as for tests, quickly: every case is compiled anew
from tests.compositions.product import ARRAYS, CASES, CONVERTERS, DEVICES, Case, Compositions, covering  # noqa: E402

TEXT = ROOT / "scripts" / "compositions_head.md"
TARGET = ROOT / "docs" / "compositions.md"


def existing(compositions: Compositions) -> tuple[list[Case], Counter[str]]:
    """The cases that exist, and how many each line refuses."""
    lines = {case: compositions.refusal(case) for case in CASES}
    return [case for case, line in lines.items() if line is None], Counter(line for line in lines.values() if line)


def fixed(cases: Sequence[Case], refused: Counter[str]) -> dict[str, str]:
    """What the page says without a comparison."""
    return {
        "<!-- few -->": str(len(covering(list(cases)))),
        "<!-- all -->": str(len(CASES)),
        "<!-- exist -->": str(len(cases)),
        "<!-- converters -->": by_converters(cases),
        "<!-- refused -->": markdown(["refused by", "compositions"], sorted(refused.items())),
    }


def by_converters(cases: Iterable[Case]) -> str:
    """Cases of each converter, device and array model."""
    found = Counter((case.converters, case.device, case.array) for case in cases)
    columns = [(device, array) for device in DEVICES for array in ARRAYS]
    rows = [[name, *(found[name, *column] or "–" for column in columns)] for name in CONVERTERS]
    return markdown(["converters", *(", ".join(column) for column in columns)], rows)


def key(case: Case) -> tuple[str, str]:
    """The row of the table that a case belongs to."""
    return case.scheme, case.inputs


def table(cases: Iterable[Case], differences: dict[Case, float]) -> str:
    """A row for each scheme and input coding."""
    counts = Counter(map(key, cases))
    rows = []
    for row in dict.fromkeys(map(key, CASES)):
        largest = max((value for case, value in differences.items() if key(case) == row), default=None)
        rows.append([*row, counts[row] or "refused", "–" if largest is None else f"{largest:.1e}"])
    return markdown(["scheme", "inputs", "compositions", "largest difference"], rows)


def markdown(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (heads, ["---"] * len(heads), *rows))


def main() -> int:
    """Compare every composition and write the page; the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        compositions = Compositions(Path(folder))
        cases, refused = existing(compositions)
        differences: dict[Case, float] = {}
        for number, case in enumerate(cases, start=1):
            differences[case] = compositions.compare(case).check()
            print(f"\r{number} of {len(cases)}", end="", file=sys.stderr, flush=True)
    text = TEXT.read_text(encoding="utf-8")
    marks = fixed(cases, refused) | {
        "<!-- largest -->": f"{max(differences.values()):.1e}", "<!-- table -->": table(cases, differences),
    }  # fmt: skip
    for mark, value in marks.items():
        if text.count(mark) != 1:
            raise ValueError(f"{TEXT} must hold {mark} once")
        text = text.replace(mark, value)
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
