"""Arrays with resistance in one kind of wire only: lines of nodes between neighbours, solved from both ends.

Here the word lines are ideal and the bit lines have segments; the other case is the same array seen from its outputs
(transposed, both orders reversed). Every quantity is a sum, product or quotient of numbers of equal sign as long as no
conductance is negative, so that a tiny wire resistance costs no precision.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from xbar_cli.array.inverse import inverse
from xbar_cli.types import Array

CHUNK = 32
"""Bit lines that are eliminated at a time: memory is rows² × CHUNK."""


def fold_lines(
    g: Float[Array, "rows cols"], *, segment: Float[Array, ""], end: Float[Array, ""], r_source: Float[Array, ""]
) -> tuple[Float[Array, "rows cols"], Float[Array, "rows rows"]]:
    """Eliminate the bit lines onto the word lines, then solve for the word lines: `G_eff = (1 + R_s Y)⁻¹ M`.

    Args:
        g: device conductances [S].
        segment: conductance of a bit-line segment between two devices [S].
        end: conductance from the last device of a bit line to ground [S].
        r_source: resistance from the source to the (ideal) word line [ohm].

    Returns:
        G_eff [S] and `(1 + R_s Y)⁻¹`, which takes source voltages to word-line voltages.
    """
    rows, cols = g.shape
    n_chunks = -(-cols // CHUNK)
    chunks = jnp.pad(g, ((0, 0), (0, n_chunks * CHUNK - cols))).reshape(rows, n_chunks, CHUNK)
    eliminate = jax.checkpoint(lambda chunk: _eliminate(chunk, segment, end))

    def add(total: Array, chunk: Array) -> tuple[Array, Array]:
        mutual, transfer = eliminate(chunk)
        return total + mutual, transfer

    mutual, transfer = jax.lax.scan(add, jnp.zeros((rows, rows), g.dtype), jnp.swapaxes(chunks, 0, 1))
    transfer = jnp.swapaxes(transfer, 0, 1).reshape(rows, -1)[:, :cols]
    mutual = mutual + mutual.T
    y = jnp.diag(jnp.sum(mutual, 1) + jnp.sum(transfer, 1)) - mutual
    spread = inverse(jnp.eye(rows, dtype=g.dtype) + r_source * y)
    return spread @ transfer, spread


def _eliminate(g: Array, segment: Array, end: Array) -> tuple[Array, Array]:
    """Bit lines [positions lines] onto the word lines that drive them.

    Returns:
        The upper triangle of the conductances between word lines, summed over the lines, and from each word line to
        ground at the end of each bit line [S].
    """
    above, below, link = _looking(g, segment, end)
    ratio = link / (g + above + link)
    own = g / (g + above + below)

    def step(reach: Array, position: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        onto, ratio_here, k = position
        column = jnp.sum(g * reach * jnp.broadcast_to(onto[None], g.shape), 1)
        here = jnp.arange(g.shape[0]) == k
        reach = jnp.where(here[:, None], 1, reach)
        return reach * jnp.broadcast_to(ratio_here[None], g.shape), column

    # reach[i, j]: the voltage at node i for one volt at the next node k of line j, all sources at zero
    ratio = ratio.at[-1].set(1)
    reach, columns = jax.lax.scan(step, jnp.zeros_like(g), (own, ratio, jnp.arange(g.shape[0])))
    last = end / (g[-1] + above[-1] + end)
    return columns.T, g * reach * jnp.broadcast_to(last[None], g.shape)


def _looking(g: Array, segment: Array, end: Array) -> tuple[Array, Array, Array]:
    """The conductance to ground or word lines seen from each node upwards and downwards, and each node's lower link."""
    link = jnp.full_like(g, 1) * segment
    link = link.at[-1].set(end)
    nothing = jnp.zeros_like(g[0])

    def onwards(seen: Array, here: Array) -> tuple[Array, Array]:
        through = seen + here
        return segment * through / (segment + through), seen

    above = jax.lax.scan(onwards, nothing, g)[1]
    below = jax.lax.scan(onwards, nothing + end, g, reverse=True)[1]
    return above, below, link


def line_voltages(
    g: Float[Array, "positions lines"],
    v: Float[Array, "positions lines"],
    v_end: Float[Array, " lines"],
    *,
    segment: Float[Array, ""],
    end: Float[Array, ""],
) -> Float[Array, "positions lines"]:
    """Node voltages of lines whose node k is driven through `g[k]` from `v[k]`; the last is tied to `v_end` by `end`."""
    above, _, link = _looking(g, segment, end)
    total = g + above + link

    def collect(current: Array, here: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        driven, link_here, total_here = here
        current = current + driven
        return current * link_here / total_here, current

    _, current = jax.lax.scan(collect, jnp.zeros_like(v_end), (g * v, link, total))

    def descend(below: Array, here: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        current_here, link_here, total_here = here
        volts = (current_here + link_here * below) / total_here
        return volts, volts

    return jax.lax.scan(descend, v_end, (current, link, total), reverse=True)[1]
