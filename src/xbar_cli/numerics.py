"""Numerical helpers that every room shares: straight-through gradients, the float64 scope, named random streams."""

import os
import resource
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from xbar_cli.errors import ConfigError

Tree = TypeVar("Tree")


def namespace(x: Any) -> Any:
    """`numpy` for NumPy arrays and `jax.numpy` for JAX arrays: the same lines then serve both.

    Mappings of trained weights are computed by NumPy: without a loop to repeat, JAX would spend seconds compiling each
    small operation for each layer's shape.
    """
    return x.__array_namespace__()


def straight_through(function: Callable[[Array], Array], x: Array) -> Array:
    """`function(x)` in the forward pass, the identity in the backward pass; it keeps shape and dtype, such as a quantiser.

    References:
        Bengio, Léonard, Courville (2013), arXiv 1308.3432, the straight-through estimator.
    """
    return x + jax.lax.stop_gradient(function(x) - x)


def stream(key: Array, name: str) -> Array:
    """The random key of the stream called `name`: the same for the same key and name, whatever is drawn elsewhere."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def kept(tree: Tree) -> Callable[[], Tree]:
    """What gives the numbers and arrays of `tree` back as values of the program that is traced around it.

    A scalar that a traced function closes over becomes a literal, and other numbers another program; here each has an axis more,
    and is an array that the function has captured.
    """
    leaves, structure = jax.tree.flatten(tree)
    rows = [np.asarray(leaf)[None] for leaf in leaves]
    return lambda: jax.tree.unflatten(structure, [jnp.asarray(row)[0] for row in rows])


def require_memory(size: float, *, of: str, less: str) -> None:
    """Raise before more is asked for than the machine has, which would end other programs.

    Args:
        size: bytes that will be asked for, roughly.
        of: what takes them, with the values that decide.
        less: the keys that make it less.

    Raises:
        ConfigError: it is more than the memory, or more than this process may have of it.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    there = memory if limit == resource.RLIM_INFINITY else min(memory, limit)
    if size > there:
        raise ConfigError(
            f"{of} takes about {size / 2**30:.3g} GiB of memory, and there are {there / 2**30:.3g}: reduce {less}"
        )


def quick_compilation() -> dict[str, Any] | None:
    """Compiler options for a program whose time is in matrix products: half the compilation, the same time to run.

    XLA's products on a CPU are library calls, and optimising what stands between them takes longer than it saves. None on
    other backends, and where the user's XLA_FLAGS set the level.

    Accuracy:
        The fold of 128×128 devices: 6.2 s of CPU to compile for 13.6 s, 11 ms to run for 11 ms, and the same results in float32.
    """
    if jax.default_backend() != "cpu" or "xla_backend_optimization_level" in os.environ.get("XLA_FLAGS", ""):
        return None
    return {
        "xla_backend_optimization_level": 1,
        "xla_llvm_disable_expensive_passes": True,
        "xla_cpu_use_fusion_emitters": False,
    }


def in_float64(function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` computed in float64 whatever precision the process uses, returned in the caller's precision.

    Sound when called eagerly and inside an outer `jit`, `grad`, `vmap` or `lax.map` traced in float32 mode: the rules
    that JAX applies to a float64 program after its `enable_x64` scope has closed would mix precisions (reverse mode
    through an outer `jit` does), so forward and backward pass each open their own scope (`jax.custom_vjp`).
    Forward-mode differentiation is therefore only there where the arguments are float64 already: `function` is then
    called as it is.

    Args:
        function: pure; must not capture traced arrays. It returns a pytree of floating-point arrays.
        args: pytrees. Their floating-point JAX arrays become float64; every other leaf (a Python number, None) passes
            unchanged, so what is static for the caller stays static for `function`.

    Returns:
        What `function` returns, in the dtype of the first floating-point array among `args`.
    """
    leaves, tree = jax.tree.flatten(args)
    places = [
        n for n, leaf in enumerate(leaves) if isinstance(leaf, Array) and jnp.issubdtype(leaf.dtype, jnp.floating)
    ]
    dtypes = [leaves[n].dtype for n in places]
    if jax.config.read("jax_enable_x64") and all(dtype == jnp.float64 for dtype in dtypes):
        return function(*args)
    dtype = dtypes[0] if dtypes else jnp.float32

    def widened(*arrays: Array) -> Any:
        filled = list(leaves)
        for place, array in zip(places, arrays, strict=True):
            filled[place] = array.astype(jnp.float64)
        return jax.tree.map(lambda out: out.astype(dtype), function(*jax.tree.unflatten(tree, filled)))

    @jax.custom_vjp
    def wide(*arrays: Array) -> Any:
        with jax.enable_x64(True):
            return widened(*arrays)

    def forward(*arrays: Array) -> Any:
        with jax.enable_x64(True):
            return jax.vjp(widened, *arrays)

    def backward(pullback: Callable[[Any], tuple[Array, ...]], cotangents: Any) -> tuple[Array, ...]:
        with jax.enable_x64(True):
            return pullback(cotangents)

    wide.defvjp(forward, backward)
    return wide(*(leaves[place] for place in places))


def along_last(vector: Array, like: Array) -> Array:
    """`vector` [n] in the rank of `like` [… n], so that the two combine without implicit rank promotion."""
    return vector.reshape((1,) * (like.ndim - 1) + (-1,))
