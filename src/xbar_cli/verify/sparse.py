"""Crossbars as a sparse linear system in node voltages and wire currents, solved by SciPy: no 1/r, so any r may be 0."""

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg

from xbar_cli.array.wires import Wires
from xbar_cli.vectors import Floats


def crossbar(g: Floats, wires: Wires) -> tuple[Floats, Floats, Floats]:
    """An array of resistors by a general LU factorisation with pivoting, which shares nothing with the project's models.

    Returns:
        G_eff [rows cols] [S] and, for one volt at each source in turn, the voltages of word-line and bit-line nodes
        [sources rows cols].
    """
    rows, cols = g.shape
    r_word, r_bit, r_source, r_neuron = wires.floats()
    n = rows * cols
    node = np.arange(n).reshape(rows, cols)
    word, bit, into_word, from_bit = node, node + n, node + 2 * n, node + 3 * n
    first, last = np.arange(cols) == 0, (np.arange(rows) == rows - 1)[:, None]
    entries = [
        (word, into_word, 1.0), (word[:, :-1], into_word[:, 1:], -1.0), (word, word, -g), (word, bit, g),
        (bit, from_bit, -1.0), (bit[1:], from_bit[:-1], 1.0), (bit, word, g), (bit, bit, -g),
        (into_word[:, 1:], word[:, :-1], 1.0), (into_word, word, -1.0), (into_word, into_word, -r_word - r_source * first),
        (from_bit, bit, 1.0), (from_bit[:-1], bit[1:], -1.0), (from_bit, from_bit, -r_bit - r_neuron * last),
    ]  # fmt: skip
    columns = [[np.broadcast_to(x, at.shape).ravel() for x in (at, of, value)] for at, of, value in entries]
    equation, unknown, value = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    matrix = sparse.csc_matrix((value, (equation, unknown)), shape=(4 * n, 4 * n))
    sources = np.zeros((4 * n, rows))
    sources[into_word[:, 0], np.arange(rows)] = -1.0
    x = sparse_linalg.splu(matrix).solve(sources).T.reshape(rows, 4, rows, cols)
    return x[:, 3, -1], x[:, 0], x[:, 1]
