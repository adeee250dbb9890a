"""Compositions of the package's parts against NumPy; docs/compositions.md says which there are."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from tests.compositions import reference
from tests.compositions.product import CASES, DEVICES, INPUTS, LIMIT, SCHEMES, Compositions, covering

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_composition_docs.py"


@pytest.fixture(scope="module")
def compositions(tmp_path_factory):
    return Compositions(tmp_path_factory.mktemp("compositions"))


@pytest.fixture(scope="module")
def cases(compositions):
    return [case for case in CASES if compositions.refusal(case) is None]


@pytest.fixture(scope="module")
def docs():
    spec = importlib.util.spec_from_file_location("make_composition_docs", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_says_which_compositions_exist(docs, compositions):
    page = docs.TARGET.read_text(encoding="utf-8")
    cases, refused = docs.existing(compositions)
    pattern = re.escape(docs.TEXT.read_text(encoding="utf-8"))
    for mark, value in docs.fixed(cases, refused).items():
        pattern = pattern.replace(re.escape(mark), re.escape(value))
    # what is measured is another number on another machine
    table = re.escape(docs.table(cases, dict.fromkeys(cases, 0.0))).replace(re.escape("0.0e+00"), r"\d\.\de-\d\d")
    pattern = pattern.replace(re.escape("<!-- table -->"), table)
    pattern = pattern.replace(re.escape("<!-- largest -->"), r"\d\.\de-\d\d")
    assert re.fullmatch(pattern, page), "docs/compositions.md is not what is: run scripts/make_composition_docs.py"
    assert max(float(number) for number in re.findall(r"\d\.\de-\d\d", page)) <= LIMIT


PARTS = 4
"""Tests that the few compositions are spread over, for the workers."""
SLOW = PARTS - 1
"""The last, in whose cases few pairs of parts meet that have not met before."""


@pytest.mark.parametrize("part", [*range(SLOW), pytest.param(SLOW, marks=pytest.mark.slow)])
def test_few_compositions_in_which_all_parts_meet_are_those_of_numpy(compositions, cases, part):
    few = covering(cases)
    assert len(few) <= 60
    size = -(-len(few) // PARTS)
    for case in few[part * size : (part + 1) * size]:
        try:
            compositions.compare(case).check()
        except AssertionError as error:
            raise AssertionError(f"{case}: {error}") from error


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("inputs", [name for name in INPUTS if name == "amplitude" or "3 bits" in name])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_compositions_are_those_of_numpy(compositions, cases, scheme, inputs, device):
    chosen = [case for case in cases if (case.scheme, case.inputs, case.device) == (scheme, inputs, device)]
    assert chosen
    for case in chosen:
        try:
            compositions.compare(case).check()
        except AssertionError as error:
            raise AssertionError(f"{case}: {error}") from error


def test_the_reference_sees_what_one_part_leaves_out(compositions, cases):
    """A comparison that passes whatever the package does would be none: leakage, a wire, a converter's error are missed."""
    case = next(
        c for c in cases if (c.array, c.converters, c.inputs) == ("gated", "3 rows at once", "pwm, 3 bits") and c.scheme == "bc"
    )  # fmt: skip
    found = compositions.compare(case)
    found.check()
    g = np.full((3, 2), 1e-5)
    v = np.array([[1.0, 0.5, 0.0]])
    ideal = reference.dense_array(g, v)
    np.testing.assert_allclose(ideal, v @ g, rtol=1e-12)
    for name in ("source", "neuron", "word", "bit"):
        assert (reference.dense_array(g, v, **{name: 100.0}) < ideal * (1 - 1e-4)).all(), name


def test_a_dense_array_is_two_resistors_in_series():
    found = reference.dense_array(np.array([[1e-3]]), np.array([[1.0]]), source=500, neuron=300, word=20, bit=30)
    assert found[0, 0] == pytest.approx(1 / (1000 + 500 + 300 + 20 + 30), rel=1e-12)
