"""What a result was computed with: versions, commit, device, hardware (env.json, `xbar doctor`)."""

import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = (
    "xbar-cli", "jax", "jaxlib", "flax", "optax", "numpy", "scipy", "tensorflow-datasets", "orbax-checkpoint", "xarray",
    "h5netcdf", "pydantic", "click", "rich",
)  # fmt: skip
BIT_VARIABLES = ("NPROC", "OPENBLAS_NUM_THREADS", "XLA_FLAGS", "JAX_ENABLE_X64", "JAX_PLATFORMS")
"""Environment variables on which the bits of a result can depend."""


def versions() -> dict[str, str | None]:
    """Installed version of each package that matters; None where it is missing."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def commit() -> str | None:
    """The commit of the source tree this package runs from, with `+` where it is changed; None outside a checkout."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        return head + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def describe(*, seed: int, devices: list[str] | None = None, simulator: str | None = None) -> dict[str, Any]:
    """Everything env.json holds."""
    return {
        "versions": versions(),
        "commit": commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "devices": devices,
        "simulator": simulator,
        "environment": {name: os.environ[name] for name in BIT_VARIABLES if name in os.environ},
        "seed": seed,
    }


def write(path: Path, environment: dict[str, Any]) -> None:
    """Write env.json."""
    path.write_text(json.dumps(environment, indent=1) + "\n", encoding="utf-8")
