"""Ten networks as flax users write them, none of which knows of arrays; and what is asked of each once it is on some."""

import itertools
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from xbar_cli.array.published import published_columns
from xbar_cli.array.wires import Wires
from xbar_cli.mapping.placing import Span, place, place_groups
from xbar_cli.nn.layers import groups_in
from xbar_cli.nn.program import Scale, linear_layer
from xbar_cli.nn.reading import Circuit
from xbar_cli.nn.sites.crossbar import Crossbar, to_crossbar
from xbar_cli.train.forward import make_forward
from xbar_cli.train.injection import Injection
from xbar_cli.train.loop import make_optimizer, make_step
from xbar_cli.train.transforms import OnArrays

G_OFF, G_ON = 1 / 300e3, 1 / 30e3


class Mlp(nnx.Module):
    def __init__(self, features, hidden, classes, rngs):
        self.hidden, self.out = nnx.Linear(features, hidden, rngs=rngs), nnx.Linear(hidden, classes, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.relu(self.hidden(x)))


class LeNet(nnx.Module):
    def __init__(self, side, channels, classes, rngs):
        a, b, c, d = channels
        self.conv1 = nnx.Conv(1, a, (5, 5), rngs=rngs)
        self.conv2 = nnx.Conv(a, b, (5, 5), padding="VALID", rngs=rngs)
        self.fc1 = nnx.Linear(((side // 2 - 4) // 2) ** 2 * b, c, rngs=rngs)
        self.fc2, self.fc3 = nnx.Linear(c, d, rngs=rngs), nnx.Linear(d, classes, rngs=rngs)

    def __call__(self, x):
        x = nnx.avg_pool(nnx.relu(self.conv1(x)), (2, 2), strides=(2, 2))
        x = nnx.avg_pool(nnx.relu(self.conv2(x)), (2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        return self.fc3(nnx.relu(self.fc2(nnx.relu(self.fc1(x)))))


class Vgg(nnx.Module):
    def __init__(self, side, channels, classes, rngs):
        sizes = [3, *channels]
        self.convs = nnx.List(nnx.Conv(a, b, (3, 3), rngs=rngs) for a, b in itertools.pairwise(sizes))
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.fc = nnx.Linear((side // 2 ** len(channels)) ** 2 * sizes[-1], sizes[-1], rngs=rngs)
        self.head = nnx.Linear(sizes[-1], classes, rngs=rngs)

    def __call__(self, x):
        for conv in self.convs:
            x = nnx.max_pool(nnx.relu(conv(x)), (2, 2), strides=(2, 2))
        return self.head(self.dropout(nnx.relu(self.fc(x.reshape(x.shape[0], -1)))))


class Residual(nnx.Module):
    def __init__(self, n_in, n_out, stride, rngs):
        self.conv1 = nnx.Conv(n_in, n_out, (3, 3), strides=stride, use_bias=False, rngs=rngs)
        self.norm1 = nnx.BatchNorm(n_out, rngs=rngs)
        self.conv2 = nnx.Conv(n_out, n_out, (3, 3), use_bias=False, rngs=rngs)
        self.norm2 = nnx.BatchNorm(n_out, rngs=rngs)
        self.short = nnx.Conv(n_in, n_out, (1, 1), strides=stride, use_bias=False, rngs=rngs) if stride > 1 else None

    def __call__(self, x):
        y = self.norm2(self.conv2(nnx.relu(self.norm1(self.conv1(x)))))
        return nnx.relu(y + (x if self.short is None else self.short(x)))


class ResNet(nnx.Module):
    def __init__(self, width, each, classes, rngs):
        self.stem, self.norm = nnx.Conv(3, width, (3, 3), use_bias=False, rngs=rngs), nnx.BatchNorm(width, rngs=rngs)
        plan = [(width, width, 1)] * each
        for n in (width, 2 * width):
            plan += [(n, 2 * n, 2), *[(2 * n, 2 * n, 1)] * (each - 1)]
        self.blocks = nnx.List(Residual(*sizes, rngs) for sizes in plan)
        self.head = nnx.Linear(4 * width, classes, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(axis=(1, 2)))


class MobileNet(nnx.Module):
    def __init__(self, channels, classes, rngs):
        self.stem = nnx.Conv(3, channels[0], (3, 3), rngs=rngs)
        pairs = list(itertools.pairwise(channels))
        self.depthwise = nnx.List(
            nnx.Conv(a, a, (3, 3), strides=2, feature_group_count=a, use_bias=False, rngs=rngs) for a, _ in pairs
        )
        self.norms = nnx.List(nnx.BatchNorm(a, rngs=rngs) for a, _ in pairs)
        self.pointwise = nnx.List(nnx.Conv(a, b, (1, 1), rngs=rngs) for a, b in pairs)
        self.head = nnx.Linear(channels[-1], classes, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu6(self.stem(x))
        for depthwise, norm, pointwise in zip(self.depthwise, self.norms, self.pointwise, strict=True):
            x = nnx.relu6(pointwise(nnx.relu6(norm(depthwise(x)))))
        return self.head(x.mean(axis=(1, 2)))


class Conv1d(nnx.Module):
    def __init__(self, features, width, classes, rngs):
        self.conv1 = nnx.Conv(features, width, (5,), strides=2, rngs=rngs)
        self.conv2 = nnx.Conv(width, width, (3,), kernel_dilation=2, padding="CAUSAL", rngs=rngs)
        self.head = nnx.Linear(width, classes, rngs=rngs)

    def __call__(self, x):
        return self.head(nnx.relu(self.conv2(nnx.relu(self.conv1(x)))).max(axis=1))


class Recurrent(nnx.Module):
    def __init__(self, cell, features, units, classes, rngs):
        self.rnn, self.head = nnx.RNN(cell(features, units, rngs=rngs)), nnx.Linear(units, classes, rngs=rngs)

    def __call__(self, x):
        return self.head(self.rnn(x)[:, -1])


class Block(nnx.Module):
    def __init__(self, units, heads, rngs):
        self.norm1, self.norm2 = nnx.LayerNorm(units, rngs=rngs), nnx.LayerNorm(units, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(heads, units, decode=False, rngs=rngs)
        self.up, self.down = nnx.Linear(units, 4 * units, rngs=rngs), nnx.Linear(4 * units, units, rngs=rngs)

    def __call__(self, x, mask=None):
        x = x + self.attention(self.norm1(x), mask=mask)
        return x + self.down(nnx.gelu(self.up(self.norm2(x))))


class ViT(nnx.Module):
    def __init__(self, side, units, depth, heads, classes, rngs):
        self.patch = nnx.Conv(3, units, (4, 4), strides=4, rngs=rngs)
        self.token = nnx.Param(0.02 * jax.random.normal(rngs.params(), (1, 1, units)))
        self.positions = nnx.Param(0.02 * jax.random.normal(rngs.params(), (1, (side // 4) ** 2 + 1, units)))
        self.blocks = nnx.List(Block(units, heads, rngs) for _ in range(depth))
        self.norm, self.head = nnx.LayerNorm(units, rngs=rngs), nnx.Linear(units, classes, rngs=rngs)

    def __call__(self, x):
        x = self.patch(x).reshape(x.shape[0], -1, self.token.shape[-1])
        x = jnp.concatenate([jnp.tile(self.token[...], (x.shape[0], 1, 1)), x], axis=1) + self.positions[...]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class Gpt(nnx.Module):
    def __init__(self, vocabulary, length, units, depth, heads, rngs):
        self.tokens = nnx.Embed(vocabulary, units, rngs=rngs)
        self.positions = nnx.Embed(length, units, rngs=rngs)
        self.blocks = nnx.List(Block(units, heads, rngs) for _ in range(depth))
        self.norm = nnx.LayerNorm(units, rngs=rngs)

    def __call__(self, tokens):
        x = self.tokens(tokens) + self.positions(jnp.arange(tokens.shape[1]))[None]
        for block in self.blocks:
            x = block(x, nnx.make_causal_mask(tokens))
        return self.tokens.attend(self.norm(x))  # the embedding is the head


@dataclass(frozen=True)
class Case:
    """A network: what makes it of random numbers, shape and number of different tokens of its inputs, its classes."""

    make: Any
    shape: tuple[int, ...]
    classes: int
    tokens: bool = False

    @property
    def dtype(self):
        return jnp.int32 if self.tokens else jnp.float32

    def data(self, count, seed=0):
        """Inputs with something to learn: noisy patterns, one a class; numbers that count on, each sequence by a step."""
        rng = np.random.default_rng(seed)
        if self.tokens:
            start, step = rng.integers(0, self.classes, (2, count, 1))
            text = (start + (1 + step % 3) * np.arange(self.shape[0] + 1)) % self.classes
            return jnp.asarray(text[:, :-1], jnp.int32), jnp.asarray(text[:, 1:], jnp.int32)
        labels = rng.integers(0, self.classes, count)
        patterns = np.random.default_rng(1).uniform(0, 1, (self.classes, *self.shape))
        x = patterns[labels] + 0.2 * rng.normal(size=(count, *self.shape))
        return jnp.asarray(x, jnp.float32), jnp.asarray(labels, jnp.int32)

    def network(self, seed=0):
        """The module, as its user runs it, and what it becomes."""
        own = self.make(rngs=nnx.Rngs(seed))
        own.eval()
        return own, to_crossbar(own, shape=self.shape, dtype=self.dtype)


SMALL = {
    "MLP 95-16-6": Case(partial(Mlp, 95, 16, 6), (95,), 6),
    "LeNet": Case(partial(LeNet, 16, (2, 4, 8, 6), 3), (16, 16, 1), 3),
    "VGG": Case(partial(Vgg, 8, (4, 6, 8), 3), (8, 8, 3), 3),
    "ResNet": Case(partial(ResNet, 4, 1, 3), (8, 8, 3), 3),
    "MobileNet": Case(partial(MobileNet, (4, 6, 8), 3), (8, 8, 3), 3),
    "1-d CNN": Case(partial(Conv1d, 3, 6, 3), (16, 3), 3),
    "LSTM": Case(partial(Recurrent, nnx.LSTMCell, 3, 6, 3), (8, 3), 3),
    "GRU": Case(partial(Recurrent, nnx.GRUCell, 3, 6, 3), (8, 3), 3),
    "ViT": Case(partial(ViT, 8, 8, 1, 2, 3), (8, 8, 3), 3),
    "GPT": Case(partial(Gpt, 7, 6, 8, 1, 2), (6,), 7, tokens=True),
}
FULL = {
    "MLP 95-16-6": SMALL["MLP 95-16-6"],
    "LeNet": Case(partial(LeNet, 28, (6, 16, 120, 84), 10), (28, 28, 1), 10),
    "VGG": Case(partial(Vgg, 32, (32, 64, 128, 128), 10), (32, 32, 3), 10),
    "ResNet-20": Case(partial(ResNet, 16, 3, 10), (32, 32, 3), 10),
    "MobileNet": Case(partial(MobileNet, (16, 32, 64, 128), 10), (32, 32, 3), 10),
    "1-d CNN": Case(partial(Conv1d, 9, 64, 6), (128, 9), 6),
    "LSTM": Case(partial(Recurrent, nnx.LSTMCell, 12, 128, 9), (29, 12), 9),
    "GRU": Case(partial(Recurrent, nnx.GRUCell, 12, 128, 9), (29, 12), 9),
    "ViT": Case(partial(ViT, 32, 96, 4, 4, 10), (32, 32, 3), 10),
    "GPT": Case(partial(Gpt, 65, 64, 128, 4, 4), (64,), 65, tokens=True),
}


def layers_of(net: Crossbar) -> list[str]:
    """The layers' names, in the order they compute."""
    return list(net.names.values())


def on_ideal_arrays(net: Crossbar) -> Circuit:
    """Every kernel on pairs of devices from G_off to G_on, read without wires, converters or variation."""
    layers = {}
    for name in layers_of(net):
        layer = getattr(net, name)
        kernel = np.asarray(layer.kernel[...])
        weights = kernel.reshape(-1, kernel.shape[-1])
        span = Span(None, G_OFF, G_ON, np.asarray((G_ON - G_OFF) / np.abs(weights).max()))
        placed = place_groups(lambda part, _, span=span: place("de", part, span), weights, groups_in(layer))
        slope, digital = jnp.asarray(placed.slope, jnp.float32), jnp.asarray(placed.digital, jnp.float32)
        scale = Scale(placed.readout, kernel.shape, slope, digital)
        layers[name] = linear_layer(jnp.asarray(placed.wanted, jnp.float32), scale=scale)
    return Circuit(layers)


def tat_rule(wires: Wires, noise=None) -> OnArrays:
    """Weights of 4 bits on dual arrays with these resistances, solved in closed form at every step."""
    arrays = partial(published_columns, wires=wires, tile=None)
    return OnArrays(
        bits=4, ratio=10.0, limit=None, g_on=G_ON, arrays=arrays, cheap=arrays, corner=0.0, layers=None, noise=noise
    )  # fmt: skip


def trained(net: Crossbar, case: Case, transform, *, steps: int, rate=3e-3, batch=32) -> tuple[Crossbar, float, float]:
    """The network after some steps of Adam, and its mean loss over the first and the last quarter of them."""
    graphdef, state = nnx.split((net, make_optimizer(net, optax.adam(rate))))
    step, losses = make_step(graphdef, forward=make_forward(transform)), []
    for number in range(steps):
        state, loss = step(state, *case.data(batch, seed=number % 16))
        losses.append(float(loss))
    quarter = max(1, steps // 4)
    return nnx.merge(graphdef, state)[0], float(np.mean(losses[:quarter])), float(np.mean(losses[-quarter:]))


NOISE = Injection(model="additive", sigma=0.03)
