"""Values that nobody should give, by kind; and how trees, texts and bytes are damaged. All drawn from one generator."""

import copy
import json
import random
from typing import Any

HUGE = "9" * 5000
TEXTS = (
    "", " ", "nan", "inf", "-inf", "1e400", "-1", "0", "-0.0", "1e308", "1e9", "1e18", "9999999999999", HUGE, "0x10", "1_000",
    "true", "false", "null", "none", "٣", "１２", "½", "1,2", "1;2", "1:2", "1:2:3", "0:1:0", "1:0:0.1", "0.7:1:1e-9", "x",
    "é", "\u202e",
    "a" * 300, "a" * 5000, "../" * 50, "/", ".", "..", "~", "-", "--", "\n", "a\nb", "a\tb", "$(id)", "%s%n", "{0}",
    "{here}", "[]", "{}",
    "[[1]]", '"', "'", "\\", "#", "=", "a=b", "x" * 100 + "/" + "y" * 300, "/dev/zero", "/dev/null", "/proc/self/mem",
    "128x", "0x0",
    "65536x65536", "1x1", "auto", "max", "uniform", "1n", "1meg", "1e-400", "5e-324", "\ud800", "a\x00b", "💥",
    "<script>alert(1)</script>",
)  # fmt: skip
"""Texts of options and settings."""
TOML_VALUES = (
    "true", "false", HUGE, "-" + HUGE, "nan", "inf", "-inf", "1e400", "[]", "[1,2]", "{}", "{a=1}", "''", "'x'", "0", "-1",
    "1e9", "1e18", "1e308",
    "1979-05-27", "07:32:00", "'\\u0000'", '"\\u0000"', "'" + "a" * 4000 + "'", "[" * 200 + "]" * 200, "[[[[1]]]]", "'٣'",
    "'1e9'", "0.5", "2",
    "{model='x'}", "['stuck']", "[1,'a']", '"\\n"',
)  # fmt: skip
JSON_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, 123456789012, float("nan"), float("inf"), "", "x", "a" * 4000, "\x00", "\ud800", [],
    [1, 2], [None], {}, {"a": 1},
    [[[[[]]]]], "../../x", "<script>alert(1)</script>",
)  # fmt: skip


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all nodes below the root."""
    found: list[tuple[Any, ...]] = []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        found += [(*path, key), *leaves(value, (*path, key))]
    return found


def damaged_tree(rng: random.Random, tree: Any) -> Any:
    """The tree with one node missing, or of another value or type."""
    tree = copy.deepcopy(tree)
    path = rng.choice(leaves(tree))
    node = tree
    for key in path[:-1]:
        node = node[key]
    if rng.random() < 0.3:
        del node[path[-1]]
    else:
        node[path[-1]] = rng.choice(JSON_VALUES)
    return tree


def damaged_json(rng: random.Random, text: str) -> str:
    """A JSON text, damaged in its tree or as a text."""
    if rng.random() < 0.75:
        return json.dumps(damaged_tree(rng, json.loads(text)), ensure_ascii=rng.random() < 0.5)
    return rng.choice(
        [
            "",
            "null",
            "[]",
            "3",
            '"x"',
            "{",
            "[" * 10_000 + "]" * 10_000,
            "{" + text,
            text + text,
            '{"a":' * 5000,
            "\ufeff" + text,
        ]
    )


def damaged_lines(rng: random.Random, text: str) -> str:
    """A text of lines with one of them missing, doubled, filled, or with a value replaced."""
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    match rng.randrange(8):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines[at] = rng.choice(TEXTS)
        case 3:
            lines[at] = lines[at] * rng.choice((2, 50, 2000))
        case 4:
            cut = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:cut] + rng.choice(TEXTS) + lines[at][cut:]
        case 5:
            words = lines[at].replace("=", " = ").split(" ")
            words[rng.randrange(len(words))] = rng.choice(TEXTS)
            lines[at] = " ".join(words)
        case 6:
            cells = lines[at].split(",")
            cells[rng.randrange(len(cells))] = rng.choice(TEXTS)
            lines[at] = ",".join(cells)
        case _:
            rng.shuffle(lines)
    return "\n".join(lines)


def damaged_toml(rng: random.Random, text: str) -> str:
    """A TOML text with a value of another kind, or damaged as a text."""
    if rng.random() < 0.25:
        return damaged_lines(rng, text)
    lines = text.split("\n")
    at = rng.choice([number for number, line in enumerate(lines) if "=" in line])
    lines[at] = lines[at].split("=")[0] + "= " + rng.choice(TOML_VALUES)
    return "\n".join(lines)
