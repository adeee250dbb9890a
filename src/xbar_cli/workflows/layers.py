"""`xbar layers`: what of a network sits on arrays, and what stays digital and why."""

import math
from pathlib import Path
from typing import Any

from xbar_cli.errors import ConfigError
from xbar_cli.mapping.periphery import device_columns
from xbar_cli.nn.shapes import KERNELS, LayerShape, chosen_layers, parameters
from xbar_cli.nn.sites.crossbar import Crossbar
from xbar_cli.trained import build
from xbar_cli.trained.opening import Trained, open_trained


def run(path: Path, *, layers: str, scheme: str, tile: tuple[int, int]) -> dict[str, Any]:
    """Every product of the network of a train run: its shape, arrays, devices and reads an input, or why it is digital.

    `layers` are on arrays, as `mapping.layers` has it; `scheme` is de, bc or acm; `tile` is [rows cols] of one array.
    """
    trained = open_trained(path, use="xbar layers")
    shapes = build.shapes_of(trained.net, trained.data)
    try:
        chosen = chosen_layers(shapes, layers)
    except ValueError as error:
        raise ConfigError(f"mapping.layers: {error}") from None
    found = [layer_row(shape, scheme=scheme, tile=tile, on_arrays=shape.name in chosen) for shape in shapes]
    taken = [row for row in found if row["on_arrays"]]
    return {
        "run": str(path),
        "network": trained.network,
        "dataset": trained.dataset,
        "scheme": scheme,
        "tile": list(tile),
        "layers": found,
        "total": {key: sum(row[key] for row in taken) for key in ("weights", "devices", "tiles", "macs")},
        "digital_products": digital_products(trained),
        "digital_parameters": digital_parameters(trained),
    }


def layer_row(shape: LayerShape, *, scheme: str, tile: tuple[int, int], on_arrays: bool) -> dict[str, Any]:
    """One product of inputs with parameters."""
    columns = device_columns(scheme, shape.outputs // shape.groups)
    return {
        "name": shape.name,
        "kind": "dense" if shape.dense else f"convolution, {len(shape.kernel) - 2}-d",
        "kernel": list(shape.kernel),
        "groups": shape.groups,
        "rows": shape.rows,
        "outputs": shape.outputs,
        "weights": math.prod(shape.kernel),
        "reads": shape.positions,
        "macs": shape.macs,
        "devices": shape.groups * shape.rows * columns,
        "tiles": shape.groups * math.ceil(shape.rows / tile[0]) * math.ceil(columns / tile[1]),
        "on_arrays": on_arrays,
    }


def digital_products(trained: Trained) -> list[dict[str, Any]]:
    """The products that no array can take, with why."""
    left = trained.net.left() if isinstance(trained.net, Crossbar) else []
    return [
        {
            "kind": product.kind,
            "shapes": [list(shape) for shape in product.shapes],
            "reason": product.reason,
            "parameters": list(product.leaves),
            "times": product.turns,
        }
        for product in left
    ]


def digital_parameters(trained: Trained) -> list[dict[str, Any]]:
    """The parameters that are in no kernel, with the operations that read them where the program was traced."""
    users = trained.net.users() if isinstance(trained.net, Crossbar) else {}
    return [
        {"name": name, "shape": list(value.shape), "used_by": users.get(name, [])}
        for name, value in parameters(trained.net).items()
        if name not in {f"{layer}{KERNELS}" for layer in trained.layers}
    ]
