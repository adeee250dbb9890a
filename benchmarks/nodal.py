"""Cost of the exact fold against SciPy's sparse LU: ratios in one run, float64, one thread.

    OPENBLAS_NUM_THREADS=1 NPROC=1 python benchmarks/nodal.py [--json] [--sizes 64 128 256] [--repeats 5]

The baseline assembles the nodal matrix, factorises it (`splu`, MMD_AT_PLUS_A, symmetric mode) and solves once with all
bit lines as right-hand sides: the adjoint way to the full matrix. KLU does the same where klujax is installed, which is no
dependency. Compile time is stated apart. `nodal_scaling.py` has the cost against tile size and number of tiles.
"""

import argparse
import importlib.util
import os
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NPROC", "1")

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from _timing import measure, statistics, timed

from xbar_cli.array.nodal import nodal
from xbar_cli.array.wires import Wires
from xbar_cli.cli.shared.console import print_json, print_table

WIRES = Wires(word=1.0, bit=1.0, source=100.0, neuron=50.0)
TILES, TILE = 32, 64
KLU = importlib.util.find_spec("klujax") is not None


class Circuit(NamedTuple):
    """An array's nodal matrix by its entries, and what the currents of its bit lines are read by.

    Attributes:
        entries: numbers, rows and columns of the matrix, none twice [S].
        sensed: right-hand sides, a bit line each [S].
        source: conductance in front of each row [S].
        first: node of the first device of each row.
    """

    entries: tuple[np.ndarray, np.ndarray, np.ndarray]
    sensed: np.ndarray
    source: float
    first: np.ndarray


def circuit_of(g: np.ndarray, wires: Wires) -> Circuit:
    """The circuit of an array."""
    rows, cols = g.shape
    r_word, r_bit, r_source, r_neuron = wires.floats()
    word = np.arange(rows * cols).reshape(rows, cols)
    bit = word + rows * cols
    links = [
        (word[:, :-1].ravel(), word[:, 1:].ravel(), np.full(rows * (cols - 1), 1 / r_word)),
        (bit[:-1].ravel(), bit[1:].ravel(), np.full((rows - 1) * cols, 1 / r_bit)),
        (word.ravel(), bit.ravel(), g.ravel()),
    ]
    one, other, value = (np.concatenate(parts) for parts in zip(*links, strict=True))
    diagonal = np.bincount(one, value, 2 * g.size) + np.bincount(other, value, 2 * g.size)
    diagonal[word[:, 0]] += 1 / (r_word + r_source)
    diagonal[bit[-1]] += 1 / (r_bit + r_neuron)
    nodes = np.arange(2 * g.size)
    entries = np.concatenate([diagonal, -value, -value])
    at = np.concatenate([nodes, one, other]), np.concatenate([nodes, other, one])
    sensed = np.zeros((2 * g.size, cols))
    sensed[bit[-1], np.arange(cols)] = 1 / (r_bit + r_neuron)
    return Circuit((entries, *at), sensed, 1 / (r_word + r_source), word[:, 0])


def sparse_fold(g: np.ndarray, wires: Wires) -> np.ndarray:
    """The effective conductances of an array by SciPy [S]."""
    circuit = circuit_of(g, wires)
    entries, *at = circuit.entries
    matrix = sparse.csc_matrix((entries, at), shape=(2 * g.size, 2 * g.size))
    factors = sparse_linalg.splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    return factors.solve(circuit.sensed)[circuit.first] * circuit.source


def klu_fold(g: np.ndarray, wires: Wires) -> np.ndarray:
    """The same by KLU, through klujax."""
    import klujax  # pyright: ignore[reportMissingImports]

    circuit = circuit_of(g, wires)
    entries, *at = circuit.entries
    found = klujax.solve(
        *(jnp.asarray(nodes, jnp.int32) for nodes in at), jnp.asarray(entries), jnp.asarray(circuit.sensed)
    )
    return np.asarray(found)[circuit.first] * circuit.source


def product_operations(traced: Any) -> float:
    """Additions and multiplications of all matrix products in a traced function: 2·m·n·k each, times its batch and loops.

    The inverses of the seams count too: they are sweeps made of products. Whatever else is done (copies, sorting, sums)
    counts nothing.
    """
    total = 0.0
    for step in getattr(traced, "jaxpr", traced).eqns:
        if step.primitive.name == "dot_general":
            (joined, _), _ = step.params["dimension_numbers"]
            depth = np.prod([step.invars[0].aval.shape[axis] for axis in joined])
            total += 2 * float(depth) * float(np.prod(step.outvars[0].aval.shape))
        else:
            rounds = step.params["length"] if step.primitive.name == "scan" else 1
            inner = [part for part in step.params.values() if hasattr(part, "jaxpr") or hasattr(part, "eqns")]
            total += rounds * sum(map(product_operations, inner))
    return total


def product_seconds(operations: float, repeats: int, rng: np.random.Generator) -> float:
    """Best time [s] of one square matrix product with that many operations."""
    side = round((operations / 2) ** (1 / 3))
    factor = jnp.asarray(rng.normal(size=(side, side)))
    return measure(jnp.matmul, factor, factor, repeats=repeats)[0]["best_seconds"] * operations / (2 * side**3)


