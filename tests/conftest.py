"""Settings every test runs under: strict types, checked shapes, one thread per worker."""

import atexit
import gc
import os
import shutil
import signal
import tempfile

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NPROC", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# most of the time of these tests is XLA compiling code that runs once
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false"
    " --xla_cpu_parallel_codegen_split_count=1",
)
# what one worker or process of a session has compiled, the others load
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="xbar-test-compiled-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.02")
if "PYTEST_XDIST_WORKER" not in os.environ:  # workers share their session's, which outlives them
    os.environ["XBAR_CACHE_DIR"] = tempfile.mkdtemp(prefix="xbar-test-cache-")
    atexit.register(shutil.rmtree, os.environ["XBAR_CACHE_DIR"], ignore_errors=True)

from jaxtyping import install_import_hook

install_import_hook(
    ["xbar_cli.device", "xbar_cli.array", "xbar_cli.mapping", "xbar_cli.nn", "xbar_cli.train", "xbar_cli.energy"],
    "beartype.beartype",
)

import hypothesis  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

from tests.docs.explained import require_files, require_words  # noqa: E402
from xbar_cli.runs.directory import Run  # noqa: E402

# where a shell starts jobs that ignore Ctrl-C, the processes of tests would too
signal.signal(signal.SIGINT, signal.default_int_handler)

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

hypothesis.settings.register_profile("house", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.load_profile("house")

# what is imported stays: the collector need not look at it again and again
gc.freeze()
gc.set_threshold(50_000, 20, 20)


_MADE_UP = [False]
"""Whether the test that is set up or runs makes up what it keeps."""


def pytest_runtest_setup(item):
    """Before the fixtures of a test."""
    _MADE_UP[0] = item.get_closest_marker("made_up") is not None


@pytest.fixture(scope="session", autouse=True)
def _whatever_a_run_holds_has_words():
    """Whatever a test computes: a key of a summary, or a file of a run, of which docs/reference has no words is an error.

    Tests that make up summaries and files say so: `pytestmark = pytest.mark.made_up`.
    """
    finish = Run.finish

    def checked(self, summary, **more):
        if not _MADE_UP[0]:
            require_words(summary)
            require_files(self.path)
        return finish(self, summary, **more)

    Run.finish = checked
    yield
    Run.finish = finish
