"""What is done about the faults of a chip, and how they become known."""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator

from xbar_cli.config.base import Option, Section, require
from xbar_cli.config.ranges import checked, joined
from xbar_cli.config.variation import VariationSection
from xbar_cli.outside import quoted

COUNTED = {"spares": (1, 4096), "ensemble": (2, 64), "retrain": (1, 1000)}
"""Remedies that come in a number, with the least and the most of it."""
NAMES = ("sign-flip", "differential", "permute", "code", *COUNTED)
BLIND = ("ensemble",)
"""Remedies that need not know where the faults are."""


class Remedies(NamedTuple):
    """What is done about faults.

    Attributes:
        sign_flip: a pair of columns of a tile may hold its weights with the other sign.
        differential: the healthy device of a pair makes up for the stuck one.
        permute: rows, and columns, of a tile may change places among themselves.
        code: a checksum of the outputs of a tile, from which one of them is computed.
        spares: lines of each kind that a tile has besides.
        ensemble: copies of every array whose outputs are averaged.
        retrain: epochs that the weights of each chip are trained for, with its faults known.
    """

    sign_flip: bool = False
    differential: bool = False
    permute: bool = False
    code: bool = False
    spares: int = 0
    ensemble: int = 1
    retrain: int = 0

    @property
    def moving(self) -> bool:
        """Whether devices stand elsewhere than where they were mapped."""
        return self.sign_flip or self.permute or self.spares > 0

    @property
    def any(self) -> bool:
        """Whether anything is done."""
        return self != Remedies()

    @property
    def knowing(self) -> list[str]:
        """Those that need to know where the faults are, as they are written."""
        nothing = Remedies()._asdict()
        chosen = [name for name, value in self._asdict().items() if value != nothing[name] and name not in BLIND]
        return [name.replace("_", "-") for name in chosen]


def remedies_of(text: str) -> Remedies:
    """The remedies of `sign-flip,differential,spares=4,…`; ValueError for what is none."""
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, number = part.strip().partition("=")
        if name not in NAMES or bool(equals) != (name in COUNTED):
            raise ValueError(f"{quoted(part)} is no remedy; write {', '.join(_written(name) for name in NAMES)}")
        key = name.replace("-", "_")
        if key in found:
            raise ValueError(f"{name} is there twice")
        found[key] = _count(name, number) if equals else True
    return Remedies(**found)


def _written(name: str) -> str:
    return f"{name}=N" if name in COUNTED else name


def _count(name: str, text: str) -> int:
    least, most = COUNTED[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and least <= int(text) <= most):
        raise ValueError(f"{name}={quoted(text)}: a whole number from {least} to {most} is allowed")
    return int(text)


class RepairSection(Section):
    """What is done about the faults of every chip, before it is programmed."""

    remedies: (
        Annotated[str, BeforeValidator(joined), checked(remedies_of), Option("--repair", metavar="REMEDY[=N][,...]")]
        | None
    ) = None
    """What is done about stuck devices: sign-flip, differential, permute, code, spares=N, ensemble=N, retrain=N with commas
    between them (docs/repair.md)."""
    fault_map: Annotated[Literal["march", "given"] | None, Option()] = None
    """How the faults become known: a march test of every chip, whose reads and writes are counted, or given for nothing."""

    @property
    def wanted(self) -> Remedies:
        """The remedies."""
        return Remedies() if self.remedies is None else remedies_of(self.remedies)

    def agree(self, variation: VariationSection) -> None:
        """Rules that join it with the effects."""
        knowing = self.wanted.knowing
        if not knowing:
            require(self.fault_map is None, "repair.fault_map: no remedy asks where faults are; leave it out")
        else:
            require(
                self.fault_map is not None,
                f"repair.remedies = {', '.join(knowing)}: the faults are unknown; give repair.fault_map = march or given",
            )
            stuck = any(effect.model == "stuck" for effect in variation.effects)
            require(stuck, f"repair.remedies = {', '.join(knowing)}: nothing is stuck; add effect stuck")
