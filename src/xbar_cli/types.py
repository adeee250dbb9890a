"""Types of the whole package: tasks, and jaxtyping aliases; index order `[rows cols]` = `[inputs outputs]`."""

from typing import Literal

import numpy as np
from jax import Array
from jaxtyping import Float, Float32, Float64, Int, Key, PRNGKeyArray

Task = Literal["classification", "regression", "labelling", "next_token"]
"""What a network answers: a class of the whole input, numbers, a class at each place of a sequence, the token that follows."""

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
    "Task",
    "Voltages",
]
