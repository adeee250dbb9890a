"""`xbar characterize`, the group of `power`, `array` and `tile`."""

import functools
from typing import Any

import click
from click.core import ParameterSource

from xbar_cli.cli.shared.console import print_table
from xbar_cli.cli.shared.groups import GroupedCommands
from xbar_cli.cli.shared.options import Function, options
from xbar_cli.cli.shared.running import execute
from xbar_cli.config.characterize import CharacterizeConfig

from .array import array
from .power import power
from .tile import tile


def alone(function: Function) -> Function:
    """Run the group's own work only where no subcommand follows; its options stand after a subcommand's name."""

    @functools.wraps(function)
    def wrapper(**values: Any) -> Any:
        context = click.get_current_context()
        if context.invoked_subcommand is None:
            return function(**values)
        given = [
            p
            for p in context.command.params
            if context.get_parameter_source(p.name or "") == ParameterSource.COMMANDLINE
        ]
        if given:
            name = context.invoked_subcommand
            raise click.UsageError(
                f"{given[0].opts[0]} must stand after {name}: xbar characterize {name} {given[0].opts[0]} …"
            )
        return None

    return wrapper


@click.group(
    cls=GroupedCommands,
    invoke_without_command=True,
    subcommand_metavar="[power|array|tile] [OPTIONS]",
    epilog="Example: xbar characterize --vg-range 0.7:1.0:0.05 --width 90n --out runs/cell",
)
@alone
@options(CharacterizeConfig)
def characterize(config: CharacterizeConfig, **output: Any) -> None:
    """Simulate a 1T-1R cell in ngspice: its linear range at every gate voltage, and a differentiable surrogate."""
    from xbar_cli.workflows.characterize import run

    execute("characterize", config, workflow=run, show=show, **output)


for subcommand in (power, array, tile):
    characterize.add_command(subcommand)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as tables, none wider than 80 columns."""
    errors = ("max_error", "rms_error", "full_scale_error")
    head = [
        "V_g\n[V]",
        "G_lo\n[µS]",
        "G_cut\n[µS]",
        "W_cut/\nW_max",
        "rank",
        "largest\nerror",
        "rms\nerror",
        "of full\nscale",
    ]
    shares = [_share(share) for share in summary["w_cut_over_w_max"]]
    columns = [_edges(summary, "g_lo"), _edges(summary, "g_cut"), shares, _ranks(summary["surrogate_rank"])]
    columns += [_errors(summary[f"surrogate_{name}"]) for name in errors]
    _by_gate(summary, "Linear range and surrogate", head, columns)
    if "bit_line_rank" in summary:
        columns = [_ranks(summary["bit_line_rank"]), *(_errors(summary[f"bit_line_{name}"]) for name in errors)]
        title = f"Surrogate that follows the bit line to {summary['bit_line_volt_max'] * 1e3:g} mV"
        _by_gate(summary, title, [head[0], *head[4:]], columns)
    if "vdd_volt" in summary:
        volts = [f"{vdd:g}" for vdd in summary["vdd_volt"]]
        lists = zip(summary["supply_g_lo_siemens"], summary["supply_g_cut_siemens"], strict=True)
        columns = [[f"{_siemens(g)}" for g in edges] for pair in lists for edges in pair]
        names = [f"{edge} [µS]\nto {volt} V" for volt in volts for edge in ("G_lo", "G_cut")]
        _by_gate(summary, "Linear range up to each supply voltage V_dd", [head[0], *names], columns)
    if "line_leakage_ampere" in summary:
        leaks = [f"{current:.3g}" for current in summary["line_leakage_ampere"]]
        columns = [leaks, _edges(summary, "leakage_g_lo"), _edges(summary, "leakage_g_cut")]
        _by_gate(
            summary,
            "Bit line at V_in = 0, and the range within its limit",
            [head[0], "leakage\n[A]", *head[1:3]],
            columns,
        )
    if "mismatch_samples" in summary:
        cuts = [_edges(summary, f"mismatch_g_cut_{name}") for name in ("mean", "std")]
        ends = [
            [f"{100 * x:.2g}" for x in summary[f"mismatch_g_eff_at_{end}_relative_std"]] for end in ("g_off", "g_on")
        ]
        kept = [f"{100 * share:.0f}" for share in summary["mismatch_with_range"]]
        names = ["G_cut mean\n[µS]", "std\n[µS]", "with range\n[%]", "G_eff std at\nG_off [%]", "at G_on\n[%]"]
        title = f"{summary['mismatch_samples']} transistors of shifted threshold"
        _by_gate(summary, title, [head[0], *names], [*cuts, kept, *ends])
    rate = summary["points_per_second"]
    made = f"at {rate:.3g} points/s, {summary['simulator']}" if rate else "measured"
    click.echo(f"{summary['points']} points {made}{', from the cache' if summary['cached'] else ''}")


def _by_gate(summary: dict[str, Any], title: str, head: list[str], columns: list[list[Any]]) -> None:
    """Print a table with one row a gate voltage."""
    gates = [f"{vg:g}" for vg in summary["vg_volt"]]
    print_table(title, head, zip(gates, *columns, strict=True))


def _edges(summary: dict[str, Any], name: str) -> list[str]:
    return [_siemens(value) for value in summary[f"{name}_siemens"]]


def _ranks(ranks: list[int | None]) -> list[int | str]:
    return ["none" if rank is None else rank for rank in ranks]


def _errors(errors: list[float | None]) -> list[str | None]:
    return [None if error is None else f"{error:.1e}" for error in errors]


def _siemens(value: float | None) -> str:
    return "none" if value is None else f"{value * 1e6:#.4g}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
