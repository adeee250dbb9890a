"""Settings every test runs under: strict types, checked shapes, one thread per worker."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NPROC", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from jaxtyping import install_import_hook

install_import_hook(
    ["xbar_cli.device", "xbar_cli.array", "xbar_cli.mapping", "xbar_cli.nn", "xbar_cli.train", "xbar_cli.energy"],
    "beartype.beartype",
)

import hypothesis  # noqa: E402
import jax  # noqa: E402

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

hypothesis.settings.register_profile("house", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.load_profile("house")
