"""ngspice under the names of ngspyce (`cmd`, `circ`, `dc`, …), with every failure an exception.

ngspice hides its failures: return codes are 0 for a missing model, a singular matrix or an unknown (and ignored!)
parameter, and the vectors of an earlier analysis stay in sight. So each call is judged by its return code, by a request
to exit, by what was said on stderr, by a new set of results, by the length of each vector and by finite values.
"""

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from xbar_cli.errors import SpiceError
from xbar_cli.spice.backends import Backend, find_library

__all__ = ["Simulator", "count_points", "find_library", "number"]

COMMAND_LIMIT = 1023
"""Characters that ngspice keeps of a command; it cuts the rest off without a word."""

_FAILURE = re.compile(
    r"error|fatal|aborted|not parsed|no such|valid modelname|unrecognized parameter|resistance to low", re.IGNORECASE
)
# What the simulator says while it tries harder to converge; no failure by itself.
_STEPPING = re.compile(
    r"^(trying gmin|note:|supplies reduced"
    r"|warning: (singular|further|last gmin|dynamic gmin|true gmin|gmin step|source))",
    re.IGNORECASE,
)
_EMPTY = re.compile(r"please check your input netlist|cannot recover and awaits|simulation\(s\) aborted", re.IGNORECASE)


def number(value: float) -> str:
    """A number as ngspice reads it back exactly. Anything but a finite number is refused: ngspice may hang on it."""
    value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"a number in a netlist must be finite, got {value}")
    return repr(value)


def count_points(start: float, stop: float, step: float) -> int:
    """Points of the dc sweep `start stop step`; a stop within 1e-6 of a step counts as reached."""
    if step == 0 or not math.isfinite(step) or (stop - start) / step < -1e-6:
        raise ValueError(f"a dc sweep from {start} to {stop} cannot be done in steps of {step}")
    return math.floor((stop - start) / step + 1e-6) + 1


