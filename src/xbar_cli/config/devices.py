"""Configuration of `xbar fit`, `xbar import` and the stage `data add`: what comes in from outside."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xbar_cli.outside import quoted
from xbar_cli.tasks import Task

from .base import Option, PositiveQuantity, RootSection, Section, Text, in_unit, parse_seconds, require, within
from .network import NetworkSection
from .train import DatasetSection

if TYPE_CHECKING:
    from xbar_cli.data.own.raw import Ingest


PulseVolt = Annotated[PositiveQuantity, within(1e-6, 100, "V"), in_unit("V")]
PulseWidth = Annotated[PositiveQuantity, within(1e-15, 1e3, "s"), BeforeValidator(parse_seconds)]


class PulsesSection(Section):
    """Pulses and reads of measured trains, where the file does not say it."""

    volt_up: Annotated[PulseVolt | None, Option(metavar="VOLT")] = None
    """pulses: of pulses up (default that of the file)."""
    volt_down: Annotated[PulseVolt | None, Option(metavar="VOLT")] = None
    """pulses: of pulses down, without its sign (default that of the file)."""
    seconds_up: Annotated[PulseWidth | None, Option(metavar="SECONDS")] = None
    """pulses: width of pulses up (default that of the file)."""
    seconds_down: Annotated[PulseWidth | None, Option(metavar="SECONDS")] = None
    """pulses: width of pulses down (default that of the file)."""
    volt_read: Annotated[PulseVolt | None, Option(metavar="VOLT")] = None
    """pulses: of a verify read of these devices."""
    seconds_read: Annotated[PulseWidth | None, Option(metavar="SECONDS")] = None
    """pulses: width of a verify read."""

    def sizes(self, *, volts: Mapping[str, float], seconds: Mapping[str, float]) -> dict[str, float]:
        """All six numbers, of the keys and of the file, which has `volts` and `seconds` by direction; ConfigError without one."""
        file = {
            f"{kind}_{way}": size for kind, of in (("volt", volts), ("seconds", seconds)) for way, size in of.items()
        }
        given = self.model_dump(exclude_none=True)
        twice = sorted(file.keys() & given)
        require(
            not twice, f"{', '.join(f'pulses.{key}' for key in twice)}: the file says it; leave it out, or the column"
        )
        missing = [f"pulses.{key}" for key in type(self).model_fields if key not in file and key not in given]
        require(
            not missing, f"the file does not say {', '.join(missing)}: give {'it' if len(missing) == 1 else 'them'}"
        )
        return {key: (file | given)[key] for key in type(self).model_fields}


class FitConfig(RootSection):
    """Statistics of measured devices, or how they switch."""

    file: str = ""
    """CSV whose first line names the columns target_siemens and measured_siemens; of pulses conductance_siemens, and direction or
    volt; or the same in another unit."""
    kind: Annotated[Literal["states", "smooth", "pulses"], Option()] = "states"
    """Mean and spread of each distinct target, the same as polynomials of the target, or a switching model of pulse trains."""
    min_count: Annotated[int, Field(ge=2, le=1_000_000), Option()] = 5
    """states: measurements that a state needs."""
    degree: Annotated[int, Field(ge=0, le=12), Option()] = 2
    """smooth: degree of the mean and of the variance."""
    knots: Annotated[int, Field(ge=2, le=4096), Option()] = 33
    """smooth: conductances at which the curve is kept."""
    pulses: PulsesSection = PulsesSection()

    def check(self) -> None:
        """Keys of the other kinds are refused."""
        own = {"states": {"min_count"}, "smooth": {"degree", "knots"}, "pulses": {"pulses"}}
        others = set().union(*(keys for kind, keys in own.items() if kind != self.kind))
        given = sorted(others & self.model_fields_set)
        require(not given, f"kind = {self.kind} does not use {', '.join(f'`{name}`' for name in given)}")


def parse_pairs(value: Any) -> Any:
    """Pairs `ours=theirs`, one text each or several between commas, as a table."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, (list, tuple)):
        return value
    found: dict[str, str] = {}
    for text in (part for item in value for part in str(item).split(",")):
        ours, equals, theirs = (part.strip() for part in text.partition("="))
        if not (equals and ours and theirs):
            raise ValueError(f"{quoted(text)} is no pair; write OURS=THEIRS, such as conv1=features.0")
        if ours in found:
            raise ValueError(f"{ours} is given twice")
        found[ours] = theirs
    return found


