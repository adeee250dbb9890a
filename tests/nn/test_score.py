"""What answers count by every metric, by hand and by SciPy; sums over batches; padding; scores that are not finite."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from xbar_cli.errors import ModelError
from xbar_cli.nn.score import ACCURACY, Measure, metrics_of

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(40, 8)).astype(np.float32)
LABELS = RNG.integers(8, size=40).astype(np.int32)
PLACES = RNG.normal(size=(40, 3, 8)).astype(np.float32), RNG.integers(8, size=(40, 3)).astype(np.int32)
NUMBERS = RNG.normal(size=(40, 2)).astype(np.float32), RNG.normal(size=(40, 2)).astype(np.float32)


def total(measure, scores, labels, weight=None):
    weight = np.ones(len(labels)) if weight is None else weight
    return float(measure.total(jnp.asarray(scores), jnp.asarray(labels), jnp.asarray(weight, jnp.float32)))


def reached(metric, scores, labels):
    measure = Measure.of(metric, labels)
    return measure.value(total(measure, scores, labels), len(labels), of="it")


def test_right_answers_are_counted_one_by_one():
    by_hand = sum(max(range(8), key=lambda c, r=row: r[c]) == label for row, label in zip(SCORES, LABELS, strict=True))
    assert total(ACCURACY, SCORES, LABELS) == by_hand
    assert 0 < by_hand < 40
    ranks = (SCORES[np.arange(40), LABELS][:, None] < SCORES).sum(axis=1)
    assert reached("top5", SCORES, LABELS) == pytest.approx((ranks < 5).mean())


def test_likelihoods_and_squared_errors_are_those_of_numpy():
    scores, labels = PLACES
    nats = -np.take_along_axis(special.log_softmax(scores.astype(np.float64), axis=-1), labels[..., None], -1).mean()
    assert reached("cross_entropy", scores, labels) == pytest.approx(nats, rel=1e-6)
    assert reached("perplexity", scores, labels) == pytest.approx(np.exp(nats), rel=1e-6)
    assert reached("accuracy", scores, labels) == pytest.approx((scores.argmax(-1) == labels).mean())
    guessed, true = (values.astype(np.float64) for values in NUMBERS)
    squares = ((guessed - true) ** 2).mean()
    assert reached("mse", *NUMBERS) == pytest.approx(squares, rel=1e-6)
    left = ((guessed - true) ** 2).sum() / ((true - true.mean(axis=0)) ** 2).sum()
    assert reached("r2", *NUMBERS) == pytest.approx(1 - left, rel=1e-6)


CASES = [("accuracy", SCORES, LABELS), ("top5", *PLACES), ("mse", *NUMBERS), ("perplexity", *PLACES)]


@pytest.mark.parametrize(("metric", "scores", "labels"), CASES)
def test_padding_counts_for_nothing_and_batches_add_up(metric, scores, labels):
    measure = Measure.of(metric, labels)
    whole = total(measure, scores, labels)
    padded = np.concatenate([scores, np.full((3, *scores.shape[1:]), np.nan, np.float32)])
    filled = np.concatenate([labels, np.zeros((3, *labels.shape[1:]), labels.dtype)])
    assert total(measure, padded, filled, np.append(np.ones(40), np.zeros(3))) == pytest.approx(whole, rel=1e-6)
    assert sum(total(measure, scores[k : k + 7], labels[k : k + 7]) for k in range(0, 40, 7)) == pytest.approx(
        whole, rel=1e-6
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_name_no_class(value):
    broken = SCORES.copy()
    broken[3, 2] = value
    assert np.isnan(total(ACCURACY, broken, LABELS))
    with pytest.raises(ModelError, match=r"^epoch 3: scores are not finite"):
        ACCURACY.value(total(ACCURACY, broken, LABELS), 40, of="epoch 3")


def test_the_first_of_equal_scores_is_the_answer():
    tied = np.zeros((2, 8), np.float32)
    assert total(ACCURACY, tied, np.array([0, 1], np.int32)) == 1


def test_a_loss_is_above_zero_where_the_metric_is_worse():
    assert metrics_of("classification")[0] == metrics_of("labelling")[0] == "accuracy"
    assert (metrics_of("regression")[0], metrics_of("next_token")[0]) == ("mse", "perplexity")
    worse = {"accuracy": 0.2, "top5": 0.2, "r2": 0.2, "mse": 1.2, "cross_entropy": 1.2, "perplexity": 1.2}
    for metric, value in worse.items():
        assert Measure(metric).loss(value, 0.7) > 0
        assert Measure(metric).loss(0.7, value) < 0
