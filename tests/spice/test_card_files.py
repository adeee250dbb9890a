"""Cards as they are found: encodings, corners, parameters in a subcircuit's body, sizes, random functions, ngspice's refusals."""

import codecs

import numpy as np
import pytest

from tests.spice.test_cards import LEVEL1, table, write
from xbar_cli.errors import ConfigError, SpiceError
from xbar_cli.spice.arraysim import simulate_array
from xbar_cli.spice.cardrandom import nominal, random_function
from xbar_cli.spice.cards import load_card, size_note
from xbar_cli.spice.netlist import CellCircuit
from xbar_cli.spice.sizes import spice_number

BODY = "{model}.subckt fet d g s b{line}\n+\n{param}\nm1 d g s b tiny w={{w}} l={{l}}\n.ends\n"


@pytest.mark.spice
@pytest.mark.parametrize(
    ("line", "param"),
    [
        ("", ".param w = 1u\n+ l = 1u nf=1"),
        ("", ".params l=1u\n.param w=1u"),
        (" w=1u", "r1 d s 1e12\n.param l=1u"),
        (" params: w=1u", ".param l=1u"),
    ],
)
def test_a_subcircuit_takes_the_parameters_of_its_body(tmp_path, line, param):
    """As sky130 declares them. The instance's width and length arrive: twice as wide is what the plain model gives."""
    card = load_card(write(tmp_path, BODY.format(model=LEVEL1, line=line, param=param)), "fet")
    assert {"w", "l"} <= card.parameters
    size = {"width_m": 2e-6, "length_m": 1e-6}
    ours, plain = (table(c, **size).current_ampere for c in (card, load_card(write(tmp_path, LEVEL1, "plain.lib"))))
    np.testing.assert_allclose(ours, plain, rtol=1e-5)


def test_parameters_of_an_inner_subcircuit_are_not_the_outer_ones(tmp_path):
    text = ".subckt fet d g s b w=1u\n.subckt inner a b\n.param l=1u\n.ends\n.ends\n"
    with pytest.raises(ConfigError, match=r"the parameters w and l, on its own line or in a \.param line"):
        load_card(write(tmp_path, text), "fet")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (LEVEL1.encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        (LEVEL1.encode("utf-16-be"), "is UTF-16 or another encoding with zero bytes text"),
        (codecs.BOM_UTF32_LE + LEVEL1.encode("utf-32-le"), "is UTF-32 text"),
    ],
)
def test_an_encoding_that_is_not_read_is_named(tmp_path, data, message):
    (tmp_path / "wide.lib").write_bytes(data)
    with pytest.raises(ConfigError, match=f"wide.lib {message}"):
        load_card(str(tmp_path / "wide.lib"))
    main = write(tmp_path, ".include wide.lib\n")
    with pytest.raises(ConfigError, match=rf"^card.lib line 1: card file .*wide.lib {message}"):
        load_card(main)


def test_a_byte_order_mark_is_no_part_of_a_card(tmp_path):
    (tmp_path / "marked.lib").write_bytes(codecs.BOM_UTF8 + LEVEL1.replace("\n", "\r\n").encode())
    plain, marked = load_card(write(tmp_path, LEVEL1)), load_card(str(tmp_path / "marked.lib"))
    included = load_card(write(tmp_path, ".include marked.lib\n", "main.lib"))
    assert plain.digest == marked.digest == included.digest
    assert included.places == ("marked.lib line 1",)


def test_a_file_of_corners_names_them(tmp_path):
    corners = "".join(
        f".lib {name}\n.model n1 nmos level=1 vto={vto}\n.endl\n" for name, vto in (("tt", 0.5), ("ff", 0.4))
    )
    path = write(tmp_path, ".param x = 1\n" + corners)
    with pytest.raises(ConfigError, match=r"its models are in sections; choose one with cell\.section: tt, ff$"):
        load_card(path)
    assert "vto=0.4" in load_card(path, section="ff").text[-1]
    assert "vto=0.6" in load_card(write(tmp_path, LEVEL1.replace("0.5", "0.6") + corners)).text[-1]


def sized(tmp_path, bins, **limits):
    text = " ".join(f"{name}={value}" for name, value in limits.items())
    names = ["nch.1", "nch.2"][:bins] or ["nch"]
    return load_card(write(tmp_path, "".join(f".model {name} nmos (level=1 {text})\n" for name in names)))


def test_a_size_that_the_card_is_not_for_is_noted(tmp_path):
    card = sized(tmp_path, 0, lmin="45n", lmax="0.18um", wmin="1e-7", wmax="'10*u'")
    assert size_note(card, width_m=100e-9, length_m=45e-9) is None
    note = size_note(card, width_m=100e-9, length_m=40e-9)
    assert note == (
        "card card.lib: nch is for L 45 … 180 nm and W from 100 nm, not for L 40 nm and W 100 nm: "
        "its currents there are an extrapolation"
    )
    assert "L 200 nm and W 90 nm" in size_note(card, width_m=90e-9, length_m=200e-9)
    assert size_note(sized(tmp_path, 0), width_m=1e-9, length_m=1e-9) is None


