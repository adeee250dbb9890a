"""When an axis counts: `map.mapping.scheme == 'de'`, several joined by `and`, over other axes."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from xbar_cli.config.base import require
from xbar_cli.outside import quoted

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
    "in": lambda value, among: value in among,
}  # fmt: skip
_TERM = re.compile(r"\s*([\w.-]+)\s*(==|!=|<=|>=|<|>|\bin\b)\s*(.+?)\s*")
FORM = "write KEY == VALUE (or !=, <, <=, >, >=, in [A, B]), several joined by `and`"


@dataclass(frozen=True)
class Term:
    """One comparison of an axis with a value."""

    key: str
    relation: str
    value: Any

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether a design has that axis, and it is as wanted."""
        if self.key not in values:
            return False
        try:
            return bool(OPERATORS[self.relation](values[self.key], self.value))
        except TypeError:  # a text is neither more nor less than a number
            return False


def parse_condition(text: Any, *, where: str) -> tuple[Term, ...]:
    """The comparisons of a condition, all of which must hold."""
    require(isinstance(text, str), f"{where}: when = {quoted(text)} is no condition; {FORM}")
    terms: list[Term] = []
    for part in re.split(r"\s+and\s+", text.strip()):
        found = _TERM.fullmatch(part)
        require(found is not None, f"{where}: when = {quoted(text)} is no condition; {FORM}")
        assert found is not None
        value = _value(found[3])
        among = found[2] != "in" or isinstance(value, list)
        require(value is not None and among, f"{where}: when = {quoted(text)}: {quoted(found[3])} is no value; {FORM}")
        terms.append(Term(found[1], found[2], value))
    return tuple(terms)


def _value(text: str) -> Any:
    """A number, a text in quotes, true or false, or a list of them; None where it is none of these."""
    if text in ("true", "false"):
        return text == "true"
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    plain = (int, float, str)
    return (
        found
        if isinstance(found, plain) or (isinstance(found, list) and all(isinstance(x, plain) for x in found))
        else None
    )
