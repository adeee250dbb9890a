"""Cards: the built-in ones, a user's own, and what a card from a stranger may not do."""

import re

import numpy as np
import pytest

from xbar_cli.errors import ConfigError, SpiceError
from xbar_cli.spice import cards
from xbar_cli.spice.cards import card_names, load_card, netlist_folder
from xbar_cli.spice.netlist import CellCircuit
from xbar_cli.spice.sweep import Grid, sweep_cell

LEVEL1 = ".model tiny nmos level=1 vto=0.5 kp=200u lambda=0.05\n"


def write(tmp_path, text, name="card.lib"):
    path = tmp_path / name
    path.write_text(text, encoding="latin-1")
    return str(path)


def table(card, **changes):
    cell = {"width_m": 9e-8, "length_m": 4.5e-8, "temperature_celsius": 27.0, "topology": "drain"}
    cell |= {name: changes.pop(name) for name in cell if name in changes}
    settings = {
        "g_siemens": np.array([1e-5]),
        "vin": Grid(0.1, 0.5, 2),
        "vg": Grid(1.0, 1.0, 1),
        "jobs": 1,
        "timeout_s": 30.0,
        "backend": "ctypes",
    }
    return sweep_cell(CellCircuit(card=card, **cell), **(settings | changes))


def test_the_built_in_cards_say_where_they_come_from():
    assert card_names() == ["bulk", "hp", "lp", "pdk45nvtg", "pdk45nvth"]
    for name in card_names():
        card = load_card(name)
        assert (card.model, card.kind, card.level, card.binned) == (name, "model", 54, False)
        (text,) = card.text
        assert re.search(r"version = 4\.[08]\b", text)
        assert "paramchk = 0" in text
        head = (netlist_folder() / "cards" / f"{name}.lib").read_text()
        assert "* Source:" in head
        assert "* Terms:" in head
    assert len({load_card(name).digest for name in card_names()}) == 5
    assert "vth0 = 0.62261" in load_card("lp").text[0]


def test_an_installed_wheel_finds_its_own_folder(tmp_path, monkeypatch):
    module = tmp_path / "xbar_cli" / "spice" / "cards.py"
    (tmp_path / "xbar_cli" / "spice_netlists" / "cards").mkdir(parents=True)
    monkeypatch.setattr(cards, "__file__", str(module))
    assert netlist_folder() == tmp_path / "xbar_cli" / "spice_netlists"
    monkeypatch.setattr(cards, "__file__", "/nowhere/at/all/cards.py")
    with pytest.raises(ConfigError, match="installation is incomplete"):
        netlist_folder()


def test_a_users_card_is_read_with_includes_sections_comments_and_continuations(tmp_path):
    (tmp_path / "sub").mkdir()
    write(tmp_path, "* corner\n.param vt = 0.4 $ volts\n", "sub/par//am.lib".replace("//", ""))
    path = write(
        tmp_path,
        "* µ is a letter in comments\n*#echo this would run\n.lib fast\n.include 'sub/param.lib' ; corner\n"
        '.lib "card.lib" core\n.endl fast\n.lib slow\n.param vt = 0.6\n.endl\n'
        ".lib core\n.MODEL TINY NMOS (level=1 // old\n* between\n+ vto={vt}\n\n+ kp=200u)\n.endl core\n.end\n",
    )
    card = load_card(path, "Tiny", section="FAST")
    assert card.text == (".param vt = 0.4", ".MODEL TINY NMOS (level=1 vto={vt} kp=200u)")
    assert (card.model, card.level, card.is_bsim4) == ("tiny", 1, False)
    assert load_card(path, section="fast").digest == card.digest
    with pytest.raises(ConfigError, match=r"no section typical \(it has: fast, slow, core\)"):
        load_card(path, section="typical")
    with pytest.raises(ConfigError, match=r"choose one with cell\.section: fast, slow, core$"):
        load_card(path)


@pytest.mark.parametrize(
    ("text", "model", "message"),
    [
        (LEVEL1 + ".model other nmos level=1\n", None, r"several models \(other, tiny\): choose one with cell\.model"),
        (LEVEL1, "missing", r"no model missing in it \(it has: tiny\)"),
        (LEVEL1 + ".model p1 pmos level=1\n", "p1", "is of type pmos, an NMOS is wanted"),
        ("* nothing\n", None, r"no NMOS \.model"),
        (".subckt fet d g s w=1 l=1\n.ends\n", "fet", "four nodes"),
        (".subckt fet d g s b m=1\n.ends\n", "fet", "parameters w and l"),
    ],
)
def test_the_model_must_be_there_be_one_and_be_an_nmos(tmp_path, text, model, message):
    with pytest.raises(ConfigError, match=message):
        load_card(write(tmp_path, text), model)


def test_bins_are_one_model(tmp_path):
    bins = "".join(f".model nch.{k} nmos level=1 vto=0.5 lmin={k}u lmax={k + 1}u\n" for k in (1, 2))
    card = load_card(write(tmp_path, bins))
    assert (card.model, card.binned) == ("nch", True)


