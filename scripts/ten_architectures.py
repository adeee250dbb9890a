"""Ten architectures as their users write them in flax, on arrays: a row for each as Markdown.

    OPENBLAS_NUM_THREADS=1 python scripts/ten_architectures.py [NAME …] [--steps 100]

Largest difference on ideal arrays from the module's own output, over the largest output; mean loss over the first and the
last quarter of the steps of Adam with noise on the weights (3 % of each layer's largest); `neat`: the share of weights that
its restriction to half of each layer's largest leaves as they are, and the loss after as many steps more; `tat`: the
same from 4-bit weights on dual arrays with resistances of 100 and 20 ohm in every step, a tenth as many steps.
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.architectures import FULL, NOISE, Case, layers_of, on_ideal_arrays, tat_rule, trained
from xbar_cli.array.wires import Wires
from xbar_cli.nn.reading import on_arrays
from xbar_cli.nn.shapes import layer_shapes
from xbar_cli.nn.sites.crossbar import Crossbar
from xbar_cli.train.neat import restrict_kernels

COLUMNS = ("architecture", "parameters", "products", "devices", "digital", "ideal arrays", "loss, noisy steps", "neat",
           "tat", "seconds")  # fmt: skip


def difference(own: nnx.Module, net: Crossbar, case: Case) -> float:
    """Largest difference of outputs on ideal arrays from the module's own, over the largest output."""
    x, _ = case.data(8)
    circuit = on_ideal_arrays(net)
    found = jax.jit(lambda x: net(x, on_arrays(circuit, key=jax.random.key(0), first=jnp.asarray(0))))(x)
    wanted = nnx.jit(lambda own, x: own(x))(own, x)
    return float(jnp.abs(found - wanted).max() / jnp.abs(wanted).max())


def restricted(net: Crossbar) -> tuple[Crossbar, float]:
    """The network with every kernel within half of its largest weight, and the share of weights that were."""
    found = nnx.clone(net)
    kernels = {name: getattr(found, name).kernel[...] for name in layers_of(found)}
    kept, _ = restrict_kernels(kernels, {name: 0.5 * float(jnp.abs(k).max()) for name, k in kernels.items()})
    for name, kernel in kept.items():
        getattr(found, name).kernel[...] = kernel
    same = sum(int((kept[name] == k).sum()) for name, k in kernels.items())
    return found, same / sum(k.size for k in kernels.values())


def row(name: str, case: Case, *, steps: int) -> tuple[str, ...]:
    """One architecture."""
    start = time.perf_counter()
    own, net = case.network()
    shapes = layer_shapes(net, shape=case.shape, dtype=case.dtype)
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(own, nnx.Param)))
    apart = difference(own, net, case)
    after, first, last = trained(net, case, NOISE, steps=steps)
    window, share = restricted(after)
    _, _, neat = trained(window, case, NOISE, steps=max(4, steps // 10))
    _, _, tat = trained(after, case, tat_rule(Wires(source=100.0, neuron=20.0)), steps=max(4, steps // 10))
    why = sorted({left.reason for left in net.left()})
    digital = f"{len(net.left())}{': ' + '; '.join(why) if why else ''}"
    devices = 2 * sum(int(np.prod(shape.kernel)) for shape in shapes)
    return (
        name, f"{count:,}", str(len(shapes)), f"{devices:,}", digital, f"{apart:.1e}", f"{first:.3f} → {last:.3f}",
        f"{share:.1%} kept, {neat:.3f}", f"{tat:.3f}", f"{time.perf_counter() - start:.0f}",
    )  # fmt: skip


def main() -> int:
    """Print the table; 1 where a difference is above 1e-5 or the loss of noisy steps does not fall."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*FULL, []])
    parser.add_argument("--steps", type=int, default=100)
    given = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n| {' | '.join(['---'] * len(COLUMNS))} |", flush=True)
    missed = False
    for name in given.names or FULL:
        cells = row(name, FULL[name], steps=given.steps)
        first, last = map(float, cells[6].split(" → "))
        missed |= float(cells[5]) > 1e-5 or not last < first
        print(f"| {' | '.join(cells)} |", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
