"""Options that set configuration keys: one declaration ties the option to its dotted key."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

Function = Callable[..., Any]


def setting(name: str, key: str, *, help: str, metavar: str = "VALUE", **extra: Any) -> Callable[[Function], Function]:
    """An option whose text becomes the configuration value at the dotted `key`."""
    if not isinstance(extra.get("type"), click.Choice):
        extra["metavar"] = metavar
    return click.option(name, _parameter(key), help=help, **extra)


def common(function: Function) -> Function:
    """The options of every command that makes a run: --config --set --seed --out --overwrite --json --quiet."""
    for decorate in reversed(
        [
            click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML file with settings."),
            click.option(
                "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set one key: section.key=value."
            ),
            setting("--seed", "seed", help="Seed of everything random (default 0).", metavar="N"),
            click.option(
                "--out", type=click.Path(path_type=Path), help="Run directory (default runs/COMMAND-TIME-HASH)."
            ),
            click.option("--overwrite", is_flag=True, help="Replace a complete run at --out."),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else."),
            click.option("--quiet", is_flag=True, help="No progress bar, no notes."),
        ]
    ):
        function = decorate(function)
    return function


def split_options(command: click.Command, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Separate the configuration settings from `values`: (by dotted key, option spelling by dotted key)."""
    names = {param.name: param.opts[0] for param in command.params if param.name and param.name.startswith("key__")}
    options: dict[str, Any] = {}
    spelling: dict[str, str] = {}
    for parameter, name in names.items():
        key = _key(parameter)
        value = values.pop(parameter)
        options[key] = None if value == () else value  # a repeatable option that was not given
        spelling[key] = name
    return options, spelling


def _parameter(key: str) -> str:
    return "key__" + key.replace(".", "__")


def _key(parameter: str) -> str:
    return parameter.removeprefix("key__").replace("__", ".")


def mapping_settings(function: Function) -> Function:
    """The options that say how weights come onto devices, for `map` and for `evaluate` on a train run."""
    for decorate in reversed(
        [
            setting(
                "--scheme", "mapping.scheme", type=click.Choice(["de", "bc", "acm", "bitslice"]),
                help="Double element, bias column, adjacent connection, or slices of fixed-point weights (default de).",
            ),
            setting("--bits", "mapping.bits", metavar="B", help="Bits of one device (default any level; bitslice 2)."),
            setting(
                "--levels", "mapping.levels", metavar="uniform|ratio|FILE",
                help="Levels of the devices: equal steps, tat's with absent devices, or one conductance a line.",
            ),
            setting(
                "--weight-limit", "mapping.weight_limit", metavar="max|largest|auto|VALUE",
                help="Weight at full scale: the largest, or what tat trained with (max, the default); the largest in any case; "
                "the share of it that costs least.",
            ),
            setting(
                "--layers", "mapping.layers", type=click.Choice(["all", "dense"]),
                help="Layers on arrays, the others digital (default all, or those that tat trained there).",
            ),
            setting("--weight-bits", "mapping.weight_bits", metavar="N", help="bitslice: bits of a weight (default 8)."),
            setting(
                "--fraction-bits", "mapping.fraction_bits", metavar="N",
                help="bitslice: bits behind the point, any whole number (default each layer's own).",
            ),
            setting(
                "--encoding", "mapping.encoding", type=click.Choice(["offset", "twos_complement", "differential"]),
                help="bitslice: code of negative weights (default offset).",
            ),
            setting("--technology", "mapping.technology", metavar="NAME|FILE", help="Device technology, or a TOML file."),
            setting("--tile", "mapping.tile", metavar="ROWSxCOLS", help="Size of one array (default 128x128)."),
            setting(
                "--weight-scale", "mapping.weight_scale", type=click.Choice(["network", "layer", "column"]),
                help="Whose largest weight is the full scale (default network with a cell, else layer).",
            ),
            setting(
                "--map-target", "mapping.map_target", type=click.Choice(["effective", "memristor"]),
                help="With a cell: the conductance that weights are linear in (default effective).",
            ),
            setting(
                "--top", "mapping.top", type=click.Choice(["range", "device"]),
                help="With a cell, the top of the scale: the end of the linear range, or G_on (default device; range for "
                "bitslice and for weights that neat restricted).",
            ),
            setting("--r-on", "mapping.r_on_ohm", metavar="OHM", help="Low-resistance state without a cell (default 30k)."),
            setting("--r-off", "mapping.r_off_ohm", metavar="OHM", help="High-resistance state without a cell (default 300k)."),
            setting("--cell", "cell.run", metavar="RUN", help="Characterize run whose 1T-1R cell the arrays are made of."),
            setting("--vg", "cell.vg", metavar="VOLT", help="Gate voltage of every layer (default the run's own)."),
        ]
    ):  # fmt: skip
        function = decorate(function)
    return function


