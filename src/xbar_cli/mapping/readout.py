"""What stands behind the columns of a layer: the digital side that turns column outputs into signed outputs.

For every scheme a signed weight is `combine(m)/slope + digital`: differences of columns (`periphery`) or shift-and-add of
slices (`bitslice`), in conductance per unit of weight, and a weight that the digital side adds. That weight times the
input is what the shift by `Σx` of an offset code comes to. Residual tiles have several differences an output, which the digital
side adds with a factor each.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
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
        factors: of the differences that one output is the sum of, neighbours (residual tiles); one difference without any.

    Raises:
        ValueError: another scheme, or a format with or without the scheme that needs one.
    """

    scheme: str
    fmt: SliceFormat | None = None
    groups: int = 1
    factors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got {self.scheme!r}")
        if (self.fmt is None) == (self.scheme == "bitslice"):
            raise ValueError(f"a slice format belongs to scheme 'bitslice' alone, got scheme {self.scheme!r}")
        if self.factors and self.fmt is not None:
            raise ValueError("slices have radices, and no factors besides")

    @property
    def one(self) -> "Readout":
        """What stands behind the columns of one group."""
        return replace(self, groups=1)

    def columns(self, n_out: int) -> int:
        """Physical columns of `n_out` signed outputs; slices of one output are neighbours."""
        if self.groups > 1:
            return self.groups * self.one.columns(n_out // self.groups)
        if self.fmt is not None:
            return n_out * self.fmt.n_planes
        return device_columns(self.scheme, n_out * max(len(self.factors), 1))

    def outputs(self, n_columns: int) -> int:
        """Signed outputs of `n_columns` physical columns: the inverse of `columns`. Raises ValueError for others."""
        if self.groups > 1:
            return self.groups * self.one.outputs(n_columns // self.groups)
        if self.fmt is None:
            found, each = outputs(self.scheme, n_columns), max(len(self.factors), 1)
            if found % each:
                raise ValueError(f"{n_columns} columns make {found} differences, which are no multiple of {each}")
            return found // each
        if n_columns < 1 or n_columns % self.fmt.n_planes:
            raise ValueError(f"n_columns must be a multiple of {self.fmt.n_planes} slices, got {n_columns}")
        return n_columns // self.fmt.n_planes

    def combine(self, m: Float[AnyArray, "*batch columns"]) -> Float[AnyArray, "*batch out"]:
        """Differences, or shift-and-add, of one value per physical column, in the unit of `m`."""
        if self.groups > 1:
            parts = self.one.combine(m.reshape(*m.shape[:-1], self.groups, -1))
            return parts.reshape(*m.shape[:-1], -1)
        if self.fmt is None:
            differences = combine(self.scheme, m)
            if not self.factors:
                return differences
            parts = differences.reshape(*m.shape[:-1], self.outputs(m.shape[-1]), len(self.factors))
            return parts @ namespace(m).asarray(self.factors, dtype=m.dtype)
        planes = m.reshape(*m.shape[:-1], self.outputs(m.shape[-1]), self.fmt.n_planes)
        return planes @ namespace(m).asarray(self.fmt.radices, dtype=m.dtype)

    def attributes(self) -> dict[str, Any]:
        """All but the scheme, as attributes of a file."""
        found: dict[str, Any] = {} if self.groups == 1 else {"groups": self.groups}
        if self.factors:
            found["residual_factors"] = np.asarray(self.factors)
        return found if self.fmt is None else found | {f"slice_{key}": value for key, value in asdict(self.fmt).items()}

    @classmethod
    def of(cls, scheme: str, attributes: Mapping[Any, Any]) -> "Readout":
        """What has these `attributes`."""
        fmt = None
        if "slice_encoding" in attributes:
            bits = {key: int(attributes[f"slice_{key}"]) for key in ("weight_bits", "device_bits")}
            point = float(attributes["slice_fraction_bits"])
            fmt = SliceFormat(**bits, fraction_bits=point, encoding=attributes["slice_encoding"])
        factors = tuple(float(factor) for factor in np.atleast_1d(attributes.get("residual_factors", ())))
        return cls(scheme, fmt, int(attributes.get("groups", 1)), factors)
