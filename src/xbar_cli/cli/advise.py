"""`xbar advise`."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import click

from xbar_cli.config.chips.advise import ADVISE_WITHOUT, AdviseConfig
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.effect_list import effect_text

from .energy import engineering
from .shared.completion import runs
from .shared.console import print_table, say
from .shared.declared import declared
from .shared.groups import Grouped
from .shared.options import options
from .shared.running import execute


@click.command(cls=Grouped, epilog="Example: xbar advise runs/net --variation 0.15 --samples 10")
@click.argument("run", metavar="RUN", shell_complete=runs("train", "map"))
@options(AdviseConfig, argument="run", without=ADVISE_WITHOUT, draws=False)
def advise(config: AdviseConfig, **output: Any) -> None:
    """What costs a train run its accuracy on chips, and what wins it back.

    The evaluation that the options describe, without each of its imperfections, each layer alone, and with each remedy: on
    the same chips, so that differences are paired. Every remedy is a command.
    """
    from xbar_cli.advise.run import run

    execute("advise", config, workflow=run, show=show, **output)


def show(summary: dict[str, Any]) -> None:
    """Print what costs most, and the remedies, the best first."""
    percent = summary["metric"] in ("accuracy", "top5", "r2")
    scale, unit = (100, " [%]") if percent else (1, "")

    def number(value: float, ci: list[float] | None) -> str:
        """A value with its interval."""
        digits = 1 if percent else 3
        span = "" if ci is None else f" ({ci[0] * scale:.{digits}f} … {ci[1] * scale:.{digits}f})"
        return f"{value * scale:.{digits}f}{span}"

    metric, reached = summary["metric"], number(summary["metric_value"], summary["metric_ci95"])
    title = f"{summary['network']} on {summary['dataset']}: {metric}{unit} {reached}, floating point"
    print_table(
        f"{title} {number(summary[f'ideal_{metric}'], None)}",
        ["without", f"won back{unit}"],
        [(row["name"], number(row["won"], row["won_ci95"])) for row in summary["without"]],
    )
    if summary["per_layer"]:
        rows = [(name, number(cost, None)) for name, cost in summary["per_layer"].items()]
        print_table("Each layer alone on arrays", ["layer", f"lost{unit}"], rows)
    print_table(
        "Remedies, on the same chips",
        ["", "remedy", f"{metric}{unit}", f"won back{unit}"],
        [
            (n, row["name"], number(row["metric_value"], None), number(row["won"], row["won_ci95"]))
            for n, row in enumerate(summary["remedies"], start=1)
        ],
    )
    show_costs(summary)
    say(f"in brackets: 95 % intervals over {summary['samples']} chips, the same ones throughout")
    for n, row in enumerate(summary["remedies"], start=1):
        cost = f"   # costs {row['cost']}" if row["cost"] else ""
        click.echo(f"{n}. {command(summary, row['changes'])}{cost}")
    if not summary["trained"]:
        say("not tried: xbar train --robust (--try-training does)")


def show_costs(summary: dict[str, Any]) -> None:
    """Print what a chip takes of devices and joules, as it is and with each remedy."""
    rows = [("", "as it is", summary), *((n, row["name"], row) for n, row in enumerate(summary["remedies"], start=1))]
    keys = ("energy_joule", "once_joule")
    print_table(
        f"What they cost ({summary['cost_model']})",
        ["", "remedy", "devices", "an image", "once"],
        [
            (n, name, row["devices"], *(None if row[key] is None else engineering(row[key], "J") for key in keys))
            for n, name, row in rows
        ],
    )


def command(summary: dict[str, Any], changes: Mapping[str, Any]) -> str:
    """The command that evaluates a remedy."""
    wanted = {**summary["settings"], **{key: value for key, value in changes.items() if value is not None}}
    return shlex.join(["xbar", "eval", str(wanted.pop("run")), *spelled(wanted)])


def spelled(settings: Mapping[str, Any]) -> Iterator[str]:
    """Settings as options, or as --set where there is none."""
    named = {option.key: option for option in declared(EvaluateConfig)}
    for key, value in settings.items():
        option = named.get(key)
        if option is None:
            yield from ("--set", f"{key}={value}")
        elif option.flag is not None:
            yield option.name
        elif option.repeatable:
            yield from (word for one in value for word in (option.name, effect_text(one)))
        else:
            yield from (option.name, f"{value:g}" if isinstance(value, float) else str(value))
