"""An array as a list of resistors between numbered nodes, solved by dense nodal analysis in NumPy: nothing of the package."""

import numpy as np


class Nodes:
    """Nodes by name; those that a resistance of 0 joins are one."""

    def __init__(self):
        self.parent = {}

    def find(self, name):
        self.parent.setdefault(name, name)
        while self.parent[name] != name:
            name = self.parent[name]
        return name

    def join(self, a, b):
        a, b = self.find(a), self.find(b)
        first, second = sorted((a, b), key=lambda name: name[0] not in ("in", "ground"))  # what is fixed keeps its name
        self.parent[second] = first


def resistors(g, *, word, bit, source, neuron):
    """(node, node, conductance; None for a short) of every part, from ("in", row) to ("ground", column)."""
    rows, cols = g.shape

    def part(a, b, ohm):
        return a, b, None if ohm == 0 else 1 / ohm

    for i in range(rows):
        yield part(("in", i), ("source", i), source)
        for j in range(cols):
            yield part(("source", i) if j == 0 else ("word", i, j - 1), ("word", i, j), word)
            yield ("word", i, j), ("bit", i, j), g[i, j]
    for j in range(cols):
        for i in range(rows):
            yield part(("bit", i, j), ("bit", i + 1, j) if i + 1 < rows else ("neuron", j), bit)
        yield part(("neuron", j), ("ground", j), neuron)


def solved(parts, volts):
    """Voltages of all nodes, of the (node, node, conductance) of `parts` and the fixed `volts` by node."""
    parts = list(parts)
    nodes = Nodes()
    for a, b, y in parts:
        if y is None:
            nodes.join(a, b)
    edges = [(nodes.find(a), nodes.find(b), y) for a, b, y in parts if y is not None]
    free = sorted({node for a, b, _ in edges for node in (a, b)} - set(volts), key=repr)
    place = {node: k for k, node in enumerate(free)}
    matrix, right = np.zeros((len(free), len(free))), np.zeros(len(free))
    for one, two, y in edges:
        for a, b in ((one, two), (two, one)):
            if a in place:
                matrix[place[a], place[a]] += y
                if b in place:
                    matrix[place[a], place[b]] -= y
                else:
                    right[place[a]] += y * volts[b]
    found = dict(zip(free, np.linalg.solve(matrix, right), strict=True)) | dict(volts)
    return lambda name: found[nodes.find(name)]


def currents(parts, volts, node):
    """What flows into a fixed node."""
    parts = list(parts)
    at = solved(parts, volts)
    shorted = Nodes()
    for a, b, y in parts:
        if y is None:
            shorted.join(a, b)
    total = 0.0
    for a, b, y in parts:
        if y is not None and (shorted.find(a) == node) != (shorted.find(b) == node):
            total += y * (at(a) - at(b)) * (1 if shorted.find(b) == node else -1)
    return total


def effective(g, *, word=0.0, bit=0.0, source=0.0, neuron=0.0):
    """`G_eff` [rows cols] with `I = V @ G_eff`: a volt at one row after the other."""
    rows, cols = g.shape
    parts = list(resistors(g, word=word, bit=bit, source=source, neuron=neuron))
    ground = {("ground", j): 0.0 for j in range(cols)}
    found = np.empty((rows, cols))
    for i in range(rows):
        volts = {("in", k): float(k == i) for k in range(rows)} | ground
        found[i] = [currents(parts, volts, ("ground", j)) for j in range(cols)]
    return found
