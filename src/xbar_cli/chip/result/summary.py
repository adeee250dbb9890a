"""What `xbar evaluate` says of its chips: the summary, and results.nc."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar_cli.chip import sensitivity
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.chip.programming.writer import COSTS
from xbar_cli.chip.sample import Tally
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.errors import ConfigError
from xbar_cli.nn.score import ACCURACY as RIGHT
from xbar_cli.nn.score import Measure
from xbar_cli.runs.results import BY_IMAGE, MODEL, Field, digest, field
from xbar_cli.statistics import (
    ACCURACY,
    ANYTHING,
    MIN_SAMPLES,
    bounded,
    enough,
    estimate,
    fewest,
    is_skewed,
    sampling_error,
    skewness,
    with_test_set,
    yield_at,
)
from xbar_cli.tasks import MetricName
from xbar_cli.trained import build
from xbar_cli.trained.opening import Trained


def measure_of(config: EvaluateConfig, trained: Trained, labels: np.ndarray) -> Measure:
    """The measure that is asked for, of these labels.

    Raises:
        ConfigError: it is none of the task, or what is asked of the chips belongs to shares of right answers.
    """
    wanted = config.monte_carlo
    measure = Measure.of(build.metric_of(trained.data, wanted.metric, key="monte_carlo.metric"), labels)
    for key in ("ci_width", "yield_at"):
        if getattr(wanted, key) is not None and not measure.is_share:
            raise ConfigError(f"monte_carlo.{key} belongs to shares of right answers; the metric is {measure.metric}")
    return measure


def summarise(
    config: EvaluateConfig,
    hardware: Hardware,
    tally: Tally,
    measure: Measure,
    *,
    ideal: float,
    images: int,
    fitted_to: int,
) -> dict[str, Any]:
    """What the summary says of the chips and their converters; `images` were seen by each chip, calibrated to `fitted_to`."""
    negative, mean_shift, off_table = (float(value) for value in np.mean(tally.devices, axis=0))
    converters = config.converters
    return chips_of(config, tally, measure=measure, ideal=ideal, images=images) | {
        "array": hardware.model,
        "path": converters.path,
        "scheme": hardware.network.scheme,
        "variation": config.variation.amount,
        "variation_model": config.variation.model,
        "clipped_fraction": hardware.network.clipped_fraction,
        "scale_kept": hardware.network.scale_kept,
        "negative_policy": config.variation.negative,
        "negative_fraction": negative,
        "negative_mean_shift_siemens": mean_shift,
        "clamped_fraction": negative if config.variation.negative == "clamp" else 0.0,
        "off_table_fraction": off_table,
        "vg_volt": [layer.vg for layer in hardware.network.layers.values()],
        "input": converters.input,
        "v_read_volt": hardware.v_read if hardware.single and hardware.network.cell is not None else None,
        "dac_bits": converters.dac_bits,
        "adc_bits": converters.adc_bits,
        "columns_per_adc": converters.columns_per_adc,
        "rows_at_once": converters.rows_at_once,
        "adc_input": converters.adc_input,
        "adc_kind": converters.adc_kind,
        "accumulate": converters.accumulate,
        **saturated(tally),
        "calibration": calibration(config, tally, images=fitted_to),
        **programming(config, tally),
        **per_layer(config, tally, ideal=ideal, measure=measure),
        "seconds_per_sample": tally.seconds / tally.computed,
        "fold_seconds": tally.fold_seconds / tally.computed,
    }


def saturated(tally: Tally) -> dict[str, float | None]:
    """Shares of the conversions beyond the converters' ranges; None without any."""
    adc_beyond, adc_all, dac_beyond, dac_all = (float(value) for value in tally.beyond)
    return {
        "dac_saturated_fraction": dac_beyond / dac_all if dac_all else None,
        "adc_saturated_fraction": adc_beyond / adc_all if adc_all else None,
    }


def programming(config: EvaluateConfig, tally: Tally) -> dict[str, Any]:
    """What programming took and left, means and deviations over chips; nothing where devices are at their targets."""
    wanted = config.programming
    if wanted.method is None:
        return {}
    found: dict[str, Any] = {"method": wanted.method, "device": wanted.device, "tolerance": wanted.tolerance}
    for name in COSTS:
        each = [chip[name] for chip in tally.costs]
        found |= {
            f"{name}_mean": float(np.mean(each)),
            f"{name}_std": float(np.std(each, ddof=1)) if each[1:] else None,
        }
    return {"programming": found}


