"""Figures of an evaluation: the metric of every chip, and what each layer costs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xbar_cli.chip import sensitivity
from xbar_cli.figures import kinds
from xbar_cli.nn.score import Measure


def draw(folder: Path, result: Mapping[str, Any], *, caption: str) -> None:
    """Draw what a summary says of the chips into `folder`."""
    metric = result["metric"]
    measure = Measure(metric)
    kinds.sample_accuracies(
        folder / f"{metric}.png",
        samples=result[f"{metric}_samples"],
        reference=result[f"ideal_{metric}"],
        caption=caption,
        name=metric,
        percent=measure.is_share,
    )
    if "per_layer" in result:
        caption = f"{caption}; bars: 95 % intervals over chips"
        sensitivity.draw(folder / "per_layer.png", result, caption=caption, measure=measure)
