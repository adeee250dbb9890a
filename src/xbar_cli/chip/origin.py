"""What an evaluation is of: network, test images and devices, so that another run can tell whether it is of the same."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.runs.results import MODEL, digest
from xbar_cli.trained.opening import Trained


def origin(
    trained: Trained, network: MappedNetwork, images: NDArray[np.uint8], labels: NDArray[np.integer[Any]]
) -> dict[str, Any]:
    """The keys of the summary that say so.

    Args:
        trained: the network in floating point.
        network: its devices. What chip i is depends on the names of the layers and the shapes of their devices.
        images: test images used.
        labels: of them.
    """
    tested = (np.ascontiguousarray(images), np.ascontiguousarray(labels, np.int32))
    return {
        "network": trained.network,
        "dataset": trained.dataset,
        "method": trained.method,
        "weights_sha256": digest((trained.run.path / MODEL).read_bytes()),
        "test_images_sha256": digest(*(part.tobytes() for part in tested), repr(tested[0].shape).encode()),
        "chip_devices": {name: list(layer.conductance.shape) for name, layer in network.layers.items()},
    }
