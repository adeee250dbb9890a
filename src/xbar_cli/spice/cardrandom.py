"""Random functions in a transistor card: numbers that the simulator draws, outside the seed of a run."""

import re

from xbar_cli.outside import quoted

WITH_NOMINAL = frozenset(("agauss", "gauss", "aunif", "unif", "limit"))
"""Random functions of ngspice's parameters whose first argument is the nominal value."""
WITHOUT = frozenset(("rnd", "sgauss", "sunif", "poisson", "exponential", "trnoise", "trrandom"))
"""Random functions and sources that have none."""

_CALL = re.compile(rf"\b({'|'.join(sorted(WITH_NOMINAL | WITHOUT))})\s*\(", re.IGNORECASE)


def random_function(text: str) -> str | None:
    """Name of the first random function that `text` calls, in lower case; None where it calls none."""
    found = _CALL.search(text)
    return found[1].lower() if found else None


def nominal(text: str) -> str:
    """`text` with `agauss(x, …)` and its like replaced by their nominal value, `(x)`. ValueError for a call that never ends."""
    start = 0
    while found := _CALL.search(text, start):
        if found[1].lower() in WITHOUT:
            start = found.end()
            continue
        arguments, end = _arguments(text, found.end())
        text = f"{text[: found.start()]}({arguments[0].strip()}){text[end:]}"
        start = found.start()
    return text


def _arguments(text: str, start: int) -> tuple[list[str], int]:
    """The arguments of a call whose parenthesis opens just before `start`, and where it ends."""
    depth, arguments, begin = 1, list[str](), start
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0 or (depth == 1 and text[place] == ","):
            arguments.append(text[begin:place])
            begin = place + 1
        if depth == 0:
            return arguments, place + 1
    raise ValueError(f"{quoted(text[start - 20 if start > 20 else 0 : start + 20])}: a parenthesis is not closed")
