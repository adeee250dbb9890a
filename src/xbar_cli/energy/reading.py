"""How arrays are read: what decides how many reads, row drives and conversions a product takes."""

import math
from dataclasses import dataclass
from typing import Literal

from xbar_cli.vectors import Count

InputCoding = Literal["amplitude", "bitserial", "pwm"]


@dataclass(frozen=True)
class Reading:
    """Row drive and converters of every array.

    Attributes:
        coding: activations as voltages, as one bit a cycle, or as pulse widths.
        input_bits: resolution of an input: of the voltages, the pulses of a bit-serial one, or of the widths.
        adc_bits: of the converters.
        columns_per_adc: columns of a tile that share a converter; the model's own number when None.
        rows_at_once: rows of a tile that are driven in one read; all of them when None.
        pair: whether the difference of the two columns of a weight is converted, in place of each of them.
        analog: whether what tiles below each other and groups of rows give is added as charge, and converted once.
    """

    coding: InputCoding
    input_bits: int
    adc_bits: Count
    columns_per_adc: int | None = None
    rows_at_once: int | None = None
    pair: bool = False
    analog: bool = False

    @property
    def cycles(self) -> int:
        """Pulses of an input: a read each."""
        return self.input_bits if self.coding == "bitserial" else 1

    def active(self, rows: int) -> int:
        """Rows driven at once, of so many of a tile."""
        return rows if self.rows_at_once is None else min(rows, self.rows_at_once)

    def groups(self, rows: int) -> int:
        """Reads that so many rows of a tile take, one group of rows after the other."""
        return math.ceil(rows / self.active(rows))

    def converted(self, columns: int) -> int:
        """Conversions of so many columns in one read."""
        return math.ceil(columns / 2) if self.pair else columns

    def shared(self, columns: int, *, own: int) -> int:
        """Columns of one converter in tiles of so many columns, `own` being the model's number."""
        least = 2 if self.pair else 1
        return min(max(self.columns_per_adc or own, least), columns)

    def converters(self, columns: int, *, own: int) -> int:
        """Converters of a tile of so many columns."""
        return math.ceil(columns / self.shared(columns, own=own))

    def steps(self, columns: int, *, own: int) -> int:
        """Conversions that a converter makes one after the other in one read, of a tile of so many columns."""
        return self.converted(self.shared(columns, own=own))
