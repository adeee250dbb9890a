"""Which tensor of a network trained elsewhere is which layer of ours, told from names and shapes.

A file keeps no order of layers, only names. Numbers in names count layers; words say nothing of their order.
"""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Shape = tuple[int, ...]
NORM = "_norm"
"""What the name of our batch norm adds to that of the layer before it."""
How = Literal["names", "order"]


@dataclass(frozen=True)
class Paired:
    """Layers of the source by ours, in the order they compute.

    Attributes:
        layers: of every layer.
        norms: of the batch norm behind each layer that has one.
        how: whether all names are the same, or shapes and the numbers in the names decided.
    """

    layers: dict[str, str]
    norms: dict[str, str]
    how: How


def pair(
    layers: Mapping[str, Shape],
    norms: Mapping[str, int],
    *,
    their_layers: Mapping[str, Shape],
    their_norms: Mapping[str, int],
    given: Mapping[str, str],
) -> Paired:
    """The source of every layer and batch norm of ours.

    Args:
        layers: our kernels' shapes, in the order they compute.
        norms: outputs of the batch norm behind a layer, by the layer.
        their_layers: kernels of the source, in our layout.
        their_norms: outputs of its batch norms.
        given: sources that the user names, by our layer or `LAYER_norm`.

    Raises:
        ValueError: a layer without a source, or more than one that it could be.
    """
    _check_given(given, [*layers, *(f"{name}{NORM}" for name in norms)], [*their_layers, *their_norms])
    fixed = {name: given[name] for name in layers if name in given}
    for name, source in fixed.items():
        if their_layers.get(source) != layers[name]:
            raise ValueError(f"pairs = {name}={source}: {source} has no kernel of the shape {list(layers[name])}")
    ours = {name: shape for name, shape in layers.items() if name not in fixed}
    theirs = {name: shape for name, shape in their_layers.items() if name not in fixed.values()}
    prefix = _common_prefix(their_layers)
    if all(theirs.get(prefix + name) == shape for name, shape in ours.items()):
        found, how = {name: prefix + name for name in ours}, "names"
    else:
        found, how = _by_order(ours, theirs), "order"
    sources = {name: fixed.get(name) or found[name] for name in layers}
    behind = {f"{name}{NORM}": size for name, size in norms.items()}
    pinned = {name.removesuffix(NORM): given[name] for name in behind if name in given}
    return Paired(sources, _norms(sources, norms, their_norms, list(their_layers), pinned, prefix), how)


def _check_given(given: Mapping[str, str], ours: Sequence[str], theirs: Sequence[str]) -> None:
    for name, source in given.items():
        if name not in ours:
            raise ValueError(f"pairs = {name}={source}: the network has no {name}; it has {', '.join(ours)}")
        if source not in theirs:
            there = ", ".join(sorted(theirs, key=natural))
            raise ValueError(f"pairs = {name}={source}: the file has no {source}; it has {there}")
    for source in given.values():
        if list(given.values()).count(source) > 1:
            raise ValueError(f"`pairs`: {source} is given to two layers")


