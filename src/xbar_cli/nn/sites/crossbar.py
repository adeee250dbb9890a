"""A user's own network on arrays: whatever it multiplies with its parameters goes where the product says."""

import inspect
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from xbar_cli.array.ideal import Contract
from xbar_cli.nn.layers import Product, Training, digital, groups_in
from xbar_cli.nn.normalisation import Normalisation, normalised

from .evaluate import TakeOver
from .forms import Form
from .known import dtype_of
from .program import COUNTS, Program, TracedPlan, Variable
from .survey import Left, Use

PARAMETER_NAMES = ("kernel", "weight", "weights", "w", "embedding")
"""Last parts of parameters' names that say nothing of the layer."""


class SiteLayer(nnx.Module):
    """A product of the network's inputs with its parameters: what sits on arrays."""

    def __init__(self, name: str, contract: Contract, kernel: Array) -> None:
        """`kernel` is `[*window in out]`."""
        self.name = name
        self.contract = contract
        self.kernel = nnx.Param(kernel)
        self.bias = None
        self.packed = 1

    def pack(self, each: int) -> None:
        """Puts so many neighbouring groups on the same rows and columns, weights of 0 between them."""
        groups, kernel = groups_in(self), self.kernel[...]
        *window, rows, outputs = kernel.shape
        parts = kernel.reshape(*window, rows, groups // each, each, outputs // groups)
        apart = jnp.einsum("...igpo,pq->...qigpo", parts, jnp.eye(each, dtype=kernel.dtype))
        self.kernel = nnx.Param(apart.reshape(*window, each * rows, outputs))
        self.packed *= each
        self.contract = self.regrouped(self.contract, each)

    def regrouped(self, contract: Any, each: int | None = None) -> Any:
        """A contract of the network's with the groups that are left."""
        each = each or self.packed
        return contract if each == 1 else replace(contract, groups=contract.groups // each)


class Crossbar(nnx.Module):
    """A network whose products can sit on arrays, as the networks of this package can: each is an attribute by its name.

    Attributes:
        normalisation: of the inputs; None where they come as they are.
        rest: the variables that are no part of any kernel, by place.
        program: what it computes.
        names: of the layers, by how their kernels are made of the network's own parameters and read.
    """

    normalisation: Normalisation | None = None

    def __init__(self, program: Program, values: Sequence[Any], shape: tuple[int, ...], dtype: Any) -> None:
        """Finds the products of `program` for inputs of a shape: use `to_crossbar`."""
        self.program = program
        self.example = (shape, jnp.dtype(dtype).name)
        plan = program.plan((COUNTS[0], *shape), dtype, training=False)
        if not plan.forms:
            raise ValueError("no product of an input with a parameter: there is nothing to put on arrays")
        uses = _first_uses(plan)
        self.names: dict[Any, str] = _named(uses, taken=set(dir(self)))
        kernels = program.kernels(values, shape, dtype)
        for key, name in self.names.items():
            form, path = plan.forms[uses[key].path], uses[key].path
            setattr(self, name, SiteLayer(name, form.contract, form.kernel(kernels[path]).astype(jnp.float32)))
        trained = program.plan((COUNTS[0], *shape), dtype, training=True)
        _require_same(self.names, _first_uses(trained))
        self._take_rest(values, {*plan.survey.touched, *trained.survey.touched})
        if any(v.kind == "random" for v in program.variables):
            self.dropout = 0.0

    def _take_rest(self, values: Sequence[Any], touched: set[str]) -> None:
        """Keeps the variables that something else than kernels is made of."""
        kept = [
            (variable, value)
            for variable, value in zip(self.program.variables, values, strict=True)
            if variable.kind != "random" and variable.name in touched
        ]
        kinds = {"parameter": nnx.Param, "state": nnx.BatchStat}
        self.rest = nnx.Dict({_flat(v.name): kinds[v.kind](jnp.asarray(value)) for v, value in kept})

    def __call__(self, images: Array, product: Product = digital, *, training: bool | Training = False) -> Array:
        """What the network returns for a batch, its products taken over by `product`."""
        if images.shape[0] == 1:  # a program for one image may not be that for several
            return self(jnp.concatenate([images, images]), product, training=training)[:1]
        x = images if self.normalisation is None else normalised(images, self.normalisation)
        plan = self.program.plan(x.shape, x.dtype, training=bool(training))

        def take(use: Use, operands: Sequence[Array], product: Product) -> Array:
            form = plan.forms[use.path]
            layer = getattr(self, self.names[_key(use, form)])
            inputs = form.inputs(operands[use.input].astype(jnp.float32))
            y = product(layer.name, inputs, layer.kernel[...], layer.regrouped(form.contract))
            return form.outputs(y).astype(dtype_of(use.equation.outvars[0]))

        outputs = TakeOver(plan.survey, take)(plan.program, [*self._values(training), x], product)
        if training:
            self._keep(outputs[1:])
        return outputs[0]

    def left(self) -> list[Left]:
        """The products that stay digital."""
        shape, dtype = self.example
        return self.program.plan((COUNTS[0], *shape), dtype, training=False).left

    def users(self) -> dict[str, list[str]]:
        """The operations that read each variable that is in no kernel, by its name among the parameters."""
        shape, dtype = self.example
        touched = self.program.plan((COUNTS[0], *shape), dtype, training=False).survey.touched
        return {f"rest.{_flat(name)}": operations for name, operations in touched.items()}

    def _values(self, training: bool | Training) -> list[Any]:
        """The values of the program's variables: zeros for those that only made kernels, which nothing reads."""
        key = training.key if isinstance(training, Training) else jax.random.key(0)
        values: list[Any] = []
        for number, variable in enumerate(self.program.variables):
            name = _flat(variable.name)
            if variable.kind == "random":
                drawn = jnp.issubdtype(variable.value.dtype, jax.dtypes.prng_key)
                values.append(jax.random.fold_in(key, number) if drawn else jnp.zeros((), variable.value.dtype))
            elif name in self.rest:
                values.append(self.rest[name][...])
            else:
                values.append(jnp.zeros(variable.value.shape, variable.value.dtype))
        return values

    def _keep(self, news: Sequence[Any]) -> None:
        """Takes over what a training pass made of the variables that are no parameters."""
        others = [v for v in self.program.variables if v.kind != "parameter"]
        for variable, new in zip(others, news, strict=True):
            if variable.kind == "state" and _flat(variable.name) in self.rest:
                self.rest[_flat(variable.name)][...] = new


def to_crossbar(
    network: nnx.Module | Callable[[Any, Array], Array],
    *,
    shape: tuple[int, ...],
    dtype: Any = jnp.float32,
    parameters: Any = None,
) -> Crossbar:
    """A network whose products of an input with a parameter can sit on arrays.

    The network is traced, and every `dot_general` and `conv_general_dilated` of it whose one operand depends on parameters
    alone becomes a layer, named by the parameter's place (`fc1`, `blocks_0_attention_query`), inside `scan`, `cond`, `vmap`,
    `jit` and `remat` too. Its kernel takes the parameters' place: a matrix or window as the arrays hold it, of which training
    is the owner from then on. Parameters that are used otherwise as well, such as an embedding that is also the head, go on
    separately there. Products that no array can take are listed by `Crossbar.left`.

    Args:
        network: an `nnx.Module` that takes a batch, or a function `(parameters, batch) -> outputs`.
        shape: of one input, without the images' axis.
        dtype: of the inputs.
        parameters: any tree of arrays, for a function.

    Raises:
        ValueError: no product to put on arrays; a layer that is computed otherwise in training; a program that changes with
            the number of images.
    """
    if isinstance(network, nnx.Module):
        return Crossbar(*_of_module(network), shape, dtype)
    leaves, tree = jax.tree_util.tree_flatten_with_path(parameters)
    variables = tuple(
        Variable(_dotted(path), "parameter", jax.ShapeDtypeStruct(jnp.shape(value), jnp.asarray(value).dtype))
        for path, value in leaves
    )

    def function(values: Sequence[Any], x: Any, training: bool) -> tuple[Any, list[Any]]:
        del training
        return network(jax.tree_util.tree_unflatten(tree, values), x), []

    return Crossbar(Program(function, variables), [jnp.asarray(value) for _, value in leaves], shape, dtype)


def regroup(net: nnx.Module, groups: Mapping[str, int]) -> None:
    """Packs the grouped layers of `net` until each has so many groups, in place: see `SiteLayer.pack`."""
    for name, wanted in groups.items():
        layer = getattr(net, name)
        if wanted != (have := groups_in(layer)):
            layer.pack(have // wanted)


def _of_module(module: nnx.Module) -> tuple[Program, list[Any]]:
    """The program of a module, and the values of its variables."""
    modes = {training: nnx.clone(module) for training in (False, True)}
    modes[False].eval()
    modes[True].train()
    parts = {training: nnx.split(copy) for training, copy in modes.items()}
    flat = nnx.to_flat_state(parts[False][1])
    call = inspect.signature(type(module).__call__).parameters
    variables = tuple(
        Variable(".".join(map(str, path)), _kind(variable), jax.ShapeDtypeStruct(variable.shape, variable.dtype))
        for path, variable in flat
    )

    def function(values: Sequence[Any], x: Any, training: bool) -> tuple[Any, list[Any]]:
        state = nnx.from_flat_state(
            [(path, var.replace(value)) for (path, var), value in zip(flat, values, strict=True)]
        )
        copy = nnx.merge(parts[training][0], state)
        flags = {"training": training, "train": training, "deterministic": not training}
        y = copy(x, **{name: value for name, value in flags.items() if name in call})  # type: ignore[operator]
        after = nnx.to_flat_state(nnx.state(copy))
        return y, [new[...] for (_, new), v in zip(after, variables, strict=True) if v.kind != "parameter"]

    values = [variable[...] for _, variable in flat]
    flat = [
        (path, var.replace(v.value)) for (path, var), v in zip(flat, variables, strict=True)
    ]  # types alone are kept
    return Program(function, variables), values


def _kind(variable: Any) -> Any:
    if isinstance(variable, nnx.Param):
        return "parameter"
    return "random" if isinstance(variable, nnx.RngState) else "state"


def _key(use: Use, form: Form) -> tuple[Any, ...]:
    """What tells one layer from another."""
    return (use.kernel.digest, form.layout)


def _first_uses(plan: TracedPlan) -> dict[Any, Use]:
    """The first use of every layer, in the order they compute."""
    found: dict[Any, Use] = {}
    for path, form in plan.forms.items():
        use = plan.survey.uses[path]
        found.setdefault(_key(use, form), use)
    return found


def _require_same(names: Mapping[Any, str], trained: Mapping[Any, Use]) -> None:
    """Raise ValueError where a layer is computed otherwise in training."""
    if missing := [name for key, name in names.items() if key not in trained]:
        raise ValueError(
            f"{missing[0]}: its product is another one in training (drawn weights?): it cannot be on arrays"
        )


def _named(uses: Mapping[Any, Use], *, taken: set[str]) -> dict[Any, str]:
    """Names of layers, by the places of their parameters; a number tells those of one parameter apart."""
    names: dict[Any, str] = {}
    for key, use in uses.items():
        base = _layer_name(use.kernel.leaves)
        name, number = base, 2
        while name in taken or name in names.values():
            name, number = f"{base}_{number}", number + 1
        names[key] = name
    return names


def _layer_name(leaves: Sequence[str]) -> str:
    """The layer that these parameters belong to: their place, or what they have in common of theirs."""
    parts = [leaf.split(".") for leaf in leaves]
    same = itertools.takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False))
    common = [level[0] for level in same]
    if len(common) > 1 and common[-1] in PARAMETER_NAMES:
        common = common[:-1]
    name = _flat(".".join(common)) or "layer"
    return name if name[0].isalpha() else f"layer_{name}"


def _flat(name: str) -> str:
    """A dotted place as one identifier."""
    return re.sub(r"\W+", "_", name).strip("_")


def _dotted(path: Sequence[Any]) -> str:
    return ".".join(str(getattr(part, "key", getattr(part, "idx", getattr(part, "name", part)))) for part in path)
