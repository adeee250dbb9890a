"""A section says how its value is made, and imports the physics of it only there."""

import subprocess
import sys


def test_no_configuration_module_loads_jax():
    code = (
        "import importlib, pkgutil, sys, xbar_cli.config as rooms\n"
        "names = [m.name for m in pkgutil.walk_packages(rooms.__path__, 'xbar_cli.config.')]\n"
        "assert len(names) > 5\n"
        "for name in names: importlib.import_module(name)\n"
        "sys.exit(' '.join({'jax', 'flax', 'xarray', 'matplotlib'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
