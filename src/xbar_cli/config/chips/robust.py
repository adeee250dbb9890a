"""What `xbar train --robust` stands for."""

from collections.abc import Mapping
from typing import Any

from xbar_cli.config.effect_list import effect_text

EFFECT = "additive:sigma=0.15"
"""Another chip at every step, its devices 15 % of their range off."""
CLIP = 1.5
"""Standard deviations at which weights are cut."""
CHOICES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "ideal": {"training": {"epochs": 40, "schedule": "cosine", "clip_weights": CLIP}},
    "tat": {"training": {"epochs": 40, "schedule": "cosine", "clip_weights": CLIP}},
    "neat": {
        "training": {"clip_weights": CLIP},
        "neat": {"rounds": 5, "learning_rate": 3e-4, "weight_scale": "layer"},
    },
}
"""By method: what is asked for where nothing else is (docs/robust.md has what was tried)."""


def made_robust(tree: Mapping[str, Any], method: str) -> dict[str, Any]:
    """A training's settings with what robust stands for where they say nothing. ValueError for a method that it contradicts."""
    if method not in CHOICES:
        raise ValueError(
            f"robust noise on weights contradicts method = {method}, whose devices have states of their own: leave robust out, "
            f"or method = {', '.join(CHOICES)}"
        )
    own = tree.get(method)
    if method == "neat" and not (isinstance(own, Mapping) and own.get("start")):
        raise ValueError(
            "robust with method = neat needs neat.start: train with robust alone first, and start from that"
        )
    found = {"inject": EFFECT, **tree}
    for section, choices in CHOICES[method].items():
        given = found.get(section, {})
        if isinstance(given, Mapping):
            found[section] = {**choices, **given}
    return found


def said_of(method: str, values: Mapping[str, Any]) -> str:
    """What robust came to, of the settings in `values` by their dotted keys."""
    keys = [f"{section}.{key}" for section, choices in CHOICES[method].items() for key in choices]
    noise = [f"inject = {effect_text(effect)}" for effect in values.get("inject.effects") or ()]
    return "robust: " + ", ".join(noise + [f"{key} = {values[key]}" for key in keys if key in values])
