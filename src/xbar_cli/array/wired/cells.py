"""All cells of a 1T-1R array at once: currents and slopes at the voltages of their nodes.

The surrogate's sum over products is taken once for an array, so that a cell costs one Chebyshev series in two
variables, whatever the rank.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.polynomial import chebyshev

from xbar_cli.device.transistor import BitLineSeparable, parity_powers
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


class PowerCells(NamedTuple):
    """All cells of an array as power series, each coefficient beside an axis for reads.

    Attributes:
        ratio: of the current over w − b: powers of z = 2x² − 1 from the highest, the even part in x and the odd one, powers of y
            from the highest; x and y are w and b on [−1, 1]. `[powers 2 bit-line orders rows cols 1]` [S].
        rest: of the current at w = b, `[bit-line orders rows cols 1]` [A].
        inputs: smallest and largest input voltage [V].
        lines: smallest and largest bit-line voltage [V].
    """

    ratio: Array
    rest: Array
    inputs: tuple[Array, Array]
    lines: tuple[Array, Array]


def powers_of(cells: Cells) -> PowerCells:
    """The same cells as power series; exact in float64 to some 1e-12 of the largest coefficient."""
    orders, line_orders = cells.ratio.shape[:2]
    halves = jnp.asarray(parity_powers(orders - 1), cells.rest.dtype)
    lines = np.zeros((line_orders, line_orders))
    for n in range(line_orders):
        lines[: n + 1, n] = chebyshev.cheb2poly(np.eye(line_orders)[n])[: n + 1]
    lines = jnp.asarray(lines[::-1].copy(), cells.rest.dtype)
    ratio = jnp.einsum("hpm,qn,mnrc->phqrc", halves, lines, cells.ratio)
    rest = jnp.einsum("qn,nrc->qrc", lines, cells.rest)
    return PowerCells(ratio[..., None], rest[..., None], cells.inputs, cells.lines)


def power_currents(cells: PowerCells, w: Float[Array, "rows cols reads"], b: Float[Array, "rows cols reads"]) -> Array:
    """The currents of `cell_currents` alone [A]; beyond the voltages of the table the series go on.

    A coefficient is one number for all reads of its cell: with the reads innermost a batch of some tens costs as much as the
    arithmetic alone, where coefficients that vary along the innermost axis are loaded for each read.
    """
    x = (2 * w - cells.inputs[0] - cells.inputs[1]) / (cells.inputs[1] - cells.inputs[0])
    y = (2 * b - cells.lines[0] - cells.lines[1]) / (cells.lines[1] - cells.lines[0])
    z = 2 * x * x - 1

    def horner(coefficients: Array) -> Array:
        total = coefficients[0] + jnp.zeros_like(y)
        for coefficient in coefficients[1:]:
            total = total * y + coefficient
        return total

    def add(halves: tuple[Array, Array], coefficients: Array) -> tuple[tuple[Array, Array], None]:
        even, odd = halves
        return (even * z + horner(coefficients[0]), odd * z + horner(coefficients[1])), None

    none = jnp.zeros_like(x)
    even, odd = jax.lax.scan(add, (none, none), cells.ratio)[0]
    return horner(cells.rest) + (w - b) * (even + x * odd)
