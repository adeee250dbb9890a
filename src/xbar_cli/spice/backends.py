"""The two ways to ngspice's shared library: our own ctypes binding, and the package ngspyce.

A backend only passes on: commands and circuits go in, messages and vectors come out. What counts as a failure is
judged in one place, `xbar_cli.spice.ngspice`. Opening a backend starts the engine in this process, which the engine may
later end: only worker processes do it.
"""

import ctypes
import ctypes.util
import importlib
import importlib.util
import logging
import os
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from xbar_cli.errors import SpiceError

BackendName = Literal["auto", "ctypes", "ngspyce"]

MISSING = "ngspice library not found: install libngspice0 (apt) or ngspice (brew), or set LIBNGSPICE"
NO_NGSPYCE = "backend ngspyce: the package ngspyce is not installed; install it or choose backend ctypes"

_FILE_NAMES = ("libngspice.so.0", "libngspice.so", "libngspice.0.dylib", "libngspice.dylib")
_REAL = 1  # VF_REAL of ngspice's vector flags


def find_library() -> str | None:
    """Where ngspice's shared library is, or None; nothing is loaded.

    `LIBNGSPICE` decides alone when it is set (a path, or a name for the system's loader); else the usual folders of
    Debian, Homebrew and conda, then the system's own search.
    """
    override = os.environ.get("LIBNGSPICE")
    if override:
        return override if os.sep not in override or Path(override).is_file() else None
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    folders = [f"/usr/lib/{multiarch}", f"/lib/{multiarch}", "/usr/lib64", "/usr/lib", "/usr/local/lib"]
    folders += ["/opt/homebrew/lib", "/home/linuxbrew/.linuxbrew/lib", f"{sys.prefix}/lib"]
    for folder in [*filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)), *folders]:
        for name in _FILE_NAMES:
            if (Path(folder) / name).is_file():
                return str(Path(folder) / name)
    return ctypes.util.find_library("ngspice")


def resolve(backend: BackendName) -> tuple[Literal["ctypes", "ngspyce"], str | None]:
    """The backend that `backend` stands for here, and the library: `auto` is ctypes where the library is found.

    Raises SpiceError where the library or the package asked for is missing.
    """
    library = find_library()
    has_ngspyce = importlib.util.find_spec("ngspyce") is not None
    if backend == "ngspyce" and not has_ngspyce:
        raise SpiceError(NO_NGSPYCE)
    if backend == "ngspyce" or (backend == "auto" and library is None and has_ngspyce):
        return "ngspyce", library
    if backend not in ("auto", "ctypes"):
        raise ValueError(f"backend must be auto, ctypes or ngspyce, got {backend!r}")
    if library is None:
        override = os.environ.get("LIBNGSPICE")
        raise SpiceError(f"{MISSING} (LIBNGSPICE names {override}, which is not a file)" if override else MISSING)
    return "ctypes", library


class Backend(Protocol):
    """What the engine needs of a way to ngspice."""

    messages: list[str]
    exited: bool
    point_times: list[float]

    def command(self, text: str) -> int: ...  # noqa: D102
    def circuit(self, lines: Sequence[str]) -> int: ...  # noqa: D102
    def current_plot(self) -> str: ...  # noqa: D102
    def vector_names(self) -> list[str]: ...  # noqa: D102
    def vector(self, name: str) -> np.ndarray | None: ...  # noqa: D102


class _VectorInfo(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("flags", ctypes.c_short),
        ("real", ctypes.POINTER(ctypes.c_double)),
        ("complex", ctypes.c_void_p),
        ("length", ctypes.c_int),
    )


_ON_TEXT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)
_ON_EXIT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_bool, ctypes.c_bool, ctypes.c_int, ctypes.c_void_p)
_ON_START = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_ON_POINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


