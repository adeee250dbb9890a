"""Hard faults as an effect on a chip."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .effect import Effect, Share

if TYPE_CHECKING:
    from xbar_cli.device.figures import Devices

RATES = ("on", "off", "open", "row", "column")


class Stuck(Effect):
    """Devices stuck at G_on, at G_off, or open; they stay there, whatever else acts. Absent devices (G = 0) cannot be stuck."""

    model: Literal["stuck"]
    stage: ClassVar = "faults"
    once: ClassVar = "one entry takes all its rates"
    on: Share = 0.0
    """Share of the devices that are stuck at G_on."""
    off: Share = 0.0
    """Share of the devices that are stuck at G_off."""
    open: Share = 0.0
    """Share of the devices that do not conduct."""
    row: Share = 0.0
    """Share of the rows of arrays that are cut off, with all their devices open."""
    column: Share = 0.0
    """Share of the columns of arrays that are."""
    cluster: Annotated[int, Field(ge=1, le=4096)] = 1
    """Side of the squares of devices that are stuck together."""

    @model_validator(mode="after")
    def _rates(self) -> Self:
        if not self.model_fields_set & set(RATES):
            raise ValueError(f"stuck needs at least one of {', '.join(f'{key}=' for key in RATES)}")
        if self.on + self.off + self.open > 1:
            raise ValueError("stuck: the rates on, off and open add up to more than 1")
        return self

    @property
    def lines(self) -> bool:
        """Whether whole lines are cut off."""
        return self.row > 0 or self.column > 0

    def parameters(self, devices: "Devices") -> dict[str, Any]:
        """What `device.faults.fault_map` takes; lines are those of the arrays of `devices`, where it says their size."""
        rates = {"rate_on": self.on, "rate_off": self.off, "rate_open": self.open}
        more: dict[str, Any] = {"cluster": self.cluster} if self.cluster > 1 else {}
        if self.lines:
            rows, columns = getattr(devices, "tile", (None, None))
            tile = {"tile_rows": rows, "tile_columns": columns} if rows is not None else {}
            more |= {"rate_row": self.row, "rate_column": self.column, **tile}
        return {**rates, **more, "g_on": devices.g_on, "g_off": devices.g_off}
