"""What is read of a page: its blocks and its files."""

from tests.docs.pages import blocks, files


def test_files_of_a_page_are_those_that_are_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- file: net.py -->\n```python\nx = 1\n```\n\n```python\ny = 2\n```\n\n<!-- run -->\n```sh\nxbar ls\n```\n"
    )
    assert files(page) == {"net.py": "x = 1\n"}
    assert [(block.line, block.kind, block.text) for block in blocks(page)] == [(12, "run", "xbar ls\n")]