class CtypesBackend:
    """ngspice through ctypes: every message, exit request and point is recorded, and vectors are copied."""

    def __init__(self, library: str, *, time_points: bool) -> None:
        """Load the library and start the engine; noting when each point is solved costs a sweep some 5 %."""
        self.messages: list[str] = []
        self.exited = False
        self.point_times: list[float] = []
        try:
            self._lib = lib = ctypes.CDLL(library)
            lib.ngSpice_Command.argtypes = [ctypes.c_char_p]
            lib.ngSpice_Circ.argtypes = [ctypes.POINTER(ctypes.c_char_p)]
            lib.ngSpice_CurPlot.restype = ctypes.c_char_p
            lib.ngSpice_AllVecs.argtypes = [ctypes.c_char_p]
            lib.ngSpice_AllVecs.restype = ctypes.POINTER(ctypes.c_char_p)
            lib.ngGet_Vec_Info.argtypes = [ctypes.c_char_p]
            lib.ngGet_Vec_Info.restype = ctypes.POINTER(_VectorInfo)
        except (OSError, AttributeError) as error:
            raise SpiceError(f"ngspice library {library} cannot be used: {error}") from error
        # The callbacks live as long as the engine: the library keeps their addresses.
        timed = (_ON_POINT(self._point), _ON_START(self._ignore)) if time_points else (None, None)
        self._callbacks = (_ON_TEXT(self._text), _ON_TEXT(self._ignore), _ON_EXIT(self._exit), *timed)
        if lib.ngSpice_Init(*self._callbacks, None, None) != 0:
            raise SpiceError(f"ngspice library {library} did not start: {' '.join(self.messages)}")

    def _text(self, text: bytes | None, _ident: int, _user: int | None) -> int:
        self.messages.append((text or b"").decode("latin-1"))
        return 0

    def _ignore(self, *_: object) -> int:
        return 0

    def _exit(self, *_: object) -> int:
        self.exited = True
        return 0

    def _point(self, *_: object) -> int:
        self.point_times.append(time.perf_counter())
        return 0

    def command(self, text: str) -> int:
        """Send one command; the library's return code, which is 0 for most failures."""
        return self._lib.ngSpice_Command(text.encode("ascii"))

    def circuit(self, lines: Sequence[str]) -> int:
        """Load a netlist whose first line is its title and whose last is `.end`."""
        encoded = [*(line.encode("ascii") for line in lines), None]
        return self._lib.ngSpice_Circ((ctypes.c_char_p * len(encoded))(*encoded))

    def current_plot(self) -> str:
        """Name of the newest set of results, `const` when there is none."""
        return self._lib.ngSpice_CurPlot().decode("latin-1")

    def vector_names(self) -> list[str]:
        """Names of the vectors of the current plot."""
        pointer, names = self._lib.ngSpice_AllVecs(self.current_plot().encode("ascii")), []
        while pointer and pointer[len(names)]:
            names.append(pointer[len(names)].decode("latin-1"))
        return names

    def vector(self, name: str) -> np.ndarray | None:
        """A copy of a real vector of the current plot; None when there is none of that name."""
        pointer = self._lib.ngGet_Vec_Info(name.encode("ascii"))
        if not pointer or not pointer[0].flags & _REAL:
            return None
        info = pointer[0]
        if info.length <= 0 or not info.real:
            return np.zeros(0)
        return np.frombuffer(ctypes.string_at(info.real, 8 * info.length), dtype=np.float64)


class NgspyceBackend:
    """ngspice through the package ngspyce, which logs the messages it gets and ignores return codes and exits."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.exited = False
        self.point_times: list[float] = []
        for name in ("ngspyce", "ngspice"):
            logger = logging.getLogger(name)
            logger.setLevel(logging.DEBUG)
            logger.propagate = False
            logger.addHandler(_Recorder(self))
        try:
            self._ngspyce = importlib.import_module("ngspyce")
        except ImportError as error:
            raise SpiceError(f"{NO_NGSPYCE} ({error})") from error
        except Exception as error:
            raise SpiceError(f"backend ngspyce: the package does not start: {error}") from error

    def command(self, text: str) -> int:
        """Send one command; ngspyce does not hand the return code on."""
        self.messages += [f"stdout {line}" for line in list(self._ngspyce.cmd(text) or [])]
        return 0

    def circuit(self, lines: Sequence[str]) -> int:
        """Load a netlist; ngspyce writes the first and last line itself."""
        return self._ngspyce.circ(list(lines[1:-1])) or 0

    def current_plot(self) -> str:
        """Name of the newest set of results, `const` when there is none."""
        return self._ngspyce.plots()[0]

    def vector_names(self) -> list[str]:
        """Names of the vectors of the current plot."""
        return list(self._ngspyce.vector_names())

    def vector(self, name: str) -> np.ndarray | None:
        """A copy of a real vector: ngspyce's own is a view of memory that the next analysis frees."""
        try:
            values = np.array(self._ngspyce.vector(name), copy=True)
        except RuntimeError:
            return None
        return values.astype(np.float64) if np.isrealobj(values) else None


class _Recorder(logging.Handler):
    """Turns ngspyce's log records back into the engine's messages."""

    def __init__(self, backend: NgspyceBackend) -> None:
        super().__init__(logging.DEBUG)
        self._backend = backend

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == "ControlledExit":
            self._backend.exited = True
        elif record.levelno >= logging.ERROR:
            self._backend.messages.append(f"stderr {record.getMessage()}")


def open_backend(name: Literal["ctypes", "ngspyce"], library: str | None, *, time_points: bool) -> Backend:
    """Start the engine in this process (ngspyce cannot time points). Only a worker process may call this."""
    os.environ["OMP_WAIT_POLICY"] = "passive"  # Debian's build spins on OpenMP barriers otherwise
    if name == "ngspyce":
        return NgspyceBackend()
    if library is None:
        raise SpiceError(MISSING)
    return CtypesBackend(library, time_points=time_points)
