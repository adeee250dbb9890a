"""Configuration of `xbar fit` and `xbar import`: what comes in from outside."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Section, require
from .train import DatasetSection, NetworkSection


class FitConfig(Section):
    """Statistics of measured devices."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    file: str = ""
    """CSV whose first line names the columns target_siemens and measured_siemens."""
    kind: Literal["states", "smooth"] = "states"
    """A table of the distinct targets, or polynomials of the target."""
    min_count: Annotated[int, Field(ge=2, le=1_000_000)] = 5
    """states: measurements that a state needs."""
    degree: Annotated[int, Field(ge=0, le=12)] = 2
    """smooth: degree of the mean and of the variance."""
    knots: Annotated[int, Field(ge=2, le=4096)] = 33
    """smooth: conductances at which the curve is kept."""

    def check(self) -> None:
        """Keys of the other kind are refused."""
        others = {"states": {"degree", "knots"}, "smooth": {"min_count"}}[self.kind]
        given = sorted(others & self.model_fields_set)
        require(not given, f"--kind {self.kind} does not use {', '.join(given)}")


class ImportConfig(Section):
    """A network trained elsewhere."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    file: str = ""
    """Its tensors as safetensors."""
    layout: Literal["auto", "torch", "xbar"] = "auto"
    """torch: `weight` as [out in] and [out in h w]; xbar: `kernel` as [in out] and [h w in out]."""
    network: NetworkSection = NetworkSection()
    dataset: DatasetSection = DatasetSection()

    def check(self) -> None:
        """Rules that join several keys."""
        self.network.rules()