class ImportConfig(RootSection):
    """A network trained elsewhere."""

    file: str = ""
    """Its tensors as safetensors, or the index.json of their shards."""
    network: NetworkSection = NetworkSection()
    dataset: DatasetSection = DatasetSection()
    layout: Annotated[Literal["auto", "torch", "xbar"], Option()] = "auto"
    """Names and axes of the tensors (default by the names): those of a torch state_dict, `weight` as [out in] and
    [out in h w], or our own, `kernel` as [in out] and [h w in out]."""
    pairs: Annotated[
        dict[str, Text], BeforeValidator(parse_pairs), Option("--pair", metavar="OURS=THEIRS", repeatable=True)
    ] = Field(default_factory=dict)
    """Source of one layer of ours, or of the batch norm behind it as LAYER_norm, where names and shapes do not tell;
    repeatable."""


def parse_names(value: Any) -> Any:
    """Names with commas between them as a list."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def parse_size(text: str) -> tuple[int, int]:
    """Height and width of `28x28`; ValueError for what is no such text."""
    sides = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text.strip().lower())
    if sides is None or not all(1 <= int(side) <= 4096 for side in sides.groups()):
        raise ValueError(f"{quoted(text)} is no size such as 28x28, of 1 to 4096")
    return int(sides[1]), int(sides[2])


def _size(text: str) -> str:
    parse_size(text)
    return text


class DataConfig(RootSection):
    """A data set of one's own as a stage of an experiment: what `xbar data add` takes, kept in the run."""

    name: Annotated[str, Field(min_length=1)]
    """Of the set: `dataset.name` of the stages that take it, whose `dataset.data_dir` names this one."""
    file: Annotated[str, Field(min_length=1)]
    """npz, csv, txt, or a folder of pictures or wav files a class."""
    task: Task | None = None
    """What is asked for (default as the labels look)."""
    label: Annotated[tuple[str, ...], BeforeValidator(parse_names)] = ()
    """csv: columns of the labels (default the last)."""
    columns: Annotated[tuple[str, ...], BeforeValidator(parse_names)] = ()
    """csv: columns of the inputs (default all others)."""
    header: bool = True
    """csv: whether the first row names the columns."""
    length: Annotated[int, Field(ge=1, le=10**6)] | None = None
    """txt: characters of a sequence (default 64); wav: samples."""
    size: Annotated[str, AfterValidator(_size)] | None = None
    """Pictures: brought to this height and width."""
    rate: Annotated[int, Field(ge=1, le=10**7)] | None = None
    """wav: rate that all must have [Hz]."""
    classes: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """npz: outputs of the network that the set is for, where it holds rows of some classes alone."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share that tests, where the file has no parts."""
    standardise: bool = False
    """Numbers to mean 0 and deviation 1 over the training part."""
    sha256: str | None = None
    """Of what the file holds; another content is an error (default what it holds now)."""

    def in_use(self) -> dict[str, Any]:
        """Every key with a value, the file's content among them: another content is another run."""
        from xbar_cli.data.own.adding import digest_of

        return {**super().in_use(), "sha256": self.sha256 or digest_of(Path(self.file))}

    def ingest(self) -> "Ingest":
        """What is asked of the file."""
        from xbar_cli.data.own.raw import Ingest

        given = self.model_dump(exclude={"name", "file", "sha256", "size"})
        return Ingest(**given, size=None if self.size is None else parse_size(self.size))
