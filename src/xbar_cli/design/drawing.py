"""The figure of a descent."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from xbar_cli.figures import drawing
from xbar_cli.figures.labels import label_of_key
from xbar_cli.figures.style import PAGE

from .descent import Descent
from .parameters import Parameter

KEYS = {"v_read": "v_read_volt"} | {name: f"{name}_ohm" for name in ("r_on", "r_off", "r_source", "r_neuron")}
"""The key of the configuration that a parameter is, where it is called otherwise."""


def words(parameter: Parameter) -> str:
    """What a parameter is, of which layer."""
    name, _, layer = parameter.name.partition(":")
    said = label_of_key(KEYS.get(name, name)).words
    return f"{said} of {layer}" if layer else said


def draw(path: Path, chosen: Sequence[Parameter], descent: Descent, *, caption: str) -> Path:
    """Loss, energy and area over those of the first step, and each parameter between its bounds, step by step."""
    history = descent.history
    first = history[0]

    def panels(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        steps = range(1, len(history) + 1)
        above.plot(
            steps, [line["loss"] for line in history], color="0.4", linewidth=0.8, label="loss of the step's chips"
        )
        for (name, text), style in zip((("energy_joule", "energy"), ("area_m2", "area")), ("-", "--"), strict=True):
            above.plot(
                steps, [line[name] / first[name] for line in history], style, label=f"{text} / that of the start"
            )
        above.set(ylabel="loss, ratios")
        drawing.legend_above(figure, above, alone=True)
        for number, p in enumerate(chosen):
            shares = [p.share(line[p.name]) for line in history]
            style = ("-", "--", "-.", ":")[number % 4]
            below.plot(
                steps, shares, style, label=f"{words(p)} ({p.low:.3g} … {p.high:.3g}{f' {p.unit}' if p.unit else ''})"
            )
        below.set(ylabel="between its bounds", xlabel="step", ylim=(-0.05, 1.05))
        drawing.legend_above(figure, below, alone=True)

    return drawing.save(path, panels, caption=caption, width=PAGE, height=110)
