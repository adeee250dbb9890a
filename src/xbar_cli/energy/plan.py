"""A chip of so many arrays: copies of layers, one image after the other or one behind the other."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ChipPlan:
    """What the arrays of a chip make of the layers' latencies.

    Attributes:
        copies: of each layer.
        tiles: arrays in use.
        latency_seconds: of one image through all layers [s].
        interval_seconds: between two images [s].
    """

    copies: tuple[int, ...]
    tiles: int
    latency_seconds: float
    interval_seconds: float


def plan(
    latencies: Sequence[float],
    tiles: Sequence[int],
    positions: Sequence[int],
    *,
    available: int | None,
    pipelined: bool,
) -> ChipPlan:
    """Give spare arrays to copies of layers, which share the output positions of an image between them.

    A copy goes where it shortens the interval (pipelined: the slowest layer) or the latency (else: the most time per array).

    Args:
        latencies: of each layer with one copy [s].
        tiles: arrays of each layer.
        positions: output positions of each layer: more copies would have nothing to do.
        available: arrays of the chip, no fewer than one copy of all layers needs; as many when None.
        pipelined: whether every layer works on an image of its own.

    References:
        ISAAC, Section III (pipeline, replicated layers).
    """
    needed = sum(tiles)
    if available is not None and available < needed:
        raise ValueError(f"available must be at least {needed}, the arrays that the weights take, got {available}")
    spare = 0 if available is None else available - needed
    copies = _copies(latencies, tiles, positions, spare=spare, pipelined=pipelined)
    times = [_seconds(*layer) for layer in zip(latencies, positions, copies, strict=True)]
    used = sum(count * number for count, number in zip(copies, tiles, strict=True))
    return ChipPlan(tuple(copies), used, sum(times), max(times) if pipelined else sum(times))


def _copies(
    latencies: Sequence[float], tiles: Sequence[int], positions: Sequence[int], *, spare: int, pipelined: bool
) -> list[int]:
    """Copies of each layer, the one that is worth most first, until `spare` arrays are given."""
    copies = [1] * len(tiles)

    def extra(layer: int) -> int:
        return (_next(positions[layer], copies[layer]) - copies[layer]) * tiles[layer]

    def worth(layer: int) -> float:
        now = _seconds(latencies[layer], positions[layer], copies[layer])
        after = _seconds(latencies[layer], positions[layer], _next(positions[layer], copies[layer]))
        return now if pipelined else (now - after) / max(extra(layer), 1)

    queue = [(-worth(layer), layer) for layer in range(len(tiles))]
    heapq.heapify(queue)
    while queue:
        _, layer = heapq.heappop(queue)
        if 0 < extra(layer) <= spare:
            spare -= extra(layer)
            copies[layer] = _next(positions[layer], copies[layer])
            heapq.heappush(queue, (-worth(layer), layer))
        elif pipelined:
            break  # the slowest layer can have no more copies: others would not help
    return copies


def _seconds(latency: float, positions: int, copies: int) -> float:
    """Time of a layer whose copies share its output positions [s]."""
    return latency * math.ceil(positions / copies) / positions


def _next(positions: int, copies: int) -> int:
    """The next number of copies that leaves each of them less to do."""
    rounds = math.ceil(positions / copies)
    return copies if rounds == 1 else math.ceil(positions / (rounds - 1))
