"""`xbar characterize` and its subcommands `power`, `array` and `tile`."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .characterize_tile import tile
from .shared.console import print_table
from .shared.options import common, setting, with_config

Function = Callable[..., Any]


def cell_settings(function: Function) -> Function:
    """The options that describe the cell and its table."""
    for decorate in reversed(
        [
            setting(
                "--card", "cell.card", metavar="NAME|FILE",
                help="Transistor card: lp, hp, bulk, pdk45nvth, pdk45nvtg, or a file with a .model (default lp).",
            ),
            setting("--model", "cell.model", metavar="NAME", help="Name of the .model or .subckt in the file."),
            setting("--section", "cell.section", metavar="NAME", help="The .lib section of the file."),
            setting(
                "--nominal", "cell.nominal", is_flag=True, flag_value="true", default=None,
                help="Take random functions of the file, such as agauss(x, …), at their nominal value x.",
            ),
            setting("--width", "cell.width_m", metavar="METRE", help="Gate width (default 90n)."),
            setting("--length", "cell.length_m", metavar="METRE", help="Gate length (default 45n)."),
            setting("--temperature", "cell.temperature_celsius", metavar="CELSIUS", help="Temperature (default 27)."),
            setting(
                "--topology", "cell.topology", type=click.Choice(["drain", "source"]),
                help="Memristor's side of the transistor.",
            ),
            setting("--r-on", "cell.r_on_ohm", metavar="OHM", help="Low-resistance state (default 30k)."),
            setting("--r-off", "cell.r_off_ohm", metavar="OHM", help="High-resistance state (default 300k)."),
            setting("--g-points", "sweep.g_points", metavar="N", help="Conductances of the table (default 64)."),
            setting(
                "--g-spacing", "sweep.g_spacing", type=click.Choice(["linear", "log"]),
                help="Spacing of the conductances (default linear; log with --topology source).",
            ),
            setting(
                "--vin-range", "sweep.vin_range", metavar="START:STOP:COUNT",
                help="Input voltages [V], also of both signs: -0.5:0.5:101 (default 0.01:0.5:51).",
            ),
            setting("--tolerance", "range.tolerance", metavar="SHARE", help="Bound of the tolerance metric (default 0.025)."),
            setting(
                "--tolerance-metric", "range.metric", type=click.Choice(["spread", "deviation", "std"]),
                help="Tolerance metric.",
            ),
            setting("--surrogate-error", "surrogate.error", metavar="SHARE", help="Largest relative error (default 1e-3)."),
            setting("--jobs", "sweep.jobs", metavar="N", help="Simulator processes that share the gate voltages (default 1)."),
            setting("--backend", "sweep.backend", type=click.Choice(["auto", "ctypes", "ngspyce"]), help="Binding of ngspice."),
            setting(
                "--no-cache", "sweep.cache", is_flag=True, flag_value="false", default=None,
                help="Simulate even where the same table is in the cache, and keep none.",
            ),
        ]
    ):  # fmt: skip
        function = decorate(function)
    return function


gate_range = setting(
    "--vg-range", "sweep.vg_range", metavar="START:STOP:STEP", help="Gate voltages [V] (default 0.7:1.0:0.05)."
)
measured = setting(
    "--cell-table", "cell.table", metavar="FILE.csv",
    help="Measured currents, columns G,V,I[,V_g] in SI units, in place of a simulation.",
)  # fmt: skip


def _config(name: str) -> Callable[[], Any]:
    def load() -> Any:
        from xbar_cli.config import characterize

        return getattr(characterize, name)

    return load


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
    invoke_without_command=True,
    subcommand_metavar="[power|array|tile] [OPTIONS]",
    epilog="Example: xbar characterize --vg-range 0.7:1.0:0.05 --width 90n --out runs/cell",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@gate_range
@cell_settings
@measured
@setting(
    "--vbl",
    "sweep.vbl_volt",
    metavar="VOLT",
    help="Highest bit-line voltage that a second surrogate follows, such as 60m.",
)
@setting("--vdd", "range.vdd", metavar="LIST", help="Supply voltages at which the range is computed besides: 0.25,0.5.")
@setting(
    "--leakage-limit", "range.leakage_limit_ampere", metavar="AMPERE", help="Most current of a bit line at V_in = 0."
)
@setting("--rows", "range.rows", metavar="N", help="Cells on that bit line.")
@setting(
    "--vth-sigma", "mismatch.vth_sigma_volt", metavar="VOLT", help="Spread of the threshold voltage: Monte Carlo of it."
)
@setting("--mismatch-samples", "mismatch.samples", metavar="N", help="Transistors drawn (default 100).")
@common
@alone
@with_config(_config("CharacterizeConfig"))
def characterize(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Simulate a 1T-1R cell in ngspice: its linear range at every gate voltage, and a differentiable surrogate."""
    from xbar_cli.workflows.characterize import run

    from .shared.running import execute

    execute("characterize", config, workflow=run, show=show, out=out, overwrite=overwrite, as_json=as_json, quiet=quiet)


