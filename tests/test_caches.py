"""What is kept from run to run: where, for whom, and how much of it."""

import os
import subprocess
import sys
import time

import pytest

from xbar_cli import caches


@pytest.fixture
def no_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.delenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", raising=False)
    monkeypatch.setenv("XBAR_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_compiled_programs_go_to_the_caches_folder(no_cache):
    caches.keep_compiled()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(no_cache / "compiled" / caches.machine())


def test_jax_own_variable_goes_before(no_cache, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    caches.keep_compiled()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "elsewhere"
    assert not (no_cache / "compiled").exists()


def test_a_folder_that_cannot_be_made_leaves_no_cache(no_cache, monkeypatch):
    (no_cache / "file").write_text("")
    monkeypatch.setenv("XBAR_CACHE_DIR", str(no_cache / "file"))
    caches.keep_compiled()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


def test_threads_keep_programs_apart(monkeypatch):
    monkeypatch.setenv("NPROC", "1")
    one = caches.machine()
    monkeypatch.setenv("NPROC", "2")
    assert caches.machine() != one


def test_the_oldest_go_first(tmp_path):
    for age, name in enumerate(("new", "older", "oldest")):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, times=(time.time() - age, time.time() - age))
    caches.forget_oldest(tmp_path, limit=300)
    assert len(list(tmp_path.iterdir())) == 3
    caches.forget_oldest(tmp_path, limit=299)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_second_process_loads_the_program_that_the_first_compiled(no_cache):
    program = (
        "from xbar_cli.caches import keep_compiled\n"
        "keep_compiled()\n"
        "import jax, jax.numpy as jnp\n"
        "hits = []\n"
        "jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))\n"
        "jax.jit(lambda x: jnp.linalg.cholesky(jnp.sort(x @ x.T)))(jnp.ones((8, 8)))\n"
        "print(sum(name == '/jax/compilation_cache/cache_hits' for name in hits))\n"
    )
    env = {**os.environ, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    found = [
        int(subprocess.run([sys.executable, "-c", program], env=env, check=True, capture_output=True, text=True).stdout)
        for _ in range(2)
    ]
    assert found[0] == 0
    assert found[1] >= 1


def test_what_is_no_program_is_removed_and_links_are_not_followed(tmp_path):
    theirs, folder = tmp_path / "theirs", tmp_path / "compiled"
    (theirs / "sub").mkdir(parents=True)
    folder.mkdir()
    (folder / "program").write_bytes(b"x")
    (folder / "folder" / "in").mkdir(parents=True)
    (folder / "link").symlink_to(theirs)
    os.mkfifo(folder / "pipe")
    caches.forget_oldest(folder)
    assert [path.name for path in folder.iterdir()] == ["program"]
    assert (theirs / "sub").is_dir()


def test_without_a_home_nothing_is_kept(monkeypatch):
    """A user without a name, as in a container: there is no HOME and no entry of the user."""
    for name in ("HOME", "XBAR_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError))
    folder = caches.cache_folder("cells")
    assert folder.parts[:3] == ("/", "dev", "null")
    with pytest.raises(NotADirectoryError):
        folder.mkdir(parents=True)
