"""The page that shows what is watched, and asks for it again and again."""

from functools import cache
from importlib.resources import files

import jinja2

from xbar_cli.report import page as report_page

CONNECT = "connect-src 'self'; frame-ancestors 'none'"
"""What the page may do that a report may not: ask its own address for the state."""


def watch_page(title: str) -> tuple[str, str]:
    """The page, and its policy."""
    style, script = report_page.asset("page.css") + asset("watch.css"), asset("watch.js")
    rules = report_page.policy(scripts=[script], styles=[style], more=CONNECT)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(asset("watch.html")).render(title=title, style=style, script=script), rules


@cache
def asset(name: str) -> str:
    """A file of this package."""
    return files("xbar_cli.watch").joinpath(name).read_text(encoding="utf-8")
