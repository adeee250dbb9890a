"""In-situ training: which devices are pulsed, and how."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from xbar_cli.config.arrays import ArraySection
from xbar_cli.config.base import Magnitude, Option, Quantity, Section, require
from xbar_cli.config.ranges import SwitchingName


class InsituMethod(Section):
    """Training the devices themselves by stochastic pulses: outer products of bit streams (Gokmen and Vlasov 2016).

    With `array.model = nodal` products and errors are read through the wires, as `xbar evaluate` has them.
    """

    shares: ClassVar[tuple[str, ...]] = (
        *(f"array.{key}" for key in ArraySection.model_fields),
        "mapping.technology",
        "mapping.tile",
    )

    name: Literal["insitu"] = "insitu"
    switching: Annotated[SwitchingName, Option(metavar="NAME|FILE|RUN")] = "gokmen_vlasov"
    """How devices switch: agsi, alox_hfo2, pcmo, gokmen_vlasov (default), reram_sb, one's own TOML, or a fit of pulses."""
    algorithm: Annotated[Literal["sgd", "tiki-taka", "residual"], Option()] = "sgd"
    """Pulses go to the weights (sgd), to fast devices that are read into them through a digital buffer (tiki-taka v2), or to the
    finest of several tiles whose sum is the weight, each of which holds what the coarser ones leave (residual)."""
    residual_tiles: Annotated[Annotated[int, Field(ge=2, le=8)] | None, Option(metavar="N")] = None
    """residual: tiles, and devices of a weight (default 3)."""
    residual_factor: Annotated[Annotated[Quantity, Field(gt=0, lt=1)] | None, Option(metavar="X")] = None
    """residual: what a tile counts over the next coarser one (default 0.25)."""
    bit_length: Annotated[int, Field(ge=1, le=1000), Option()] = 10
    """Bits of a stream: pulses that an image gives a device at most."""
    weight_range: Annotated[Magnitude, Option(metavar="X")] = 1.0
    """Weights at the ends of a nominal device's window, -X and X."""
    transfer_rate: Annotated[Annotated[Quantity, Field(gt=0, le=1000)] | None, Option(metavar="X")] = None
    """tiki-taka: pulses of a weight for each pulse that its fast device stands away from its symmetry point (default 0.1)."""
    lifetime: Annotated[Annotated[Quantity, Field(ge=1, le=1e12)] | None, Option(metavar="STEPS")] = None
    """Steps in which devices drift to 1/e of their distance from the middle of the window: weight decay (default for ever)."""
    refold: Annotated[Annotated[int, Field(ge=1, le=100_000)] | None, Option()] = None
    """nodal: steps between two solutions of the arrays (default 256, or an epoch's); in between a device conducts its part of
    the last one."""

    def factors(self) -> tuple[float, ...]:
        """What each residual tile counts, the coarsest 1; none where a weight is one device."""
        if self.algorithm != "residual":
            return ()
        return tuple((self.residual_factor or 0.25) ** k for k in range(self.residual_tiles or 3))

    @model_validator(mode="after")
    def _agree(self) -> Self:
        require(
            self.transfer_rate is None or self.algorithm == "tiki-taka",
            "insitu.transfer_rate belongs to insitu.algorithm = tiki-taka",
        )
        given = [key for key in ("residual_tiles", "residual_factor") if getattr(self, key) is not None]
        require(
            not given or self.algorithm == "residual",
            f"{', '.join(f'insitu.{key}' for key in given)}: of insitu.algorithm = residual",
        )
        return self

    def agree_with(self, array: ArraySection, mapping: Section) -> None:
        """That arrays have something to be read through, and nothing is said of arrays that are not there."""
        require(array.model in (None, "nodal"), f"method = insitu reads array.model = nodal, not {array.model}")
        require(
            array.model is None or self.algorithm != "residual",
            "insitu.algorithm = residual reads ideal arrays, not array.model = nodal",
        )
        given = [f"array.{key}" for key in sorted(array.model_fields_set - {"model"})]
        given += [f"mapping.{key}" for key in sorted(mapping.model_fields_set)] + ["insitu.refold"] * bool(self.refold)
        require(
            array.model is not None or not given,
            f"method = insitu reads ideal arrays and does not use {', '.join(given)}; array.model = nodal does",
        )
        require(
            array.model is None or array.wires().any,
            "array.model = nodal of method = insitu reads through resistances: give array.r_wire_ohm, array.r_source_ohm or "
            "array.r_neuron_ohm",
        )

    @staticmethod
    def agree(training: Mapping[str, Any], plain: Mapping[str, Any], *, optimizer: str, injected: bool) -> None:
        """That nothing else is asked of the steps; `training` are the keys of the training, `plain` their defaults."""
        require(optimizer == "sgd", f"method = insitu pulses devices by plain sgd, not {optimizer}")
        unused = ("momentum", "weight_decay", "clip_norm", "clip_weights", "precision", "schedule", "inject_schedule")
        given = [f"training.{key}" for key in unused if training[key] != plain[key]] + ["inject"] * injected
        require(not given, f"method = insitu does not use {', '.join(given)}")
