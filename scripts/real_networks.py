"""Networks of registry packages as `--network scripts/real_networks.py:NAME`: their ONNX files, with what they need around them.

`Recogniser` reads lines of text (rapidocr-onnxruntime, PP-OCRv4), `Voice` tells speech from the rest (silero-vad). Weights are
the files'; docs/real_models.md says how the two are used. A network without anything around it needs no such file:
`xbar import MODEL.onnx`.
"""

from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from xbar_cli.graph.model import read_graph

STRIP = 8
"""Columns of a line that the recogniser gives one character, or none, for."""
CONTEXT, FRAME, RATE = 64, 512, 16000
"""Samples of the last frame that the voice detector sees again, samples of a frame, samples of a second."""


def packaged(package: str, file: str) -> Path:
    """A file of an installed package, which is not imported. FileNotFoundError where it is not there."""
    spec = find_spec(package)
    folder = None if spec is None or spec.origin is None else Path(spec.origin).parent
    if folder is None or not (folder / file).is_file():
        raise FileNotFoundError(f"{file} of the package {package}: pip install --no-deps {package.replace('_', '-')}")
    return folder / file


class OfFile(nnx.Module):
    """The graph of an ONNX file, its weights parameters."""

    def __init__(self, path: Path) -> None:
        """Reads the file."""
        self.graph = read_graph(path)
        self.weights = nnx.Dict({name: nnx.Param(jnp.asarray(value)) for name, value in self.graph.params.items()})

    def outputs(self, *inputs: Array | np.ndarray) -> tuple[Array, ...]:
        """What the graph gives."""
        return self.graph({name: weight[...] for name, weight in self.weights.items()}, *inputs)


class Recogniser(OfFile):
    """Lines of text `[n places 8 48 3]`, as strips of eight columns, to the probabilities of characters `[n places 6625]`."""

    def __init__(self) -> None:
        """PP-OCRv4, Chinese and Latin; class 0 is no character."""
        super().__init__(packaged("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"))

    def __call__(self, strips: Array) -> Array:
        """Pixels are 0 to 1."""
        n, places, width, height, colours = strips.shape
        lines = strips.reshape(n, places * width, height, colours).transpose(0, 3, 2, 1)
        return self.outputs(2 * lines - 1)[0]


class Voice(OfFile):
    """Sounds `[n frames 512]` at 16 kHz to the probabilities `[n frames 2]` of no speech and speech, frame after frame."""

    def __init__(self) -> None:
        """Silero's detector, whose state goes from each frame to the next."""
        super().__init__(packaged("silero_vad", "data/silero_vad_16k_op15.onnx"))

    def __call__(self, frames: Array) -> Array:
        """The same arrays are read in every frame."""
        before = jnp.pad(frames[:, :-1, -CONTEXT:], ((0, 0), (1, 0), (0, 0)))
        seen = jnp.concatenate([before, frames], axis=2).swapaxes(0, 1)

        def step(state: Array, frame: Array) -> tuple[Array, Array]:
            speech, state = self.outputs(frame, state, np.asarray(RATE))
            return state, speech[:, 0]

        _, speech = jax.lax.scan(step, jnp.zeros((2, frames.shape[0], 128)), seen)
        return jnp.stack([1 - speech, speech], axis=-1).swapaxes(0, 1)
