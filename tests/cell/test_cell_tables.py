"""Tables from the cache and from measured files."""

from dataclasses import fields

import numpy as np
import pytest

from xbar_cli.caches import cache_folder
from xbar_cli.cell.measured import read_cell_table
from xbar_cli.cell.tables import arguments, cell_tables, circuit_of, digest
from xbar_cli.config.characterize import CharacterizeConfig, bit_line_voltages
from xbar_cli.errors import ConfigError
from xbar_cli.reporter import Silent
from xbar_cli.spice.sweep import CellTable

SMALL = {"vg_range": "0.9:1.0:0.1", "vin_range": "0.01:0.5:6", "g_points": 8}


class Notes(Silent):
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def configured(**sections):
    return CharacterizeConfig.model_validate({"sweep": SMALL} | sections)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XBAR_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cells"


@pytest.mark.spice
def test_a_cached_table_is_the_simulated_one_and_a_damaged_one_is_made_again(folder):
    config, notes = configured(), Notes()
    first = cell_tables(config, reporter=notes)
    again = cell_tables(config, reporter=notes)
    assert (first.cached, again.cached) == (False, True)
    for field in fields(CellTable):
        np.testing.assert_array_equal(getattr(first.table, field.name), getattr(again.table, field.name))
    entries = sorted(folder.iterdir())
    assert [entry.suffix for entry in entries] == [".npz", ".npz"], "no half-written file is left"
    whole = entries[0].read_bytes()
    for damage in (whole[: len(whole) // 2], b"", whole[:900] + b"?" + whole[901:]):
        entries[0].write_bytes(damage)
        assert not cell_tables(config, reporter=notes).cached
        assert cell_tables(config, reporter=notes).cached, "the damaged entry was written anew"
    off = configured(sweep=SMALL | {"cache": False})
    assert not cell_tables(off, reporter=notes).cached
    assert notes.notes == []


@pytest.mark.spice
def test_a_cache_that_cannot_be_written_is_a_note(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XBAR_CACHE_DIR", str(tmp_path / "file"))
    notes = Notes()
    assert not cell_tables(configured(), reporter=notes).cached
    assert all("not kept in the cache" in note for note in notes.notes)
    assert len(notes.notes) == 2


def test_the_key_holds_everything_that_determines_a_table_and_nothing_else(tmp_path):
    def key(card="lp", simulator="ngspice-39", **sections):
        config = configured(**sections | {"cell": {"card": card} | sections.get("cell", {})})
        return digest(circuit_of(config.cell), arguments(config, off_grid=False), simulator=simulator)

    same = key()
    assert key(sweep=SMALL | {"jobs": 4, "timeout_seconds": 7.0}) == same
    assert key(range={"tolerance": 0.1}) == same
    others = [
        key(card="hp"), key(simulator="ngspice-44"), key(cell={"width_m": "91n"}), key(cell={"length_m": "50n"}),
        key(cell={"temperature_celsius": 85}), key(cell={"topology": "source"}), key(cell={"r_on_ohm": "20k"}),
        key(sweep=SMALL | {"g_spacing": "log"}), key(sweep=SMALL | {"vin_range": "0.01:0.5:7"}),
        key(sweep=SMALL | {"vg_range": "0.9:1.1:0.1"}), key(sweep=SMALL | {"vbl_volt": "60m"}),
        digest(circuit_of(configured().cell), arguments(configured(), off_grid=True), simulator="ngspice-39"),
    ]  # fmt: skip
    assert len({same, *others}) == 1 + len(others)


def test_the_cache_is_in_the_users_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("XBAR_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("cells") == tmp_path / "xbar" / "cells"


def test_bit_line_voltages_have_the_inputs_signs():
    assert bit_line_voltages(configured()) == (0.0,)
    one = configured(sweep=SMALL | {"vbl_volt": "60m"})
    assert bit_line_voltages(one) == pytest.approx((0, 0.015, 0.03, 0.045, 0.06))
    both = configured(sweep=SMALL | {"vbl_volt": "60m", "vin_range": "-0.5:0.5:101"})
    assert bit_line_voltages(both) == pytest.approx(np.linspace(-0.06, 0.06, 9))


def rows(skip=None, gates=(0.8, 1.0)):
    lines = ["# a cell", "G,V,I,V_g"]
    for vg in gates:
        for g in np.linspace(3e-6, 4e-5, 9):
            for v in (0.0, *np.linspace(0.01, 0.5, 9)):
                lines.append(f"{g:.9g},{v:.9g},{g * v * vg + 1e-12:.12g},{vg}")
    return [line for number, line in enumerate(lines, start=1) if number != skip]


def read(path, *, gates=(0.8, 0.8, 1), r_on=30e3):
    return read_cell_table(path, gates=gates, g_off=1 / 300e3, g_on=1 / r_on, vin_min=0.01)


def test_a_measured_table_in_any_order(tmp_path):
    file = tmp_path / "m.csv"
    head, body = rows()[:2], rows()[2:]
    np.random.default_rng(1).shuffle(body)
    file.write_text("\n".join([*head, "", *body]))
    table, has_zero = read(file)
    assert has_zero
    assert (table.vg_volt.tolist(), table.g_siemens.size, table.vin_volt.size) == ([0.8, 1.0], 9, 9)
    np.testing.assert_allclose(table.plain_leakage, 1e-12)
    expected = table.g_siemens[:, None] * table.vin_volt * table.vg_volt[:, None, None] + 1e-12
    np.testing.assert_allclose(table.plain_current, expected, rtol=1e-6)
    with pytest.raises(ConfigError, match=r"G spans 3e-06 to 4e-05 S, and .* G_on = 5e-05 S is outside"):
        read(file, r_on=20e3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("G,V,I,V_g", "G,V,A"), r"line 2: the columns are G,V,A; wanted are G,V,I"),
        (lambda t: t + "\n1,2", r"line 183: 2 values, 4 columns"),
        (lambda t: t + "\n1e-5,0.1,x,0.8", r"line 183: I = 'x' is not a finite number"),
        (lambda t: t + "\n1e-5,0.1,1e300,0.8", r"line 183: I = 1e\+300 is out of bounds: at most 1e\+09"),
        (lambda t: t + "\n1e-5,inf,1e-6,0.8", r"line 183: V = 'inf' is not a finite number"),
        (lambda t: t + "\n-1e-5,0.1,1e-6,0.8", r"line 183: G = -1e-05 S must be above 0"),
        (lambda t: t + "\n" + t.splitlines()[40], r"line 183: the same G, V and V_g as in line 41"),
        (lambda t: "\n".join(rows(skip=50)), r"no row for G = .* at V_g = 0.8 V; every G needs every V"),
        (lambda t: "", r"no rows"),
        (lambda t: t.replace(",", ";"), r"line 2: columns are separated by semicolons; separate them by commas"),
        (lambda t: t.replace(",", ";").replace(".", ","), r"line 2: columns are separated by semicolons; .* with decimal points"),
        (lambda t: t.replace(",", "\t"), r"line 2: columns are separated by tabs; separate them by commas"),
    ],
)  # fmt: skip
def test_a_measured_table_that_is_wrong_is_named_with_its_line(tmp_path, change, message):
    file = tmp_path / "m.csv"
    file.write_text(change("\n".join(rows())))
    with pytest.raises(ConfigError, match=rf"m\.csv.*{message}"):
        read(file)


def test_a_measured_table_without_a_gate_voltage_needs_one(tmp_path):
    file = tmp_path / "m.csv"
    file.write_text("\n".join(line.rpartition(",")[0] or line for line in rows(gates=(0.8,))))
    assert read(file)[0].vg_volt.tolist() == [0.8]
    with pytest.raises(ConfigError, match=r"m\.csv, line 2: there is no column V_g"):
        read(file, gates=(0.7, 1.0, 7))


def scaled(*, g=1.0, v=1.0, i=1.0):
    """The table with units that slip: each column times a factor, the current by gate voltage where `i` is a pair."""
    lines = []
    for line in rows()[2:]:
        a, b, c, d = map(float, line.split(","))
        factor = i if isinstance(i, float) else i[d == 1.0]
        lines.append(f"{a * g:.9g},{b * v:.9g},{c * factor:.9g},{d}")
    return "\n".join(["G,V,I,V_g", *lines])


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ({"i": -1.0}, r"G = 4e-05 S, V = 0.5 V, I = -1.6e-05 A at V_g = 0.8 V: I must have the sign of V"),
        ({"i": (1.0, -1.0)}, r"at V_g = 1 V: I must have the sign of V"),
        ({"i": 1e3}, r"I = 0.016 A at V_g = 0.8 V is 800 times G·V"),
        ({"i": (1.0, 1e6)}, r"I = 20 A at V_g = 1 V is 1e\+06 times G·V"),
        ({"v": 1e-3}, r"V = 0.0005 V, I = 1.6e-05 A at V_g = 0.8 V is 800 times G·V"),
        ({"i": (0.0, 1.0)}, r"every I at G = 3e-06 S, V_g = 0.8 V is 0.*leave that gate voltage out"),
        ({"i": 1e-3}, r"no I at V = 0.5 V is more than 0.001 of G·V"),
        ({"v": 1e3}, r"no I at V = 500 V is more than 0.001 of G·V"),
    ],
)
def test_units_and_signs_that_slip_are_named(tmp_path, slip, message):
    file = tmp_path / "m.csv"
    file.write_text(scaled(**slip))
    with pytest.raises(ConfigError, match=rf"m\.csv: .*{message}"):
        read_cell_table(file, gates=(0.8, 0.8, 1), g_off=1 / 300e3, g_on=1 / 30e3, vin_min=0.01 * slip.get("v", 1.0))


