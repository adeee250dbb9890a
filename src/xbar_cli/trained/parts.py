"""A data set in parts: the images that a run fits, those it holds out for its selections, those that test it."""

import numpy as np

from xbar_cli.config.train import DatasetSection
from xbar_cli.data.batches import validation_split
from xbar_cli.data.datasets import Dataset
from xbar_cli.errors import ConfigError
from xbar_cli.trained.opening import Trained

Part = tuple[np.ndarray, np.ndarray]
"""Images and labels."""


def split_parts(section: DatasetSection, data: Dataset, *, seed: int) -> dict[str, Part]:
    """Training images without the validation part, that part, and the test images.

    Args:
        section: how many training images there are, and the share of them that is held out.
        data: the data set.
        seed: of the run; the section's own goes before.

    Raises:
        ConfigError: more training images than there are, or none left to fit.
    """
    count = section.train_images or len(data.train_labels)
    if count > len(data.train_labels):
        raise ConfigError(f"dataset.train_images = {count}: {data.name} has {len(data.train_labels)} training images")
    images, labels = data.train_images[:count], data.train_labels[:count]
    try:
        train_index, validation_index = validation_split(
            count, fraction=section.validation_fraction, seed=section.drawn_by(seed), labels=labels
        )
    except ValueError as error:
        raise ConfigError(f"dataset.validation_fraction = {section.validation_fraction:g}: {error}") from None
    return {
        "train": (images[train_index], labels[train_index]),
        "validation": (images[validation_index], labels[validation_index]),
        "test": (data.test_images, data.test_labels),
    }


def held_out(trained: Trained, *, images: int | None = None) -> Part:
    """Training images that the network was not fitted to: its validation part, or the first `images` of it.

    Of a network trained elsewhere, what a run here would hold out.
    """
    config = trained.config
    pictures, labels = split_parts(config.dataset, trained.data, seed=config.seed)["validation"]
    return pictures[:images], labels[:images]
