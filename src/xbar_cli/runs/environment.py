"""What a result was computed with: versions, commit, device, hardware (env.json, `xbar doctor`)."""

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.outside import read_json
from xbar_cli.runs.schema import Environment
from xbar_cli.runs.seal import ANEW

PACKAGES = (
    "xbar-cli", "jax", "jaxlib", "flax", "optax", "numpy", "scipy", "tensorflow-datasets", "orbax-checkpoint", "xarray",
    "h5netcdf", "pydantic", "click", "rich",
)  # fmt: skip
BIT_VARIABLES = ("NPROC", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "NVIDIA_TF32_OVERRIDE")
"""Environment variables on which the bits of a result can depend, besides JAX's and XLA's own."""
BIT_PREFIXES, CACHES = ("JAX_", "XLA_"), ("JAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE")
"""All of JAX's and XLA's are kept, but for where they keep what they compile."""
DRAWING = {
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_enable_x64": False,
}
"""JAX's settings that change what a seed draws, and how they stand where nobody touched them. `jax_enable_custom_prng`
changes the type of old keys alone; what is drawn in double precision is drawn of other bits."""
FIRST_BITS = "first_bits"


def versions() -> dict[str, str | None]:
    """Installed version of each package that matters; None where it is missing."""
    return {package: installed(package) for package in PACKAGES}


@cache
def installed(package: str) -> str | None:
    """The version of a package, None where it is missing: read once, which takes a millisecond."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


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


def bit_variables() -> dict[str, str]:
    """The environment variables on which the bits of a result can depend, as they are set."""
    own = [name for name in os.environ if name.startswith(BIT_PREFIXES) and not name.startswith(CACHES)]
    return {name: os.environ[name] for name in [*BIT_VARIABLES, *sorted(own)] if name in os.environ}


def jax_failure() -> str | None:
    """One line on why JAX has no device in this process, with the variables that are set for it; None where it has one."""
    try:
        import jax

        jax.devices()
    except Exception as error:  # at its import, or when it starts: what it raises is of no common kind
        return no_device(str(error) or "a platform that is asked for is not there")
    return None


def no_device(reason: str) -> str:
    """The line: what JAX says, and what is set for it."""
    own = [f"{name}={value}" for name, value in bit_variables().items() if name.startswith(BIT_PREFIXES)]
    told = " ".join(reason.split()).removesuffix(".")
    return f"JAX does not start: {told}; set for it: {', '.join(own) or 'nothing'}"


def random_numbers(seed: int) -> dict[str, Any]:
    """How this process draws: JAX's settings, and the first bits that the seed gives, which say what no setting does.

    Other versions of JAX, and generators that are not the same on every device, draw other bits under the same settings.
    """
    import jax

    key = jax.random.fold_in(jax.random.key(seed), 0)
    bits = [int(value) for value in jax.random.bits(key, (4,), "uint32")]
    return drawing_settings() | {FIRST_BITS: bits}


def drawing_settings() -> dict[str, Any]:
    """JAX's settings in use that change what a seed draws."""
    import jax

    return {name: getattr(jax.config, name) for name in DRAWING}


def drawing_note(seed: int) -> str | None:
    """The line on settings under which a seed draws other numbers than elsewhere; None where all stand as usual."""
    unusual = {name: value for name, value in drawing_settings().items() if value != DRAWING[name]}
    if not unusual:
        return None
    told = ", ".join(f"{name} = {value}" for name, value in unusual.items())
    return f"{told} is set for JAX: seed {seed} draws other numbers than it does elsewhere; env.json holds this"


def drawn_otherwise(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> str | None:
    """What makes two processes draw other numbers from the same seed, with both values; None where nothing is known to."""
    if not a or not b:
        return None
    for name in DRAWING:
        if a.get(name) != b.get(name):
            return f"{name} {a.get(name)} and {b.get(name)}"
    if a.get(FIRST_BITS) != b.get(FIRST_BITS):
        return f"first random bits {a.get(FIRST_BITS)} and {b.get(FIRST_BITS)} from the same seed"
    return None


def describe(*, seed: int, devices: list[str] | None = None, simulator: str | None = None) -> dict[str, Any]:
    """Everything env.json holds; `devices` are JAX's, None for a run that draws nothing by JAX, `simulator` ngspice's version."""
    return {
        "versions": versions(),
        "commit": commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "devices": devices,
        "simulator": simulator,
        "environment": bit_variables(),
        "seed": seed,
        "random": None if devices is None else random_numbers(seed),
    }


def read(path: Path) -> dict[str, Any]:
    """What an env.json holds, or RunError; nothing where there is none, as in runs of earlier versions."""
    if not path.exists():
        return {}
    try:
        found = read_json(path)
        Environment.model_validate(found)
        return found
    except (ConfigError, ValidationError):
        raise RunError(f"{path} is damaged; {ANEW}") from None


def write(path: Path, environment: dict[str, Any]) -> None:
    """Write env.json."""
    path.write_text(json.dumps(environment, indent=1) + "\n", encoding="utf-8")
