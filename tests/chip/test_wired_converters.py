"""Converters before and behind wired arrays of 1T-1R cells: codes of every tile, against Newton's method read by read."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.chip.test_wired_choice import WIRES, asked, trained  # noqa: F401
from xbar_cli.array.wired.newton import gated_wired
from xbar_cli.chip.certificates.wired import READS, drives, told
from xbar_cli.chip.fold import make_folder
from xbar_cli.chip.hardware import bit_lines
from xbar_cli.chip.prepare import nominal_ranges
from xbar_cli.config.chips.evaluate import changed
from xbar_cli.errors import ConfigError
from xbar_cli.nn.contracts import dense
from xbar_cli.nn.wired.converted import ConvertedWiredLayer
from xbar_cli.workflows.evaluate import build_hardware

FULL = 2e-4
"""Full scale of the converters [S]."""


def hardware_of(trained, converters, **array):  # noqa: F811
    config, mapped = asked(trained, **WIRES, **array)
    return build_hardware(changed(config, {"converters": converters}), trained, mapped)


def circuit_of(hardware):
    nominal = {name: jnp.asarray(layer.conductance, jnp.float32) for name, layer in hardware.network.layers.items()}
    ranges = dict.fromkeys(nominal, FULL) if hardware.converters.path == "tiled" else {}
    return make_folder(hardware)(nominal, jax.random.key(0), ranges)[0]


def newton(hardware, name, share):
    """Column currents over the full voltage of every band of tiles [bands reads columns] [S], solved one by one."""
    layer, cell = hardware.network.layers[name], bit_lines(hardware)[name]
    (height, width), volt = hardware.network.tile, 0.5
    if hardware.single:
        volt = hardware.v_read
    g = jnp.asarray(layer.conductance, jnp.float32)
    found = []
    for top in range(0, g.shape[0], height):
        v = jnp.asarray(volt * share[:, top : top + height], jnp.float32)
        tiles = [g[top : top + height, left : left + width] for left in range(0, g.shape[1], width)]
        found.append(np.concatenate([gated_wired(cell, tile, v, hardware.wires).current for tile in tiles], axis=1))
    return np.stack(found) / volt


def by_hand(hardware, name, x):
    """A layer's outputs: rows driven by codes, columns of every tile converted, codes shifted, added and combined."""
    layer, c = hardware.network.layers[name], hardware.converters
    top = 1 if c.dac_bits is None else 2**c.dac_bits - 1
    codes = np.clip(np.asarray(x, float) / layer.full_scale, 0, 1) * top
    codes = codes if c.dac_bits is None else np.round(codes)
    pair, step = c.adc_input == "pair", FULL / (2**c.adc_bits - 1)
    cycles = [codes / top] if c.input == "amplitude" else [(codes.astype(int) >> k) & 1 for k in range(c.dac_bits)]
    total = 0.0
    for k, share in enumerate(cycles):
        i = newton(hardware, name, np.asarray(share, float))
        i = i[..., 0::2] - i[..., 1::2] if pair else i
        i = i.sum(axis=0, keepdims=True) if c.analog else i
        if pair:
            highest = (2**c.adc_bits - 2) // 2
            step = FULL / highest
            read = np.clip(np.round(i / step), -highest, highest)
        else:
            read = np.clip(np.round(i / step), 0, 2**c.adc_bits - 1)
        total = total + 2**k * read.sum(axis=0)
    signed = total if pair else total[..., 0::2] - total[..., 1::2]
    return signed * step * layer.full_scale / (1 if c.input == "amplitude" else top) / np.asarray(layer.slope), (
        step * layer.full_scale / np.mean(layer.slope)
    )