def copies(config: EvaluateConfig, tally: Tally) -> int:
    """Chips that each computed one stands for: more than one where all are the same, and one was computed."""
    n, wanted = len(tally.values), config.monte_carlo
    return max(1, (wanted.samples or MIN_SAMPLES) // n) if n == 1 else 1


def chips_of(config: EvaluateConfig, tally: Tally, *, measure: Measure, ideal: float, images: int) -> dict[str, Any]:
    """What the chips' metric is, by its own name and by the one that every metric has: value, interval, loss."""
    metric = measure.metric
    figures = accuracies if measure.is_share else unbounded
    found = figures(config, tally, images=images, measure=measure)
    mean, ci95 = found[f"{metric}_mean"], found[f"{metric}_ci95"]
    return found | {
        "metric_value": mean,
        "metric_ci95": ci95,
        "metric_loss": measure.loss(mean, ideal),
        "metric_loss_ci95": sorted(measure.loss(end, ideal) for end in ci95) if ci95 else None,
    }


def unbounded(config: EvaluateConfig, tally: Tally, *, images: int, measure: Measure) -> dict[str, Any]:
    """Mean, spread and Student's interval of a metric that is no share of right answers, and the worst chip."""
    del images
    samples = tally.values * copies(config, tally)
    found, worst = estimate(samples), int(np.argmin(measure.sign * np.asarray(samples)))
    name = measure.metric
    return {
        "metric": name,
        "samples": len(samples),
        f"{name}_mean": found.mean,
        f"{name}_std": found.std,
        f"{name}_ci95": list(found.ci95) if found.ci95 else None,
        f"{name}_ci95_kind": "student",
        f"{name}_skewness": skewness(samples),
        f"{name}_worst": samples[worst],
        "worst_sample": worst + config.first_chip,
        f"{name}_samples": samples,
    }


def accuracies(config: EvaluateConfig, tally: Tally, *, images: int, measure: Measure = RIGHT) -> dict[str, Any]:
    """Mean, spread and intervals of the chips' shares of right answers, the worst chip, and the yield.

    The error of the test set is that of whole right answers: the most that one can have whose parts count.
    """
    name = measure.metric
    samples = tally.values * copies(config, tally)
    wanted, alike = config.monte_carlo, len(samples) > len(tally.values)  # every chip is this one
    student = estimate(samples, within=ACCURACY)
    any_kind = student if alike else bounded(samples, width=wanted.ci_width)
    found = student if wanted.ci_width is None else any_kind
    both = with_test_set(found, images=images)
    summary: dict[str, Any] = {
        "metric": name,
        "samples": len(samples),
        f"{name}_mean": found.mean,
        f"{name}_std": found.std,
        f"{name}_ci95": list(found.ci95) if found.ci95 else None,
        f"{name}_ci95_kind": "student" if wanted.ci_width is None else "bounded",
        f"{name}_bounded_ci95": list(any_kind.ci95) if any_kind.ci95 else None,
        f"{name}_skewness": skewness(samples),
        f"{name}_skewed": is_skewed(samples),
        "test_set_error": sampling_error(found.mean, images),
        f"{name}_with_test_set_ci95": list(both) if both else None,
        f"{name}_worst": min(samples),
        "worst_sample": int(np.argmin(samples)) + config.first_chip,
    }
    if wanted.yield_at is not None:
        good = yield_at(tally.values, wanted.yield_at, width=wanted.ci_width)
        ci95 = (good.fraction, good.fraction) if alike else good.ci95
        summary |= {"yield_at": wanted.yield_at, "yield_fraction": good.fraction, "yield_ci95": list(ci95)}
    if wanted.ci_width is not None:
        reached = alike or enough(samples, width=wanted.ci_width)
        summary |= {"ci_width": wanted.ci_width, "ci_width_reached": reached}
    return summary | {f"{name}_samples": samples}


def per_layer(config: EvaluateConfig, tally: Tally, *, ideal: float, measure: Measure = RIGHT) -> dict[str, Any]:
    """What each layer costs alone on arrays; nothing where that was not asked for."""
    alike = copies(config, tally)
    by_student = alike > 1 or config.monte_carlo.ci_width is None
    within = ACCURACY if measure.is_share else ANYTHING
    found = {
        name: estimate(v * alike, within=within) if by_student else bounded(v, width=config.monte_carlo.ci_width)
        for name, v in tally.alone.items()
    }
    return sensitivity.summarise(found, ideal=ideal, measure=measure) if found else {}


def out_of_reach(config: EvaluateConfig) -> str | None:
    """The line on a width that so few chips cannot reach, said before they are computed; None where they can."""
    wanted = config.monte_carlo
    if wanted.ci_width is None or wanted.max_samples is None or fewest(wanted.ci_width) <= wanted.max_samples:
        return None
    return (
        f"monte_carlo.ci_width = {wanted.ci_width:g} takes {fewest(wanted.ci_width)} chips or more, and "
        f"monte_carlo.max_samples is {wanted.max_samples}: the interval will be wider"
    )


def skew_note(result: dict[str, Any]) -> str | None:
    """The line on Student's interval where the chips are skewed; None where they are not, or the interval is another one."""
    name = result["metric"]
    if result[f"{name}_ci95_kind"] != "student" or not result.get(f"{name}_skewed"):
        return None
    low, high = result[f"{name}_bounded_ci95"]
    what = "accuracies" if name == "accuracy" else f"{name} values"
    return (
        f"the {what} of these {result['samples']} chips are skewed (skewness {result[f'{name}_skewness']:+.1f}, worst "
        f"{result[f'{name}_worst']:.4f}, mean {result[f'{name}_mean']:.4f}): Student's interval then holds the mean less "
        f"often than 95 %; {low:.4f} … {high:.4f} holds whatever the distribution is, and monte_carlo.ci_width makes it narrower"
    )


def calibration(config: EvaluateConfig, tally: Tally, *, images: int) -> dict[str, Any] | None:
    """What outputs were corrected by: gain and offset of each layer, means over chips and columns; None without."""
    if config.decoding.calibrate is None:
        return None

    def mean(which: int) -> list[float]:
        return [float(np.mean([chip[name][which] for chip in tally.corrections])) for name in tally.corrections[0]]

    fitted = {"gain": mean(0)} | ({"offset": mean(1)} if config.decoding.calibrate == "affine" else {})
    return {"fit": config.decoding.calibrate, "per": config.decoding.per or "layer", "images": images, **fitted}


def results(samples: list[float], tally: Tally, *, metric: MetricName = "accuracy", first: int = 0) -> dict[str, Field]:
    """results.nc: the metric of every chip, with each layer alone too, and what each chip was calibrated to."""
    fields = {"sample": field(("sample",), first + np.arange(len(samples)), unit="1", long_name="chip")}
    fields[metric] = field(("sample",), samples, unit="1", long_name=f"{metric} on the test images")
    if Measure(metric).is_share:
        said = f"{metric} of each test image, mean over the chips"
        fields[BY_IMAGE] = field(("image",), tally.each / len(tally.values), unit="1", long_name=said)
    for name, alone in tally.alone.items():
        long_name = f"{metric} on the test images with {name} alone on arrays"
        fields[f"{name}_alone_{metric}"] = field(("chip",), alone, unit="1", long_name=long_name)
    for name in tally.costs[0] if tally.costs else ():
        unit, meaning = COSTS[name]
        values = [chip[name] for chip in tally.costs]
        fields[f"programming_{name}"] = field(("chip",), values, unit=unit, long_name=f"programming: {meaning}")
    for name in tally.corrections[0]:
        for which, what in enumerate(("gain", "offset")):
            values = np.stack([chip[name][which] for chip in tally.corrections])
            dims = ("chip", f"{name}_out")[: values.ndim]
            long_name = f"{what} of the decoded outputs of {name}"
            fields[f"{name}_{what}"] = field(dims, values, unit="1", long_name=long_name)
    return fields


def origin(
    trained: Trained, network: MappedNetwork, images: NDArray[np.uint8], labels: NDArray[np.integer[Any]]
) -> dict[str, Any]:
    """What an evaluation is of, so that another run can tell whether it is of the same: network, test images, devices.

    What chip i is depends on the names of the layers and the shapes of their devices.
    """
    tested = (np.ascontiguousarray(images), np.ascontiguousarray(labels, np.int32))
    return {
        "network": trained.network,
        "dataset": trained.dataset,
        "method": trained.method,
        "weights_sha256": digest((trained.run.path / MODEL).read_bytes()),
        "test_images_sha256": digest(*(part.tobytes() for part in tested), repr(tested[0].shape).encode()),
        "chip_devices": {name: list(layer.conductance.shape) for name, layer in network.layers.items()},
    }
