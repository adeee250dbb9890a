"""Digital arithmetic beside the arrays: layers that are not on them, and weights whose sign is kept digitally.

A chip has one unit of `digital.units` multipliers, each of which takes a multiply-accumulate a cycle; the layers use it one after
the other. Energy, area and rate are those of a published chip, its memory and control with them.

References:
    Jouppi et al., In-Datacenter Performance Analysis of a Tensor Processing Unit, ISCA 2017; Horowitz, Computing's energy
    problem, ISSCC 2014 (arithmetic alone).
"""

from collections.abc import Mapping

from xbar_cli.energy.models.tree import Component, group

PART = "digital"
"""Name of the part."""


def seconds(macs: int, k: Mapping[str, float]) -> float:
    """Time of so many multiply-accumulates [s]."""
    return macs / (k["digital.units"] * k["digital.hertz"])


def layer_cost(name: str, macs: int, k: Mapping[str, float]) -> Component:
    """A digital layer for one image: energy and latency; the unit is `unit`."""
    return group(name, [Component(PART, macs * k["digital.mac_joule"], latency_seconds=seconds(macs, k))])


def unit(k: Mapping[str, float]) -> Component:
    """The unit: its area, once a chip."""
    return Component(PART, area_m2=k["digital.units"] * k["digital.unit_area_m2"])


def with_sums(layer: Component, macs: int, k: Mapping[str, float]) -> Component:
    """A layer on arrays with the digital sums that its outputs take beside them; they keep up, or set its latency."""
    if not macs:
        return layer
    latency = max(layer.latency_seconds, seconds(macs, k))
    return group(layer.name, [*layer.children, Component(PART, macs * k["digital.mac_joule"])], latency_seconds=latency)
