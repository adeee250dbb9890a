"""Arguments of a network file, checked before it is run."""

import pytest

from xbar_cli.errors import ConfigError
from xbar_cli.experiment.own_files import check_file

TEXT = """
import made

class Net(Base):
    def __init__(self, width, *, rngs, depth=2):
        pass

class Bare(Base):
    pass

def small(hidden):
    return Net(hidden)

def any_of(**given):
    return Net(**given)

@wrapped
def turned(x):
    pass
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("name", "given"),
    [("Net", ["width=8", "depth=3"]), ("Bare", ["x=1"]), ("small", ["hidden=4"]), ("any_of", ["x=1"]), ("turned", ["y=1"]),
     ("imported", ["y=1"])],
)  # fmt: skip
def test_what_may_be_right_is_let_be(file, name, given):
    check_file(f"{file}:{name}", given)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "Net",
            ["widths=8"],
            r"Net of .*net\.py has no argument 'widths' \(did you mean width\?\); it takes width, depth",
        ),
        ("small", ["width=8"], r"small of .* has no argument 'width'; it takes hidden"),
    ],
)
def test_an_argument_that_is_not_taken_is_named(file, name, given, message):
    with pytest.raises(ConfigError, match=message):
        check_file(f"{file}:{name}", given)


def test_other_networks_and_files_that_do_not_parse_are_no_matter(tmp_path):
    check_file("lenet5", ["x=1"])
    check_file(f"{tmp_path}/none.py:Net", ["x=1"])
    (tmp_path / "bad.py").write_text("class (")
    check_file(f"{tmp_path}/bad.py:Net", ["x=1"])
