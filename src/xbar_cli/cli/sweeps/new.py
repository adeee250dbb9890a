"""`xbar new`."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.cli.shared.console import print_json


def complete_template(_context: click.Context, _option: click.Parameter, begun: str) -> list[str]:
    """The templates that begin so, for the shell."""
    from xbar_cli.experiment.recipes import templates

    return [name for name in templates() if name.startswith(begun)]


@click.command(epilog="Example: xbar new my-study --from ir-drop, then xbar run my-study.toml")
@click.argument("name", metavar="[NAME]", required=False, type=click.Path(path_type=Path))
@click.option("--from", "template", metavar="TEMPLATE", shell_complete=complete_template, help="What to start from.")
@click.option("--list", "as_list", is_flag=True, help="List the templates.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
def new(name: Path | None, template: str | None, as_list: bool, overwrite: bool, as_json: bool) -> None:
    """Write NAME.toml, a commented experiment file, from a template (and files that it reads); run it with xbar run."""
    from xbar_cli.experiment.recipes import templates, write_recipe

    if as_list:
        list_templates(templates(), as_json=as_json)
        return
    if name is None or template is None:
        raise click.UsageError(f"give a NAME and --from TEMPLATE ({', '.join(templates())}), or --list")
    show(write_recipe(name, template=template, overwrite=overwrite), template=template, as_json=as_json)


def list_templates(known: dict[str, str], *, as_json: bool) -> None:
    """Print the templates, a line each."""
    if as_json:
        print_json({"command": "new", "templates": known})
        return
    for template, about in known.items():
        click.echo(f"{template:{max(map(len, known)) + 2}}{about}")


def show(written: list[Path], *, template: str, as_json: bool) -> None:
    """Say what was written, and what to do with it."""
    summary: dict[str, Any] = {"command": "new", "template": template, "out": [str(path) for path in written]}
    if as_json:
        print_json(summary)
        return
    for path in written:
        click.echo(f"written: {path}")
    click.echo(f"next:    xbar run {written[0]} --dry-run, then without it")
