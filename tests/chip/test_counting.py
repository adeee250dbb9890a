"""Answers of a batch are those of its parts, whatever is drawn at a read, counted or converted."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.chip.test_monte_carlo import network
from xbar_cli.chip import counting
from xbar_cli.chip.fold import make_folder
from xbar_cli.chip.place import map_network
from xbar_cli.chip.prepare import nominal_ranges
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.workflows.evaluate import build_hardware

CASES: Mapping[str, Mapping[str, Any]] = {
    "no arrays": {},
    "noise": {"variation": {"effects": ["read_noise:sigma=0.3"]}},
    "converters": {
        "converters": {
            "adc_bits": 4,
            "dac_bits": 4,
            "adc_range": "percentile:99",
            "adc_noise": 0.4,
            "dac_range": "0.8",
        },
        "variation": {"effects": ["read_noise:sigma=0.2"]},
    },
}


@pytest.mark.parametrize("name", CASES)
def test_parts_answer_as_the_whole(name: str, monkeypatch: pytest.MonkeyPatch):
    """Ten images in parts of three, the last of them filled up, from the seventh image on."""
    asked = EvaluateConfig.model_validate({"mapping": {"tile": "64x64"}} | dict(CASES[name]))
    trained = network("lenet5")
    hardware = build_hardware(asked, trained, map_network(trained, asked.mapping.placement(), images=20))
    nominal = {layer: jnp.asarray(found.conductance) for layer, found in hardware.network.layers.items()}
    ranges = nominal_ranges(trained, hardware, images=20)
    circuit = None if name == "no arrays" else make_folder(hardware)(nominal, jax.random.key(1), ranges)[0]
    rng = np.random.default_rng(2)
    part = (
        jnp.asarray(rng.uniform(0, 1.2, (10, 28, 28, 1)), jnp.float32),
        jnp.arange(10) % 10,
        jnp.asarray([1.0] * 9 + [0.0], jnp.float32),
    )

    class Weighed:
        """Every image's scores, a different share of each."""

        def each(self, scores: jax.Array, labels: jax.Array, weight: jax.Array) -> jax.Array:
            return (scores @ jnp.arange(1.0, 11.0) + labels.astype(jnp.float32)) * weight

    measure: Any = Weighed()

    def counted(at_once: int) -> counting.Counted:
        monkeypatch.setattr(counting, "AT_ONCE", at_once)
        return counting.count_batch(trained.net, circuit, jax.random.key(3), jnp.asarray(7), part, measure)

    assert counting.images_at_once(trained.net, part[0]) >= 10
    whole, parts = counted(counting.AT_ONCE), counted(3 * 28 * 28 * 6)
    assert counting.images_at_once(trained.net, part[0]) == 3
    np.testing.assert_allclose(parts.each, whole.each, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(parts.totals, whole.totals, rtol=1e-4)
    assert (float(whole.totals[1:].sum()) > 0) == (name == "converters")
    if name != "no arrays":
        other = counting.count_batch(trained.net, circuit, jax.random.key(3), jnp.asarray(8), part, measure)
        assert float(jnp.abs(other.each - whole.each).max()) > 0.01
