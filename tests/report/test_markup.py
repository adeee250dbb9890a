"""Markup in every string of a run is text in its page, and the page forbids every script but its own besides."""

from tests.report.markup import PAYLOADS, evil_run, found
from xbar_cli.report.page import asset, digests
from xbar_cli.workflows.report import run

SOME = (PAYLOADS[0], PAYLOADS[3], PAYLOADS[8], PAYLOADS[17], PAYLOADS[19])
"""All of them in a browser: `python -m tests.fuzz.browser`."""


def test_what_runs_say_is_text_whatever_it_is(tmp_path):
    folders = [evil_run(tmp_path / f"run{number}<img src=x onerror='1'>", text) for number, text in enumerate(SOME)]
    out = tmp_path / "page.html"
    run(folders, out=out, csv_out=None, markdown_out=None, overwrite=False)
    page = out.read_text()
    assert found(page) == []
    assert page.count("&lt;script&gt;document") >= 3
    head = page[: page.index("<title>")]
    policy = head[head.index("Content-Security-Policy") :]
    for rule in ("default-src &#39;none&#39;", "base-uri &#39;none&#39;", "form-action &#39;none&#39;"):
        assert rule in policy
    assert "unsafe" not in policy
    assert digests([asset("page.js")]).replace("'", "&#39;") in policy
    assert policy.count("sha256-") == 2


def test_the_test_sees_what_gets_through():
    assert all(found(f"<p>{text}</p>") for text in (PAYLOADS[0], PAYLOADS[7], PAYLOADS[9], PAYLOADS[15], PAYLOADS[17]))
