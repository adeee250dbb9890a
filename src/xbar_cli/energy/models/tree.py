"""What every model returns: a tree of components, each with energy, area, latency and leakage."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xbar_cli.vectors import Figure


@dataclass(frozen=True)
class Component:
    """A part of the hardware, or a group of parts.

    Attributes:
        name: what it is.
        energy_joule: dynamic energy of what is costed, an image or a read [J].
        area_m2: [m²].
        latency_seconds: [s]; 0 where it works within another component's time.
        leakage_watt: while it is powered [W].
        children: of a group; its own figures are then those of the whole.

    Figures may be traced numbers of JAX, which nothing is known of.

    Raises:
        ValueError: a known figure below 0, or not a number.
    """

    name: str
    energy_joule: Figure = 0.0
    area_m2: Figure = 0.0
    latency_seconds: Figure = 0.0
    leakage_watt: Figure = 0.0
    children: tuple["Component", ...] = ()

    def __post_init__(self) -> None:
        for figure in FIGURES:
            value = getattr(self, figure)
            if isinstance(value, int | float) and not value >= 0:
                raise ValueError(f"{figure} of component {self.name!r} must be at least 0, got {value}")

    def part_joule(self, name: str) -> float:
        """Energy of its own parts of a name [J]."""
        return sum((child.energy_joule for child in self.children if child.name == name), start=0.0)

    def leaves(self) -> Iterator["Component"]:
        """The parts without children, in order."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


FIGURES = ("energy_joule", "area_m2", "latency_seconds", "leakage_watt")
"""The figures of a component."""


def group(name: str, children: Sequence[Component], *, latency_seconds: float | None = None) -> Component:
    """A component of parts: energies, areas and leakages add; so do latencies [s], unless one is given."""
    totals = {figure: sum((getattr(child, figure) for child in children), start=0.0) for figure in FIGURES}
    if latency_seconds is not None:
        totals["latency_seconds"] = latency_seconds
    return Component(name, **totals, children=tuple(children))


def scaled(component: Component, **factors: float | int) -> Component:
    """The tree with figures multiplied: `scaled(tile, area_m2=60, leakage_watt=60)`."""
    children = tuple(scaled(child, **factors) for child in component.children)
    figures = {figure: getattr(component, figure) * factor for figure, factor in factors.items()}
    return replace(component, **figures, children=children)


def merged(name: str, components: Sequence[Component]) -> Component:
    """Several trees of the same parts as one: figures add, part by part; latencies too."""
    children: dict[str, list[Component]] = {}
    for component in components:
        for child in component.children:
            children.setdefault(child.name, []).append(child)
    parts = tuple(merged(part, found) for part, found in children.items())
    totals = {figure: sum(getattr(component, figure) for component in components) for figure in FIGURES}
    return Component(name, **totals, children=parts)


def parts_of(layers: Iterable[Component]) -> dict[str, float]:
    """Energy of each part, over all layers [J]."""
    found: dict[str, float] = {}
    for layer in layers:
        for part in layer.leaves():
            found[part.name] = found.get(part.name, 0.0) + part.energy_joule
    return found


def as_json(component: Component, *, of: Component | None = None) -> dict[str, Any]:
    """The tree as nested dictionaries, with each part's share of the energy and the area of `of`, by default the root."""
    root = component if of is None else of
    found: dict[str, Any] = {figure: getattr(component, figure) for figure in FIGURES}
    found["energy_share"] = component.energy_joule / root.energy_joule if root.energy_joule else None
    found["area_share"] = component.area_m2 / root.area_m2 if root.area_m2 else None
    if component.children:
        found["children"] = {child.name: as_json(child, of=root) for child in component.children}
    return found