characterize.add_command(tile)


@characterize.command(
    epilog="Example: xbar characterize power --array 8x8 --weights normal:0,0.1 --samples 200",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@setting("--array", "power.array", metavar="ROWSxCOLS", help="Size of the array (default 8x8).")
@setting(
    "--weights", "power.weights", metavar="normal:MU,SIGMA", help="Distribution of the weights (default normal:0,0.1)."
)
@setting("--w-max", "power.w_max", metavar="W", help="|weight| at the top of the scale (default |MU| + 3 SIGMA).")
@setting("--samples", "power.samples", metavar="N", help="Arrays drawn (default 200).")
@gate_range
@cell_settings
@measured
@common
@with_config(_config("PowerConfig"))
def power(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Monte Carlo of the mean power per synapse, for random weights and inputs, against the gate voltage."""
    from xbar_cli.workflows.characterize_power import run

    from .shared.running import execute

    execute(
        "characterize-power", config, workflow=run, show=show_power, out=out, overwrite=overwrite, as_json=as_json,
        quiet=quiet,
    )  # fmt: skip


@characterize.command(
    epilog="Example: xbar characterize array --size 16x16 --r-wire 2.5 --seed 1",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@setting("--size", "array.size", metavar="ROWSxCOLS", help="Size of the array (default 16x16).")
@setting("--vg", "array.vg_volt", metavar="VOLT", help="Gate voltage (default 1.0).")
@setting("--r-wire", "array.r_wire_ohm", metavar="OHM", help="One segment of a wire (default 2.5).")
@setting("--r-source", "array.r_source_ohm", metavar="OHM", help="Each driver (default 0).")
@setting("--r-neuron", "array.r_neuron_ohm", metavar="OHM", help="Each sense circuit (default 0).")
@setting("--inputs", "array.inputs", metavar="N", help="Random input vectors (default 8).")
@cell_settings
@common
@with_config(_config("ArrayConfig"))
def array(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Simulate a whole array of 1T-1R cells with its wires in ngspice, and compare the project's models with it."""
    from xbar_cli.workflows.characterize_array import run

    from .shared.running import execute

    execute(
        "characterize-array", config, workflow=run, show=show_array, out=out, overwrite=overwrite, as_json=as_json,
        quiet=quiet,
    )  # fmt: skip


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


def show_power(summary: dict[str, Any]) -> None:
    """Print the power against gate voltage."""
    powers = zip(summary["vg_volt"], summary["power_per_synapse_watt"], summary["power_ci95_watt"], strict=True)
    rows = [
        (f"{vg:g}", None, None)
        if mean is None
        else (f"{vg:g}", f"{mean * 1e6:.4g}", " … ".join(f"{end * 1e6:.4g}" for end in interval))
        for vg, mean, interval in powers
    ]
    size = "×".join(str(n) for n in summary["array"])
    title = f"Power per synapse, {summary['samples']} arrays {size}, weights {summary['weights']}"
    print_table(title, ["V_g [V]", "mean [µW]", "95 % interval [µW]"], rows)


def show_array(summary: dict[str, Any]) -> None:
    """Print each model's distance from the simulator."""
    rows = [
        (name, f"{d['nrmsd']:.3g}", f"{d['max_relative_error']:.3g}", f"{d['max_full_scale_error']:.3g}")
        for name, d in summary["models"].items()
    ]
    size = "×".join(str(n) for n in summary["array"])
    wires = "" if summary["r_wire_ohm"] is None else f"{summary['r_wire_ohm']:g} Ω a wire segment, "
    title = f"{size}, {wires}V_g {summary['vg_volt']:g} V, against ngspice"
    print_table(title, ["model", "NRMSD", "largest relative error", "of full scale"], rows)
    click.echo(
        f"ngspice: {summary['oracle_seconds']:.3g} s for {summary['inputs']} inputs, "
        f"{summary['oracle_seconds_first_input']:.3g} s for the first"
    )


def _siemens(value: float | None) -> str:
    return "none" if value is None else f"{value * 1e6:#.4g}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
