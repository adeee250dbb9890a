"""Array types of the whole package: jaxtyping aliases; index order `[rows cols]` = `[inputs outputs]`."""

import numpy as np
from jax import Array
from jaxtyping import Float

__all__ = ["AnyArray", "Array", "Conductances", "Currents"]

AnyArray = Array | np.ndarray
"""An array of JAX or of NumPy, for functions that serve both (`numerics.namespace`)."""
Conductances = Float[Array, "rows cols"]
"""Conductances of one array [S]."""
Currents = Float[Array, "*batch cols"]
"""Column currents of one array [A]."""
