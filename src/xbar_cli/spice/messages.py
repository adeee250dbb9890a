"""What ngspice says of a card, as one line that names the card and the line at fault."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from xbar_cli.errors import SpiceError
from xbar_cli.outside import quoted_error
from xbar_cli.spice.cards import Card

CAUSE = re.compile(
    r"unrecognized parameter \([^)]*\)|unknown parameter \([^)]*\)|undefined parameter \[[^\]]*\]|expression err: [^;]*"
    r"|parameter mismatch for function call|device type \S+ version \S+ not available|only mos device levels [^;]* are supported"
    r"|can't find model '[^']*'|could not find a valid modelname|fatal: [^;]*|unknown subckt[^;]*|undefined function[^;]*",
    re.IGNORECASE,
)
"""What tells the cause. The first is the mistake; of the others ngspice complains because of it."""
_PLACES = (r"netlist line no\. (\d+)", r"model issue on line (\d+)", r"error on line (\d+)")


@contextmanager
def about(card: Card, circuit: Sequence[str]) -> Iterator[None]:
    """Inside the block what ngspice says of the card, loaded as a part of `circuit`, becomes one line."""
    try:
        yield
    except SpiceError as error:
        raise SpiceError(explained(str(error), card, circuit)) from None


def explained(message: str, card: Card, circuit: Sequence[str]) -> str:
    """The message, shortened to its cause and its place in the card where both are known; else as it is."""
    cause = CAUSE.search(message)
    if cause is None:
        return message
    place = _place(message, card, circuit)
    where = f", {place.removeprefix(card.name).strip()}" if place else f" (model {card.model})"
    return f"ngspice refuses card {card.name}{where}: {quoted_error(cause.group().strip())}"


def _place(message: str, card: Card, circuit: Sequence[str]) -> str | None:
    """Where in the card the line stands that the message names first; None where it is none of the card's."""
    where = dict(zip(card.text, card.places, strict=True))
    for pattern in _PLACES:
        for number in re.findall(pattern, message, re.IGNORECASE):
            line = circuit[int(number) - 2] if 2 <= int(number) < len(circuit) + 2 else ""  # the title is line 1
            if line in where:
                return where[line]
    quoted = [part.strip().lower() for part in message.split(";")]
    return next((place for line, place in where.items() if line.lower() in quoted), None)
