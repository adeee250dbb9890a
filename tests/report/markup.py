"""Runs with markup in every string, and what a browser would make of a page that let it through."""

import json
from html.parser import HTMLParser

import tomli_w

from tests.report.test_report import PIXEL
from xbar_cli.report.page import asset
from xbar_cli.runs.results import field, write_fields

RUNS = 'document.documentElement.setAttribute("data-ran","1")'
"""What a script of a payload does: a mark on the page."""
PAYLOADS = (
    f"<script>{RUNS}</script>",
    f'"><script>{RUNS}</script>',
    f"'><script>{RUNS}</script>",
    f"</title><script>{RUNS}</script>",
    f"</style><script>{RUNS}</script>",
    f"</td></table></div></section><script>{RUNS}</script>",
    f"--><!--><script>{RUNS}</script>",
    f"<img src=x onerror='{RUNS}'>",
    f"x\" onload='{RUNS}' onerror='{RUNS}' autofocus tabindex=1 onfocus='{RUNS}' \"",
    f"<svg onload='{RUNS}'></svg>",
    f"<svg><script>{RUNS}</script></svg>",
    f"<svg><animate onbegin='{RUNS}' attributeName=x dur=1s></svg>",
    f"<math><mtext><style><img src=x onerror='{RUNS}'></style></mtext></math>",
    f"<details open ontoggle='{RUNS}'>x</details>",
    f'<iframe srcdoc="<script>parent.{RUNS.replace(chr(34), chr(39))}</script>"></iframe>',
    f"<a href='javascript:{RUNS}'>x</a>",
    f"javascript:{RUNS}",
    "<meta http-equiv=refresh content='0;url=data:text/html,<html data-ran=1>'>",
    "<base href='http://x.example/'><link rel=stylesheet href=x><style>@import 'http://x.example/'</style>",
    f"\ud800<script>{RUNS}</script>\udfff",
    f"\x00<scr\x00ipt>{RUNS}</script>",
    f"&lt;script&gt;{RUNS}&lt;/script&gt;&#60;script&#62;",
    "{{ 7 * 7 }}{% raw %}",
)


def evil_run(folder, text):
    """A run that says `text` wherever a run can say something."""
    whole = text.encode("utf-8", "replace").decode().replace("\0", "")  # what TOML and HDF5 can hold
    name = whole.replace("/", "\u2215")
    (folder / "figures").mkdir(parents=True)
    there = text.encode("utf-8", "replace").decode()  # a summary with half a character is refused
    said = {there: there, "nested": {there: {there: there}}, "layers": [there]}
    keys = ("network", "dataset", "method", "note", "dataset_note", "scheme", "accuracy_from", "metrics", "stage")
    entry = {
        "name": there,
        "state": there,
        "stage": there,
        "reason": there,
        "log": there,
        "values": {there: there},
        "runs": {},
    }
    summary = {"command": "train", **dict.fromkeys(keys, there), **said, "list": [entry], "test_accuracy": 0.5}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "env.json").write_text(
        json.dumps({"commit": whole, "versions": {whole: whole}, whole: whole, "random": {whole: whole}})
    )
    lines = [{"step": n, "phase": text, text: text, f"{text}#": n, "loss": 0.5 / n} for n in (1, 2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "config.toml").write_text(
        tomli_w.dumps({"seed": 1, whole: whole, "network": {"name": whole, whole: whole}})
    )
    (folder / "figures" / f"{name[:200]}.png").write_bytes(PIXEL)
    values = {
        name: field((name,), [1.0], unit=whole, long_name=whole),
        "b": field((name,), [whole], unit="1", long_name=whole),
    }
    write_fields(folder / "results.nc", values, attributes={"note": whole})
    (folder / "done").touch()
    return folder


class Found(HTMLParser):
    """What in a page could run or load something, but for the page's own script and style."""

    ALLOWED = frozenset(
        "html head meta link title style body main div table thead tbody tr th td p h1 h2 h3 nav ul li a section span figure "  # noqa: SIM905
        "img figcaption details summary b wbr script button input".split()
    )
    DRAWN = frozenset("svg g path text tspan defs clippath rect line title form".split())  # noqa: SIM905

    SET = frozenset({("div", "cursor: default;"), ("svg", "cursor: default;")})
    """Styles that the drawing library sets."""

    def __init__(self, own=(), drawn=False):
        super().__init__()
        self.bad, self._inside, self._text = [], None, []
        self._own = {asset("page.js"), asset("page.css"), *own}
        self._allowed = self.ALLOWED | (self.DRAWN if drawn else frozenset())

    def handle_data(self, data):
        if self._inside:
            self._text.append(data)

    def handle_endtag(self, tag):
        if self._inside and "".join(self._text) not in self._own:
            self.bad.append(f"{self._inside} {''.join(self._text)[:80]}")
        self._inside, self._text = None, []

    def handle_starttag(self, tag, attrs):
        self._inside = tag if tag in ("script", "style") else None
        if tag not in self._allowed:
            self.bad.append(tag)
        for name, value in attrs:
            leads = name in ("src", "href", "action", "srcset", "data") and not str(value).startswith(
                ("#", "data:,", "data:image/png")
            )
            if (
                name.startswith("on")
                or (name == "style" and (tag, value) not in self.SET)
                or leads
                or (name == "http-equiv" and value != "Content-Security-Policy")
            ):
                self.bad.append(f"{tag} {name}={value}")


def found(page, **given):
    """Everything bad in a page, or in what a browser made of it: `drawn` with charts, by `own` scripts besides the page's."""
    reader = Found(**given)
    reader.feed(page)
    return reader.bad
