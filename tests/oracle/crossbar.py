"""Crossbars as a sparse linear system in node voltages and wire currents, solved by SciPy: no 1/r, so any r may be 0."""

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg


def crossbar(g, *, r_word, r_bit, r_source, r_neuron):
    """G_eff [S] and, for one volt at each source in turn, the voltages [sources rows cols] of word and bit nodes."""
    rows, cols = g.shape
    n = rows * cols
    node = np.arange(n).reshape(rows, cols)
    word, bit, into_word, from_bit = node, node + n, node + 2 * n, node + 3 * n
    entries = []

    def put(equation, unknown, value):
        entries.append((equation.ravel(), unknown.ravel(), np.broadcast_to(value, equation.shape).ravel()))

    put(word, into_word, 1.0), put(word[:, :-1], into_word[:, 1:], -1.0)
    put(word, word, -g), put(word, bit, g)
    put(bit, from_bit, -1.0), put(bit[1:], from_bit[:-1], 1.0)
    put(bit, word, g), put(bit, bit, -g)
    put(into_word[:, 1:], word[:, :-1], 1.0), put(into_word, word, -1.0)
    put(into_word, into_word, -np.where(np.arange(cols) == 0, r_word + r_source, r_word)[None] * np.ones((rows, 1)))
    put(from_bit, bit, 1.0), put(from_bit[:-1], bit[1:], -1.0)
    put(
        from_bit,
        from_bit,
        -np.where(np.arange(rows) == rows - 1, r_bit + r_neuron, r_bit)[:, None] * np.ones((1, cols)),
    )
    equation, unknown, value = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    matrix = sparse.csc_matrix((value, (equation, unknown)), shape=(4 * n, 4 * n))
    sources = np.zeros((4 * n, rows))
    sources[into_word[:, 0], np.arange(rows)] = -1.0
    x = sparse_linalg.splu(matrix).solve(sources).T.reshape(rows, 4, rows, cols)
    return x[:, 3, -1], x[:, 0], x[:, 1]
