"""Evaluations as a comparison reads them: what two of them share, and what they contradict each other in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.load import flatten, stored
from xbar_cli.errors import RunError
from xbar_cli.runs import environment
from xbar_cli.runs.directory import SUMMARY
from xbar_cli.runs.opening import open_run, read_summary
from xbar_cli.runs.results import BY_IMAGE, RESULTS, numbers, opened
from xbar_cli.runs.seal import ANEW

ADC_SPREAD = ("adc_gain_error", "adc_offset_error")
"""Keys of the converters that differ between chips, besides the effects on devices."""
ORIGIN = ("network", "dataset", "method", "weights_sha256", "scheme", "array")
"""Keys of the summary that tell evaluations apart besides their configurations."""
UNTOLD = ("monte_carlo.batch_size", "mapping.scheme", "array.model")
"""Keys of the configuration that change no result, or that the summary holds as they were resolved."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluate run says for a comparison; None where an older version did not write it.

    Attributes:
        path: the run.
        samples: accuracy of each chip.
        seed: of the chips.
        images: test images that each chip saw.
        fixed: nothing varies between its chips.
        data: the data set.
        tested: digest of the test images.
        random: how it drew random numbers.
        devices: shapes of the devices by layer.
        answered: what each test image adds to the accuracy, as a mean over the chips.
        facts: configuration and origin, by dotted key.
    """

    path: Path
    samples: NDArray[np.float64]
    seed: int
    images: int
    fixed: bool
    data: str | None
    tested: str | None = None
    random: Mapping[str, Any] | None = None
    devices: Mapping[str, Any] | None = None
    answered: NDArray[np.float64] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def open_evaluation(path: Path) -> Evaluation:
    """The evaluate run at `path`."""
    run, summary = open_run(path, commands=("evaluate",), use="xbar compare")
    config = stored(EvaluateConfig, run.path)
    metric = summary.get("metric", "accuracy")
    if metric not in ("accuracy", "top5"):
        raise RunError(f"{path}: its metric is {metric}; shares of right answers are compared, as accuracy is")
    with opened(run.path / RESULTS, kind=metric) as dataset:
        samples = np.asarray(numbers(dataset, metric, *dataset[metric].dims), np.float64).squeeze()
        known = BY_IMAGE in dataset
        answered = np.asarray(numbers(dataset, BY_IMAGE, "image"), np.float64) if known else None
    if samples.ndim > 1:
        raise RunError(f"{path}: its accuracies have {samples.ndim} axes; compare runs of one condition")
    if answered is not None and not agree(answered, samples, images=summary["images"]):
        raise RunError(f"{path}: {RESULTS} holds other answers than accuracies; {ANEW}")
    if samples.reshape(-1).tolist() != summary[f"{metric}_samples"]:
        raise RunError(f"{path}: {RESULTS} holds other accuracies than {SUMMARY}; {ANEW}")
    before = (
        read_summary(Path(config.run)) if "network" not in summary and (Path(config.run) / SUMMARY).exists() else {}
    )
    origin = {key: summary.get(key, before.get(key)) for key in ORIGIN}
    kept = {key: value for key, value in flatten(config.in_use()) if key not in UNTOLD}
    where = environment.read(run.path / "env.json")
    return Evaluation(
        path=path,
        samples=samples,
        seed=config.seed,
        images=summary["images"],
        fixed=not (summary["effects"] or any(getattr(config.converters, key) for key in ADC_SPREAD)),
        data=origin["dataset"],
        tested=summary.get("test_images_sha256"),
        random=where.get("random"),
        devices=summary.get("chip_devices"),
        answered=answered,
        facts=kept | {key: value for key, value in origin.items() if value is not None} | computing(where),
    )


def agree(answered: NDArray[np.float64], samples: NDArray[np.float64], *, images: int) -> bool:
    """Whether the answers to so many images are those of chips with these accuracies, as far as single precision tells."""
    return answered.size == images and bool(np.isclose(answered.mean(), samples.mean(), atol=1e-5))


def computing(where: Mapping[str, Any]) -> dict[str, Any]:
    """What the last bits of an accuracy can depend on, of env.json."""
    versions = where.get("versions") or {}
    found = {"processor": where.get("processor"), "devices": where.get("devices"), "jaxlib": versions.get("jaxlib"),
             **(where.get("environment") or {})}  # fmt: skip
    return {key: value for key, value in found.items() if value is not None}


def require_same_test(a: Evaluation, b: Evaluation) -> None:
    """Raise RunError where the two were not tested on the same images."""
    if a.data and b.data and a.data != b.data:
        raise RunError(f"{a.path} is of data set {a.data} and {b.path} of {b.data}: they cannot be compared")
    if a.images != b.images:
        raise RunError(f"{a.path} saw {a.images} test images and {b.path} {b.images}: evaluate both on the same")
    if a.tested and b.tested and a.tested != b.tested:
        raise RunError(
            f"{a.path} saw other test images ({a.tested}) than {b.path} ({b.tested}), of the data set's same name: evaluate "
            "both on the same"
        )


def chips_apart(a: Evaluation, b: Evaluation) -> str | None:
    """Why chip i of one is not chip i of the other, with both values; None where it is, for all that the runs say.

    Chip i is what the seed and i draw for the devices of each layer: other effects, amounts, bits and weights act on the
    same devices.
    """
    if a.seed != b.seed:
        return f"seed {a.seed} and {b.seed}"
    first, other = (one.facts.get("monte_carlo.first", 0) for one in (a, b))
    if first != other:
        return f"chips from number {first} and from number {other} on"
    otherwise = environment.drawn_otherwise(a.random, b.random)
    if otherwise is not None:
        return otherwise
    if a.devices and b.devices:
        if not any(a.devices.get(name) == shape for name, shape in b.devices.items()):
            return f"devices {_shapes(a.devices)} and {_shapes(b.devices)}"
    elif a.facts.get("scheme") != b.facts.get("scheme"):
        return f"scheme {a.facts.get('scheme')} and {b.facts.get('scheme')}"
    return None


def _shapes(devices: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, shape in devices.items())


def differences(a: Evaluation, b: Evaluation) -> dict[str, list[Any]]:
    """What the two are not the same in, by key: both values, None where a run has none."""
    keys = dict.fromkeys([*a.facts, *b.facts])
    return {key: [a.facts.get(key), b.facts.get(key)] for key in keys if a.facts.get(key) != b.facts.get(key)}
