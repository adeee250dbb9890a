"""In-situ training: which devices are pulsed, and how."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from xbar_cli.config.base import Magnitude, Option, Quantity, Section, require


class InsituMethod(Section):
    """Training the devices themselves by stochastic pulses: outer products of bit streams (Gokmen and Vlasov 2016)."""

    name: Literal["insitu"] = "insitu"
    switching: Annotated[str, Option(metavar="NAME|FILE")] = "gokmen_vlasov"
    """How devices switch: agsi, alox_hfo2, pcmo, gokmen_vlasov (default), reram_sb, or one's own TOML."""
    algorithm: Annotated[Literal["sgd", "tiki-taka"], Option()] = "sgd"
    """Pulses go to the weights (sgd), or to fast devices that are read into them through a digital buffer (tiki-taka v2)."""
    bit_length: Annotated[int, Field(ge=1, le=1000), Option()] = 10
    """Bits of a stream: pulses that an image gives a device at most."""
    weight_range: Annotated[Magnitude, Option(metavar="X")] = 1.0
    """Weights at the ends of a nominal device's window, -X and X."""
    transfer_rate: Annotated[Annotated[Quantity, Field(gt=0, le=1000)] | None, Option(metavar="X")] = None
    """tiki-taka: pulses of a weight for each pulse that its fast device stands away from its symmetry point (default 0.1)."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        require(
            self.transfer_rate is None or self.algorithm == "tiki-taka",
            "insitu.transfer_rate belongs to insitu.algorithm = tiki-taka",
        )
        return self

    @staticmethod
    def agree(training: Mapping[str, Any], plain: Mapping[str, Any], *, optimizer: str, injected: bool) -> None:
        """That nothing else is asked of the steps; `training` are the keys of the training, `plain` their defaults."""
        require(optimizer == "sgd", f"method = insitu pulses devices by plain sgd, not {optimizer}")
        unused = ("momentum", "weight_decay", "clip_norm", "clip_weights", "precision", "schedule", "inject_schedule")
        given = [f"training.{key}" for key in unused if training[key] != plain[key]] + ["inject"] * injected
        require(not given, f"method = insitu does not use {', '.join(given)}")
