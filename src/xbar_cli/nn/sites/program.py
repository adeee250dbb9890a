"""A network as a traced program: a function of its variables and of a batch, and the layers that it has on arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core

from .forms import Form, ImageAxis, form_of, images_of
from .known import leaf, shape_of
from .survey import Left, Path, Survey, Use, survey, trace

COUNTS = (2, 3)
"""ImageAxis of the two traces that tell the axis of the images from others."""


@dataclass(frozen=True)
class Variable:
    """A variable of the network.

    Attributes:
        name: its dotted place.
        kind: a parameter, what training keeps beside them (`state`), or what random numbers are drawn from.
        value: shape and dtype.
    """

    name: str
    kind: Literal["parameter", "state", "random"]
    value: jax.ShapeDtypeStruct


class TracedPlan(NamedTuple):
    """The program for one shape of a batch.

    Attributes:
        program: `(*variables, batch) -> (outputs, *variables other than parameters)`.
        survey: its products.
        forms: of those that arrays can take, by place.
        left: those that stay digital.
    """

    program: core.ClosedJaxpr
    survey: Survey
    forms: dict[Path, Form]
    left: list[Left]


@dataclass(eq=False)
class Program:
    """What a network computes.

    Attributes:
        function: `(values of the variables, batch, training) -> (outputs, new values of those that are no parameters)`.
        variables: of the network.
        plans: by shape and dtype of the batch and whether it is a training pass; filled as they are asked for.
        places: of the images in every product's inputs, by the same but for their number.
    """

    function: Callable[[Sequence[Any], Any, bool], tuple[Any, list[Any]]]
    variables: tuple[Variable, ...]
    plans: dict[Any, TracedPlan] = field(default_factory=dict)
    places: dict[Any, dict[Path, ImageAxis | ValueError]] = field(default_factory=dict)

    def plan(self, shape: tuple[int, ...], dtype: Any, *, training: bool) -> TracedPlan:
        """The program for batches of a shape [images …].

        Raises:
            ValueError: it differs with the number of images in more than its shapes.
        """
        key = (shape, jnp.dtype(dtype).name, training)
        if key not in self.plans:
            self.plans[key] = self._planned(shape, dtype, training)
        return self.plans[key]

    def _planned(self, shape: tuple[int, ...], dtype: Any, training: bool) -> TracedPlan:
        program, found = self._surveyed(shape, dtype, training)
        kind = (shape[1:], jnp.dtype(dtype).name, training)
        places = self.places.get(kind) or self.places.setdefault(kind, self._images(shape[1:], dtype, training))
        if set(places) != set(found.uses):
            raise ValueError("the network's program changes with the number of images; write it for any number")
        forms: dict[Path, Form] = {}
        left = list(found.left)
        for path, use in found.uses.items():
            try:
                images = places[path]
                if isinstance(images, ValueError):
                    raise images
                forms[path] = form_of(use.equation, kernel_first=use.kernel_first, images=images)
            except ValueError as error:
                shapes = tuple(shape_of(atom) for atom in use.equation.invars)
                left.append(Left(use.equation.primitive.name, shapes, str(error), use.turns, use.kernel.leaves))
        for path in set(found.uses) - set(forms):
            for name in found.uses.pop(path).kernel.leaves:
                found.touched.setdefault(name, []).append("product")
        return TracedPlan(program, found, forms, left)

    def kernels(self, values: Sequence[Any], shape: tuple[int, ...], dtype: Any) -> dict[Path, Any]:
        """What is multiplied with the inputs at each product, of the values of the variables."""
        _, found = self._surveyed((COUNTS[0], *shape), dtype, False, values)
        return {path: use.kernel.value for path, use in found.uses.items()}

    def _surveyed(
        self, shape: tuple[int, ...], dtype: Any, training: bool, values: Sequence[Any] | None = None
    ) -> tuple[core.ClosedJaxpr, Survey]:
        batch = jax.ShapeDtypeStruct(shape, dtype)
        types = [variable.value for variable in self.variables]
        program = trace(lambda values, x: self.function(values, x, training), types, batch)
        known = [
            None if variable.kind == "random" else leaf(variable.name, value)
            for variable, value in zip(self.variables, values or types, strict=True)
        ]
        return program, survey(program, [*known, None])

    def _images(self, shape: tuple[int, ...], dtype: Any, training: bool) -> dict[Path, ImageAxis | ValueError]:
        """Where the images are in every product's inputs, or why they are nowhere."""
        first, second = (self._surveyed((count, *shape), dtype, training)[1].uses for count in COUNTS)
        places: dict[Path, ImageAxis | ValueError] = {}
        for path in set(first) & set(second):
            try:
                places[path] = images_of((_input_shape(first[path]), _input_shape(second[path])), COUNTS)
            except ValueError as error:
                places[path] = error
        return places


def _input_shape(use: Use) -> tuple[int, ...]:
    return shape_of(use.equation.invars[use.input])
