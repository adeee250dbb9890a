"""All cells of a 1T-1R array at once: currents and slopes at the voltages of their nodes.

The surrogate's sum over products is taken once for an array, so that a cell costs one Chebyshev series in two
variables, whatever the rank.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from xbar_cli.device.transistor import BitLineSeparable
from xbar_cli.types import Array


class Cells(NamedTuple):
    """All cells of an array, the sum over the surrogate's products already taken: Chebyshev coefficients of each cell.

    Attributes:
        ratio: of the current over w − b, `[input orders, bit-line orders, rows, cols]` [S].
        rest: of the current at w = b, `[bit-line orders, rows, cols]` [A].
        inputs: smallest and largest input voltage [V].
        lines: smallest and largest bit-line voltage [V].
    """

    ratio: Array
    rest: Array
    inputs: tuple[Array, Array]
    lines: tuple[Array, Array]


def cells_of(surrogate: BitLineSeparable, g: Array, there: Array) -> Cells:
    """The cells of an array with memristor conductances `g` `[rows cols]` [S]; `there` is 0 where it has none, else 1."""
    terms = surrogate.terms(g)
    ratio = jnp.einsum("rck,nkm->mnrc", terms.factors, surrogate.polynomials)
    inputs, lines = (surrogate.v_min, surrogate.v_max), (surrogate.line_min, surrogate.line_max)
    return Cells(ratio * there[None, None], jnp.moveaxis(terms.base, -1, 0) * there[None], inputs, lines)


def _chebyshev(x: Array, orders: int) -> tuple[Array, Array]:
    """The first Chebyshev polynomials at `x`, and their derivatives, `[orders *shape]`."""
    values, slopes = [jnp.ones_like(x), x], [jnp.zeros_like(x), jnp.ones_like(x)]
    for _ in range(orders - 2):
        slopes.append(2 * values[-1] + 2 * x * slopes[-1] - slopes[-2])
        values.append(2 * x * values[-1] - values[-2])
    return jnp.stack(values[:orders]), jnp.stack(slopes[:orders])


def cell_currents(cells: Cells, w: Array, b: Array) -> tuple[Array, Array, Array]:
    """Currents [A] and slopes to word-line and bit-line voltage [S]; beyond the voltages of the table they go on linearly."""
    inside_w, inside_b = jnp.clip(w, *cells.inputs), jnp.clip(b, *cells.lines)
    per_w, per_b = 2 / (cells.inputs[1] - cells.inputs[0]), 2 / (cells.lines[1] - cells.lines[0])
    x = per_w * (inside_w - cells.inputs[0]) - 1
    lines = _chebyshev(per_b * (inside_b - cells.lines[0]) - 1, cells.rest.shape[0])

    def add(carry: tuple[Array, ...], coefficients: Array) -> tuple[tuple[Array, ...], None]:
        value, by_x, by_y, now, after, slope, slope_after = carry
        of_order, moved = (jnp.sum(coefficients * part, 0) for part in lines)
        sums = value + of_order * now, by_x + of_order * slope, by_y + moved * now
        return (*sums, after, 2 * x * after - now, slope_after, 2 * after + 2 * x * slope_after - slope), None

    none, one = jnp.zeros_like(x), jnp.ones_like(x)
    ratio, by_x, by_y = jax.lax.scan(add, (none, none, none, one, x, none, one), cells.ratio)[0][:3]
    rest, rest_by_y = (jnp.sum(cells.rest * part, 0) for part in lines)
    drop = inside_w - inside_b
    to_word = ratio + drop * per_w * by_x
    to_bit = per_b * (rest_by_y + drop * by_y) - ratio
    return rest + drop * ratio + to_word * (w - inside_w) + to_bit * (b - inside_b), to_word, to_bit
