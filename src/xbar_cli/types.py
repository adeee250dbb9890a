"""Array types of the whole package: jaxtyping aliases; index order `[rows cols]` = `[inputs outputs]`."""

from typing import TYPE_CHECKING

import numpy as np
from jax import Array
from jaxtyping import Float

__all__ = ["AnyArray", "Array", "Conductances", "Count", "Currents", "Figure"]

AnyArray = Array | np.ndarray
"""An array of JAX or of NumPy, for functions that serve both (`numerics.namespace`)."""
Conductances = Float[Array, "rows cols"]
"""Conductances of one array [S]."""
Currents = Float[Array, "*batch cols"]
"""Column currents of one array [A]."""
if TYPE_CHECKING:
    Figure = float
    Count = int
else:
    Figure = float | int | Array
    Count = int | Array
"""A number, or a whole one, in formulas that are the same for a traced number of JAX, of which nothing is known."""
