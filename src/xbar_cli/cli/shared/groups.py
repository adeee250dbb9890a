"""Help by groups: which options of a command stand together, and in which order, what one types first before the rest."""

from typing import Any

import click

from xbar_cli.outside import did_you_mean

OUTPUT = "Output and the run"
"""The group of options that are no keys of the configuration."""
GROUPS: dict[str, tuple[str, ...]] = {
    "Method": ("method", "start", "robust", "inject"),
    "Network": ("network",),
    "Data": ("dataset", "layout", "pairs"),
    "Training": ("training.epochs", "training.learning_rate", "training.batch_size", "training"),
    "Of one method": ("neat", "tat", "refold", "periphery", "biased", "insitu"),
    "Search": ("design", "advise", "partition", "search"),
    "Cell": ("cell.card", "cell", "mismatch"),
    "Sweep": ("sweep",),
    "Pulses": ("pulses",),
    "Power": ("power",),
    "Range and surrogate": ("range", "surrogate"),
    "Costs": ("model", "preset", "activity", "accuracy", "baseline", "images", "pipeline", "node_nm", "line_charge",
              "constants", "against"),
    "Devices": ("variation.amount", "variation.effects", "variation", "repair", "ageing", "programming"),
    "Arrays": ("array.model", "array.r_wire_ohm", "array.r_source_ohm", "array.r_neuron_ohm", "mapping.tile", "tile", "tiles",
               "cell.run", "cell.vg", "array"),
    "Inputs": ("converters.dac_bits", "converters.dac_range", "converters.input", "converters.v_read_volt", "read",
               "input_bits", "rows_at_once"),
    "Converters": ("converters.adc_bits", "converters", "adc_bits", "columns_per_adc", "adc_input", "accumulate", "decoding"),
    "Monte Carlo": ("monte_carlo.samples", "monte_carlo.images", "monte_carlo.ci_width", "monte_carlo"),
    "Mapping": ("mapping.scheme", "scheme", "mapping.bits", "bits", "mapping.technology", "technology", "mapping.r_on_ohm",
                "mapping.r_off_ohm", "mapping.layers", "mapping.weight_limit", "weight_limit", "mapping", "weight_scale",
                "encoding", "levels"),
}  # fmt: skip
"""By title, in the order of the help: keys, or tables of them, in the order in which their options stand there."""


def place_of(key: str) -> tuple[str, int]:
    """The group of a key, and where in it it stands: of the entries that fit the longest counts."""
    fits = [
        (len(entry), title, place)
        for title, entries in GROUPS.items()
        for place, entry in enumerate(entries)
        if f"{key}.".startswith(f"{entry}.")
    ]
    if not fits:
        return OUTPUT, 0
    _, title, place = max(fits)
    return title, place


def order_of(key: str) -> tuple[int, int]:
    """What options are sorted by."""
    title, place = place_of(key)
    return [*GROUPS, OUTPUT].index(title), place


class InGroup(click.Option):
    """An option that says in which group of the help it stands."""

    def __init__(self, *args: Any, group: str = OUTPUT, **more: Any) -> None:
        """As Click's, with the title of the group."""
        super().__init__(*args, **more)
        self.group = group


def write_groups(command: click.Command, context: click.Context, formatter: click.HelpFormatter) -> None:
    """A heading for each group of a command's options, in the order of `GROUPS`."""
    found: dict[str, list[tuple[str, str]]] = {}
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record is not None:
            found.setdefault(getattr(option, "group", OUTPUT), []).append(record)
    for title in [*GROUPS, OUTPUT]:
        if title in found:
            with formatter.section(title):
                formatter.write_dl(found[title])


class Grouped(click.Command):
    """A command whose help shows its options by groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """By groups."""
        write_groups(self, ctx, formatter)


class GroupedCommands(click.Group):
    """The same with subcommands."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """By groups, then the subcommands."""
        write_groups(self, ctx, formatter)
        self.format_commands(ctx, formatter)


class NearChoice(click.Choice[str]):
    """One of some texts; another one is refused with the one that may be meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Click's line, and what may be meant."""
        line = super().get_invalid_choice_message(value, ctx)
        return line.removesuffix(".") + did_you_mean(str(value), [str(choice) for choice in self.choices]) + "."
