"""`xbar design`."""

import shlex
from typing import Any

import click

from xbar_cli.cli.shared.completion import runs
from xbar_cli.cli.shared.console import print_table, say
from xbar_cli.cli.shared.groups import Grouped
from xbar_cli.cli.shared.options import options
from xbar_cli.cli.shared.running import execute
from xbar_cli.config.chips.advise import ADVISE_WITHOUT
from xbar_cli.config.chips.design import DesignConfig

COSTS = (("energy_joule", "energy an image", "J"), ("area_m2", "area", "m²"),
         ("latency_seconds", "time an image", "s"))  # fmt: skip


@click.command(
    cls=Grouped,
    epilog="Example: xbar design runs/net --array nodal --r-wire 5 --tile 64x64 --adc-bits 8 --variation 0.05 "
    "--over adc_bits --over wire_width --over weight_limit --energy-weight 0.1 --area-weight 0.05",
)
@click.argument("run", metavar="RUN", shell_complete=runs("train", "map"))
@options(DesignConfig, argument="run", without=ADVISE_WITHOUT)
def design(config: DesignConfig, **output: Any) -> None:
    """Parameters of arrays by gradient descent through their physics, from the evaluation that the options describe.

    Devices, wires, gate voltages, converters and tiles descend together on the loss of chips drawn anew at every step, and on
    what they cost; the design ends as what can be built, and only what `xbar eval` and `xbar energy` say of that is reported.
    """
    from xbar_cli.design.run import run

    execute("design", config, workflow=run, show=show, **output)


def show(summary: dict[str, Any]) -> None:
    """Print what was designed, what it reaches and costs, and what each parameter is worth there."""
    from xbar_cli.figures.labels import Label, prefixed

    percent = summary["metric"] in ("accuracy", "top5", "r2")
    scale, unit = (100, " [%]") if percent else (1, "")
    start, metric = summary["start"], summary["metric"]

    def span(ci: list[float] | None) -> str:
        """An interval."""
        return "–" if ci is None else f"{ci[0] * scale:.1f} … {ci[1] * scale:.1f}"

    title = f"{summary['network']} on {summary['dataset']}, {summary['steps']} steps"
    print_table(
        title,
        ["parameter", "unit", "start", "design", "bounds"],
        [
            (p["name"], p["unit"], f"{p['start']:.4g}", f"{p['built']:.4g}", f"{p['low']:.4g} … {p['high']:.4g}")
            for p in summary["parameters"]
        ],
    )
    found = (start["metric_value"], summary["metric_value"], summary["won"])
    spans = (start["metric_ci95"], summary["metric_ci95"], summary["won_ci95"])
    start_value, value, won = (scale * one for one in found)
    rows = [
        (f"{metric}{unit}", f"{start_value:.1f}", f"{value:.1f}", f"{won:+.1f}"),
        ("its 95 % interval", *map(span, spans)),
    ]
    for key, text, of in COSTS:
        label = prefixed(Label(text, unit=of), start[key])
        before, after = start[key] * label.factor, summary[key] * label.factor
        rows.append((f"{text} [{label.unit}]", f"{before:.4g}", f"{after:.4g}", f"× {after / before:.3f}"))
    print_table(f"On {summary['samples']} chips that no step saw", ["", "start", "design", "change"], rows)
    print_table(
        "What 1 % more of a parameter does at the design",
        ["parameter", "loss", "energy [%]", "area [%]"],
        [
            (p["name"], f"{p['slopes']['loss'] / 100:+.2g}", f"{p['slopes']['energy_joule']:+.2g}",
             f"{p['slopes']['area_m2']:+.2g}")
            for p in summary["parameters"]
        ],
    )  # fmt: skip
    out, net = shlex.quote(summary["out"]), shlex.quote(summary.get("network_run", summary["run"]))
    if "network_run" in summary:
        say(f"the weights descended too, by {100 * summary['weights_moved']:.1f} % of their rms; the network: {net}")
    say("changes are over the same chips; the design again, by the ordinary commands:")
    click.echo(f"xbar eval {net} --config {out}/evaluate.toml")
    click.echo(f"xbar map {net} --config {out}/map.toml --out MAPPED; xbar energy MAPPED --config {out}/energy.toml")
