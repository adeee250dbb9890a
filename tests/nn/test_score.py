"""The one counter of right answers."""

import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.errors import ModelError
from xbar_cli.nn.score import correct, share_right

SCORES = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(5, size=40)


def counted(scores, labels, weight):
    return float(correct(jnp.asarray(scores), jnp.asarray(labels), jnp.asarray(weight, jnp.float32)))


def test_right_answers_are_counted_one_by_one():
    by_hand = sum(
        max(range(5), key=lambda c, row=row: row[c]) == label for row, label in zip(SCORES, LABELS, strict=True)
    )
    assert counted(SCORES, LABELS, np.ones(40)) == by_hand
    assert 0 < by_hand < 40


def test_padding_counts_for_nothing_whatever_its_scores():
    padded = np.concatenate([SCORES, np.full((3, 5), np.nan, np.float32)])
    labels, weight = np.append(LABELS, [0, 1, 2]), np.append(np.ones(40), np.zeros(3))
    assert counted(padded, labels, weight) == counted(SCORES, LABELS, np.ones(40))


def test_batches_add_up_to_the_whole():
    whole = counted(SCORES, LABELS, np.ones(40))
    parts = sum(counted(SCORES[k : k + 7], LABELS[k : k + 7], np.ones(len(SCORES[k : k + 7]))) for k in range(0, 40, 7))
    assert parts == whole


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_name_no_class(value):
    broken = SCORES.copy()
    broken[3, 2] = value
    assert np.isnan(counted(broken, LABELS, np.ones(40)))
    with pytest.raises(ModelError, match=r"^epoch 3: scores are not finite"):
        share_right(counted(broken, LABELS, np.ones(40)), 40, of="epoch 3")


def test_the_first_of_equal_scores_is_the_answer():
    tied = np.zeros((2, 5), np.float32)
    assert counted(tied, np.array([0, 1]), np.ones(2)) == 1


def test_the_share_is_of_the_samples_that_were_asked():
    assert share_right(3.0, 4, of="it") == 0.75
    assert share_right(0.0, 4, of="it") == 0
