"""Arrays of NumPy in double precision, for modules that load no JAX."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
"""Values along one axis."""
Matrix = NDArray[np.float64]
"""Values along two axes or more."""
Floats = NDArray[np.float64]
"""Values of any shape."""
if TYPE_CHECKING:
    Figure = float
    Count = int
else:
    Figure = Count = Any
"""A number, or a whole one, in formulas that are the same for a traced number of JAX, of which nothing is known."""
