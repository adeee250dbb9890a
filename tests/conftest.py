"""Settings every test runs under: strict types, checked shapes, one thread per worker."""

import os
import tempfile

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NPROC", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# most of the time of these tests is XLA compiling code that runs once
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
os.environ["XBAR_CACHE_DIR"] = tempfile.mkdtemp(prefix="xbar-test-cache-")

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
