"""Time of `xbar energy` on a mapped run, step by step, after start (imports).

    python benchmarks/energy.py [RUN [MODEL [IMAGES]]]

The bound: 2 s for a mapped ResNet-18, on resistive arrays. Without RUN one is made, with random weights: a minute.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from xbar_cli.cli.main import guarded
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.runs.directory import new_run
from xbar_cli.workflows import energy

BOUND_SECONDS = 2.0


class Steps:
    """A reporter that notes when the pass over images begins and ends."""

    def __init__(self) -> None:
        self.at: dict[str, list[float]] = {}

    def doing(self, what: str) -> None:
        """Nothing to note."""

    def progress(self, what: str, done: int, total: int, said: str = "") -> None:
        self.at.setdefault(what, []).append(time.perf_counter())

    def note(self, text: str) -> None:
        print(text)


def mapped_resnet(folder: Path) -> str:
    """A mapped ResNet-18 of full size, its weights as they are drawn."""
    net, mapped = folder / "net", folder / "map"
    words = ("train", "--network", "resnet18", "--train-images", "64", "--epochs", "0", "--out", str(net), "--quiet")
    assert guarded(list(words)) == 0
    assert guarded(["map", str(net), "--set", "calibration.images=32", "--out", str(mapped), "--quiet"]) == 0
    return str(mapped)


def main(run: str = "", model: str = "resparc", images: str = "") -> None:
    with tempfile.TemporaryDirectory() as folder:
        measure(run or mapped_resnet(Path(folder)), model, images)


def measure(run: str, model: str, images: str) -> None:
    config = EnergyConfig.model_validate({"run": run, "model": model, "images": int(images) if images else None})
    steps = Steps()
    with tempfile.TemporaryDirectory() as folder:
        began, spent = time.perf_counter(), time.process_time()
        with new_run(Path(folder) / "out", overwrite=False) as out:
            found = energy.run(config, out, reporter=steps)  # type: ignore[arg-type]
        wall, cpu = time.perf_counter() - began, time.process_time() - spent
    passed = steps.at.get("activity", [0.0])
    print(
        f"{found['network']}, {model}, {found['images']} images: {wall:.2f} s wall (bound {BOUND_SECONDS:g} s), {cpu:.2f} s CPU"
    )
    print(
        f"activity: {found['activity']}; of it {passed[-1] - passed[0]:.2f} s in the pass over images, compilation apart"
    )
    print(f"{found['devices']} devices in {found['tiles']} arrays; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
