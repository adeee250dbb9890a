"""What computes Monte-Carlo samples: chips as functions of (seed, i) alone, spread over the local devices.

A *stage* is a function of one sample. It is compiled once, for a fixed number of samples on each device, whatever the
number of samples, of devices or of calls is: the numbers that one sample sees are computed by the same code everywhere,
and memory does not grow with the number of samples.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from xbar_cli.nn.contracts import Convolution, MatrixProduct
from xbar_cli.nn.layers import Product
from xbar_cli.nn.loops import Stepping, entered, findings
from xbar_cli.numerics import quick_compilation

AXIS = "sample"
Inner = Literal["map", "vmap", "patches"]


@dataclass(frozen=True)
class Strategy:
    """How the samples of one device are computed.

    Attributes:
        inner: `map`: one after the other; `vmap`: at once, so that convolutions, each sample with its own kernel, are
            grouped; `patches`: at once, convolutions being batched products of patches.
        width: samples of one device in one call. It is no function of how many samples there are.
    """

    inner: Inner = "map"
    width: int = 1


STRATEGIES = {"cpu": Strategy("map", 1)}
"""By backend, as measured in docs/monte_carlo.md; another backend takes the CPU's until it is measured."""


def strategy_here() -> Strategy:
    """The strategy of this process's backend."""
    return STRATEGIES.get(jax.default_backend(), STRATEGIES["cpu"])


class Patches(Convolution):
    """A convolution computed as the product of its patches: batched kernels make it one batched matrix product."""

    def __call__(self, x: Array, kernel: Array) -> Array:
        """The output images."""
        return MatrixProduct(self.groups)(self.rows(x, kernel.shape[:-2]), kernel.reshape(-1, kernel.shape[-1]))


def by_patches(product: Product) -> Product:
    """The product with convolutions by patches."""
    return Patched(product)


@dataclass
class Patched:
    """A product whose convolutions are computed by patches.

    Attributes:
        product: that computes.
    """

    product: Product

    def __call__(self, name: str, x: Array, kernel: Array, contract: Any) -> Array:
        """The outputs of a layer."""
        swapped = Patches(**vars(contract)) if isinstance(contract, Convolution) else contract
        return self.product(name, x, kernel, swapped)

    def enter(self, step: Array | int, steps: int) -> "Patched":
        """The same in a step of a loop."""
        return Patched(entered(self.product, step, steps))

    def found(self) -> Any:
        """What the product found."""
        return findings(self.product)

    def absorb(self, found: Any, steps: int) -> None:
        """Hands on what the steps of a loop found."""
        if isinstance(self.product, Stepping):
            self.product.absorb(found, steps)


@dataclass(frozen=True)
class Executor:
    """Where samples are computed, and how.

    Attributes:
        mesh: of the local devices, along `sample`.
        strategy: within each.
    """

    mesh: Mesh
    strategy: Strategy

    @property
    def chunk(self) -> int:
        """Samples of one call."""
        return self.mesh.size * self.strategy.width

    def chunks(self, n: int, *, first: int = 0) -> Iterator[tuple[range, Array]]:
        """The numbers of `n` samples from `first` on, by chunks, and as an array that the last one fills up with more of them."""
        for start in range(first, first + n, self.chunk):
            numbers = np.arange(start, start + self.chunk, dtype=np.uint32)
            split = jax.device_put(numbers, NamedSharding(self.mesh, P(AXIS)))
            yield range(start, min(start + self.chunk, first + n)), split

    def shared(self, tree: Any) -> Any:
        """Arrays that every device needs whole."""
        return jax.device_put(tree, NamedSharding(self.mesh, P()))

    def alike(self, tree: Any, numbers: Array) -> Any:
        """What a stage gives of samples that are all the same."""
        return self.stage(lambda shared, number: shared)(self.shared(tree), numbers)

    def stage(self, function: Callable[..., Any], *, quick: bool = False) -> Callable[..., Any]:
        """The compiled stage of `function(shared, *of_one_sample)`: `(shared, *of_the_samples) -> of_the_samples`.

        What belongs to samples has their number as its first axis; `quick` is for what does little but matrix products.
        """

        def block(shared: Any, *of_samples: Any) -> Any:
            def one(of_one: tuple[Any, ...]) -> Any:
                return function(shared, *of_one)

            if self.strategy.width == 1:  # no loop around it for XLA to see
                of_one = jax.tree.map(lambda leaf: leaf[0], of_samples)
                return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], one(of_one))
            return jax.lax.map(one, of_samples) if self.strategy.inner == "map" else jax.vmap(one)(of_samples)

        def spread(shared: Any, *of_samples: Any) -> Any:
            specs = (P(), *(P(AXIS),) * len(of_samples))
            return jax.shard_map(block, mesh=self.mesh, in_specs=specs, out_specs=P(AXIS), check_vma=False)(
                shared, *of_samples
            )

        return jax.jit(spread, compiler_options=quick_compilation() if quick else None)


def make_executor(n: int, strategy: Strategy | None = None) -> Executor:
    """The executor for `n` samples, on no more of the local devices than that."""
    devices = jax.local_devices()[:n]
    mesh = jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)
    return Executor(mesh, strategy or strategy_here())


@dataclass(frozen=True)
class Hoisted:
    """A function whose captured arrays are an argument; XLA would compile them in as literals.

    Attributes:
        function: `(captured, *args)`.
        captured: the arrays.
    """

    function: Callable[..., Any]
    captured: list[Any]


def hoist(function: Callable[..., Any], *examples: Any) -> Hoisted:
    """`function`, traced for arguments like `examples`; its result is of plain lists, tuples and dicts."""
    trees: list[Any] = []

    def leaves(*args: Any) -> list[Array]:
        values, tree = jax.tree.flatten(function(*args))
        trees.append(tree)
        return values

    closed = jax.make_jaxpr(leaves)(*examples)

    def call(captured: list[Any], *args: Any) -> Any:
        found = jaxpr_as_fun(ClosedJaxpr(closed.jaxpr, captured))(*jax.tree.leaves(args))
        return jax.tree.unflatten(trees[0], found)

    return Hoisted(call, closed.consts)


def chip_stage(
    executor: Executor, function: Callable[..., Any], root: Array, *shapes: Any, quick: bool = False
) -> Callable[..., Any]:
    """The compiled stage of `function(*of_one_chip, key)`: `(numbers of chips, *of_the_chips) -> of_the_chips`.

    The key of a chip is that of its number under `root`; arrays that `function` captures are arguments of the program.

    Args:
        executor: computes it.
        function: its result is of plain lists, tuples and dicts.
        root: key.
        shapes: of what belongs to a chip, or examples.
        quick: as `Executor.stage` has it.
    """
    hoisted = hoist(function, *shapes, root)

    def one(shared: Any, number: Array, *of_one: Any) -> Any:
        captured, root = shared
        return hoisted.function(captured, *of_one, jax.random.fold_in(root, number))

    return partial(executor.stage(one, quick=quick), executor.shared((hoisted.captured, root)))
