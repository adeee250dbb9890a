"""What an option offers is what its key takes: a name added to one of them and forgotten in the other fails here."""

import importlib
import typing

import click
import pytest
from pydantic import BaseModel

COMMANDS = ("map", "evaluate", "train", "energy", "importing", "fit", "pareto")


def literals(annotation):
    """The texts that an annotation with a Literal in it takes."""
    if typing.get_origin(annotation) is typing.Literal:
        return {a for a in typing.get_args(annotation) if isinstance(a, str)}
    return set().union(*(literals(a) for a in typing.get_args(annotation)), set())


def choices():
    for name in COMMANDS:
        module = importlib.import_module(f"xbar_cli.cli.{name}")
        (command,) = {c for c in vars(module).values() if isinstance(c, click.Command)}
        for option in command.params:
            if option.name.startswith("key__") and isinstance(option.type, click.Choice):
                yield pytest.param(module, option, id=f"{name} {option.opts[0]}")


@pytest.mark.parametrize(("module", "option"), list(choices()))
def test_an_option_offers_what_its_key_takes(module, option):
    *sections, key = option.name.removeprefix("key__").split("__")
    models = [module._config()]
    for section in sections:
        models = [m.model_fields[section].annotation for m in models]
    if not sections and key not in models[0].model_fields:  # short for a key of the method's own section
        models = [f.annotation for f in models[0].model_fields.values() if isinstance(f.annotation, type)]
        models = [m for m in models if issubclass(m, BaseModel) and key in m.model_fields]
    taken = set().union(*(literals(model.model_fields[key].annotation) for model in models))
    assert set(option.type.choices) == taken
