"""Order and batches of inputs, in NumPy: reproducible from (seed, epoch) alone, of constant shape for jit."""

import zlib
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Int32, Int64, UInt8

DataInputs = UInt8[np.ndarray, "n *shape"] | Float32[np.ndarray, "n *shape"] | Int32[np.ndarray, "n *shape"]
"""Pictures, numbers or tokens."""
Labels = Int32[np.ndarray, "n *places"] | Float32[np.ndarray, "n outputs"]
"""Classes or tokens; numbers of a regression."""
NetworkInputs = Float32[np.ndarray, "n *shape"] | Int32[np.ndarray, "n *shape"]
Indices = Int64[np.ndarray, " n"]


def _generator(name: str, *numbers: int) -> np.random.Generator:
    """The random generator of the stream called `name`: a function of its arguments alone."""
    for number in numbers:
        if number < 0:
            raise ValueError(f"{name}: seed and epoch must be >= 0, got {number}")
    return np.random.default_rng([zlib.crc32(name.encode()), *numbers])


def _check(images: np.ndarray, labels: np.ndarray, batch_size: int) -> None:
    if len(images) != len(labels):
        raise ValueError(f"images and labels must have the same length, got {len(images)} and {len(labels)}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be >= 1, got {batch_size}")


def validation_split(
    n: int, *, fraction: float, seed: int, labels: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a part of `n` training samples, drawn without replacement.

    Args:
        n: number of samples.
        fraction: share that is held out, in [0, 1); `round(n · fraction)` samples, at least one when it is above 0.
        seed: of the draw, >= 0.
        labels: [n]; when given, each class is held out in proportion (largest remainders take what rounding leaves).

    Returns:
        (train_index, validation_index): disjoint, ascending, together 0 … n − 1.

    Raises:
        ValueError: a fraction outside [0, 1), labels of another length, or nothing left to train on.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction must be in [0, 1), got {fraction}")
    if labels is not None and len(labels) != n:
        raise ValueError(f"labels must have length n = {n}, got {len(labels)}")
    n_held_out = max(round(n * fraction), 1) if fraction > 0 else 0
    if n_held_out >= n:
        raise ValueError(f"n must leave samples to train on: holding {n_held_out} out of {n} leaves none")
    rng = _generator("validation", seed)
    if labels is None:
        held_out = rng.permutation(n)[:n_held_out]
    else:
        classes, counts = np.unique(labels, return_counts=True)
        shares = _proportional(counts, n_held_out)
        parts = [
            rng.permutation(np.flatnonzero(labels == label))[:share]
            for label, share in zip(classes, shares, strict=True)
        ]
        held_out = np.concatenate(parts)
    is_held_out = np.zeros(n, bool)
    is_held_out[held_out] = True
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def _proportional(counts: np.ndarray, total: int) -> np.ndarray:
    """`total` split in proportion to `counts`: floors, then one more to the largest remainders (ties: first class)."""
    shares, remainders = np.divmod(counts * total, counts.sum())
    shares[np.argsort(-remainders, kind="stable")[: total - shares.sum()]] += 1
    return shares


def epoch_order(n: int, *, seed: int, epoch: int) -> Indices:
    """The order in which epoch `epoch` visits `n` samples: a permutation that depends on (n, seed, epoch) alone."""
    return _generator("epoch", seed, epoch).permutation(n)


def network_inputs(inputs: DataInputs) -> NetworkInputs:
    """What a network is given: pixels 0 … 255 as float32 in [0, 1]; float32 numbers and int32 tokens as they are."""
    if inputs.dtype == np.uint8:
        return inputs.astype(np.float32) / np.float32(255)
    if inputs.dtype not in (np.float32, np.int32):
        raise ValueError(f"inputs must be uint8, float32 or int32, got {inputs.dtype}")
    return inputs


def batches(
    images: DataInputs, labels: Labels, *, batch_size: int, seed: int, epoch: int
) -> Iterator[tuple[NetworkInputs, Labels]]:
    """The training batches of one epoch, in the order of `epoch_order`.

    Pictures are scaled to float32 in [0, 1] one batch at a time. The last, short batch is dropped: `n // batch_size`
    batches of one shape.
    """
    _check(images, labels, batch_size)
    if batch_size > len(images):
        raise ValueError(f"batch_size must be at most the number of images {len(images)}, got {batch_size}")
    order = epoch_order(len(images), seed=seed, epoch=epoch)

    def take() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(order) - batch_size + 1, batch_size):
            index = order[start : start + batch_size]
            yield network_inputs(images[index]), labels[index]

    return take()


def eval_batches(
    images: DataInputs, labels: Labels, *, batch_size: int
) -> Iterator[tuple[NetworkInputs, Labels, Float32[np.ndarray, " b"]]]:
    """Batches of one shape that cover every sample once, in order: (images, labels, weight).

    The last batch is filled up with inputs and labels of zeros and weight 0; every real sample has weight 1, so that a
    mean over all samples is `Σ weight·x / Σ weight`.
    """
    _check(images, labels, batch_size)

    def take() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for start in range(0, len(images), batch_size):
            part, part_labels = network_inputs(images[start : start + batch_size]), labels[start : start + batch_size]
            missing = batch_size - len(part)
            weight = np.ones(batch_size, np.float32)
            weight[len(part) :] = 0
            yield _filled(part, missing), _filled(part_labels, missing), weight

    return take()


def _filled(values: np.ndarray, missing: int) -> np.ndarray:
    """The values [n …] with so many zeros behind them."""
    return np.pad(values, [(0, missing)] + [(0, 0)] * (values.ndim - 1))
