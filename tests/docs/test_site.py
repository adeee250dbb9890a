"""The pages as a reader has them: none asks anything of another place, none complains, none is wider than its window."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import CHROMIUM, Browser
from tests.docs.pages import PAGES, ROOT

SOME = ("index.html", "cli.html", "reference/effects.html", "training.html", "notebooks/variation.html")
"""Pages that `make test` opens, with every kind of thing in them; `make slow` opens all."""
WIDTHS = (360, 1280)
LOADED = re.compile(
    r"<(?:script|img|iframe|source|link(?=[^>]*rel=\"?(?:stylesheet|preload|preconnect|icon)))\b[^>]*?(?:src|href)=\"?(?:https?:)?//[^\"\s>]+"
)
"""A tag that fetches from elsewhere as the page opens."""
ALONE = re.compile(r"<a class=\"alone\" href=\"([^\"]+)\"><img [^>]*src=\"\1\"")
"""A picture in a link to itself."""
BEYOND = """[...document.querySelectorAll('.md-content *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
    .filter(e => !e.closest('.md-typeset__scrollwrap, pre, .highlight, .jupyter-wrapper, svg'))
    .map(e => `${e.tagName}: ${e.textContent.slice(0, 60)}`)"""
"""What is beyond the right edge of the window, outside of what scrolls by itself."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_no_page_loads_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    assert not [(page.name, LOADED.findall(page.read_text(encoding="utf-8"))) for page in pages
                if LOADED.search(page.read_text(encoding="utf-8"))]  # fmt: skip


def test_a_page_that_loads_from_elsewhere_is_met() -> None:
    assert LOADED.search('<script async src="https://cdn.example/x.js">')
    assert LOADED.search('<link rel="stylesheet" href="//fonts.example/a.css">')
    assert LOADED.search('<link href="//fonts.example/a.css" rel="stylesheet">')
    assert not LOADED.search('<a href="https://example.org">')
    assert not LOADED.search('<script src="../a.js">')


def test_pictures_open_alone(site: Path) -> None:
    pages = [page for page in site.rglob("*.html") if page.parent.name != "notebooks"]
    alone = [(page, src) for page in pages for src in ALONE.findall(page.read_text(encoding="utf-8"))]
    assert len(alone) > 20
    assert not [src for page, src in alone if not (page.parent / src).exists()]
    left = [ALONE.sub("", page.read_text(encoding="utf-8")) for page in pages]
    assert not [found for text in left for found in re.findall(r"<img [^>]*src=\"[^\":]+\.(?:png|svg)\"", text)]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_pages_are_quiet_and_fit(site: Path) -> None:
    opened(site, [site / name for name in SOME])


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_all_pages_are_quiet_and_fit(site: Path) -> None:
    opened(site, [page for page in sorted(site.rglob("*.html")) if page.name != "404.html"])


def opened(site: Path, pages: list[Path]) -> None:
    """Open pages as files at both widths."""
    inside = site.absolute().as_uri()
    with Browser() as browser:
        for page in pages:
            for width in WIDTHS:
                browser.open(page, width=width)
                place = f"{page.relative_to(site)} at {width} px"
                assert browser.run("document.documentElement.scrollWidth <= innerWidth"), place
                assert browser.run(BEYOND) == [], place
                assert not browser.complaints, f"{place}: {browser.complaints}"
                assert not [asked for asked in browser.requests if not asked.startswith(inside)], place


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("inside", [
    '<script src="http://127.0.0.1:9/x.js"></script>',
    "<script>console.error('broken')</script>",
    "<table><tr><td style='white-space: nowrap'>" + "wide " * 200 + "</td></tr></table>",
])  # fmt: skip
def test_a_page_that_is_loud_or_wide_is_met(tmp_path: Path, inside: str) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        f"<!doctype html><meta name=viewport content='width=device-width'><div class=md-content>{inside}</div>"
    )
    with pytest.raises(AssertionError, match=r"page\.html at 360 px"):
        opened(tmp_path, [page])


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_words_are_found_in_pages_opened_as_files(site: Path) -> None:
    with Browser() as browser:
        browser.open(site / "index.html")
        browser.run("document.querySelector('input[name=query]').focus()")
        browser.wait("document.querySelector('.md-search-result__meta').textContent.includes('Type')")
        browser.write("variatio")
        browser.send("Input.dispatchKeyEvent", type="keyDown", text="n", key="n")
        browser.send("Input.dispatchKeyEvent", type="keyUp", key="n")
        browser.wait("/\\d+ matching/.test(document.querySelector('.md-search-result__meta').textContent)")
        assert not browser.complaints


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_fence_is_closed(page: Path) -> None:
    opening = 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            assert not opening or line.strip() == "```", f"{page.name}:{number}: the block of line {opening} is open"
            opening = 0 if opening else number
    assert not opening, f"{page.name}:{opening}"
