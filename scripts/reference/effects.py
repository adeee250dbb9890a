"""docs/reference/effects.md: every effect on devices, in the order in which they act, from the sections that declare them."""

import tomllib
from pathlib import Path
from typing import get_args

from scripts.reference.keys import Key, allowed, default_of
from xbar_cli.config.chips.effect import Effect, Stage
from xbar_cli.config.effects import EFFECTS

HERE = Path(__file__).parent
STAGES = {
    "programming": "Writing: what programming leaves of the target conductance.",
    "device": "Fabrication, between devices: every device is off by a draw of its own.",
    "chip": "Fabrication, between chips: all devices of a chip are off together.",
    "drift": "Age, reads and heat: what becomes of a conductance once it is written.",
    "faults": "Hard faults: they have the last word, whatever was written to the device and however long ago.",
    "transistor": "The access transistors of 1T-1R cells, beside the memristors; needs a cell (`--cell`).",
    "read": "Reads: drawn anew at every product, on top of what the chip has become.",
}
"""What each stage is, in physical order."""


def examples() -> dict[str, str]:
    """An example of every effect, as `--effect` takes it."""
    return tomllib.loads((HERE / "effects.toml").read_text(encoding="utf-8"))


def argument(name: str, key: Key) -> str:
    """An argument of an effect as an item of a list."""
    facts = [allowed(key.info, key.name), default_of(key)]
    return f"- **`{name}`**: {key.words}<br>*{'; '.join(filter(None, facts))}*"


def effect_text(name: str, section: type[Effect]) -> str:
    """What an effect is, what it takes, and an example."""
    keys = [
        (key, Key(f"variation.effects.{name}.{key}", info, "", (), ()))
        for key, info in section.model_fields.items()
        if key != "model"
    ]
    once = f" One at most: {section.once}." if section.once else " May be given several times."
    doc = " ".join((section.__doc__ or "").split())
    listed = "\n".join(argument(leaf, key) for leaf, key in keys)
    return f"\n### `{name}`\n\n{doc}{once}\n\n{listed}\n\nExample: `--effect {examples()[name]}`\n"


def page() -> str:
    """The page."""
    text = (HERE / "effects_head.md").read_text(encoding="utf-8")
    for number, stage in enumerate(get_args(Stage), start=1):
        text += f"\n## {number}. {stage.capitalize()}\n\n{STAGES[stage]}\n"
        text += "".join(effect_text(name, section) for name, section in EFFECTS.items() if section.stage == stage)
    return text
