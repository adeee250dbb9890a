"""The page of `xbar report`: one HTML file with its style and pictures inside, which asks nobody for anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jinja2

from xbar_cli.report.tables import Table

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
* { box-sizing: border-box; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 70rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; border-top: 2px solid var(--line); padding-top: 1rem; } h3 { font-size: 1rem; }
.path { font-family: ui-monospace, monospace; font-size: .85rem; opacity: .75; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { background: var(--soft); }
figure { margin: 1rem 0; } figcaption { font-size: .85rem; opacity: .75; }
img { max-width: 100%; height: auto; background: #fff; }
details { margin: .75rem 0; } summary { cursor: pointer; font-weight: 600; }
.state { border: 1px solid var(--line); border-radius: .5rem; padding: 0 .5rem; font-size: .8rem; font-weight: 400; }
nav ul { padding-left: 1.2rem; }
"""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""No script, nothing from elsewhere, whatever the page says."""
TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<link rel="icon" href="data:,">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
{%- macro grid(table) %}
<div class="wide"><table>
<thead><tr>{% for cell in table.head %}<th>{{ cell }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for row in table.rows %}
<tr>{% for cell in row %}<td>{{ "–" if cell is none else cell }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody></table></div>
{%- if table.note %}<p>{{ table.note }}</p>{% endif %}
{%- endmacro %}
<h1>{{ title }}</h1>
{%- if sections | length > 1 %}
<nav><ul>{% for s in sections %}<li><a href="#run-{{ loop.index }}">{{ s.name }}</a> ({{ s.command }})</li>{% endfor %}</ul></nav>
{%- endif %}
{%- for line in notes %}<p>{{ line }}</p>{% endfor %}
{%- if overview %}<h3>{{ overview.title }}</h3>{{ grid(overview) }}{% endif %}
{%- for s in sections %}
<section id="run-{{ loop.index }}">
<h2>{{ s.name }} <span class="state">{{ s.command }}, {{ s.state }}</span></h2>
<p class="path">{{ s.path }}</p>
{%- for name, picture in s.figures %}
<figure><img alt="{{ name }}" src="data:image/png;base64,{{ picture }}"><figcaption>{{ name }}</figcaption></figure>
{%- endfor %}
{%- for table in s.tables if table.rows %}
{%- if table.folded %}
<details><summary>{{ table.title }}</summary>{{ grid(table) }}</details>
{%- else %}
<h3>{{ table.title }}</h3>{{ grid(table) }}
{%- endif %}
{%- endfor %}
</section>
{%- endfor %}
</body>
</html>
"""


@dataclass(frozen=True)
class RunSection:
    """What a page says of one run."""

    name: str
    path: str
    command: str
    state: str
    tables: Sequence[Table]
    figures: Sequence[tuple[str, str]] = field(default=())
    """Title, and the picture as base64."""


def render(title: str, *, sections: "Sequence[RunSection]", overview: "Table | None", notes: Sequence[str] = ()) -> str:
    """The page; everything in it is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(TEMPLATE).render(
        title=title, style=STYLE, policy=POLICY, sections=sections, overview=overview, notes=notes
    )