def test_what_a_transistor_does_to_a_current_is_plausible(tmp_path):
    """Off at the first gate voltage, and a gate that leaks more than a small memristor passes."""
    file = tmp_path / "m.csv"
    file.write_text(scaled(i=(1e-9, 0.3)))
    assert read(file)[0].vg_volt.size == 2
    file.write_text(scaled(i=(-1e-9, 1.0)))
    assert read(file)[0].vg_volt.size == 2, "noise around 0"
    leaking = [f"{g},{v},{float(i) + 1e-7},{vg}" for g, v, i, vg in (line.split(",") for line in rows()[2:])]
    file.write_text("\n".join(["G,V,I,V_g", *leaking]))
    assert read(file)[0].plain_current.min() > 0


def test_the_sign_of_negative_inputs(tmp_path):
    file = tmp_path / "m.csv"
    lines = [
        f"{g:.9g},{v:.9g},{abs(g * v):.9g}" for g in np.linspace(3e-6, 4e-5, 9) for v in np.linspace(-0.4, 0.5, 19)
    ]
    file.write_text("\n".join(["G,V,I", *lines]))
    with pytest.raises(ConfigError, match=r"V = -0.4 V, I = 1.6e-05 A at V_g = 0.8 V: I must have the sign of V"):
        read(file)