def one_size(size: int, repeats: int, rng: np.random.Generator) -> dict[str, Any]:
    """Fold, gradient and baseline of one square tile."""
    g = rng.uniform(1e-6, 1e-4, (size, size))
    weights = jnp.asarray(rng.normal(size=(size, size)))
    tile = jnp.asarray(g)
    baseline = statistics(timed(lambda: sparse_fold(g, WIRES), repeats))
    klu = {"klu": statistics(timed(lambda: klu_fold(g, WIRES), repeats))} if KLU else {}
    fold, (g_eff, residual) = measure(lambda g: nodal(g, WIRES), tile, repeats=repeats)
    if KLU:
        np.testing.assert_allclose(klu_fold(g, WIRES), g_eff, rtol=1e-9)

    def loss(g: jax.Array, wires: Wires) -> jax.Array:
        return jnp.sum(weights * nodal(g, wires).g_eff)

    gradient, _ = measure(jax.grad(loss, (0, 1)), tile, jax.tree.map(jnp.asarray, WIRES), repeats=repeats)
    operations = product_operations(jax.make_jaxpr(lambda g: nodal(g, WIRES))(tile))
    return {
        "size": size,
        "scipy": baseline,
        "fold": fold,
        "gradient": gradient,
        "ratio": fold["best_seconds"] / baseline["best_seconds"],
        "gradient_over_fold": gradient["best_seconds"] / fold["best_seconds"],
        "operations": operations,
        "fold_over_product": fold["best_seconds"] / product_seconds(operations, repeats, rng),
        "max_relative_difference": float(np.max(np.abs(g_eff / sparse_fold(g, WIRES) - 1))),
        "residual": float(residual),
    } | klu


def many_tiles(repeats: int, rng: np.random.Generator) -> dict[str, Any]:
    """A stack of tiles by `lax.map` against a loop over SciPy."""
    g = rng.uniform(1e-6, 1e-4, (TILES, TILE, TILE))
    baseline = statistics(timed(lambda: [sparse_fold(one, WIRES) for one in g], repeats))
    fold, _ = measure(lambda g: jax.lax.map(lambda one: nodal(one, WIRES).g_eff, g), jnp.asarray(g), repeats=repeats)
    ratio = fold["best_seconds"] / baseline["best_seconds"]
    return {"tiles": TILES, "size": TILE, "scipy": baseline, "fold": fold, "ratio": ratio}


def show(summary: dict[str, Any]) -> None:
    """The same numbers as a table."""
    columns = ("tile", "what", "n", "best [s]", "mean [s]", "std [s]", "ratio", "compile [s]")

    def row(tile: str, what: str, case: dict[str, Any], ratio: str | None) -> tuple[object, ...]:
        times = (f"{case[key]:.4g}" for key in ("best_seconds", "mean_seconds", "std_seconds"))
        compiled = f"{case['compile_seconds']:.1f}" if "compile_seconds" in case else None
        return (tile, what, case["n"], *times, ratio, compiled)

    rows = []
    for case in summary["sizes"]:
        tile = f"{case['size']}×{case['size']}"
        rows.append(row(tile, "SciPy", case["scipy"], None))
        if "klu" in case:
            share = case["klu"]["best_seconds"] / case["scipy"]["best_seconds"]
            rows.append(row(tile, "KLU", case["klu"], f"{share:.2f} of SciPy"))
        rows.append(row(tile, "fold", case["fold"], f"{case['ratio']:.4f} of SciPy"))
        rows.append(row(tile, "gradient", case["gradient"], f"{case['gradient_over_fold']:.2f} of fold"))
    batch = summary["batch"]
    tile = f"{batch['tiles']} of {batch['size']}×{batch['size']}"
    rows.append(row(tile, "SciPy", batch["scipy"], None))
    rows.append(row(tile, "fold", batch["fold"], f"{batch['ratio']:.4f} of SciPy"))
    print_table("Exact fold, float64, one thread", columns, rows)
    for case in summary["sizes"]:
        print(
            f"{case['size']}×{case['size']}: {case['fold_over_product']:.1f} times one square matrix product with as many "
            f"operations ({case['operations']:.3g}: 2·m·n·k of every product in the fold, {_cubes(case)}·n³); largest "
            f"relative difference from SciPy {case['max_relative_difference']:.1e}"
        )


def _cubes(case: dict[str, Any]) -> str:
    return f"{case['operations'] / case['size'] ** 3:.0f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256], help="sides of the square tiles")
    parser.add_argument("--repeats", type=int, default=5, help="timed repetitions, of which the best counts")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        summary = {
            "repeats": options.repeats,
            "jax": jax.__version__,
            "threads": os.environ["NPROC"],
            "sizes": [one_size(size, options.repeats, rng) for size in options.sizes],
            "batch": many_tiles(options.repeats, rng),
        }
    if options.json:
        print_json(summary)
    else:
        show(summary)


if __name__ == "__main__":
    main()
