"""What mkdocs does to a page's HTML beyond its plugins.

Marks of what docs/assets/pages.css keeps on one line, or keeps wide; pictures that open in their own size, as a phone needs it.
"""

import re

SHORT = re.compile(r"<code>([^<\n]{1,28})</code>")
CELL = re.compile(r"<td(?P<of>[^>]*)>(?P<text>.*?)</td>", re.DOTALL)
TAG = re.compile(r"<[^>]*>")
PICTURE = re.compile(r'(?P<img><img [^>]*src="(?P<src>[^":]+)"[^>]*>)(?!</a>)')
LONG = 40
"""Characters of a cell's text from which on its column is not narrow."""


def on_page_content(html: str, **_: object) -> str:
    """Mark short code and long cells of tables, join means with their spread there, and let pictures open alone."""
    html = PICTURE.sub(r'<a class="alone" href="\g<src>">\g<img></a>', html)
    return CELL.sub(cell, SHORT.sub(r'<code class="whole">\1</code>', html))


def cell(found: re.Match[str]) -> str:
    """A cell of a table, marked."""
    text = found["text"].replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
    if len(TAG.sub("", text)) >= LONG and "class=" not in found["of"]:
        return f'<td class="long"{found["of"]}>{text}</td>'
    return f"<td{found['of']}>{text}</td>"
