"""Keys at the top of a training's configuration that stand for those of its method's section."""

from collections.abc import Mapping
from typing import Any

from xbar_cli.config.base import Section
from xbar_cli.config.methods import METHODS
from xbar_cli.outside import quoted

SHORTHANDS = (
    "array", "bits", "levels", "scheme", "start", "tile", "weight_limit", "weight_scale", "technology", "encoding", "layers",
    "refold",
)  # fmt: skip
"""Top-level keys that stand for the key of the same name in the section of the method, or in one that the method shares."""


def key_in(section: type[Section], short: str) -> str | None:
    """The dotted key that a shorthand stands for; None where the method has none of that name."""
    if short in section.model_fields:
        return f"{section.model_fields['name'].default}.{short}"
    long = f"{short}.model" if short == "array" else f"mapping.{short}"
    return long if long in section.shares else None


def written_out(tree: Mapping[str, Any], method: str, names: Mapping[str, str]) -> dict[str, Any]:
    """Top-level `bits`, `start`, … moved into the sections that they stand for."""
    found = dict(tree)
    for key in [key for key in SHORTHANDS if key in tree and not isinstance(tree[key], Mapping | Section)]:
        if key not in names:
            users = [name for name, section in METHODS.items() if key_in(section, key) is not None]
            raise ValueError(f"method = {method} does not use `{key}`; it belongs to {', '.join(users)}")
        _put(found, names[key], found.pop(key), spelled=key)
    return found


def _put(tree: dict[str, Any], key: str, value: Any, *, spelled: str) -> None:
    """Set `section.key` of a tree, in a copy of the section."""
    section, _, name = key.partition(".")
    table = tree.get(section, {})
    if not isinstance(table, dict):
        raise ValueError(f"{section} = {quoted(table)} is a value, not a section")
    if name in table:
        raise ValueError(f"{spelled} and {key} say the same: give one of them")
    tree[section] = {**table, name: value}