def _by_order(ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> dict[str, str]:
    """Sources of one shape go to our layers of that shape in the order of the numbers in their names."""
    found: dict[str, str] = {}
    doubtful = ""
    for shape in dict.fromkeys(ours.values()):
        mine = [name for name in ours if ours[name] == shape]
        fitting = sorted((name for name in theirs if theirs[name] == shape), key=natural)
        if len(fitting) < len(mine):
            left = _listed({name: s for name, s in theirs.items() if name not in found.values()})
            raise ValueError(f"no tensor for layer {mine[len(fitting)]} {list(shape)}; left over: {left or 'nothing'}")
        for before, after in itertools.pairwise(fitting):
            if numbered(before, after) != -1:
                raise ValueError(
                    f"{before} and {after} have one shape {list(shape)} and no number in their names tells which comes "
                    f"first; say so: {_advice(mine)}"
                )
        doubtful = doubtful or (mine[0] if len(mine) > 1 else "")
        found.update(zip(mine, fitting, strict=False))
    _check_direction(found, ours, doubtful)
    return {name: found[name] for name in ours}


def _check_direction(found: Mapping[str, str], ours: Mapping[str, Shape], doubtful: str) -> None:
    """Raise ValueError where shapes show that numbers in names do not count the layers, and numbers decided something."""
    order = list(ours)
    for at, first in enumerate(order):
        for second in order[at + 1 :]:
            if doubtful and numbered(found[first], found[second]) == 1:
                mine = [name for name in ours if ours[name] == ours[doubtful]]
                raise ValueError(
                    f"by shape {first} is {found[first]} and {second}, which comes after it, is {found[second]}: the numbers "
                    f"in the names do not count the layers, and {', '.join(mine)} have one shape; say so: {_advice(mine)}"
                )


def _norms(
    sources: Mapping[str, str],
    norms: Mapping[str, int],
    theirs: Mapping[str, int],
    kernels: Sequence[str],
    pinned: Mapping[str, str],
    prefix: str,
) -> dict[str, str]:
    """The batch norm of each layer: one given, one of our own name if all have it, or the sibling of its source."""
    for name, source in pinned.items():
        if theirs.get(source) != norms[name]:
            raise ValueError(f"pairs = {name}{NORM}={source}: no batch norm of {norms[name]} outputs")
    own = {name: f"{prefix}{name}{NORM}.inner" for name in norms}
    if all(theirs.get(own[name]) == size for name, size in norms.items()) and not pinned:
        return own
    found = dict(pinned)
    groups: dict[tuple[str, str], list[str]] = {}
    for name in norms:
        if name not in pinned:
            groups.setdefault(_group(sources[name]), []).append(name)
    for group in groups.values():
        free = {name: size for name, size in theirs.items() if name not in found.values()}
        wanted = {sources[name]: norms[name] for name in group}
        matched = siblings(wanted, free, kernels)
        if matched is None:
            raise ValueError(
                f"no batch norm goes by its name with {', '.join(wanted)} ({', '.join(group)}); left over: "
                f"{', '.join(sorted(free, key=natural)) or 'none'}; say so: {_advice([name + NORM for name in group])}"
            )
        found.update({name: matched[sources[name]] for name in group})
    return {name: found[name] for name in norms}


def siblings(wanted: Mapping[str, int], norms: Mapping[str, int], kernels: Sequence[str]) -> dict[str, str] | None:
    """The batch norm of each of some kernels of one place and word, by the first rule that gives every one its own.

    The rules: a name that goes on from the kernel's (`conv1_bn`); the same place and numbers (`layer1.0.conv2`,
    `layer1.0.bn2`); the next number of the same place (`features.0`, `features.1`); the same numbers elsewhere (`convs.0`,
    `norms.0`); as many norms of one word in the same place, in order (`conv0`, `bn1`). None where no rule does.
    """
    rules = (_goes_on, _same_numbers, _next_number, _same_numbers_elsewhere)
    for rule in rules:
        found: dict[str, str] = {}
        for kernel, size in wanted.items():
            fitting = [norm for norm in norms if rule(kernel, norm, [*kernels, *norms])]
            if len(fitting) == 1 and norms[fitting[0]] == size:
                found[kernel] = fitting[0]
        if len(set(found.values())) == len(wanted):
            return found
    places = {_group(kernel)[0] for kernel in wanted}
    there = sorted((norm for norm in norms if _group(norm)[0] in places), key=natural)
    mine = sorted(wanted, key=natural)
    in_order = all(numbered(a, b) == -1 for names in (there, mine) for a, b in itertools.pairwise(names))
    if len(there) == len(mine) and in_order and all(norms[n] == wanted[k] for k, n in zip(mine, there, strict=True)):
        return dict(zip(mine, there, strict=True))
    return None


def _goes_on(kernel: str, norm: str, names: Sequence[str]) -> bool:
    del names
    return norm.startswith(kernel) and re.search(r"\d", norm[len(kernel) :]) is None


def _same_numbers(kernel: str, norm: str, names: Sequence[str]) -> bool:
    del names
    return _group(kernel)[0] == _group(norm)[0] and _digits(kernel) == _digits(norm)


def _next_number(kernel: str, norm: str, names: Sequence[str]) -> bool:
    """Whether both are numbers of one place, and the norm is the first layer with tensors behind the kernel."""
    place = _group(kernel)[0]
    if place != _group(norm)[0]:
        return False
    last = [name.removeprefix(place) for name in (kernel, norm)]
    if not all(part.isdigit() for part in last):
        return False
    behind = [int(part) for n in names if (part := n.removeprefix(place)).isdigit() and int(part) > int(last[0])]
    return bool(behind) and int(last[1]) == min(behind)


def _same_numbers_elsewhere(kernel: str, norm: str, names: Sequence[str]) -> bool:
    del names
    return _digits(kernel) == _digits(norm) and kernel.count(".") == norm.count(".")


def natural(name: str) -> list[tuple[int, str]]:
    """Order of names in which numbers count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def numbered(a: str, b: str) -> int:
    """Whether `a` comes before (-1) or after (1) `b` by the first thing in which they differ, if that is a number; else 0.

    A name comes before the same with a number behind it: `conv2d`, `conv2d_1`.
    """
    for short, long, order in ((a, b, -1), (b, a, 1)):
        if re.fullmatch(re.escape(short) + r"[._-]?\d+", long):
            return order
    for left, right in zip(natural(a), natural(b), strict=False):
        if left != right:
            return 0 if left[1] or right[1] else (-1 if left < right else 1)
    return 0


def _group(name: str) -> tuple[str, str]:
    """Where a layer is, up to the last point, and the word of its own name."""
    place, point, last = name.rpartition(".")
    return place + point, re.sub(r"\d+", "", last)


def _digits(name: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", name)]


def _common_prefix(names: Iterable[str]) -> str:
    """The leading parts that all names share, such as `module.`; never a whole name."""
    parts = [name.split(".")[:-1] for name in names]
    shared: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0] + ".")
    return "".join(shared)


def _advice(names: Sequence[str]) -> str:
    return " ".join(f"pairs = {name}=THEIRS" for name in names)


def _listed(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
