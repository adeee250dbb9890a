"""`xbar plot`."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.cli.shared.console import print_json, say


@click.command(epilog="Example: xbar plot runs/ir-drop --x r_wire --y accuracy --by tile --format pdf")
@click.argument("result", metavar="RESULT", type=click.Path(path_type=Path))
@click.option("--x", metavar="KEY", help="Swept key along the axis (default the numeric one with most values).")
@click.option("--y", metavar="FIGURE", help="What is drawn (default the accuracy).")
@click.option("--by", metavar="KEY", help="A line, or a row of a heat map, for each value of this key.")
@click.option("--facet", metavar="KEY", help="A panel for each value of this key.")
@click.option("--where", metavar="KEY=VALUE", multiple=True, help="Only these points; of one key, any of its values.")
@click.option("--kind", type=click.Choice(["line", "heat"]), help="Lines, or a heat map (default lines).")
@click.option("--width", type=click.Choice(["85", "175"]), help="Width in mm: a column or a page.")
@click.option("--format", "formats", metavar="FORMAT[,...]", help="png, pdf, svg (default png).")
@click.option("--out", type=click.Path(path_type=Path), help="File (default RESULT's name and the figure's, here).")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
def plot(
    result: Path, formats: str | None, out: Path | None, overwrite: bool, as_json: bool, width: str | None, **wish: Any
) -> None:
    """Draw a sweep for print: a folder of `xbar run` or its results.nc; also an evaluation's chips, a training's curve.

    Keys and figures have the short names of `xbar ls`, or the ends of their own. Seeds are averaged unless they are named.
    """
    from xbar_cli.pictures.plotting import PlotKeys, plot

    asked = PlotKeys(**wish, width=None if width is None else float(width))
    summary = plot(result, asked, out=out, formats=formats, overwrite=overwrite)
    if as_json:
        print_json(summary)
        return
    say(summary["caption"])
    for file in summary["out"]:
        click.echo(f"picture: {file}")
