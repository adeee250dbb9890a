"""Templates of experiment files: each resolves under a name of one's own, says its cost, and replaces nothing unasked."""

import re
from pathlib import Path

import pytest

from xbar_cli.config.load import read_toml
from xbar_cli.errors import ConfigError, RunError
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.plan import dry_run
from xbar_cli.experiment.recipes import templates, write_recipe

WANTED = {"ir-drop", "bits-and-schemes", "adc", "faults", "drift", "own-network", "own-device", "paper-figure"}


def test_the_templates_are_those_that_are_promised_with_a_line_about_each():
    known = templates()
    assert set(known) == WANTED
    assert all(10 < len(about) <= 110 and "{{" not in about for about in known.values())


@pytest.mark.parametrize("template", sorted(WANTED))
def test_every_template_resolves_and_says_what_it_costs_and_draws(template, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = write_recipe(Path("my.study"), template=template)
    assert written[0] == Path("my.study.toml")
    text = written[0].read_text()
    assert "{{" not in text
    assert read_toml(written[0])["name"] == "my.study"
    for word in ("# Command:  xbar run my.study.toml", "# Cost:", "# Picture:", "[sweep]"):
        assert word in text
    assert all(re.search(r"\bmy\.study\b", path.name) for path in written)
    summary = dry_run(load_experiment(written[0]), out=Path("runs"))
    said = re.search(r"# Cost: +(\d+) runs", text)
    assert said is not None
    assert summary["runs"] == int(said[1])
    assert summary["points"] > 3


def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path):
    files = write_recipe(tmp_path / "new folder" / "mine.toml", template="own-network")
    assert [path.name for path in files] == ["mine.toml", "mine.py"]
    assert f'network.name = "{tmp_path}/new folder/mine.py:Net"' in files[0].read_text()
    files[1].write_text("# my work")
    with pytest.raises(RunError, match=r"mine\.(py|toml) exists"):
        write_recipe(tmp_path / "new folder" / "mine", template="own-network")
    assert files[1].read_text() == "# my work"
    write_recipe(tmp_path / "new folder" / "mine", template="own-network", overwrite=True)
    assert "class Net" in files[1].read_text()


@pytest.mark.parametrize(
    ("name", "template", "message"),
    [
        ("x", "irdrop", "no template 'irdrop'; did you mean ir-drop"),
        ("a b", "adc", "name = 'a b' must be of letters"),
        ('qu"ote/x', "adc", "cannot stand in a file"),
        ("..", "adc", "name = '..' must be"),
        (".toml", "adc", "name = '' must be"),
    ],
)
def test_bad_names_are_one_line(name, template, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=re.escape(message)):
        write_recipe(Path(name), template=template)
    assert not list(tmp_path.iterdir())
