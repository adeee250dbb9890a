"""The options of a command: those that the sections of its configuration declare, and those of every command."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from xbar_cli.config.base import RootSection
from xbar_cli.config.load import OriginError, resolve, resume_config
from xbar_cli.errors import XbarError
from xbar_cli.figures.formats import also

from .completion import completion_of
from .declared import Declared, declared
from .groups import InGroup, NearChoice, order_of, place_of
from .reporter import reporting
from .spelling import speak, spoken

Function = Callable[..., Any]
LOADING = "loading JAX and the models"
"""What a command does first."""
FORMATS_HELP = "Write figures as pdf or svg too, beside PNG."


def options(
    model: type[RootSection], *, argument: str | None = None, without: Sequence[str] = (), draws: bool = True
) -> Callable[[Function], Function]:
    """Give a command the options of its configuration, which it gets resolved as `config`; `argument` is a positional one.

    Where it has `--resume RUN`, the configuration is the one in that run, and options that are given besides must agree with
    it. Errors and notes name options instead of keys. `without` are keys, or sections, whose options the command has no use
    for; ValueError where there is none. One that `draws` figures has the option of their formats.
    """
    every = declared(model)
    left_out = [[o for o in every if f"{o.key}.".startswith(f"{name}.")] for name in without]
    if not all(left_out):
        raise ValueError(f"{model.__name__}: no option to leave out: {', '.join(without)}")
    found = [option for option in every if not any(option in group for group in left_out)]
    keys = {_parameter(option): option.key for option in found}
    names = {option.key: option.name for option in found}

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(**values: Any) -> Any:
            # a repeatable option that was not given is ()
            given = {key: None if (value := values.pop(name)) == () else value for name, key in keys.items()}
            spelling = dict(names)
            if argument is not None:
                given[argument], spelling[argument] = values.pop(argument), argument.upper()
            speak(found)
            try:
                with also(values.pop("formats", None) or "png"):
                    config = _resolved(model, values, options=given, option_names=spelling)
                    require_place(values)
                    with reporting(quiet=values.get("quiet", False)) as reporter:
                        reporter.doing(LOADING)
                        return function(config=config, **values)
            except OriginError:
                raise
            except XbarError as error:
                error.args = (spoken(str(error)),)
                raise

        return functools.reduce(
            lambda command, option: option(command), reversed(_ordered(found, draws=draws)), wrapper
        )

    return decorate


def require_place(values: Mapping[str, Any]) -> None:
    """RunError where a complete run stands at --out: before anything is loaded, which takes seconds."""
    from xbar_cli.runs.directory import check_free

    if values.get("out") is not None and values.get("resume") is None:
        check_free(values["out"], overwrite=values["overwrite"])


def _resolved(model: type[RootSection], values: dict[str, Any], **given: Any) -> Any:
    """The configuration that `values` and `given` ask for; takes --config and --set out of `values`."""
    given |= {"config_file": values.pop("config_file"), "settings": values.pop("settings")}
    resume = values.get("resume")
    return resolve(model, **given) if resume is None else resume_config(model, resume, **given)


def _parameter(option: Declared) -> str:
    return "key__" + option.key.replace(".", "__")


def _ordered(found: Sequence[Declared], *, draws: bool) -> list[Callable[[Function], Function]]:
    """The options in the order of the help: the sections', then those of every command, the seed among them."""
    path = click.Path(path_type=Path)
    return [
        *(_click(option) for option in sorted(found, key=lambda o: order_of(o.key)) if option.key != "seed"),
        click.option("--config", "config_file", type=path, help="TOML file with settings."),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set one key: section.key=value."),
        *(_click(option) for option in found if option.key == "seed"),
        click.option("--out", type=path, help="Run directory (default runs/COMMAND-TIME-HASH)."),
        click.option("--overwrite", is_flag=True, help="Replace a complete run at --out."),
        *([click.option("--figure-format", "formats", metavar="FORMAT[,...]", help=FORMATS_HELP)] if draws else []),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else."),
        click.option("--quiet", is_flag=True, help="No progress bar, no notes."),
    ]


def _click(option: Declared) -> Callable[[Function], Function]:
    """An option whose text becomes the configuration value at its key."""
    kind: dict[str, Any] = {"multiple": option.repeatable}
    if option.flag is not None:
        kind = {"is_flag": True, "flag_value": option.flag, "default": None}
    elif option.choices:
        kind["type"] = NearChoice(option.choices)
    if (complete := completion_of(option.key)) is not None:
        kind["shell_complete"] = complete
    return click.option(
        option.name, _parameter(option), help=option.help, metavar=option.metavar or None, cls=InGroup,
        group=place_of(option.key)[0], **kind,
    )  # fmt: skip
