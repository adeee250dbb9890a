"""Configuration of `xbar characterize tile`: one resistive array with wires, looked at node by node."""

from typing import Annotated, Any

from .arrays import WiresSection
from .base import DeviceResistance, LineResistance, OpenResistance, Option, RootSection, Voltage, require
from .ranges import TileSize, parse_tile

MOST_DEVICES = 512 * 512
OF_RANDOM_ARRAYS = ("size", "r_on_ohm", "r_off_ohm")


class TileSection(WiresSection):
    """The array and its inputs."""

    run: Annotated[str | None, Option("--map", metavar="RUN")] = None
    """Take the first tile of a map run's layer (default random conductances)."""
    layer: Annotated[str | None, Option(metavar="NAME")] = None
    """The layer of that run (default its first)."""
    size: Annotated[TileSize, Option(metavar="ROWSxCOLS")] = "64x64"
    """Size of a random array."""
    r_on_ohm: Annotated[DeviceResistance, Option()] = 30e3
    """Its lowest resistance."""
    r_off_ohm: Annotated[OpenResistance, Option()] = 300e3
    """Its highest resistance (default 300k); inf: conductances from 0 on."""
    v_max_volt: Annotated[Voltage, Option()] = 0.5
    """Largest input voltage: inputs are random between 0 and this."""
    r_wire_ohm: Annotated[LineResistance | None, Option()] = 1.0
    """Every segment of word lines and bit lines."""


class TileConfig(RootSection):
    """Everything that determines the voltages and currents of one array."""

    tile: TileSection = TileSection()

    def check(self) -> None:
        """Rules that join several keys."""
        tile = self.tile
        rows, cols = parse_tile(tile.size)
        require(rows * cols <= MOST_DEVICES, f"tile.size = {tile.size}: at most {MOST_DEVICES} devices")
        require(
            tile.r_on_ohm < tile.r_off_ohm,
            f"tile.r_on_ohm = {tile.r_on_ohm:g} must be below tile.r_off_ohm = {tile.r_off_ohm:g}",
        )
        given = sorted(set(OF_RANDOM_ARRAYS) & tile.model_fields_set)
        require(
            tile.run is None or not given,
            f"{', '.join(f'tile.{name}' for name in given)} belong to random arrays; a map run, tile.run, brings its own",
        )
        require(tile.layer is None or tile.run is not None, "tile.layer needs tile.run, a map run")

    def in_use(self) -> dict[str, Any]:
        """Without what a map run brings itself."""
        found = super().in_use()
        if self.tile.run is not None:
            found["tile"] = {key: value for key, value in found["tile"].items() if key not in OF_RANDOM_ARRAYS}
        return found
