"""Parameters of a design: bounds, shares of the way between them, and the values that can be built."""

import numpy as np
import pytest

from xbar_cli.config.chips.design import DesignConfig, parse_over
from xbar_cli.design.parameters import TILES, Parameter, limit_share
from xbar_cli.errors import ConfigError


def test_a_parameter_goes_between_its_bounds_in_equal_steps_or_ratios():
    even, ratios = Parameter("a", 2.0, 1.0, 5.0, "V"), Parameter("b", 100.0, 10.0, 1000.0, "ohm", log=True)
    assert [even.at(share) for share in (0.0, 0.25, 1.0)] == [1.0, 2.0, 5.0]
    np.testing.assert_allclose([ratios.at(share) for share in (0.0, 0.5, 1.0)], [10.0, 100.0, 1000.0])
    assert even.share(2.0) == 0.25
    assert ratios.share(100.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("built", "value", "nearest"),
    [
        (None, 0.123456, (0.123,)),
        ((0.1, 0.2, 0.3), 0.17, (0.1, 0.2)),
        ((0.1, 0.2, 0.3), 0.2, (0.2,)),
        ((0.1, 0.2, 0.3), 7.0, (0.3,)),
        ((0.05, 0.25, 0.35), 0.3, (0.25,)),  # 0.35 is beyond the bounds
    ],
)
def test_what_can_be_built_is_on_both_sides_and_within_the_bounds(built, value, nearest):
    assert Parameter("a", 0.2, 0.1, 0.3, "V", built=built).nearest(value) == nearest


def test_tiles_are_octaves():
    tile = Parameter("tile", 64.0, 32.0, 128.0, "rows", log=True, built=tuple(map(float, TILES)))
    assert tile.nearest(90.0) == (64.0, 128.0)
    assert tile.at(0.5) == pytest.approx(64.0)


@pytest.mark.parametrize("text", ["vg", "adc_bits=3:8", "r_on=10k:100k"])
def test_a_parameter_is_named_with_or_without_bounds(text):
    name, bounds = parse_over(text)
    assert name == text.partition("=")[0]
    assert (bounds is None) == ("=" not in text)
    assert bounds is None or bounds[0] < bounds[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("v_g", "no parameter of a design; use vg"), ("adc_bits=8:3", "the first below the second"), ("vg=0.8", "NAME=LOW:HIGH"),
        ("vg=a:b", "NAME=LOW:HIGH"), ("tile=0:4", "above 0"), ("tile=1:nan", "NAME=LOW:HIGH|bounds"),
    ],
)  # fmt: skip
def test_what_is_no_parameter_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        parse_over(text)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({}, "design.over names what is designed"),
        ({"design": {"over": ["vg", "vg"]}}, "vg twice"),
        ({"design": {"over": ["vg", "vg_layers"]}}, "vg_layers one a layer"),
        ({"design": {"over": ["vg"]}, "decoding": {"calibrate": "gain"}}, "decoding.calibrate is not followed"),
        ({"design": {"over": ["vg"]}, "mapping": {"scheme": "bitslice"}}, "has no gradient"),
        ({"design": {"over": ["vg"]}, "mapping": {"bits": 3, "levels": "ratio"}}, "must be uniform"),
        ({"design": {"over": ["vg"]}, "mapping": {"bits": 3, "weight_limit": "auto"}}, "auto has no gradient"),
        ({"design": {"over": ["vg"]}, "repair": {"remedies": "ensemble=2"}}, "repair.remedies is not followed"),
    ],
)
def test_what_no_descent_follows_is_refused(tree, said):
    with pytest.raises(ConfigError, match=said):
        DesignConfig.model_validate({"run": "net", **tree}).check()


def test_a_limit_starts_at_a_share():
    assert limit_share("max") == limit_share("largest") == 1.0
    assert limit_share("70%") == pytest.approx(0.7)
    with pytest.raises(ConfigError, match="starts at a share"):
        limit_share("0.5")
