"""Periphery training (acm) in a training run: conductances in the place of weights, and the devices it ends with."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from xbar_cli.config.train import TrainConfig
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.runs.results import write_tensors
from xbar_cli.train.forward import add_input_ranges, drop_input_ranges, make_forward
from xbar_cli.train.loop import State
from xbar_cli.train.periphery import Periphery, device_steps, he_sigma, install, uninstall, weight_decay
from xbar_cli.train.session import Method, Phase, Progress, Session
from xbar_cli.train.transforms import Transform
from xbar_cli.trained.fixed import DEVICES


def method(
    config: TrainConfig, net: nnx.Module, shapes: Sequence[LayerShape], plain: Phase, noise: Transform | None
) -> Method:
    """Conductances trained behind the periphery matrix, from the same distribution of weights under every scheme."""
    section = config.periphery
    rule = Periphery(
        scheme=section.scheme,
        bits=section.bits,
        nu=section.nonlinearity,
        m_max={layer.name: section.weight_limit * he_sigma(layer.kernel) for layer in shapes},
        noise=noise,
    )
    install(
        net, rule, kernels={layer.name: layer.kernel for layer in shapes}, seed=config.seed,
        bias_rows=config.network.bias == "row",
    )  # fmt: skip
    if section.activation_bits:
        add_input_ranges(net, [layer.name for layer in shapes])

    def conclude(session: Session, states: dict[str, State], progress: Progress) -> dict[str, Any]:
        del states, progress
        devices = uninstall(session.net, rule)
        ranges = drop_input_ranges(session.net, session.layers)
        shares = {name: np.asarray(m / rule.m_max[name], np.float32) for name, m in devices.items()}
        write_tensors(session.run.path / DEVICES, shares)
        return {
            "scheme": rule.scheme,
            "bits": rule.bits,
            "nonlinearity": rule.nu,
            "activation_bits": section.activation_bits,
            "input_ranges": ranges,
            "m_max": [rule.m_max[name] for name in session.layers],
            "saturated_fraction": [float(jnp.mean((s <= 0) | (s >= 1))) for s in shares.values()],
        }

    return Method(
        (plain,),
        make_forward(rule, activation_bits=section.activation_bits or None, precision=config.training.precision),
        decay=partial(weight_decay, rule),
        after=device_steps(rule, nu_down=section.nonlinearity_down),
        conclude=conclude,
    )
