"""A user's network file: Python that is run, and must make a module for inputs of a shape and a number of outputs."""

import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from xbar_cli.errors import NetworkFileError
from xbar_cli.outside import quoted, read_text

from .crossbar import Crossbar, to_crossbar

LARGEST_BYTES = 1 << 20
"""Of a network file."""


def own_network(
    file: Path,
    name: str,
    *,
    shape: tuple[int, ...],
    outputs: int,
    seed: int,
    args: Mapping[str, Any],
    dtype: Any = jnp.float32,
) -> Crossbar:
    """The network that `name` of `file` makes, its products ready for arrays.

    `name` is an `nnx.Module` class or a function. Of `shape` (of one input), `n_classes` (or `outputs`), `rngs` and `seed` it is
    given by keyword those that it takes, besides `args`.

    Raises:
        NetworkFileError: the file is missing, raises, has no such name, or its network is none that arrays can hold.
    """
    factory = _loaded(file, name)
    given = {"shape": shape, "n_classes": outputs, "outputs": outputs, "rngs": nnx.Rngs(seed), "seed": seed}
    found = _called(file, lambda: factory(**_accepted(factory, given), **args), f"{name}(…)")
    if not isinstance(found, nnx.Module):
        raise NetworkFileError(f"{file}: {name} must make an nnx.Module, got {quoted(type(found).__name__)}")
    try:
        net = _called(file, lambda: to_crossbar(found, shape=shape, dtype=dtype), f"{name} on inputs of shape {shape}")
    except ValueError as error:
        raise NetworkFileError(f"{file}: {name}: {error}") from None
    require_outputs(net, f"{file}: {name}", shape=shape, outputs=outputs, dtype=dtype)
    return net


def require_outputs(net: Crossbar, where: str, *, shape: tuple[int, ...], outputs: int, dtype: Any) -> None:
    """Raises NetworkFileError where a network does not make `outputs` numbers of every input."""
    made = jax.eval_shape(net, jax.ShapeDtypeStruct((2, *shape), dtype))
    made_shape = getattr(made, "shape", ())
    if not made_shape or made_shape[0] != 2 or made_shape[-1] != outputs:
        raise NetworkFileError(
            f"{where} makes outputs of shape {list(made_shape)} for 2 inputs; wanted are 2 of {outputs} numbers each"
        )


def _loaded(file: Path, name: str) -> Callable[..., Any]:
    """What is called `name` in `file`, which is run."""
    text = read_text(file, most=LARGEST_BYTES)
    spec = spec_from_file_location(f"xbar_network_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise NetworkFileError(f"{file} is no Python file: its name must end in .py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickling look a class's module up there
    _called(file, lambda: exec(compile(text, str(file), "exec"), vars(module)), "the file")
    if not callable(found := getattr(module, name, None)):
        names = [key for key, value in vars(module).items() if callable(value) and value.__module__ == spec.name]
        raise NetworkFileError(
            f"{file} has nothing to call named {quoted(name)}; it has {quoted(', '.join(names) or 'nothing')}"
        )
    return found


def _accepted(factory: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the given arguments that a class or a function takes by their names."""
    made_by = factory.__init__ if isinstance(factory, type) else factory  # a module's class takes anything
    parameters = inspect.signature(made_by).parameters.values()
    return {p.name: given[p.name] for p in parameters if p.name in given}


def _called(file: Path, function: Callable[[], Any], what: str) -> Any:
    """What a function of the user's returns.

    Raises:
        NetworkFileError: it raises; with the traceback of the user's own lines.
    """
    try:
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return function()
    except (KeyboardInterrupt, MemoryError, NetworkFileError):
        raise
    except BaseException as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        if not frames and not isinstance(error, SyntaxError | TypeError | SystemExit):
            raise
        shown = "".join([*traceback.format_list(frames), *traceback.format_exception_only(error)])
        said = f": {quoted(str(error))}" if str(error) else ""
        raise NetworkFileError(f"{file}: {what} raises {type(error).__name__}{said}", trace=shown) from None
