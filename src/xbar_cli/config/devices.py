"""Configuration of `xbar fit` and `xbar import`: what comes in from outside."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from xbar_cli.outside import quoted

from .base import Option, RootSection, Text, require
from .network import NetworkSection
from .train import DatasetSection


class FitConfig(RootSection):
    """Statistics of measured devices."""

    file: str = ""
    """CSV whose first line names the columns target_siemens and measured_siemens."""
    kind: Annotated[Literal["states", "smooth"], Option()] = "states"
    """Mean and spread of each distinct target, or as polynomials of the target."""
    min_count: Annotated[int, Field(ge=2, le=1_000_000), Option()] = 5
    """states: measurements that a state needs."""
    degree: Annotated[int, Field(ge=0, le=12), Option()] = 2
    """smooth: degree of the mean and of the variance."""
    knots: Annotated[int, Field(ge=2, le=4096), Option()] = 33
    """smooth: conductances at which the curve is kept."""

    def check(self) -> None:
        """Keys of the other kind are refused."""
        others = {"states": {"degree", "knots"}, "smooth": {"min_count"}}[self.kind]
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
