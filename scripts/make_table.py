"""Write the table of experiments/csv_to_joules.toml: rows of six classes in 95 columns, Gaussian clusters.

    python scripts/make_table.py table.csv [--rows 1200] [--seed 0]

The columns are called x1 to x95, the last one class.
"""

import argparse
from pathlib import Path

import numpy as np

COLUMNS, CLASSES = 95, 6
DISTANCE = 0.45
"""Standard deviation of the clusters' centres in each column; of the rows about them it is 1."""


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    centres = rng.normal(size=(CLASSES, COLUMNS)) * DISTANCE
    labels = np.arange(given.rows) % CLASSES
    rows = centres[labels] + rng.normal(size=(given.rows, COLUMNS))
    header = ",".join([*(f"x{k + 1}" for k in range(COLUMNS)), "class"])
    lines = (",".join([*(f"{x:.4f}" for x in row), f"class{label}"]) for row, label in zip(rows, labels, strict=True))
    given.file.write_text("\n".join([header, *lines]) + "\n")


if __name__ == "__main__":
    main()
