"""Products that keep something of what they read, inside the loops of a network: a step's findings leave it as values.

A `Product` may have three more methods. One without them computes, keeps nothing, and is the same at every step.
"""

from typing import Any, Protocol, runtime_checkable

import jax

from .layers import Product

UNROLLED = "unrolled"
"""The attribute of a product that can't go into a traced loop: the loop's steps are then computed one after the other."""


@runtime_checkable
class Stepping(Protocol):
    """A product that draws, counts or records."""

    def enter(self, step: jax.Array | int, steps: int) -> Any:
        """The product of one of the `steps` of a loop, with nothing found yet."""
        ...

    def found(self) -> Any:
        """What it found, as a pytree of arrays."""
        ...

    def absorb(self, found: Any, steps: int) -> None:
        """Takes what the steps of a loop found, stacked along the first axis."""
        ...


def one_by_one(product: Product) -> Product:
    """The same product, marked: it changes what is outside of it, so that loops are computed step by step."""
    setattr(product, UNROLLED, True)
    return product


def entered(product: Product, step: jax.Array | int, steps: int) -> Product:
    """The product of one step of a loop."""
    return product.enter(step, steps) if isinstance(product, Stepping) else product


def findings(product: Product) -> Any:
    """What a product found; an empty tuple where it keeps nothing."""
    return product.found() if isinstance(product, Stepping) else ()
