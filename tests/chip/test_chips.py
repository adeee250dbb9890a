"""Effects by name: every one does something, those that contradict each other are refused, figures are of the devices."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.chip.fabricate import make_fabricator
from xbar_cli.chip.mapped import LayerMapping, MappedNetwork
from xbar_cli.chip.mismatch import cells_at, gate_shifts
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.effect_list import remarks, steps_of
from xbar_cli.config.effects import EFFECTS, read_spread_of
from xbar_cli.config.load import validate
from xbar_cli.config.variation import VariationSection
from xbar_cli.device.cell import Sampled
from xbar_cli.device.chip import fabricate
from xbar_cli.device.mismatch import mismatched
from xbar_cli.errors import ConfigError, ModelError
from xbar_cli.mapping.readout import Readout
from xbar_cli.workflows.evaluate import effects_in_order

G_OFF, G_ON = 1 / 300e3, 1 / 30e3
KEY = jax.random.key(4)
AMOUNTS = {
    "write_verify": "tolerance=0.05",
    "pcm_programming": "scale=0.5",
    "additive": "sigma=0.1",
    "proportional": "sigma=0.1",
    "lognormal": "sigma=0.1",
    "states": "file={statistics},scale=0.5",
    "smooth": "file={statistics}",
    "chip_corner": "k=1,sigma=0.1",
    "chip_to_chip": "sigma=0.1",
    "drift": "t=1e4,t0=20,nu=0.05,nu_sigma=0.01",
    "pcm_drift": "t=1e4",
    "retention": "t=1e5,tau=1e6,tau_sigma=0.3",
    "read_disturb": "t=100,share=1e-3,rate=10,share_sigma=0.3",
    "temperature": "kelvin=380,alpha_on=2e-3,alpha_off=1e-3",
    "stuck": "on=0.1,off=0.1,open=0.1",
    "mismatch": "sigma=0.03,scale=1",
    "read_noise": "sigma=0.05,relative=0.02",
    "pcm_read": "t=1e4,t_read=1e-6",
}
KEYS = [(model, part.partition("=")[0]) for model, text in AMOUNTS.items() for part in text.split(",")]


class Window(NamedTuple):
    g_on: float = G_ON
    g_off: float = G_OFF
    technology: str | None = None


@pytest.fixture
def statistics(tmp_path):
    return write(tmp_path / "statistics.toml", [G_OFF, 2e-5, G_ON], [G_OFF, 2.1e-5, 3.2e-5], [1e-7, 5e-7, 9e-7])


def write(path, target, mean, sigma):
    names = zip(("target", "mean", "sigma"), (target, mean, sigma), strict=True)
    path.write_text("".join(f"{name}_siemens = {values}\n" for name, values in names))
    return path


def variation(*effects, **more):
    config = validate(EvaluateConfig, {"run": "r", "variation": {"effects": list(effects), **more}}, {})
    return config.variation


def network(cell=None, vg=0.8):
    g = jax.random.uniform(jax.random.key(1), (60, 40), minval=G_OFF, maxval=G_ON).at[::7].set(0)
    layer = LayerMapping(
        conductance=np.asarray(g), kernel=(60, 20), readout=Readout("de"), slope=np.asarray(3e-5), digital=np.zeros(()),
        bottom=G_OFF, top=G_ON, scale_kept=1.0, full_scale=1.0, signed=False, vg=None if cell is None else vg,
        clipped_fraction=0.0,
    )  # fmt: skip
    return MappedNetwork({"a": layer}, "de", None, cell, G_OFF, G_ON, (128, 128))


@pytest.fixture(scope="module")
def cell():
    return analytic.cell((0.7, 0.75, 0.8, 0.85, 0.9))


def fabricator(config, found):
    return make_fabricator(found, steps_of(config.on_devices(), found), negative=config.negative)


def outcome(config, found):
    """Everything that a chip and its reads are: conductances, the spread of a read, the currents of its cells."""
    nominal = jnp.asarray(found.layers["a"].conductance)
    g = fabricator(config, found)(KEY).conductances["a"]
    noises = [read_spread_of(noise, found) for noise in config.read_noises()]
    spread = sum((noise(g, nominal) for noise in noises), start=jnp.zeros_like(g))
    shifts = gate_shifts(config.mismatch(), found)
    if shifts is None:
        return np.stack([g, spread])
    with jax.enable_x64(False):
        cells = mismatched(KEY, cells_at(found, shifts)["a"], shifts["a"], g.shape, g.dtype)
    return np.stack([g, spread, cells(g, jnp.full(g.shape, 0.3))])


def test_every_effect_is_tried():
    assert set(AMOUNTS) == set(EFFECTS)


@pytest.mark.parametrize("model", AMOUNTS)
def test_every_effect_changes_the_chip_or_its_reads(model, statistics, cell):
    found = network(cell)
    config = variation(f"{model}:{AMOUNTS[model].format(statistics=statistics)}")
    before, after = outcome(variation(), found), outcome(config, found)
    present = found.layers["a"].conductance > 0
    if model == "mismatch":
        alike = outcome(variation("mismatch:sigma=1e-9"), found)
        assert (np.abs(after[2] / alike[2] - 1)[present] > 1e-3).mean() > 0.5
    else:
        changed = (after[: len(before)] != before).any(axis=0)
        assert changed[present].mean() > 0.2
        assert not changed[~present].any()  # what is absent neither varies, breaks nor fluctuates
    assert any(model in line for line in effects_in_order(config, steps_of(config.on_devices(), found)))


@pytest.mark.parametrize(("model", "key"), KEYS)
def test_every_number_of_an_effect_counts(model, key, statistics, cell):
    """The same effect with one number changed is another chip."""
    parts = dict(part.split("=", 1) for part in AMOUNTS[model].format(statistics=statistics).split(","))
    if key == "file":
        other = write(statistics.with_name("other.toml"), [G_OFF, G_ON], [G_OFF, 3e-5], [2e-7, 8e-7])
        changed = parts | {key: str(other)}
    else:
        changed = parts | {key: str(float(parts[key]) * 1.5)}
    one, two = (f"{model}:" + ",".join(f"{k}={v}" for k, v in p.items()) for p in (parts, changed))
    found = network(cell)
    assert not np.array_equal(outcome(variation(one), found), outcome(variation(two), found))


@pytest.mark.parametrize(
    ("effects", "message"),
    [
        (("drift:t=1e3,t0=1,nu=0.1,nu_sigma=0", "pcm_drift:t=1e3"), "drift and pcm_drift cannot act together"),
        (("stuck:on=0.1", "stuck:off=0.1"), "stuck and stuck cannot act together: one entry takes all"),
        (("states:file=a", "smooth:file=b"), "states and smooth cannot act together"),
        (("chip_corner:k=1", "chip_to_chip"), "chip_corner and chip_to_chip cannot act together"),
        (("write_verify:tolerance=0.1", "pcm_programming"), "write_verify and pcm_programming cannot act together"),
        (("mismatch", "mismatch:sigma=0.1"), "mismatch and mismatch cannot act together"),
        (("pcm_drift:t=1e3", "pcm_read:t=1e4"), "pcm_drift:t=1000 and pcm_read:t=10000 contradict"),
        (("stuck",), "stuck needs at least one of"),
        (("stuck:on=0.7,off=0.4",), "add up to more than 1"),
        (("read_noise",), "read_noise needs sigma= or relative="),
        (("pcm_read:t=1e-8",), "must be at least t_read"),
        (("lognormal:sigma=10",), "less than or equal to 3"),
        (("drift:t=1e300",), "less than or equal to 1000000000000"),
        (("pcm_drift:t=1e300",), "less than or equal to 1000000000000"),
        (("write_verify:tolerance=0.1,sigma_over_tolerance=1e-60",), "greater than or equal to 0.001"),
    ],
)
def test_effects_that_contradict_each_other_or_mean_nothing(effects, message):
    with pytest.raises(ConfigError) as error:
        variation(*effects)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_effects_that_add_up_are_taken():
    config = variation("additive:sigma=0.1", "additive:sigma=0.2", "read_noise:sigma=0.1", "read_noise:relative=0.1")
    assert [step.name for step in steps_of(config.on_devices(), Window())] == ["additive", "additive 2"]
    assert len(config.read_noises()) == 2
    variation("drift:t=1e3,t0=1,nu=0.1,nu_sigma=0", "pcm_read:t=1e3", "stuck:on=0.1")


def test_a_corner_that_turns_the_sign_is_refused():
    with pytest.raises(ConfigError, match="takes every device below 0 S"):
        steps_of(variation("chip_corner:k=-6,sigma=0.2").on_devices(), Window())


def test_the_order_given_does_not_matter():
    effects = ("drift:t=1e4,t0=20,nu=0.05,nu_sigma=0.01", "stuck:on=0.1", "lognormal:sigma=0.1")
    g = jnp.full((50, 40), 1e-5)
    one, two = (
        fabricate(KEY, g, layer="a", steps=steps_of(variation(*order).on_devices(), Window()), negative="clamp")[0]
        for order in (effects, effects[::-1])
    )
    np.testing.assert_array_equal(one, two)
    assert np.isclose(np.asarray(one), G_ON, rtol=1e-6).mean() == pytest.approx(0.1, abs=0.03)


def test_read_noise_of_a_stuck_device_is_that_of_its_conductance():
    config = variation("read_noise:relative=0.1", "stuck:on=0.2,open=0.2")
    chip = fabricator(config, network())(KEY).conductances["a"]
    (noise,) = config.read_noises()
    spread = read_spread_of(noise, Window())(chip, chip)
    np.testing.assert_allclose(spread, 0.1 * np.asarray(chip), rtol=1e-6)
    assert (np.asarray(chip) == 0).mean() > 0.2


def test_a_chip_that_an_effect_breaks_is_named_with_layer_and_effect():
    config = variation("drift:t=1e12,t0=1e-9,nu=-1,nu_sigma=1", "stuck:on=0.01")
    made = fabricator(config, network())
    with pytest.raises(ModelError, match=r"^chip 7: drift leaves conductances of layer a that are not finite"):
        made.require_finite(made(KEY).broken, chip=7)
    sound = fabricator(variation("additive:sigma=0.1"), network())
    sound.require_finite(sound(KEY).broken, chip=0)


@pytest.mark.parametrize(
    ("target", "mean", "sigma", "message"),
    [
        ([5.0, 30.0], [5.0, 30.0], [0.2, 1.7], "devices lie at 3.333e-06 … 3.333e-05 S (are they microsiemens?)"),
        ([5e-3, 3e-2], [5e-3, 3e-2], [2e-4, 1e-3], "the devices lie at 3.333e-06 … 3.333e-05 S (are they millisiemens?)"),
        ([5e-9, 3e-8], [5e-9, 3e-8], [2e-10, 1e-9], "target_siemens spans 5e-09 … 3e-08 S, and the devices lie at"),
        ([5e-6, 3e-5], [5e-3, 3e-2], [2e-7, 1e-6], "mean_siemens spans 0.005 … 0.03 S, and the devices lie at"),
        ([5e-6, 3e-5], [5e-6, 3e-5], [0.05, 0.05], "sigma_siemens spans 0.05 … 0.05 S"),
        ([3e4, 2e5], [3e4, 2e5], [3e3, 2e4], "the devices lie at 3.333e-06 … 3.333e-05 S (are they nanosiemens or ohm?)"),
        ([5e-6, 3e-5], [5e-6, 3e-5], [-1e-7, 1e-6], "sigma_siemens must be a finite number of at least 0"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("model", ["states", "smooth"])
def test_statistics_of_other_units_are_refused(tmp_path, model, target, mean, sigma, message):
    path = write(tmp_path / "other.toml", target, mean, sigma)
    with pytest.raises(ConfigError) as error:
        steps_of(variation(f"{model}:file={path}").on_devices(), Window())
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_statistics_of_a_part_of_the_devices_are_remarked_on(tmp_path, statistics):
    path = write(tmp_path / "part.toml", [1e-5, 2e-5], [1e-5, 2e-5], [1e-6, 1e-6])
    (remark,) = remarks(variation(f"states:file={path}").effects, Window())
    assert "target_siemens spans 1e-05 … 2e-05 S, the devices 3.333e-06 … 3.333e-05 S" in remark
    assert remarks(variation(f"states:file={statistics}").effects, Window()) == []


def test_mismatch_needs_transistors_a_spread_and_a_table_that_reaches(cell):
    def shifts(effect, **more):
        return gate_shifts(variation(effect).mismatch(), network(**more))

    with pytest.raises(ConfigError, match="resistive arrays have none"):
        shifts("mismatch:sigma=0.03")
    with pytest.raises(ConfigError, match="characterized without a spread"):
        shifts("mismatch", cell=cell)
    with pytest.raises(
        ConfigError, match=r"at V_g 0\.7 V .* reach below the 0\.7 V .* characterize it from 0\.655 V on"
    ):
        shifts("mismatch:sigma=0.03", cell=cell, vg=0.7)
    narrow = analytic.cell((0.8, 0.85))
    with pytest.raises(ConfigError, match="the cell has 2 with a surrogate: characterize 3 or more"):
        shifts("mismatch:sigma=0.03", cell=narrow)
    assert shifts("mismatch:sigma=0", cell=cell) is None


def test_mismatch_takes_its_spread_from_the_sampled_transistors(cell):
    """In the closed form a volt of threshold is a volt of gate voltage; made to be 1.2, the spread is 1.2 times as wide."""
    shift, g = np.linspace(-0.04, 0.04, 9), np.linspace(G_OFF, G_ON, 12)

    def effective(vg):
        return (analytic.current(g[:, None], analytic.V_IN, vg) / analytic.V_IN).mean(axis=-1)

    samples = np.stack([[effective(vg - 1.2 * d) for d in shift] for vg in cell.vg])
    sampled = replace(cell, sampled=Sampled(0.025, shift, g, samples))
    found = gate_shifts(variation("mismatch:scale=2").mismatch(), network(sampled))
    assert found["a"].sigma == pytest.approx(1.2 * 2 * 0.025, rel=0.01)
    given = gate_shifts(variation("mismatch:sigma=0.01").mismatch(), network(sampled))
    assert given["a"].sigma == pytest.approx(1.2 * 0.01, rel=0.01)
    assert VariationSection().mismatch() is None
