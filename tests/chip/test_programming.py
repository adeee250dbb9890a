"""Programming by pulses: within its tolerance, through wires, with what it costs counted another way."""

import tomllib
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.nodal import nodal
from xbar_cli.array.tiling import fold_layers
from xbar_cli.array.wires import Wires, wired_fold
from xbar_cli.chip.fabricate import make_fabricator
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.mapped import LayerMapping, MappedNetwork
from xbar_cli.chip.programming.gradient import measured_error, patterns
from xbar_cli.chip.programming.rule import path_ohm, tile_maximum
from xbar_cli.chip.programming.writer import COSTS, writer_of
from xbar_cli.config.chips.evaluate import EvaluateConfig, PartitionConfig
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.load import validate, write_toml
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.readout import Readout

G_OFF, G_ON = 1 / 300e3, 1 / 30e3
WINDOW = G_ON - G_OFF
KEY = jax.random.key(8)
TILE = (16, 12)


def network(rows=20, cols=16):
    inner = (G_OFF + 0.1 * WINDOW, G_ON - 0.1 * WINDOW)
    g = jax.random.uniform(jax.random.key(1), (rows, cols), minval=inner[0], maxval=inner[1]).at[3].set(0)
    layer = LayerMapping(
        conductance=np.asarray(g), kernel=(rows, cols // 2), readout=Readout("de"), slope=np.asarray(3e-5),
        digital=np.zeros(()), bottom=G_OFF, top=G_ON, scale_kept=1.0, full_scale=1.0, signed=False, vg=None,
        clipped_fraction=0.0,
    )  # fmt: skip
    return MappedNetwork({"a": layer}, "de", None, None, G_OFF, G_ON, TILE)


def configured(effects=(), **given):
    asked = {"device": "alox_hfo2", **given}
    return validate(EvaluateConfig, {"run": "r", "programming": asked, "variation": {"effects": list(effects)}}, {})


def hardware(ohm=0.0, found=None):
    wires = Wires(word=ohm, bit=ohm)
    fold = wired_fold(nodal, wires) if ohm else None
    return Hardware(found or network(), model="nodal" if ohm else "ideal", fold=fold, wires=wires)


def written(ohm=0.0, key=KEY, **given):
    writer = writer_of(configured(**given).programming, hardware(ohm))
    g, costs = jax.jit(lambda key: writer(key))(key)
    return g["a"], {name: float(value) for name, value in costs.items()}


def test_verify_leaves_every_device_within_its_tolerance():
    target = network().layers["a"].conductance
    g, costs = written(method="verify", tolerance="2%", pulses=2000)
    assert np.abs(g - target).max() <= 0.02 * WINDOW * (1 + 1e-4)
    assert (np.asarray(g)[3] == 0).all()
    assert costs["missed_fraction"] == 0
    present = target > 0
    error = np.sqrt(np.mean((np.asarray(g) - target)[present] ** 2)) / WINDOW
    assert costs["conductance_error"] == pytest.approx(error, rel=1e-3)
    assert costs["pulses"] > present.sum() < costs["reads"]
    assert set(costs) == set(COSTS)


def test_without_pulses_enough_devices_stay_where_they_are_and_are_said_to_miss():
    g, costs = written(method="verify", tolerance=0.02, pulses=3)
    target = network().layers["a"].conductance
    outside = (np.abs(g - target) > 0.02 * WINDOW) & (target > 0)
    assert costs["missed_fraction"] == pytest.approx(outside.sum() / (target > 0).sum())
    assert costs["missed_fraction"] > 0.5


def test_chips_are_keys_and_a_second_write_pulses_the_same_devices_anew():
    writer = writer_of(configured(method="verify").programming, hardware())
    one, again, other = (np.asarray(writer(key)[0]["a"]) for key in (KEY, KEY, jax.random.key(9)))
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.5
    rewritten = np.asarray(replace(writer, writes=2)(KEY)[0]["a"])
    assert (one != rewritten).mean() > 0.5
    many = jax.lax.map(lambda key: writer(key)[0]["a"], jnp.stack([KEY, jax.random.key(9)]))
    np.testing.assert_allclose(many, np.stack([one, other]), rtol=1e-5)


def test_the_read_of_a_lone_cell_is_what_the_wired_array_says():
    path = path_ohm((20, 16), tile=TILE, groups=1, wires=Wires(word=7.0, bit=3.0, source=100.0, neuron=50.0))
    fold = wired_fold(nodal, Wires(word=7.0, bit=3.0, source=100.0, neuron=50.0))
    folded = jax.jit(lambda g: fold_layers({"a": g}, fold, tile=TILE)["a"].g_eff)
    for row, col in [(0, 0), (15, 11), (16, 12), (19, 15), (5, 13)]:
        solved = folded(jnp.zeros((20, 16)).at[row, col].set(1e-3))[row, col]
        assert float(solved) == pytest.approx(1e-3 / (1 + path[row, col] * 1e-3), rel=1e-5)


def test_by_gradient_products_through_wires_are_right_where_verify_leaves_them_wrong():
    wires = Wires(word=100.0, bit=100.0)  # on 16 rows what a few ohm are on 128
    found = network(*TILE)
    target = found.layers["a"].conductance
    acts_as = jax.jit(lambda g: nodal(g, wires).g_eff)
    errors = {}
    for method, rounds in (("verify", 100), ("gradient", 15)):
        asked = configured(method=method, device="pcmo", tolerance=0.01, pulses=5000, margin=0.3, rounds=rounds)
        g, costs = jax.jit(lambda key, asked=asked: writer_of(asked.programming, hardware(100.0, found))(key))(KEY)
        off = np.asarray(acts_as(g["a"])) - target
        wrong, wanted = (m[:, 0::2] - m[:, 1::2] for m in (off, target))
        errors[method] = np.sqrt((wrong**2).sum() / (wanted**2).sum())
        assert float(costs["product_error"]) == pytest.approx(errors[method], rel=1e-3)
    assert errors["gradient"] < 0.5 * errors["verify"], errors


def test_the_measured_gradient_is_the_error_of_every_conductance():
    wanted, acting = (jax.random.uniform(key, (20, 5)) * G_ON for key in jax.random.split(KEY))
    rule = writer_of(configured(method="gradient").programming, hardware()).rule
    exact = measured_error(KEY, wanted, acting, None, height=16, rule=rule)
    np.testing.assert_allclose(exact, wanted - acting, atol=1e-5 * G_ON)
    noise = jnp.full((20, 5), 0.01 * G_ON)
    off = measured_error(KEY, wanted, acting, noise, height=16, rule=rule) - (wanted - acting)
    # Each of 16 reads of 16 rows has the noise of its devices; averaged over 16 patterns that of one device is left.
    assert float(off[:16].std()) == pytest.approx(0.01 * G_ON, rel=0.35)
    coarse = measured_error(KEY, wanted, acting, None, height=16, rule=replace(rule, adc_bits=6))
    step = 8 * G_ON * 4 / 63
    assert 0 < float(jnp.abs(coarse - exact).max()) < step
    for height in (1, 5, 16, 100):
        x = patterns(height)
        np.testing.assert_array_equal(x.T @ x, len(x) * np.eye(height))


def test_verify_reads_with_noise_and_bits_let_more_errors_pass():
    target = network().layers["a"].conductance
    worst = []
    for effects, given in ((), {}), (("read_noise:sigma=0.03",), {}), ((), {"adc_bits": 3}):
        config = configured(effects, method="verify", tolerance=0.02, pulses=2000, **given)
        noisy = replace(hardware(), noises=tuple(spreads(config)))
        worst.append(float(np.abs(writer_of(config.programming, noisy)(KEY)[0]["a"] - target).max() / WINDOW))
    assert worst[0] <= 0.0201
    assert min(worst[1:]) > 0.025


def spreads(config):
    from xbar_cli.config.effects import read_spread_of

    return [read_spread_of(noise, network()) for noise in config.variation.read_noises()]


def test_time_is_that_of_the_array_that_takes_longest():
    each = jnp.asarray(np.random.default_rng(0).random((20, 16)), jnp.float32)
    tiles = [np.asarray(each)[r : r + 16, c : c + 12] for r in (0, 16) for c in (0, 12)]
    one_by_one = tile_maximum(each, tile=TILE, groups=1, rows_at_once=False)
    assert float(one_by_one) == pytest.approx(max(tile.sum() for tile in tiles), rel=1e-5)
    by_rows = tile_maximum(each, tile=TILE, groups=1, rows_at_once=True)
    assert float(by_rows) == pytest.approx(max(tile.max(axis=1).sum() for tile in tiles), rel=1e-5)


def test_effects_begin_where_programming_ends_and_absent_devices_stay_absent():
    config = configured(("chip_corner:k=-1,sigma=0.1",), method="verify")
    found = network()
    writer = writer_of(config.programming, hardware(found=found))
    steps = steps_of(config.variation.on_devices(), found)
    chip = make_fabricator(found, steps, negative="clamp", writer=writer)(KEY)
    np.testing.assert_allclose(chip.conductances["a"], 0.9 * writer(KEY)[0]["a"], rtol=1e-5)
    assert chip.costs.keys() == COSTS.keys()


@pytest.mark.parametrize(
    ("given", "effects", "message"),
    [
        ({"method": "verify", "device": None}, (), "programming.method = verify needs programming.device"),
        ({"tolerance": 0.1}, (), "give programming.method, verify or gradient"),
        ({"method": "verify", "rate": 0.5}, (), "programming.rate belongs to programming.method = gradient"),
        ({"method": "verify"}, ("write_verify:tolerance=0.1",), "effect write_verify says what programming leaves"),
        ({"method": "gradient"}, ("pcm_programming",), "effect pcm_programming says what programming leaves"),
        ({"method": "verify", "tolerance": "0%"}, (), "greater than 0"),
        ({"method": "verify", "tolerance": "many%"}, (), "is not a number"),
    ],
)
def test_what_contradicts_itself_is_one_line(given, effects, message):
    with pytest.raises(ConfigError) as error:
        configured(effects, **given)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", [{}, {"method": "verify"}, {"method": "gradient", "rate": 0.5, "adc_bits": 8}])
def test_the_configuration_of_a_run_reads_back_the_same(given, tmp_path):
    config = configured(**given) if given else validate(EvaluateConfig, {"run": "r"}, {})
    write_toml(tmp_path / "c.toml", config)
    tree = tomllib.loads((tmp_path / "c.toml").read_text())
    assert validate(EvaluateConfig, tree, {}).programming == config.programming


def test_devices_and_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="switching model 'abc' is unknown"):
        writer_of(configured(method="verify", device="abc").programming, hardware())
    with pytest.raises(ConfigError, match=r"gradient takes linear arrays"):
        writer_of(configured(method="gradient").programming, replace(hardware(), model="gated"))
    with pytest.raises(ConfigError, match=r"programming\.method belongs to xbar evaluate"):
        validate(PartitionConfig, {"run": "r", "programming": {"method": "verify", "device": "agsi"}}, {})
