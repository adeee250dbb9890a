"""Array types of the whole package: jaxtyping aliases; index order `[rows cols]` = `[inputs outputs]`."""

from jax import Array
from jaxtyping import Float, Float32, Float64, Int, Key, PRNGKeyArray

Conductances = Float[Array, "rows cols"]
"""Conductances of one array [S]."""

Voltages = Float[Array, "*batch rows"]
"""Row voltages of one array [V]."""

Currents = Float[Array, "*batch cols"]
"""Column currents of one array [A]."""

__all__ = [
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