@pytest.mark.parametrize(
    "line",
    [
        ".control\nshell touch owned\n.endc",
        ".con\n+ trol",
        ".exec touch owned",
        ".csparam x = 1",
        ".func f(x) {x}",
        ".if (1)\n.endif",
        ".tran 1n 1u",
        ".save all",
        ".print dc v(in)",
        ".global in",
        ".nodeset v(in)=1",
        ".codemodel evil.cm",
        ".options reltol=1",
        ".options scale=1e-6",
        ".options temp=99",
        ".options tnom",
        "shell touch owned",
        "write owned",
        "source owned",
        "r1 in 0 1",
        "v1 bl 0 dc 1",
        "a1 [in] [out] evil",
        ".subckt s a b\na1 [a] [b] evil\n.ends",
        ".subckt s a b\nn1 a b evil\n.ends",
        ".subckt s a b\nshell touch owned\n.ends",
        ".subckt s a b\nv1 a b pwl file = owned\n.ends",
        ".subckt s a b\n",
        ".ends",
        ".model evil filesource (file=owned)",
        ".model evil d_process (process_file=owned)",
        ".model evil d (level=1 input_file=owned)",
        ".model evil",
        ".param x = `touch owned`",
        ".param x = $HOME",
        '.param x = "owned"',
        ".param x = 1 \\",
        ".param x = \x01",
        ".param x = µ",
        ".include missing.lib",
        ".include card.lib",
        ".include .",
        ".include /dev/zero",
        ".include nested.lib",
        ".lib card.lib core",
        ".end\n.control",
    ],
)
def test_whatever_is_not_a_description_of_devices_is_refused_in_one_line(tmp_path, line):
    write(tmp_path, ".param ok = 1\n.control\nshell touch owned\n.endc\n", "nested.lib")
    with pytest.raises(ConfigError) as caught:
        load_card(write(tmp_path, f"{LEVEL1}{line}\n"), "tiny")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_a_continuation_of_nothing_and_a_card_too_large_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="continuation of nothing"):
        load_card(write(tmp_path, "+ vto=1\n"))
    monkeypatch.setattr("xbar_cli.spice.cardfile.SIZE_LIMIT", 10)
    with pytest.raises(ConfigError, match="MiB"):
        load_card(write(tmp_path, LEVEL1))


def test_unknown_cards_and_models_of_built_in_ones_are_named():
    with pytest.raises(ConfigError, match=r"'nope' is neither built in \(bulk, hp, .*\) nor a file"):
        load_card("nope")
    with pytest.raises(ConfigError, match="is built in"):
        load_card("lp", "hp")


@pytest.mark.spice
def test_a_level_1_model_and_a_subcircuit_obey_the_square_law(tmp_path):
    """In the triode region I = KP·W/L·((V_g − V_t − V_d/2)·V_d)·(1 + λ V_d), in series with the memristor."""
    wrapped = ".subckt fet d g s b w=1u l=1u\nm1 d g s b inner w={w} l={l}\n.ends\n"
    cells = [
        load_card(write(tmp_path, LEVEL1)),
        load_card(write(tmp_path, wrapped + LEVEL1.replace("tiny", "inner"), "sub.lib"), "fet"),
    ]
    for card in cells:
        found = table(card, width_m=2e-6, length_m=1e-6)
        for v, i in zip(found.vin_volt, found.current_ampere[0, 0, 0], strict=True):
            vd = v - i / 1e-5
            assert i == pytest.approx(400e-6 * (0.5 - vd / 2.0) * vd * (1.0 + 0.05 * vd), rel=2e-6)
    assert [card.kind for card in cells] == ["model", "subckt"]
    with pytest.raises(ConfigError, match="takes no delvto"):
        table(cells[1], vth_shift_volt=np.array([0.01]))
    with pytest.raises(SpiceError, match=r"unknown parameter \(delvto\)"):
        table(cells[0], vth_shift_volt=np.array([0.01]))


@pytest.mark.spice
def test_a_parameter_that_the_simulator_ignores_is_an_error_that_names_it(tmp_path):
    text = (netlist_folder() / "cards" / "lp.lib").read_text().replace("vth0 =", "vthx =")
    with pytest.raises(SpiceError, match=r"unrecognized parameter \(vthx\)"):
        table(load_card(write(tmp_path, text)))
    undefined = load_card(write(tmp_path, LEVEL1.replace("0.5", "{nothing}")))
    with pytest.raises(SpiceError, match=r"Undefined parameter \[nothing\]"):
        table(undefined)


@pytest.mark.spice
def test_binned_models_are_chosen_by_length(tmp_path):
    bins = "".join(
        f".model nch.{k} nmos level=54 version=4.0 vth0={0.3 * k * k} lmin={k}u lmax={k + 1}u wmin=0.1u wmax=100u\n"
        for k in (1, 2)
    )
    card = load_card(write(tmp_path, bins))
    short, long = (
        table(card, width_m=1e-6, length_m=length).current_ampere[0, 0, 0, -1] for length in (1.5e-6, 2.5e-6)
    )
    assert short > 1.5 * long
