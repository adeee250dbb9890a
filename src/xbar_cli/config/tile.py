"""Configuration of `xbar characterize tile`: one resistive array with wires, looked at node by node."""

from typing import Annotated

from pydantic import Field

from .arrays import WiresSection
from .base import NonNegativeQuantity, OpenResistance, PositiveQuantity, Section, require
from .ranges import TileSize, parse_tile

MOST_DEVICES = 512 * 512


class TileSection(WiresSection):
    """The array and its inputs."""

    run: str | None = None
    """A map run whose first tile of a layer is taken; random conductances when absent."""
    layer: str | None = None
    """The layer of that run; its first when absent."""
    size: TileSize = "64x64"
    """Of the random array."""
    r_on_ohm: PositiveQuantity = 30e3
    r_off_ohm: OpenResistance = 300e3
    """inf: conductances from 0 on."""
    v_max_volt: PositiveQuantity = 0.5
    """Inputs are random between 0 and this."""
    r_wire_ohm: NonNegativeQuantity | None = 1.0
    """Of each word-line and each bit-line segment; or apart:"""


class TileConfig(Section):
    """Everything that determines the voltages and currents of one array."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    tile: TileSection = TileSection()

    def check(self) -> None:
        """Rules that join several keys."""
        tile = self.tile
        rows, cols = parse_tile(tile.size)
        require(rows * cols <= MOST_DEVICES, f"tile.size = {tile.size}: at most {MOST_DEVICES} devices (--size)")
        require(tile.r_on_ohm < tile.r_off_ohm, f"--r-on {tile.r_on_ohm:g} must be below --r-off {tile.r_off_ohm:g}")
        given = sorted({"size", "r_on_ohm", "r_off_ohm"} & tile.model_fields_set)
        require(
            tile.run is None or not given,
            f"{', '.join(f'tile.{name}' for name in given)} belong to random arrays; --map RUN brings its own",
        )
        require(tile.layer is None or tile.run is not None, "--layer needs --map RUN")
