"""A weight limit as a share of the largest weight: what a file says of it, and the weight at full scale that it makes."""

from types import SimpleNamespace

import numpy as np
import pytest

from xbar_cli.chip.limits import limited
from xbar_cli.config.hardware import MappingSection
from xbar_cli.config.ranges import check_weight_limit, parse_weight_limit
from xbar_cli.mapping.placing import LimitShare
from xbar_cli.trained.fixed import Fixed

LARGEST = {"fc1": np.asarray(2.0), "fc2": np.asarray([1.0, 4.0])}


@pytest.mark.parametrize(
    ("text", "limits"), [("70%", {"fc1": 1.4, "fc2": [0.7, 2.8]}), ("100%", {"fc1": 2, "fc2": [1, 4]})]
)
def test_a_share_is_of_each_layers_largest(text, limits):
    placement = SimpleNamespace(weight_limit=parse_weight_limit(MappingSection(weight_limit=text).weight_limit))
    found = limited(SimpleNamespace(fixed=Fixed()), placement, LARGEST)
    for name, expected in limits.items():
        np.testing.assert_allclose(found[name], expected)


def test_shares_are_texts_with_a_percent_sign():
    assert parse_weight_limit("70%") == LimitShare(0.7)
    assert parse_weight_limit("0.5") == 0.5
    for wrong in ("0%", "101%", "x%", "%", "-5%"):
        with pytest.raises(ValueError, match=r"share of the largest weight|not a number"):
            check_weight_limit(wrong)
    with pytest.raises(ValueError, match="is not a weight limit; write max, largest, auto, a share such as 70% or"):
        check_weight_limit("0")
