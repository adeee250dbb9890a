"""Configuration to data: the only place where a name chooses a data set."""

from pathlib import Path

from xbar_cli.data.datasets import Dataset, load


def dataset(name: str, *, data_dir: str | None) -> Dataset:
    """The data set `name`; DataError where it is not there."""
    return load(name, data_dir=Path(data_dir) if data_dir else None)


def image_shape(data: Dataset) -> tuple[int, int, int]:
    """[h w c] of the images."""
    _, height, width, channels = data.train_images.shape
    return height, width, channels
