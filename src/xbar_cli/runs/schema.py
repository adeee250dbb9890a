"""What a summary must hold, by the command that wrote it: checked when a run is opened, so that nobody meets half of one."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from xbar_cli.outside import quoted

Count = Annotated[int, Field(ge=0, le=10**12)]
Fraction = Annotated[float, Field(ge=0, le=1)]
TwoNumbers = Annotated[list[float], Field(min_length=2, max_length=2)] | None
Name = Annotated[str, Field(min_length=1, max_length=300)]
Remark = Annotated[str, Field(max_length=10_000)] | None
Tile = Annotated[list[Annotated[int, Field(ge=1, le=65536)]], Field(min_length=2, max_length=2)]


class Summary(BaseModel):
    """Of any run: more keys than the ones named are allowed, other types are not."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    command: Name
    out: str | None = None


def _require(summary: Summary, accuracies: Sequence[str]) -> None:
    """Raise ValidationError where the figures of the metric are not there: `accuracies`, as in every earlier version."""
    names = accuracies if getattr(summary, "metric", None) == "accuracy" else ["metric_value"]
    if wanted := [name for name in names if name not in summary.model_fields_set]:
        faults = [InitErrorDetails(type="missing", loc=(name,), input=None) for name in wanted]
        raise ValidationError.from_exception_data("summary", faults)


class TrainSummary(Summary):
    """Of `train` and `import`."""

    method: Name
    network: Name
    dataset: Name
    dataset_note: Remark
    layers: Annotated[list[Name], Field(min_length=1, max_length=10_000)]
    weights: list[Count] | None = None
    metric: Name = "accuracy"
    metric_value: float | None = None
    test_accuracy: Fraction | None = None
    train_accuracy: Fraction | None = None
    validation_accuracy: Fraction | None = None
    vg_volt: list[float] | None
    in_range_fraction: list[Fraction] | None = None
    w_max: list[float] | None = None
    w_cut: list[float] | None = None
    weight_scale: str | None = None
    weight_limits: dict[str, float] | None = None
    scheme: str | None = None
    bits: Count | None = None
    activation_bits: Count | None = None
    input_ranges: dict[str, float] | None = None
    m_max: list[float] | None = None
    technology: str | None = None
    encoding: str | None = None
    arrays: dict[str, Any] | None = None
    learned_ranges: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _measured(self) -> Self:
        _require(self, ["test_accuracy"])
        return self


class MappedLayer(Summary):
    """One layer of a mapping."""

    command: str = ""
    name: Name
    rows: Count
    cols: Count
    devices: Count
    tiles: Count
    utilisation: Fraction
    vg_volt: float | None
    weight_rmse: float
    clipped_fraction: Fraction
    scale_kept: Fraction = 1.0
    absent_fraction: Fraction = 0.0
    slope_siemens: float | list[float] = 0.0


class MapSummary(Summary):
    """Of `map`."""

    network: Name
    dataset: Name
    scheme: Name
    technology: str | None
    g_off_siemens: float
    g_on_siemens: float
    tile: Tile
    devices: Count
    tiles: Count
    layers: Annotated[list[MappedLayer], Field(min_length=1)]
    digital_layers: list[Name]


class EvaluateSummary(Summary):
    """Of `evaluate`."""

    array: Name
    scheme: Name
    variation: float
    variation_model: str
    images: Annotated[int, Field(ge=1, le=10**9)]
    dataset_note: Remark
    metric: Name = "accuracy"
    metric_value: float | None = None
    samples: Annotated[int, Field(ge=1, le=10**7)]
    ideal_accuracy: Fraction | None = None
    accuracy_mean: Fraction | None = None
    accuracy_std: float | None = None
    accuracy_ci95: TwoNumbers = None
    accuracy_samples: Annotated[list[Fraction], Field(min_length=1)] | None = None
    effects: list[str]
    vg_volt: list[float | None]
    v_read_volt: float | None
    network: Name | None = None
    dataset: Name | None = None
    method: Name | None = None
    weights_sha256: str | None = None
    test_images_sha256: str | None = None
    chip_devices: dict[str, list[Count]] | None = None

    @model_validator(mode="after")
    def _measured(self) -> Self:
        _require(self, ["ideal_accuracy", *(f"accuracy_{key}" for key in ("mean", "std", "ci95", "samples"))])
        return self


class Operation(BaseModel):
    """How arrays are read; what a run leaves open is not there."""

    model_config = Summary.model_config

    input: str | None = None
    dac_bits: Count | None = None
    adc_bits: Count | None = None
    v_read_volt: float | None = None
    programmed_volt: float | None = None
    dac_range: str | None = None
    columns_per_adc: Count | None = None
    rows_at_once: Count | None = None
    adc_input: str | None = None
    resistances: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=4, max_length=4)] | None = None


class PresetSummary(Summary):
    """Of `energy` of a preset."""

    model: Name
    energy_joule: float
    area_m2: float
    latency_seconds: float | None
    breakdown: dict[str, Any]


class EnergySummary(PresetSummary):
    """Of `energy` of a mapped run."""

    network: Name
    dataset: Name
    scheme: Name
    run: Name
    bits: Count | None
    tile: Tile
    vg_volt: list[float | None]
    images: Count
    accuracy: Fraction | None
    accuracy_ci95: TwoNumbers
    accuracy_from: str | None
    accuracy_converters: dict[str, Count | None] | None
    operation: Operation
    stated: Operation = Field(default_factory=Operation)


class CharacterizeSummary(Summary):
    """Of `characterize`."""

    vg_volt: Annotated[list[float], Field(min_length=1)]
    g_cut_siemens: list[float | None]
    surrogate_rank: list[Count | None]


class SweepPoint(Summary):
    """A point of a sweep."""

    command: str = ""
    name: str | None = None
    state: str | None = None
    stage: str | None = None
    reason: str | None = None
    log: str | None = None


class SweepSummary(Summary):
    """Of `run`."""

    list: Sequence[SweepPoint] = Field(default_factory=list)


KINDS: dict[str, type[Summary]] = {
    "train": TrainSummary,
    "map": MapSummary,
    "evaluate": EvaluateSummary,
    "energy": EnergySummary,
    "characterize": CharacterizeSummary,
    "run": SweepSummary,
}


class Environment(BaseModel):
    """Of env.json: what readers compute with."""

    model_config = Summary.model_config

    versions: dict[str, str | None] = Field(default_factory=dict)
    environment: dict[str, str] = Field(default_factory=dict)
    processor: str | None = None
    devices: list[str] | None = None
    random: dict[str, Any] | None = None


def fault_of(summary: Any, *, whole: bool) -> str | None:
    """What is wrong with a summary, with the key; None where nothing is.

    `whole`: every key that other commands compute with must be there; else those that are must be of their types.
    """
    try:
        found = Summary.model_validate(summary)
        kind = PresetSummary if "preset" in summary else KINDS.get(found.command, Summary)
        kind.model_validate(summary)
    except ValidationError as error:
        for fault in sorted(error.errors(), key=lambda fault: fault["type"] == "missing"):
            where = ".".join(str(part) for part in fault["loc"]) or "it"
            said = fault["msg"][0].lower() + fault["msg"][1:]
            if fault["type"] != "missing":
                return f"{where} = {quoted(fault['input'])}: {said}"
            if whole or where == "command":
                return f"{where}: {said}"
    return None
