"""A sweep whose network file raises says what was raised, and keeps the user's own lines of the traceback."""

NET = """
from flax import nnx

class Net(nnx.Module):
    def __init__(self, *, rngs):
        raise ValueError("no such width as 9")
"""
FILE = """
name = "own"
[stages.net]
command = "train"
network.name = "{net}:Net"
training.epochs = 1
dataset.train_images = 100
"""


def test_what_a_file_raises_is_the_reason_and_its_lines_are_in_the_log(xbar, tmp_path):
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "own.toml").write_text(FILE.format(net=tmp_path / "net.py"))
    found = xbar("run", tmp_path / "own.toml", "--workers", 1, "--out", tmp_path / "out", "--json")
    assert found.code == 1
    assert "raises ValueError: 'no such width as 9'" in found.json["list"][0]["reason"]
    (log,) = (tmp_path / "out" / "logs").glob("net-*.log")
    assert 'raise ValueError("no such width as 9")' in log.read_text()
