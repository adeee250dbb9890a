"""`python -m tests.fuzz.browser`: pages of runs with markup in every string, with charts, opened in headless Chromium.

A script that ran leaves a mark on the page. Pages that let the markup through are opened too: with the policy of our pages no
script may run, without it the mark must appear, or this would see nothing. Our pages must complain of nothing on the console, ask
nobody for anything, and fit 360 pixels. Needs `chromium` (Debian's package will do).
"""

import re
import sys
import tempfile
import time
from pathlib import Path

from tests.browser import CHROMIUM, Browser
from tests.report.markup import PAYLOADS, evil_run, found
from xbar_cli.report.charts import library
from xbar_cli.report.page import asset, policy
from xbar_cli.workflows.report import run

POLICY = policy(scripts=[asset("page.js")], styles=[asset("page.css")])
HEAD = '<!doctype html><html><head><meta charset="utf-8">'
FORBIDS = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'


def opened(browser: Browser, page: Path) -> str:
    """The page as it stands after a while, on a phone."""
    browser.open(page, width=360)
    time.sleep(0.3)
    return browser.run("document.documentElement.outerHTML")


def ran(dom: str) -> bool:
    """Whether a script has left its mark."""
    return re.search(r"<html[^>]*data-ran", dom) is not None


def main() -> int:
    """Open the pages."""
    if CHROMIUM is None:
        print("chromium is not there: apt-get install chromium")
        return 2
    bad, would = 0, 0
    with tempfile.TemporaryDirectory() as scratch, Browser() as browser:
        root, drawing = Path(scratch), library()
        folders = [evil_run(root / f"run{number}", text) for number, text in enumerate(PAYLOADS)]
        for number, (text, folder) in enumerate(zip([*PAYLOADS, "all of them"], [*folders, None], strict=True)):
            page, raw, free = (root / f"{kind}{number}.html" for kind in ("page", "raw", "free"))
            run([folder] if folder else folders, out=page, csv_out=None, markdown_out=None, overwrite=False,
                interactive=True)  # fmt: skip
            dom = opened(browser, page)
            wide = browser.run("document.documentElement.scrollWidth > innerWidth")
            left = [
                *found(dom, own=[drawing], drawn=True),
                *browser.complaints,
                *browser.requests,
                *["too wide"] * wide,
            ]
            markup = f"<p title='{text}'>{text}</p><p title=\"{text}\">".encode("utf-8", "surrogatepass")
            raw.write_bytes((HEAD + FORBIDS).encode() + b"</head><body>" + markup)
            free.write_bytes(HEAD.encode() + b"</head><body>" + markup)
            here, forbidden, possible = ran(dom), ran(opened(browser, raw)), ran(opened(browser, free))
            would += possible
            bad += here or forbidden or bool(left)
            print(
                f"{ascii(text)[:60]:60}  in our page: {here}, raw under our policy: {forbidden}, raw without: {possible}",
                *left,
            )
    print(f"{len(PAYLOADS) + 1} pages, {bad} bad; {would} payloads run where nothing stops them")
    return 1 if bad or would < len(PAYLOADS) // 2 else 0


if __name__ == "__main__":
    sys.exit(main())
