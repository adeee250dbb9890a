"""Copies of layers on the arrays of a chip, against all ways of giving them away."""

import itertools
import math

import hypothesis
import pytest
from hypothesis import strategies as st

from xbar_cli.energy.plan import plan

layers = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 4), st.integers(1, 6)), min_size=1, max_size=3
)  # latency, tiles, positions


def seconds(latency, positions, copies):
    return latency * math.ceil(positions / copies) / positions


def every_way(given, available):
    """Times of the layers of every choice of copies that fits."""
    most = [range(1, positions + 1) for _, _, positions in given]
    for copies in itertools.product(*most):
        if sum(c * tiles for c, (_, tiles, _) in zip(copies, given, strict=True)) <= available:
            yield [seconds(latency, positions, c) for c, (latency, _, positions) in zip(copies, given, strict=True)]


def planned(given, available, *, pipelined):
    latencies, tiles, positions = (list(column) for column in zip(*given, strict=True))
    return plan([float(x) for x in latencies], tiles, positions, available=available, pipelined=pipelined)


@hypothesis.given(layers, st.integers(0, 20))
def test_a_pipeline_is_as_fast_as_its_arrays_allow(given, spare):
    available = sum(tiles for _, tiles, _ in given) + spare
    found = planned(given, available, pipelined=True)
    assert found.interval_seconds == pytest.approx(min(max(times) for times in every_way(given, available)))


@hypothesis.given(layers, st.integers(0, 20), st.booleans())
def test_a_plan_fits_its_chip_and_says_what_it_takes(given, spare, pipelined):
    available = sum(tiles for _, tiles, _ in given) + spare
    found = planned(given, available, pipelined=pipelined)
    assert found.tiles == sum(c * tiles for c, (_, tiles, _) in zip(found.copies, given, strict=True)) <= available
    times = [seconds(latency, n, c) for c, (latency, _, n) in zip(found.copies, given, strict=True)]
    assert found.latency_seconds == pytest.approx(sum(times))
    assert found.interval_seconds == pytest.approx(max(times) if pipelined else sum(times))
    assert all(1 <= c <= positions for c, (_, _, positions) in zip(found.copies, given, strict=True))


@hypothesis.given(layers, st.booleans())
def test_more_arrays_never_make_a_chip_slower_and_enough_of_them_make_every_layer_one_product_long(given, pipelined):
    needed = sum(tiles for _, tiles, _ in given)
    found = [planned(given, needed + spare, pipelined=pipelined).interval_seconds for spare in (0, 4, 1000)]
    if pipelined:
        assert found == sorted(found, reverse=True)
    assert found[2] <= found[0]
    shortest = [latency / positions for latency, _, positions in given]
    assert found[2] >= (max(shortest) if pipelined else sum(shortest)) - 1e-12
    if not pipelined:
        assert found[2] == pytest.approx(sum(shortest))


def test_without_a_pipeline_an_array_goes_where_it_saves_most_time():
    """Of 12, 10 and 8 s: one product takes no copy, a second copy saves a third of 10 s (3 products), or half of 8 s (2)."""
    given = [(12, 1, 1), (10, 1, 3), (8, 1, 2)]
    assert planned(given, 4, pipelined=False).copies == (1, 1, 2)
    assert planned(given, 5, pipelined=False).copies == (1, 2, 2)
    wide = [
        (12, 1, 1),
        (10, 1, 3),
        (8, 2, 2),
    ]  # half of 8 s for two arrays is less an array than a third of 10 s for one
    assert planned(wide, 6, pipelined=False).copies == (1, 3, 1)