@pytest.mark.parametrize(
    "converters",
    [
        {"adc_bits": 6},
        {"adc_bits": 5, "dac_bits": 4, "adc_input": "pair"},
        {"adc_bits": 6, "dac_bits": 3, "input": "bitserial"},
        {"adc_bits": 7, "dac_bits": 3, "accumulate": "analog"},
    ],
)
def test_codes_of_every_tile_are_those_of_newtons_currents(trained, converters):  # noqa: F811
    hardware = hardware_of(trained, converters, wired="fold")
    circuit, name = circuit_of(hardware), "output"
    layer = circuit.layers[name]
    assert isinstance(layer, ConvertedWiredLayer)
    rows = hardware.network.layers[name].conductance.shape[0]
    x = np.random.default_rng(3).uniform(0, 1.2 * hardware.network.layers[name].full_scale, (4, rows))
    found = jax.jit(lambda x: layer(x, dense, adc=circuit.adcs[name]).y)(jnp.asarray(x, jnp.float32))
    wanted, code = by_hand(hardware, name, x)
    assert np.abs(wanted).max() > 4 * code
    same = np.isclose(found, wanted, atol=0.01 * code)
    assert same.mean() > 0.9  # a current next to an edge may go either way
    assert np.abs(np.asarray(found) - wanted).max() < 4.01 * code


@pytest.mark.parametrize("wired", ["fold", "exact"])
def test_row_drive_of_few_levels_is_that_of_its_activations(trained, wired):  # noqa: F811
    hardware = hardware_of(trained, {"dac_bits": 3}, wired=wired)
    plain = circuit_of(hardware_of(trained, {}, wired=wired))
    name = "output"
    driven = circuit_of(hardware).layers[name]
    full = hardware.network.layers[name].full_scale
    rows = hardware.network.layers[name].conductance.shape[0]
    x = jnp.asarray(np.random.default_rng(3).uniform(0, full, (3, rows)), jnp.float32)
    rounded = jnp.round(x / full * 7) * full / 7
    found, wanted = driven(x, dense), plain.layers[name](rounded, dense)
    if wired == "exact":
        (found, trust), (wanted, other) = found, wanted
        np.testing.assert_allclose(trust.residual, other.residual, atol=1e-9)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert np.abs(x - rounded).max() > 0.05 * full


def test_the_certificate_is_of_the_reads_that_converters_drive(trained):  # noqa: F811
    hardware = hardware_of(trained, {"adc_bits": 6, "dac_bits": 3, "input": "bitserial"})
    assert {found["computed"] for found in told(hardware).values()} == {"fold"}
    layer = hardware.network.layers["hidden"]
    x = jnp.asarray(np.random.default_rng(1).uniform(0, layer.full_scale, (5, layer.conductance.shape[0])))
    share = drives(hardware, layer, x, 0)
    assert share.shape == (READS, layer.conductance.shape[0])
    assert set(np.unique(share)) == {0.0, 1.0}
    steps = drives(hardware_of(trained, {"dac_bits": 3}), layer, x, 0) * 7
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-5)


def test_the_range_of_the_converters_is_the_most_that_their_tiles_send(trained):  # noqa: F811
    hardware = hardware_of(trained, {"adc_bits": 8})
    full = nominal_ranges(trained, hardware, images=4)["hidden"].full_scale
    x = np.asarray(trained.data.train_images[:4], float).reshape(4, -1) / 255
    share = np.clip(x / hardware.network.layers["hidden"].full_scale, 0, 1)
    assert float(full) == pytest.approx(newton(hardware, "hidden", share).max(), rel=1e-3)


@pytest.mark.parametrize(
    ("converters", "array", "message"),
    [
        ({"dac_bits": 3, "input": "pwm"}, {}, "or bitserial with converters.adc_bits"),
        ({"dac_bits": 3, "input": "bitserial"}, {}, "or bitserial with converters.adc_bits"),
        ({"adc_bits": 6, "rows_at_once": 8}, {}, "leave out converters.rows_at_once"),
        ({"adc_bits": 6}, {"wired": "exact"}, "take auto or fold"),
        ({"adc_bits": 6}, {"wired_error": 1e-7}, "take products alone"),
    ],
)
def test_what_such_arrays_cannot_be_is_one_line(trained, converters, array, message):  # noqa: F811
    with pytest.raises(ConfigError, match=message):
        circuit_of(hardware_of(trained, converters, **array))
