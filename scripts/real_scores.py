"""How good the answers of the networks of docs/real_models.md are."""

from collections.abc import Callable, Sequence

import numpy as np
from real_inputs import Inputs, characters

Score = Callable[[np.ndarray, Inputs, np.ndarray], dict[str, float]]
"""From answers, inputs with their truth, and answers in floating point, to figures by name."""


def shares(truth: str, answers: np.ndarray, inputs: Inputs, floating: np.ndarray) -> dict[str, float]:
    """Shares of the answers that are true, called `truth`, and that are those in floating point."""
    return {
        truth: float((answers == np.stack(inputs.truth)).mean()),
        "as in floating point": agreement(answers, floating),
    }


def agreement(answers: np.ndarray, floating: np.ndarray) -> float:
    """The share of the answers that are those in floating point."""
    return float((answers == floating).mean())


def read(answers: np.ndarray, inputs: Inputs, floating: np.ndarray) -> dict[str, float]:
    """Right characters, 1 - edit distance over length, of all lines together; right lines; and places as in floating point."""
    names = characters()
    texts = [decoded(line, names) for line in answers]
    wrong = sum(distance(found, true) for found, true in zip(texts, inputs.truth, strict=True))
    return {
        "characters": 1 - wrong / sum(map(len, inputs.truth)),
        "lines": float(np.mean([found.strip() == true for found, true in zip(texts, inputs.truth, strict=True)])),
        "as in floating point": agreement(answers, floating),
    }


def decoded(line: Sequence[int], names: Sequence[str]) -> str:
    """The text of the classes at each place: repetitions are one character, class 0 is none (CTC, best path)."""
    return "".join(names[k] for place, k in enumerate(line) if k and (place == 0 or line[place - 1] != k))


def distance(a: str, b: str) -> int:
    """Characters to insert, delete or replace on the way from one text to the other (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]
