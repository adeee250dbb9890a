"""In-situ training of LeNet-5 beside aihwkit: the same images, device, rate and batches, with ideal reads in both.

    python scripts/insitu_aihwkit.py export RUN images.npz
    python scripts/insitu_aihwkit.py train images.npz result.json [--epochs 2] [--batch-size 16] [--learning-rate 0.02]

RUN is one of `xbar train --method insitu --network lenet5`, whose images `export` writes (in xbar's environment). `train` needs
an environment of its own: `python -m venv V; V/bin/pip install torch==2.10.0 aihwkit==1.1.0`, then V/bin/python. It trains with
aihwkit's GokmenVlasovPresetDevice on bit streams of `--bit-length`, without noise or converters in forward and backward passes;
the biases are digital. The last epoch is what counts, as with `--keep last`.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np


def export(given: argparse.Namespace) -> None:
    """Write the images that a run trained on, and those that test it."""
    from xbar_cli.data.batches import network_inputs
    from xbar_cli.trained.opening import open_trained
    from xbar_cli.trained.parts import split_parts

    trained = open_trained(given.run, use="this script")
    parts = split_parts(trained.config.dataset, trained.data, seed=trained.config.seed)
    arrays = {f"{name}_{kind}": part[n] for name, part in parts.items() for n, kind in enumerate(("x", "y"))}
    np.savez_compressed(given.file, **{k: network_inputs(v) if k.endswith("_x") else v for k, v in arrays.items()})


def lenet5(configuration: Any) -> Any:
    """LeNet-5 as `nn/lenet` has it, with He-normal weights, on analogue layers."""
    import torch
    from aihwkit.nn import AnalogConv2d, AnalogLinear, AnalogSequential

    def layer(kind: Any, *shape: int, **more: Any) -> Any:
        made = kind(*shape, bias=True, rpu_config=configuration, **more)
        weight, bias = made.get_weights()
        fan_in = weight[0].numel()
        made.set_weights(torch.randn_like(weight) * (2 / fan_in) ** 0.5, torch.zeros_like(bias))
        return made

    relu, pool = torch.nn.ReLU, torch.nn.MaxPool2d
    return AnalogSequential(
        layer(AnalogConv2d, 1, 6, 5, padding=2), relu(), pool(2), layer(AnalogConv2d, 6, 16, 5), relu(), pool(2),
        torch.nn.Flatten(), layer(AnalogLinear, 400, 120), relu(), layer(AnalogLinear, 120, 84), relu(),
        layer(AnalogLinear, 84, 10),
    )  # fmt: skip


def configured(bit_length: int) -> Any:
    """The device and its update; everything else is perfect."""
    from aihwkit.simulator.configs import IOParameters, SingleRPUConfig, UpdateParameters
    from aihwkit.simulator.presets.devices import GokmenVlasovPresetDevice

    perfect = IOParameters(is_perfect=True)
    update = UpdateParameters(desired_bl=bit_length, fixed_bl=True, update_management=True, update_bl_management=False)
    found = SingleRPUConfig(device=GokmenVlasovPresetDevice(), forward=perfect, backward=perfect, update=update)
    found.mapping.digital_bias = True
    found.mapping.weight_scaling_omega = 0.0
    return found


def train(given: argparse.Namespace) -> None:
    """Train and measure."""
    import torch
    from aihwkit.optim import AnalogSGD

    torch.manual_seed(given.seed)
    torch.set_num_threads(1)
    found = np.load(given.file)
    x = torch.tensor(np.moveaxis(found["train_x"], -1, 1))
    y = torch.tensor(found["train_y"].astype(np.int64))
    net = lenet5(configured(given.bit_length))
    optimizer = AnalogSGD(net.parameters(), lr=given.learning_rate)
    optimizer.regroup_param_groups(net)
    began, losses = time.perf_counter(), []
    for _ in range(given.epochs):
        order = torch.randperm(len(y))
        for part in order[: len(y) // given.batch_size * given.batch_size].split(given.batch_size):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(x[part]), y[part])
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    tested, labels = torch.tensor(np.moveaxis(found["test_x"], -1, 1)), torch.tensor(found["test_y"].astype(np.int64))
    with torch.no_grad():
        answers = torch.cat([net(part).argmax(1) for part in tested.split(1000)])
    right = int((answers == labels).sum())
    told = {"test_accuracy": right / len(tested), "loss": float(np.mean(losses[-100:])), "epochs": given.epochs}
    given.result.write_text(json.dumps(told | {"seconds": time.perf_counter() - began, "seed": given.seed}) + "\n")


def main() -> None:
    """Export or train."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    first = commands.add_parser("export")
    first.add_argument("run", type=Path)
    first.add_argument("file", type=Path)
    first.set_defaults(run_command=export)
    second = commands.add_parser("train")
    second.add_argument("file", type=Path)
    second.add_argument("result", type=Path)
    second.add_argument("--epochs", type=int, default=2)
    second.add_argument("--batch-size", type=int, default=16)
    second.add_argument("--learning-rate", type=float, default=0.02)
    second.add_argument("--bit-length", type=int, default=10)
    second.add_argument("--seed", type=int, default=0)
    second.set_defaults(run_command=train)
    given = parser.parse_args()
    given.run_command(given)


if __name__ == "__main__":
    main()
