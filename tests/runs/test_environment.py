"""env.json: how random numbers were drawn, against what JAX then draws; and a JAX that does not start."""

import contextlib

import jax
import numpy as np
import pytest

from xbar_cli.runs import environment


@contextlib.contextmanager
def setting(name, value):
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        yield
    finally:
        jax.config.update(name, before)


def draws(seed=0):
    return np.asarray(jax.random.normal(jax.random.fold_in(jax.random.key(seed), 0), (5,), "float32"))


def test_settings_that_change_what_a_seed_draws_are_told_apart():
    usual, drawn = environment.random_numbers(0), draws()
    assert {name: usual[name] for name in environment.DRAWING} == environment.DRAWING
    assert environment.drawing_note(0) is None
    for name, value in (
        ("jax_default_prng_impl", "rbg"),
        ("jax_threefry_partitionable", False),
        ("jax_random_seed_offset", 2),
    ):
        with setting(name, value):
            other = environment.random_numbers(0)
            assert (draws() != drawn).any()
            assert environment.drawing_note(4).startswith(
                f"{name} = {value} is set for JAX: seed 4 draws other numbers"
            )
        assert other[environment.FIRST_BITS] != usual[environment.FIRST_BITS]
        assert environment.drawn_otherwise(usual, other) == f"{name} {environment.DRAWING[name]} and {value}"
    for name, value in (("jax_enable_custom_prng", True), ("jax_high_dynamic_range_gumbel", True)):
        with setting(name, value):
            assert environment.random_numbers(0) == usual
            np.testing.assert_array_equal(draws(), drawn)
    assert environment.drawn_otherwise(usual, None) is None
    assert environment.random_numbers(1)[environment.FIRST_BITS] != usual[environment.FIRST_BITS]


def test_bits_say_what_no_setting_does():
    """As a version of JAX would that draws otherwise under the same settings."""
    usual = environment.random_numbers(0)
    other = usual | {environment.FIRST_BITS: [1, 2, 3, 4]}
    assert environment.drawn_otherwise(usual, other).endswith("and [1, 2, 3, 4] from the same seed")


def test_the_variables_of_jax_and_xla_are_kept_but_for_their_caches(monkeypatch):
    for name, value in {
        "JAX_DEFAULT_PRNG_IMPL": "rbg",
        "XLA_SOMETHING": "1",
        "NPROC": "3",
        "JAX_COMPILATION_CACHE_DIR": "/somewhere",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1",
        "SECRET": "x",
    }.items():
        monkeypatch.setenv(name, value)
    found = environment.bit_variables()
    assert {"JAX_DEFAULT_PRNG_IMPL": "rbg", "XLA_SOMETHING": "1", "NPROC": "3"}.items() <= found.items()
    assert not {"JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "SECRET"} & found.keys()


def test_what_draws_nothing_by_jax_does_not_start_it(monkeypatch):
    monkeypatch.setattr(environment, "random_numbers", lambda seed: pytest.fail("drew"))
    assert environment.describe(seed=0)["random"] is None


def test_a_jax_that_does_not_start_is_one_line(monkeypatch):
    assert environment.jax_failure() is None
    monkeypatch.setenv("JAX_PLATFORMS", "foo")

    def fail():
        raise RuntimeError("Unable to initialize\nbackend 'foo'.")

    monkeypatch.setattr(jax, "devices", fail)
    found = environment.jax_failure()
    assert found.startswith("JAX does not start: Unable to initialize backend 'foo'; set for it: ")
    assert "JAX_PLATFORMS=foo" in found
