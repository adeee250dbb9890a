"""What stands behind the columns of a layer: the digital side that turns column outputs into signed outputs.

For every scheme a signed weight is `combine(m)/slope + digital`: differences of columns (`periphery`) or shift-and-add of
slices (`bitslice`), in conductance per unit of weight, and a weight that the digital side adds. That weight times the
input is what the shift by `Σx` of an offset code comes to.
"""

from dataclasses import dataclass, replace

from jaxtyping import Float

from xbar_cli.numerics import namespace
from xbar_cli.types import AnyArray

from .bitslice import SliceFormat
from .periphery import SCHEMES as DIFFERENCES
from .periphery import combine, device_columns, outputs

SCHEMES = (*DIFFERENCES, "bitslice")


@dataclass(frozen=True)
class Readout:
    """How columns become signed outputs.

    Attributes:
        scheme: "de", "bc", "acm" or "bitslice".
        fmt: how weights are cut into slices; None but for "bitslice".
        groups: equal parts of the outputs, each on columns, and arrays, of its own: those of a grouped convolution.

    Raises:
        ValueError: another scheme, or a format with or without the scheme that needs one.
    """

    scheme: str
    fmt: SliceFormat | None = None
    groups: int = 1

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got {self.scheme!r}")
        if (self.fmt is None) == (self.scheme == "bitslice"):
            raise ValueError(f"a slice format belongs to scheme 'bitslice' alone, got scheme {self.scheme!r}")

    @property
    def one(self) -> "Readout":
        """What stands behind the columns of one group."""
        return replace(self, groups=1)

    def columns(self, n_out: int) -> int:
        """Physical columns of `n_out` signed outputs; slices of one output are neighbours."""
        if self.groups > 1:
            return self.groups * self.one.columns(n_out // self.groups)
        return device_columns(self.scheme, n_out) if self.fmt is None else n_out * self.fmt.n_planes

    def outputs(self, n_columns: int) -> int:
        """Signed outputs of `n_columns` physical columns: the inverse of `columns`. Raises ValueError for others."""
        if self.groups > 1:
            return self.groups * self.one.outputs(n_columns // self.groups)
        if self.fmt is None:
            return outputs(self.scheme, n_columns)
        if n_columns < 1 or n_columns % self.fmt.n_planes:
            raise ValueError(f"n_columns must be a multiple of {self.fmt.n_planes} slices, got {n_columns}")
        return n_columns // self.fmt.n_planes

    def combine(self, m: Float[AnyArray, "*batch columns"]) -> Float[AnyArray, "*batch out"]:
        """Differences, or shift-and-add, of one value per physical column, in the unit of `m`."""
        if self.groups > 1:
            parts = self.one.combine(m.reshape(*m.shape[:-1], self.groups, -1))
            return parts.reshape(*m.shape[:-1], -1)
        if self.fmt is None:
            return combine(self.scheme, m)
        planes = m.reshape(*m.shape[:-1], self.outputs(m.shape[-1]), self.fmt.n_planes)
        return planes @ namespace(m).asarray(self.fmt.radices, dtype=m.dtype)
