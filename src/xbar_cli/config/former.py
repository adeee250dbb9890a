"""What earlier versions wrote, in today's keys."""

from typing import Any

MOVED = {
    "array": "array.model",
    **{f"r_{end}_ohm": f"array.r_{end}_ohm" for end in ("source", "neuron", "wire")},
    **{key: f"mapping.{key}" for key in ("technology", "bits", "levels", "weight_limit", "layers", "tile")},
}
"""Keys of `[tat]` that went to `[array]` and `[mapping]`, which every command has."""


def current(key: str, value: Any) -> tuple[str, Any]:
    """A dotted key of `xbar train` and its value, as they are now.

    `tat.tile` was rows and outputs of a pair of arrays; `mapping.tile` is rows and columns, two for an output.
    """
    top, _, name = key.partition(".")
    if top != "tat" or name not in MOVED:
        return key, value
    if name == "tile" and isinstance(value, str):
        rows, times, outputs = value.lower().partition("x")
        value = f"{rows}{times}{2 * int(outputs)}" if outputs.isdecimal() else value
    return MOVED[name], value
