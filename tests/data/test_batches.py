"""Splits, orders and batches: covered, disjoint, reproducible, of constant shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xbar_cli.data.batches import batches, epoch_order, eval_batches, network_inputs, validation_split


def data(n):
    rng = np.random.default_rng(n)
    return rng.integers(0, 256, (n, 4, 4, 1), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.int32)


@given(st.integers(12, 300), st.floats(0, 0.9), st.integers(0, 2**40), st.booleans())
def test_validation_split_parts_the_samples(n, fraction, seed, stratified):
    labels = data(n)[1] if stratified else None
    train, held_out = validation_split(n, fraction=fraction, seed=seed, labels=labels)
    assert np.array_equal(np.sort(np.concatenate([train, held_out])), np.arange(n))
    assert len(held_out) == (max(1, round(n * fraction)) if fraction else 0)
    assert np.all(np.diff(train) > 0)
    again = validation_split(n, fraction=fraction, seed=seed, labels=labels)
    assert np.array_equal(held_out, again[1])
    if labels is not None:
        got = np.bincount(labels[held_out], minlength=10)
        assert np.all(np.abs(got - np.bincount(labels, minlength=10) * len(held_out) / n) < 1)


def test_validation_split_depends_on_the_seed():
    first, second = (validation_split(1000, fraction=0.1, seed=seed)[1] for seed in (0, 1))
    assert len(np.intersect1d(first, second)) < 40


@given(st.integers(1, 200), st.integers(0, 2**33), st.integers(0, 500))
def test_epoch_order_is_a_permutation_of_seed_and_epoch(n, seed, epoch):
    order = epoch_order(n, seed=seed, epoch=epoch)
    assert np.array_equal(np.sort(order), np.arange(n))
    np.random.default_rng(3).random(7)
    assert np.array_equal(order, epoch_order(n, seed=seed, epoch=epoch))


def test_epoch_orders_differ():
    orders = {tuple(epoch_order(50, seed=seed, epoch=epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 5))
def test_batches_follow_the_order_and_drop_the_short_one(n, batch_size, epoch):
    images, labels = data(n)
    if batch_size > n:
        with pytest.raises(ValueError, match="batch_size"):
            batches(images, labels, batch_size=batch_size, seed=1, epoch=epoch)
        return
    taken = list(batches(images, labels, batch_size=batch_size, seed=1, epoch=epoch))
    index = epoch_order(n, seed=1, epoch=epoch)[: len(taken) * batch_size]
    assert len(taken) == n // batch_size
    assert all(part.shape == (batch_size, 4, 4, 1) and part.dtype == np.float32 for part, _ in taken)
    assert np.array_equal(np.concatenate([part for part, _ in taken]), images[index] / np.float32(255))
    assert np.array_equal(np.concatenate([part for _, part in taken]), labels[index])


@given(st.integers(1, 60), st.integers(1, 70))
def test_eval_batches_cover_all_in_one_shape(n, batch_size):
    images, labels = data(n)
    taken = list(eval_batches(images, labels, batch_size=batch_size))
    assert {part[0].shape for part in taken} == {(batch_size, 4, 4, 1)}
    all_images, all_labels, weight = (np.concatenate(parts) for parts in zip(*taken, strict=True))
    assert (all_images.dtype, all_labels.dtype, weight.dtype) == (np.float32, np.int32, np.float32)
    assert np.array_equal(all_images[weight == 1], images / np.float32(255))
    assert np.array_equal(all_labels[weight == 1], labels)
    assert weight.sum() == n
    assert not all_images[weight == 0].any()


def test_wrong_arguments_are_named():
    images, labels = data(10)
    for call, match in (
        (lambda: validation_split(10, fraction=1.0, seed=0), "fraction"),
        (lambda: validation_split(1, fraction=0.5, seed=0), "leave samples"),
        (lambda: validation_split(10, fraction=0.5, seed=-1), "seed"),
        (lambda: validation_split(10, fraction=0.5, seed=0, labels=labels[:3]), "labels"),
        (lambda: epoch_order(10, seed=0, epoch=-1), "epoch"),
        (lambda: batches(images, labels[:3], batch_size=2, seed=0, epoch=0), "same length"),
        (lambda: eval_batches(images, labels, batch_size=0), "batch_size"),
        (lambda: network_inputs(images / 255), "uint8, float32 or int32, got float64"),
    ):
        with pytest.raises(ValueError, match=match):
            call()
