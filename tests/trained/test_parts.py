"""A data set in parts: what is fitted, what is held out, what tests."""

import numpy as np
import pytest

from xbar_cli.config.train import DatasetSection
from xbar_cli.data.datasets import Dataset
from xbar_cli.errors import ConfigError
from xbar_cli.trained.parts import split_parts

N = 60


@pytest.fixture
def data():
    """Images that are their own number."""
    images = np.arange(N, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    labels = (np.arange(N) % 3).astype(np.int32)
    return Dataset("d", images, labels, images[:9] + 100, labels[:9], 3, ("a", "b", "c"), None)


def numbers(part):
    return sorted(part[0][:, 0, 0, 0].tolist())


def parts(data, *, seed=0, **given):
    return split_parts(DatasetSection(**given), data, seed=seed)


def test_every_image_is_fitted_or_held_out_and_none_is_both(data):
    found = parts(data, validation_fraction=0.2)
    fitted, held = numbers(found["train"]), numbers(found["validation"])
    assert sorted(fitted + held) == list(range(N))
    assert len(held) == 12
    assert numbers(found["test"]) == list(range(100, 109))
    for images, labels in (found["train"], found["validation"]):
        np.testing.assert_array_equal(images[:, 0, 0, 0] % 3, labels)


def test_each_class_is_held_out_in_proportion(data):
    _, labels = parts(data, validation_fraction=0.2)["validation"]
    np.testing.assert_array_equal(np.bincount(labels), [4, 4, 4])


def test_the_draw_follows_the_runs_seed_unless_the_data_set_has_its_own(data):
    def held(**given):
        return numbers(parts(data, validation_fraction=0.2, **given)["validation"])

    assert held(seed=1) == held(seed=1) != held(seed=2)
    own = next(name for name in DatasetSection.model_fields if "seed" in name)
    assert held(seed=1, **{own: 7}) == held(seed=2, **{own: 7})


def test_fewer_training_images_are_the_first_of_them(data):
    found = parts(data, train_images=30, validation_fraction=0.1)
    assert sorted(numbers(found["train"]) + numbers(found["validation"])) == list(range(30))
    with pytest.raises(ConfigError, match=r"dataset\.train_images = 61: d has 60 training images"):
        parts(data, train_images=61)
    with pytest.raises(ConfigError, match=r"dataset\.validation_fraction = 0\.9: .*none"):
        parts(data, train_images=3, validation_fraction=0.9)