def test_a_size_without_a_bin_is_refused(tmp_path):
    card = sized(tmp_path, 2, lmin="1u", lmax="2u")
    assert size_note(card, width_m=1e-6, length_m=2e-6) is None
    with pytest.raises(
        ConfigError, match=r"no bin of nch is for L 45 nm and W 1000 nm; it has L 1000 … 2000 nm and W from 0 nm"
    ):
        size_note(card, width_m=1e-6, length_m=45e-9)


def test_numbers_as_spice_reads_them():
    texts = ("45n", "0.18um", "1MEG", "1m", "2.5", "1e-7", "-3.f", ".5u", "{x}", "'a'", "u")
    found = [spice_number(text) for text in texts]
    assert found[:8] == pytest.approx([45e-9, 0.18e-6, 1e6, 1e-3, 2.5, 1e-7, -3e-15, 0.5e-6])
    assert found[8:] == [None] * 3


@pytest.mark.parametrize(
    "call", ["agauss(0.5,0.1,3)", "GAUSS (0.5, 0.1, 3)", "unif(0.5,0.1)", "limit(0.5,0.1)", "aunif(0.5,1)"]
)
def test_random_functions_are_refused_or_nominal(tmp_path, call):
    path = write(tmp_path, f".param v = {{1*{call}}}\n" + LEVEL1.replace("0.5", "{v}"))
    name = call.partition("(")[0].strip().lower()
    with pytest.raises(ConfigError, match=rf"card\.lib line 1: {name}\(\) draws random numbers.*cell\.nominal"):
        load_card(path)
    assert load_card(path, nominal_values=True).text[0] == ".param v = {1*(0.5)}"


def test_nominal_values_of_nested_calls():
    text = "{a + agauss(max(b, 2), unif(1,2), 3)*gauss(agauss(1,2,3),1,1) + sagauss(1,2)}"
    assert nominal(text) == "{a + (max(b, 2))*((1)) + sagauss(1,2)}"
    assert random_function("{my_limit(1,2)} limit = 3 gauss=1") is None
    assert random_function("v1 a b TRNOISE (1 2)") == "trnoise"
    with pytest.raises(ValueError, match="not closed"):
        nominal("{gauss(1, 2}")


def test_what_has_no_nominal_value_is_refused_anyway(tmp_path):
    path = write(tmp_path, LEVEL1.replace("0.5", "{0.5+sgauss(0)}"))
    with pytest.raises(ConfigError, match=r"line 1: sgauss\(\) draws random numbers.*it has no nominal value"):
        load_card(path, nominal_values=True)
    with pytest.raises(ConfigError, match=r"line 1: .*not closed"):
        load_card(write(tmp_path, ".param x = {gauss(1,2}\n" + LEVEL1), nominal_values=True)


@pytest.mark.spice
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".model n1 nmos level=54 version=4.5 vth0=0.3 foo=3 bar=2\n", r"line 1: unrecognized parameter \(foo\)"),
        (".param a={b}\n* x\n.model n1 nmos level=1 vto={a}\n", r"line 1: Undefined parameter \[b\]"),
        (".param z=1\n.param a={1+}\n.model n1 nmos level=1 vto={a}\n", r"line 2: Expression err: 1\+"),
        (".model n1 nmos level=54 version=4 vth0=0.3\n", "line 1: Device type BSIM4 version 4 not available"),
        ("* x\n.model n1 nmos level=77\n", "line 2: Only MOS device levels .* are supported"),
        (".subckt f d g s b w=1 l=1\nm1 d g s b none w={w} l={l}\n.ends\n", "line 2: can't find model 'none'"),
        (".model n1 nmos level=54 version=4.5 vth0=0.3 toxe=-1\n", r" ?\(model n1\): Fatal: Toxe = -1 is not positive\."),
    ],
)  # fmt: skip
def test_what_ngspice_refuses_is_one_line_with_card_and_place(tmp_path, text, message):
    card = load_card(write(tmp_path, text, "odd.lib"))
    with pytest.raises(SpiceError, match=rf"^ngspice refuses card odd\.lib(, )?{message}$"):
        table(card)


@pytest.mark.spice
def test_arrays_say_it_too_and_name_an_included_file(tmp_path):
    write(tmp_path, LEVEL1.replace("kp", "kq"), "inner.lib")
    card = load_card(write(tmp_path, ".include inner.lib\n"))
    cell = CellCircuit(card=card, width_m=1e-6, length_m=1e-6, topology="drain", temperature_celsius=27.0)
    wires = {"r_word": 1.0, "r_bit": 1.0, "r_source": 0.0, "r_neuron": 0.0}
    g, v = np.full((2, 2), 1e-5), np.full((1, 2), 0.1)
    with pytest.raises(
        SpiceError, match=r"^ngspice refuses card card\.lib, inner\.lib line 1: unrecognized parameter \(kq\)$"
    ):
        simulate_array(cell, g_siemens=g, v_volt=v, vg_volt=1.0, timeout_s=30.0, **wires)
