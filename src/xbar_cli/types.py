"""Array types of the whole package: jaxtyping aliases; index order `[rows cols]` = `[inputs outputs]`."""

import numpy as np
from jax import Array
from jaxtyping import Float, Float32, Float64, Int, Key, PRNGKeyArray

AnyArray = Array | np.ndarray
"""An array of JAX or of NumPy, for functions that serve both (`numerics.namespace`)."""

Conductances = Float[Array, "rows cols"]
"""Conductances of one array [S]."""

Voltages = Float[Array, "*batch rows"]
"""Row voltages of one array [V]."""

Currents = Float[Array, "*batch cols"]
"""Column currents of one array [A]."""

__all__ = [
    "AnyArray",
    "Array",
    "Conductances",
    "Currents",
    "Float",
    "Float32",
    "Float64",
    "Int",
    "Key",
    "PRNGKeyArray",
    "Voltages",
]
