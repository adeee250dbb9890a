"""`xbar doctor`: what this machine has, and what to do about what is missing."""

import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Literal

from xbar_cli.caches import bytes_in, cache_folder
from xbar_cli.data.datasets import default_data_dir, status
from xbar_cli.errors import XbarError
from xbar_cli.runs.environment import commit, installed, no_device, processor, versions
from xbar_cli.spice.ngspice import find_library
from xbar_cli.spice.pool import version

START_SECONDS = 120
Group = Literal["needed", "extra", "data set"]
"""What a finding belongs to: extras, and data sets but the bundled one, are there for those who want them."""
EXTRAS = {
    "onnx": ("onnx", "networks from ONNX files"),
    "optuna": ("search", "xbar search"),
    "vl-convert-python": ("interactive", "charts of reports that answer to the pointer"),
    "tensorboard": ("tensorboard", "tracking by TensorBoard"),
    "mlflow-skinny": ("mlflow", "tracking by MLflow"),
    "wandb": ("wandb", "tracking by Weights & Biases"),
    "dask-jobqueue": ("slurm", "sweeps on a Slurm cluster"),
    "jax-cuda12-plugin": ("cuda", "NVIDIA GPUs"),
}
"""Packages of extras, with the extra's name and what it is for."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for, and what to do about it.

    Attributes:
        name: what.
        ok: whether it is no fault: there, or not needed.
        found: what was found.
        remedy: what to do where it is wanted.
        group: what it belongs to.
        there: whether it is.
    """

    name: str
    ok: bool
    found: str
    remedy: str | None
    group: Group = "needed"
    there: bool = True


def run(*, data_dir: str | None) -> dict[str, Any]:
    """Look for everything; `healthy` is whether all that xbar needs is there."""
    findings = [*packages(), devices(), ngspice(), cache(), *extras(), *data_sets(data_dir)]
    return {
        "healthy": all(f.ok for f in findings),
        "commit": commit(),
        "processor": processor(),
        "findings": [vars(f) for f in findings],
    }


def packages() -> list[Finding]:
    """The versions of the packages."""
    return [
        Finding(
            name, version is not None, version or "missing", None if version else "make setup, or pip install xbar-cli"
        )
        for name, version in versions().items()
    ]


def extras() -> list[Finding]:
    """The packages of the extras."""
    findings = []
    for package, (extra, purpose) in EXTRAS.items():
        version = installed(package)
        remedy = None if version else f"for {purpose}: pip install 'xbar-cli[{extra}]'"
        findings.append(Finding(package, True, version or "not installed", remedy, "extra", version is not None))
    return findings


LIST_DEVICES = """
import jax
print(*(f"{device.platform}:{device.id} ({device.device_kind})" for device in jax.devices()), sep=", ")
"""


def devices() -> Finding:
    """What JAX computes on: asked in a process of its own, because a flag that XLA does not know ends the process."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", LIST_DEVICES], capture_output=True, text=True, timeout=START_SECONDS
        )
    except subprocess.TimeoutExpired:
        found = no_device(f"no answer in {START_SECONDS} s")
    else:
        if done.returncode == 0:
            return Finding("JAX devices", True, done.stdout.strip(), None)
        found = no_device(failure(done.stderr))
    return Finding("JAX devices", False, found, "unset what is wrong of it, or install the backend that it names")


def failure(text: str) -> str:
    """The line of a process's last words that says what went wrong."""
    lines = [line for line in text.splitlines() if line.strip()]
    raised = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception)\b", line) or "Unknown flag" in line]
    found = (raised or lines or ["it ended without a word"])[-1]
    return "a platform that is asked for is not there" if found == "AssertionError" else found


def cache() -> Finding:
    """The folder of what can be made again: simulated tables, compiled programs."""
    folder = cache_folder("compiled").parent
    size = bytes_in(folder)
    return Finding("cache", True, f"{folder}: {size / 2**20:.0f} MiB, may be removed", None)


def ngspice() -> Finding:
    """The simulator: its library, and whether it starts."""
    library = find_library()
    if library is None:
        remedy = "apt-get install libngspice0, or brew install libngspice, or set LIBNGSPICE to the library"
        return Finding("ngspice", False, "library not found", remedy)
    try:
        return Finding("ngspice", True, f"{version()} ({library})", None)
    except XbarError as error:
        return Finding(
            "ngspice", False, f"{library} does not start: {error}", "reinstall it, or set LIBNGSPICE to another"
        )


def data_sets(data_dir: str | None) -> list[Finding]:
    """The data sets; the bundled one must be there."""
    from pathlib import Path

    rows = status(Path(data_dir) if data_dir else default_data_dir())
    return [
        Finding(
            f"data set {row.name}",
            row.available or index > 0,
            f"{row.train} train, {row.test} test" if row.available else "not imported",
            None if row.available else row.note,
            "data set",
            row.available,
        )
        for index, row in enumerate(rows)
    ]
