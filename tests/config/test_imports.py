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


def test_an_evaluation_leaves_splines_and_optimisers_until_they_are_used():
    """They cost as long to import as matplotlib does, and a network on resistive arrays wants none."""
    code = (
        "import sys, xbar_cli.workflows.evaluate, xbar_cli.chip.programming.gradient\n"
        "sys.exit(' '.join({'scipy.optimize', 'scipy.interpolate', 'scipy.linalg', 'scipy.stats'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
