"""How the devices of every chip are programmed: pulses on a switching model, cell by cell or by gradient."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from xbar_cli.config.base import Option, Quantity, Section, parse_share, require
from xbar_cli.config.ranges import SwitchingName
from xbar_cli.config.variation import VariationSection


class ProgrammingSection(Section):
    """Programming by pulses and reads; without a method devices are at their targets."""

    method: Annotated[Literal["verify", "gradient"] | None, Option("--program")] = None
    """Program every chip by pulses and reads: cell by cell until each is within the tolerance (verify), or whole arrays by the
    gradient of their measured outputs (gradient)."""
    device: Annotated[SwitchingName | None, Option("--program-device", metavar="NAME|FILE|RUN")] = None
    """How devices switch: agsi, alox_hfo2, pcmo, gokmen_vlasov, reram_sb, one's own TOML, or a fit of pulses
    (docs/programming.md)."""
    tolerance: Annotated[
        Quantity, BeforeValidator(parse_share), Field(gt=0, le=1), Option("--program-tolerance", metavar="SHARE")
    ] = 0.02
    """Distance from the target that is accepted, over G_on - G_off, such as 2% (default)."""
    pulses: Annotated[int, Field(ge=1, le=1_000_000), Option("--program-pulses")] = 200
    """Pulses that a device gets at most."""
    rounds: Annotated[int | None, Field(ge=1, le=100_000), Option("--program-rounds")] = None
    """Rounds of reading and pulsing (default verify: one a pulse at most; gradient: 30)."""
    adc_bits: Annotated[int | None, Field(ge=1, le=16), Option("--program-adc-bits")] = None
    """Resolution of verify reads: of 0 to G_on (verify), or of the outputs that random signs give (gradient) (default exact)."""
    margin: Annotated[
        Quantity, BeforeValidator(parse_share), Field(ge=0, le=1), Option("--program-margin", metavar="SHARE")
    ] = 0.0
    """How far the devices' window reaches beyond G_off and G_on, over G_on - G_off, at 0 S at most (default 0)."""
    rate: Annotated[Quantity, Field(gt=0, le=1)] = 1.0
    """gradient: share of the measured error that a round takes away."""

    def agree(self, variation: VariationSection) -> None:
        """Rules that join it with the effects."""
        given = sorted(f"programming.{key}" for key in self.model_fields_set - {"method"})
        if self.method is None:
            require(not given or not self._other(), f"{', '.join(given)}: give programming.method, verify or gradient")
            return
        require(
            self.device is not None,
            f"programming.method = {self.method} needs programming.device: how devices switch, such as gokmen_vlasov",
        )
        require(
            self.method == "gradient" or self.rate == type(self).model_fields["rate"].default,
            "programming.rate belongs to programming.method = gradient",
        )
        shortcuts = [effect.model for effect in variation.on_devices() if effect.stage == "programming"]
        require(
            not shortcuts,
            f"effect {', '.join(shortcuts)} says what programming leaves, and so does programming.method = {self.method}: give "
            "one of them",
        )

    def _other(self) -> bool:
        """Whether a key differs from its default."""
        return any(getattr(self, key) != field.default for key, field in type(self).model_fields.items())
