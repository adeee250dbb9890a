"""What a layer of a network asks of its arrays, whatever the model that costs it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xbar_cli.energy.reading import Reading
from xbar_cli.vectors import Figure


@dataclass(frozen=True)
class LayerWork:
    """One mapped layer with its activity, for one image.

    Attributes:
        name: of the layer.
        rows: rows of its devices, or of those of one group of its outputs.
        columns: columns of its devices, or of those of one group.
        outputs: outputs of one product, of all groups.
        positions: products of an image.
        phases: reads of one input vector: 2 where activations have both signs.
        reading: row drive and converters.
        tile: rows and columns of one array.
        r_on: resistance of a memristor in its low state [ohm].
        volt: voltage of a row at full drive [V].
        driven_rows: rows driven, summed over rows, phases and cycles of one product: pulses, widths as shares of a whole one,
            or `(V/volt)²`; mean over the data.
        watt: where power is dissipated, `cells` first and any wires, sources and neurons: summed over the phases and cycles
            of one product, mean over the data [W].
        vg: gate voltage [V]; None on resistive arrays.
        groups: equal parts of its outputs that see other inputs, on arrays of their own that are read at once.
    """

    name: str
    rows: int
    columns: int
    outputs: int
    positions: int
    phases: int
    reading: Reading
    tile: tuple[int, int]
    r_on: float
    volt: Figure
    driven_rows: float
    watt: Mapping[str, Figure]
    vg: Figure | None = None
    groups: int = 1

    @property
    def cycles(self) -> int:
        """Pulses of an input."""
        return self.reading.cycles

    @property
    def drives(self) -> int:
        """Times that each row is driven for one image."""
        return self.positions * self.phases * self.cycles

    @property
    def turns(self) -> int:
        """Groups of rows of an array that are read one after the other, in the fullest one."""
        return self.reading.groups(min(self.rows, self.tile[0]))

    @property
    def reads(self) -> int:
        """Reads for one image, one after the other."""
        return self.drives * self.turns

    @property
    def sensed(self) -> int:
        """Currents converted for each pulse of one product: each group of rows of each array gives some, or all together."""
        if not self.reading.analog:
            return self.held
        return sum(
            self.groups * self.reading.converted(columns) * count
            for columns, count in _parts(self.columns, self.tile[1])
        )

    @property
    def held(self) -> int:
        """Currents that are sampled for each pulse of one product: of each group of rows of each array."""
        return sum(
            self.reading.groups(rows) * self.reading.converted(columns) * count
            for rows, columns, count in self.tiles_used()
        )

    @property
    def macs(self) -> int:
        """Multiply-accumulates of an image."""
        return self.positions * self.rows * self.outputs

    @property
    def bands(self) -> tuple[int, int]:
        """Arrays below each other, and beside each other, of one group."""
        return -(-self.rows // self.tile[0]), -(-self.columns // self.tile[1])

    @property
    def tiles(self) -> int:
        """Arrays; those that are used in part count whole."""
        return self.groups * self.bands[0] * self.bands[1]

    @property
    def converting(self) -> int:
        """Arrays that have converters: all, or those at the lower end where charges are added in front of them."""
        return self.tiles // self.bands[0] if self.reading.analog else self.tiles

    def seconds(self, read: float, conversion: float) -> float:
        """Time of one image [s], of so long a read of a group of rows and conversion of its currents, which overlap."""
        if self.reading.analog:
            return self.drives * max(self.turns * read, conversion)
        return self.reads * max(read, conversion)

    @property
    def devices(self) -> int:
        """Devices that hold weights."""
        return self.groups * self.rows * self.columns

    def tiles_used(self) -> Iterator[tuple[int, int, int]]:
        """Rows and columns in use of each kind of array, and how many there are of it: whole ones and those at the ends."""
        for rows, down in _parts(self.rows, self.tile[0]):
            for columns, across in _parts(self.columns, self.tile[1]):
                yield rows, columns, self.groups * down * across


def _parts(length: int, size: int) -> list[tuple[int, int]]:
    whole, rest = divmod(length, size)
    return [(used, count) for used, count in ((size, whole), (rest, 1 if rest else 0)) if count]
