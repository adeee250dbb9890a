"""Retention, read disturb and heat against their formulas, integrated another way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from pydantic import ValidationError

from xbar_cli.config.chips.ageing_effects import ReadDisturb, Retention, Temperature, model_of
from xbar_cli.device.ageing.relaxation import arrhenius

G_OFF, G_ON = 1 / 300e3, 1 / 30e3
MANY = jnp.full(200_000, 2e-5, jnp.float32)
NODES, WEIGHTS = hermegauss(60)
KEY = jax.random.key(9)


class Devices:
    g_on, g_off, technology = G_ON, G_OFF, None


def acted(effect, g=MANY):
    model, parameters = model_of(effect, Devices())
    return np.asarray(model(KEY, g, **parameters), float)


@pytest.mark.parametrize(("to", "end"), [("off", G_OFF), ("on", G_ON)])
@pytest.mark.parametrize("share", [0.1, 1.0, 3.0])
def test_moments_of_retention_are_those_of_the_formula(to, end, share):
    """Mean and spread over lognormal time constants, by quadrature, within 2 %."""
    found = acted(Retention(model="retention", tau=1e6, to=to, tau_sigma=0.5, t=share * 1e6))
    left = np.exp(-share * np.exp(0.5 * NODES))
    mean, square = (np.sum(WEIGHTS * left**k) / WEIGHTS.sum() for k in (1, 2))
    assert found.mean() == pytest.approx(end + (2e-5 - end) * mean, rel=0.02)
    assert found.std() == pytest.approx(abs(2e-5 - end) * np.sqrt(square - mean**2), rel=0.02)


def test_heat_shortens_retention_as_arrhenius_has_it():
    """1 eV from 300 to 358 K: a factor of e^(1/k (1/300 − 1/358))."""
    factor = np.exp(1.0 / 8.617333262e-5 * (1 / 300 - 1 / 358))
    assert factor == pytest.approx(528, rel=0.01)
    assert arrhenius(1e9, activation_ev=1.0, kelvin=358.0) == pytest.approx(1e9 / factor, rel=1e-9)
    hot = acted(Retention(model="retention", tau=1e9, ea=1.0, kelvin=358, t=1e6), MANY[:1])
    cold = acted(Retention(model="retention", tau=1e9, t=1e6 * factor), MANY[:1])
    np.testing.assert_allclose(hot, cold, rtol=1e-5)


def test_reads_disturb_one_after_the_other():
    """A loop over reads, each of which takes its share."""
    found = acted(ReadDisturb(model="read_disturb", share=1e-3, rate=50, t=20), MANY[:1])
    g = 2e-5
    for _ in range(1000):
        g += 1e-3 * (G_ON - g)
    assert found[0] == pytest.approx(g, rel=1e-3)


def test_resistances_follow_their_coefficients_at_both_ends():
    effect = Temperature(model="temperature", kelvin=358, alpha_on=1.5e-3, alpha_off=-3e-3)
    found = acted(effect, jnp.asarray([G_OFF, (G_OFF + G_ON) / 2, G_ON], jnp.float32))
    resistance = 1 / np.array([G_OFF, (G_OFF + G_ON) / 2, G_ON])
    np.testing.assert_allclose(1 / found, resistance * (1 + np.array([-3e-3, -0.75e-3, 1.5e-3]) * 58), rtol=1e-5)


@pytest.mark.parametrize(
    ("section", "given", "told"),
    [
        (Retention, {"model": "retention", "tau": 1e6, "kelvin": 350}, "changes nothing without ea="),
        (Temperature, {"model": "temperature", "kelvin": 350}, "needs alpha_on= or alpha_off="),
        (Temperature, {"model": "temperature", "kelvin": 500, "alpha_off": -0.01}, "leave no resistance"),
    ],
)
def test_what_says_nothing_or_too_much_is_refused(section, given, told):
    with pytest.raises(ValidationError, match=told):
        section.model_validate(given)
