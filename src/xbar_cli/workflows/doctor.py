"""`xbar doctor`: what this machine has, and what to do about what is missing."""

from dataclasses import dataclass
from typing import Any

from xbar_cli.caches import bytes_in, cache_folder
from xbar_cli.data.datasets import default_data_dir, status
from xbar_cli.errors import XbarError
from xbar_cli.runs.environment import commit, processor, versions
from xbar_cli.spice.ngspice import find_library
from xbar_cli.spice.pool import version


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        name: what.
        ok: whether it is there and works; a data set that is not imported is no fault.
        found: what was found.
        remedy: what to do about it; None when there is nothing to do.
    """

    name: str
    ok: bool
    found: str
    remedy: str | None


def run(*, data_dir: str | None) -> dict[str, Any]:
    """Look for everything; `healthy` is whether all that xbar needs is there."""
    findings = [*packages(), devices(), ngspice(), cache(), *data_sets(data_dir)]
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


def devices() -> Finding:
    """What JAX computes on."""
    import jax

    found = ", ".join(f"{device.platform}:{device.id} ({device.device_kind})" for device in jax.devices())
    return Finding("JAX devices", True, found, None)


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
        )
        for index, row in enumerate(rows)
    ]
