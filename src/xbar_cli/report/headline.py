"""What one looks for first in a run: its key figures, and a line on where it comes from."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

Named = tuple[tuple[str, str], ...]

KEY: Named = (
    ("difference", "B − A"), ("p_value", "p of no difference"), ("energy_joule", "energy [J]"), ("area_m2", "area [m²]"),
    ("latency_seconds", "latency [s]"), ("devices", "devices"), ("tiles", "tiles"), ("weight_rmse", "RMS error of weights"),
    ("epochs", "epochs"), ("points", "points"), ("done", "done"), ("failed", "failed"),
    ("max_relative_error", "largest relative error"), ("max_full_scale_error", "largest error of full scale"),
)  # fmt: skip
"""Keys of a summary besides those of its metric, as the page calls them."""
ORIGIN_VERSIONS = ("xbar-cli", "jax")
"""Packages whose versions the line names."""
COMMIT = 10
"""Characters of a commit that are shown."""


def key_figures(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of the figures that a summary has of those that matter most."""
    named = [(name, _shown(summary[key])) for key, name in KEY if _is_number(summary.get(key))]
    return [*_of_metric(summary), *named]


def _of_metric(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the run measured: the mean of chips with its spread, or the network's own figure."""
    metric = str(summary.get("metric", "accuracy"))
    mean, std, ci = (summary.get(f"{metric}_{end}") for end in ("mean", "std", "ci95"))
    if _is_number(mean):
        yield f"mean {metric}", _shown(mean)
    if _is_number(std):
        yield "standard deviation over chips", _shown(std)
    if isinstance(ci, list) and len(ci) == 2 and all(map(_is_number, ci)):
        yield "95 % interval of the mean", " … ".join(map(_shown, ci))
    if isinstance(chips := summary.get("samples"), int) and _is_number(mean):
        yield "chips", str(chips)
    for key, name in (("test_", "test"), ("validation_", "validation"), ("ideal_", "floating point")):
        if _is_number(value := summary.get(f"{key}{metric}")):
            yield f"{name} {metric}" if key != "ideal_" else name, _shown(value)


def origin(environment: Mapping[str, Any]) -> str:
    """One line of env.json: commit, versions, processor, seed; what it does not hold is left out."""
    versions, commit = environment.get("versions") or {}, environment.get("commit")
    found = [f"commit {str(commit)[:COMMIT]}{'+' * str(commit).endswith('+')}"] if commit else []
    found += [f"{name} {versions[name]}" for name in ORIGIN_VERSIONS if versions.get(name)]
    found += [str(environment["processor"])] if environment.get("processor") else []
    found += [f"seed {environment['seed']}"] if environment.get("seed") is not None else []
    return ", ".join(found)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: float) -> str:
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else f"{value:.4g}"
