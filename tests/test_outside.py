"""Texts, paths and files that a user gives."""

import os
from pathlib import Path

import pytest

from xbar_cli.errors import ConfigError
from xbar_cli.outside import clean_path, clean_text, printable, quoted, read_json, read_text, read_toml


def test_a_quote_is_short_printable_and_of_anything():
    assert quoted("abc") == "'abc'"
    assert len(quoted("x" * 10_000)) == 80
    assert quoted("x" * 10_000).endswith("…")
    assert quoted(10**6000) == "<int too long to show>"
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert quoted(deep) == "<list too long to show>"
    assert "\n" not in quoted("a\nb")
    printable("\ud800\x1b[31m\u202e").encode("ascii")


@pytest.mark.parametrize(("text", "said"), [("a\0b", "NUL"), ("\ud800", "not UTF-8"), ("x" * 5000, "at most 4096")])
def test_texts_that_no_file_can_hold(text, said):
    with pytest.raises(ValueError, match=said):
        clean_text(text)
    with pytest.raises(ConfigError, match="no path"):
        clean_path(text)


def test_paths_that_no_file_system_has():
    assert clean_path("runs/net") == Path("runs/net")
    for text, said in (("", "empty"), ("  ", "empty"), ("a/" + "é" * 200, "longer than 255 bytes")):
        with pytest.raises(ConfigError, match=said):
            clean_path(text)


def test_files_that_are_none_or_have_no_end(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(bytes(2000))
    (tmp_path / "latin").write_bytes(b"\xe9")
    for path, said in (
        (tmp_path / "fifo", "no regular file"),
        (tmp_path, "it is a folder"),
        (Path("/dev/zero"), "no regular file"),
        (tmp_path / "none", "No such file"),
        (tmp_path / "large" / "x", "Not a directory"),
        (tmp_path / "latin", "not UTF-8"),
    ):
        with pytest.raises(ConfigError, match=said):
            read_text(path)
    with pytest.raises(ConfigError, match=r"at most 0\.000953674 are read"):
        read_text(tmp_path / "large", most=1000)


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000, "9" * 5000])
def test_json_that_is_none(tmp_path, text):
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(ConfigError, match=r"f\.json: not JSON") as raised:
        read_json(tmp_path / "f.json")
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("text", ["a", "a = ", "a = " + "9" * 5000, "a = " + "[" * 20_000, "a = 1979-02-31"])
def test_toml_that_is_none(tmp_path, text):
    (tmp_path / "f.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"f\.toml: not TOML") as raised:
        read_toml(tmp_path / "f.toml")
    assert len(str(raised.value)) < 400
