"""Arrays of NumPy in double precision, for modules that load no JAX."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
"""Values along one axis."""
Matrix = NDArray[np.float64]
"""Values along two axes or more."""
Floats = NDArray[np.float64]
"""Values of any shape."""
