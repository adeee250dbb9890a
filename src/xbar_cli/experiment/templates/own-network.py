"""A network of your own: any flax module that takes a batch [n height width channels] and gives [n classes]."""

import jax
from flax import nnx


class Net(nnx.Module):
    """Two convolutions and a linear layer."""

    def __init__(self, shape, n_classes, rngs, width=16):
        """`shape` is that of one input, without the batch; `width` comes from network.args."""
        self.first = nnx.Conv(shape[-1], width, (3, 3), strides=2, rngs=rngs)
        self.second = nnx.Conv(width, 2 * width, (3, 3), strides=2, rngs=rngs)
        self.head = nnx.Linear(2 * width * 7 * 7, n_classes, rngs=rngs)

    def __call__(self, x):
        """The scores of a batch of pictures of 28 by 28."""
        x = jax.nn.relu(self.first(x))
        x = jax.nn.relu(self.second(x))
        return self.head(x.reshape(x.shape[0], -1))