class Simulator:
    """One ngspice engine. It is `dead` after it asked to exit or was asked to quit; then every call raises.

    Every method raises SpiceError with the simulator's own message when anything failed.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._loaded = False
        self.dead: str | None = None
        self.cmd("set nomoremode")
        self.cmd("set num_threads=1")

    def cmd(self, command: str) -> list[str]:
        """Send a command; the lines it printed."""
        if len(command) > COMMAND_LIMIT or not command.isascii() or not command.isprintable():
            raise SpiceError(
                f"ngspice: a command must be one line of at most {COMMAND_LIMIT} printable ASCII characters,"
                f" got {len(command)}: {command[:40]!r}…"
            )
        return self._judged(command, lambda: self._backend.command(command))

    def circ(self, netlist: str | Sequence[str]) -> None:
        """Load a netlist in place of the one before; neither a title nor `.end` is wanted."""
        lines = netlist.split("\n") if isinstance(netlist, str) else list(netlist)
        for line in lines:
            if not line.isascii() or "\n" in line:
                raise SpiceError(f"ngspice: a netlist line must be one line of ASCII, got {line[:60]!r}")
        if self._loaded:
            self._loaded = False
            self.destroy()
            self.cmd("remcirc")
        text = ["* xbar", *lines, ".end"]
        self._judged("loading the circuit", lambda: self._backend.circuit(text))
        self._loaded = True

    def dc(self, *sweeps: str | float, vectors: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """A dc sweep over one or two sources: `dc("vin", 0, 1, 0.1, "vg", 0, 1, 0.5)`, the first one innermost.

        Gives each of the `vectors` (all when None) with one axis per sweep, in the order of the sweeps.
        """
        if len(sweeps) not in (4, 8):
            raise ValueError(f"dc takes a source, start, stop and step, once or twice, got {len(sweeps)} values")
        words, shape = ["dc"], []
        for k in range(0, len(sweeps), 4):
            start, stop, step = (float(value) for value in sweeps[k + 1 : k + 4])
            shape.append(count_points(start, stop, step))
            words += [str(sweeps[k]), number(start), number(start + (shape[-1] - 1 + 1e-6) * step), number(step)]
        found = self._analyse(" ".join(words), math.prod(shape), vectors)
        self._check_axis(float(sweeps[1]), float(sweeps[3]), shape)
        return {name: values.reshape(shape, order="F") for name, values in found.items()}

    def vector_names(self) -> list[str]:
        """Names of the vectors of the last analysis."""
        self._alive()
        return self._backend.vector_names()

    def vector(self, name: str, length: int | None = None) -> np.ndarray:
        """A copy of a vector of the last analysis, checked: it exists, has `length` values, all finite."""
        self._alive()
        return self._vectors((name,), length)[name]

    def destroy(self, plot: str = "all") -> None:
        """Forget results, so that none can be taken for those of the next analysis."""
        self.cmd(f"destroy {plot}")

    def version(self) -> str:
        """The simulator's version, such as `ngspice-39`."""
        found = re.search(r"ngspice-[\w.+]+", "\n".join(self.cmd("version")))
        if found is None:
            raise SpiceError("ngspice: it does not tell its version")
        return found.group()

    def first_point_time(self) -> float | None:
        """When the first point of the last analysis was solved (`time.perf_counter`); None if points are not timed."""
        return self._backend.point_times[0] if self._backend.point_times else None

    def _analyse(self, command: str, points: int, vectors: Sequence[str] | None) -> dict[str, np.ndarray]:
        self.destroy()
        self._backend.point_times.clear()
        before = self._backend.current_plot()
        self.cmd(command)
        if self._backend.current_plot() == before:
            raise SpiceError(f"ngspice: {command.split()[0]} gave no results ({self._said() or 'nothing was said'})")
        try:
            return self._vectors(vectors or self.vector_names(), points)
        except SpiceError:
            self.destroy()
            raise

    def _vectors(self, names: Sequence[str], length: int | None) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        self._backend.messages.clear()
        for name in names:
            values = self._backend.vector(name)
            if values is None:
                raise SpiceError(f"ngspice: no vector {name} ({self._said() or 'nothing was said'})")
            if values.size == 0 or (length is not None and values.size != length):
                wanted = length or "at least 1"
                raise SpiceError(f"ngspice: vector {name} has {values.size} values, {wanted} were asked for")
            found[name] = values
        if not np.all(np.isfinite(np.concatenate(list(found.values())))):
            bad = next(name for name, values in found.items() if not np.all(np.isfinite(values)))
            raise SpiceError(f"ngspice: vector {bad} holds a value that is not finite")
        return found

    def _check_axis(self, start: float, step: float, shape: list[int]) -> None:
        """The inner sweep must have visited the values asked for."""
        wanted = np.tile(start + step * np.arange(shape[0]), math.prod(shape[1:]))
        for name in ("v-sweep", "i-sweep", "res-sweep"):
            values = self._backend.vector(name)
            if values is not None:
                if values.shape != wanted.shape or np.max(np.abs(values - wanted)) > 1e-6 * abs(step):
                    raise SpiceError(f"ngspice: the dc sweep visited other values than asked for: {values[:3]}…")
                return

    def _alive(self) -> None:
        if self.dead is not None:
            raise SpiceError(f"ngspice: the engine has stopped and must be replaced ({self.dead})")

    def _judged(self, what: str, act: Callable[[], int]) -> list[str]:
        """Do one thing and raise if anything says that it failed; else the lines printed."""
        self._alive()
        messages = self._backend.messages
        messages.clear()
        code = act()
        if self._backend.exited:
            self.dead = self._said() or "it asked to exit"
        stderr = [line.removeprefix("stderr ").strip() for line in messages if line.startswith("stderr ")]
        failed = any(_FAILURE.search(line) and not _STEPPING.search(line) for line in stderr)
        if code != 0 or self.dead is not None or failed:
            raise SpiceError(f"ngspice: {self._said() or f'return code {code}'} (while: {what[:80]})")
        return [line.removeprefix("stdout ").rstrip() for line in messages if line.startswith("stdout ")]

    def _said(self) -> str:
        """What the last call said on stderr, on one line; failed attempts to converge and repetitions are left out."""
        lines = [line.removeprefix("stderr ").strip() for line in self._backend.messages if line.startswith("stderr ")]
        lines = [line for line in lines if not _EMPTY.search(line)] or lines
        singular = [line[line.index("singular") :] for line in lines if "singular matrix" in line][:1]
        said = [*singular, *(line for line in lines if not _STEPPING.search(line))] or lines
        text = "; ".join(dict.fromkeys(said))
        return text if len(text) <= 500 else text[:499] + "…"
