"""The page in a real browser: it sorts, filters, draws and prints, asks nobody, complains of nothing, and fits a phone."""

import pytest

from tests.browser import CHROMIUM, Browser
from xbar_cli.report.charts import learning, library
from xbar_cli.report.page import RunSection, render
from xbar_cli.report.tables import Table

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
VALUES = ["10", "9", "–", "1e-09", "x10", "x9", "-2.5", "100", "0.5", "7", "8", "3", "4"]
SORTED = ["-2.5", "1e-09", "0.5", "3", "4", "7", "8", "9", "10", "100", "x9", "x10", "–"]
COLUMN = "[...document.querySelector('#run-1 table').tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[1].textContent)"
HEAD = "document.querySelectorAll('#run-1 thead th')[1]"


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with a table that is sorted, a folded one, and a chart."""
    tables = [
        Table("Values", ["name", "value", *(f"a_long_name_{n}" for n in range(20))],
              [[f"row {n}", value, *["0.55555"] * 20] for n, value in enumerate(VALUES)]),
        Table("Folded", ["key", "value"], [["a", "1"]], folded=True),
    ]  # fmt: skip
    lines = [{"step": n, "phase": "<b>train</b>", "epoch": n, "loss": 1 / n, "a.b[0]": n} for n in range(1, 5)]
    made = RunSection("run<script>", "p" * 200, "train", "done", tables, charts=list(learning(lines)))
    path = tmp_path_factory.mktemp("page") / "page.html"
    text = render("title", sections=[made], overview=None, library=library())
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_a_click_sorts_numbers_as_numbers_and_what_is_missing_last(browser, page):
    browser.open(page)
    assert browser.run(COLUMN) == VALUES
    browser.run(f"{HEAD}.querySelector('button').click()")
    assert browser.run(COLUMN) == SORTED
    assert browser.run(f"{HEAD}.getAttribute('aria-sort')") == "ascending"
    browser.run(f"{HEAD}.querySelector('button').click()")
    assert browser.run(COLUMN) == [*SORTED[9::-1], "x10", "x9", "–"]  # words stay behind numbers
    assert browser.run(f"{HEAD}.getAttribute('aria-sort')") == "descending"
    assert browser.run("document.querySelectorAll('#run-1 thead [aria-sort=none]').length") == 21


def test_the_keyboard_sorts_and_filters(browser, page):
    browser.open(page)
    browser.run("document.querySelector('.filter input').focus()")
    browser.write("ROW 1")
    assert browser.run(COLUMN) == [VALUES[n] for n in (0, 1, 3, 4, 7, 10, 11, 12)]
    assert browser.run("document.querySelector('[role=status]').textContent") == "8 of 13 rows"
    for key in ("Tab", "Tab", "Tab", "Enter"):  # to the region that scrolls, the first head, the second
        browser.press(key)
    assert browser.run("document.activeElement.textContent") == "value"
    assert browser.run(COLUMN) == ["1e-09", "3", "4", "8", "9", "10", "100", "x10"]


@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_complains_of_nothing_and_asks_nobody(browser, page, width):
    browser.open(page, width=width, dark=width == 360)
    browser.wait("document.querySelectorAll('.chart svg').length === 2")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.complaints == []
    assert browser.requests == []
    assert browser.run("document.querySelectorAll('script:not([src])').length") == 2


def test_charts_say_what_is_under_the_pointer_as_text(browser, page):
    browser.open(page)
    browser.wait("document.querySelectorAll('.chart svg').length === 2")
    browser.run("document.querySelector('.chart').scrollIntoView()")
    x, y = browser.run(
        "(() => { const b = document.querySelector('.chart .mark-symbol path').getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    browser.wait("document.querySelector('#vg-tooltip-element.visible') !== null")
    told = browser.run("document.querySelector('#vg-tooltip-element').textContent")
    assert "<b>train</b>" in told
    assert browser.complaints == []


def test_what_is_folded_is_printed(browser, page):
    browser.open(page)
    opened = "document.querySelector('details').open"
    assert browser.run(opened) is False
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run(opened) is True
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run(opened) is False


def test_a_link_of_the_contents_opens_what_it_leads_to(browser, page):
    browser.open(page)
    browser.run("document.querySelector('nav a[href=\"#run-1-table-2\"]').click()")
    browser.wait("document.querySelector('details').open")
