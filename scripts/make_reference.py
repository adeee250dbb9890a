"""Writes docs/reference/ from the sections, the effects and the words on JSON keys; `--check` fails where it is old."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.reference import effects, keys  # noqa: E402

PAGES = {"keys.md": keys.page, "effects.md": effects.page}
"""What makes each page."""


def main() -> int:
    """Write or check; the exit code."""
    late = 0
    for name, page in PAGES.items():
        target, text = ROOT / "docs" / "reference" / name, page()
        if "--check" not in sys.argv:
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            late = 1
            print(f"{target.relative_to(ROOT)} is out of date: run scripts/make_reference.py", file=sys.stderr)
    return late


if __name__ == "__main__":
    sys.exit(main())