def together(options: Sequence[Callable[[Function], Function]]) -> Callable[[Function], Function]:
    """Several options as one decorator, in the order in which help lists them."""

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def read_settings(section: str) -> Callable[[Function], Function]:
    """The options that say how rows are read: for `map`, whose cells are programmed for it, and for `evaluate`."""
    taken = "the mapped run's, else " if section == "converters" else ""
    options = [
        setting(
            "--input", f"{section}.input", type=click.Choice(["amplitude", "bitserial", "pwm"]),
            help=f"Inputs as voltages, bit by bit, or as pulse widths; the last two at one voltage (default {taken}amplitude).",
        ),
        setting(
            "--v-read", f"{section}.v_read_volt", metavar="VOLT",
            help=f"1T-1R: that one voltage (default {taken}the cell's largest).",
        ),
        setting("--dac-bits", f"{section}.dac_bits", metavar="N", help=f"Bits of an input (default {taken}any value)."),
        setting(
            "--dac-range", f"{section}.dac_range", metavar="max|percentile:P|VALUE",
            help="Activation of the full drive of each layer, over the calibration images (default max, or what training or "
            "mapping fixed).",
        ),
    ]  # fmt: skip
    return together(options)


def network_settings(*, padding: str) -> Callable[[Function], Function]:
    """The options that say how the network reads images and pads and normalises; `padding` is the default in words."""
    options = [
        setting(
            "--mean", "network.mean", metavar="X[,X...]",
            help="Taken off the pixels, which are 0 to 1, before the first layer: one number, or one a channel (default 0).",
        ),
        setting("--std", "network.std", metavar="X[,X...]", help="What the pixels are then divided by (default 1)."),
        setting(
            "--padding", "network.padding", type=click.Choice(["same", "torch"]),
            help=f"resnet18, resnet20: convolutions of stride 2 padded by (0, 1), or torch's (1, 1) (default {padding}).",
        ),
        setting("--norm-epsilon", "network.norm_epsilon", metavar="X", help="Added to batch norm's variance (default 1e-5)."),
    ]  # fmt: skip
    return together(options)


def with_config(
    load: Callable[[], Any], *, argument: str | None = None, resumable: bool = False
) -> Callable[[Function], Function]:
    """Give the command its resolved configuration as `config`, in place of the options that set keys.

    Args:
        load: imports and returns the configuration model; called only when the command runs.
        argument: a positional argument that sets the key of the same name.
        resumable: the command has --resume RUN: the configuration is then the one in that run, and options that are
            given besides must agree with it.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(**values: Any) -> Any:
            from xbar_cli.config.load import resolve, resume_config

            options, spelling = split_options(click.get_current_context().command, values)
            if argument is not None:
                options[argument], spelling[argument] = values.pop(argument), argument.upper()
            given = {"config_file": values.pop("config_file"), "settings": values.pop("settings")}
            resume = values.get("resume") if resumable else None
            if resume is not None:
                config = resume_config(load(), resume, options=options, option_names=spelling, **given)
            else:
                config = resolve(load(), options=options, option_names=spelling, **given)
            return function(config=config, **values)

        return wrapper

    return decorate
