"""Each rule by which a call to ngspice counts as failed, on a scripted simulator; the real one is in test_ngspice."""

import numpy as np
import pytest

from xbar_cli.errors import SpiceError
from xbar_cli.spice.ngspice import COMMAND_LIMIT, Simulator, count_points, number


class Scripted:
    """A simulator that succeeds, until a test changes what it says."""

    def __init__(self):
        self.messages, self.point_times = [], []
        self.exited = self.quits = False
        self.code, self.say, self.plots = 0, [], True
        self.sent, self.plot = [], "const"
        self.data = {"v-sweep": np.arange(3.0), "i(v1)": np.ones(3)}

    def command(self, text):
        self.sent.append(text)
        self.plot = (
            "const" if text.startswith("destroy") else "dc1" if text.startswith("dc") and self.plots else self.plot
        )
        if text.startswith("dc"):
            self.messages += self.say
            self.exited = self.quits
            return self.code
        return 0

    def circuit(self, lines):
        self.messages += self.say
        return self.code

    def current_plot(self):
        return self.plot

    def vector_names(self):
        return list(self.data)

    def vector(self, name):
        return self.data.get(name)


@pytest.fixture
def simulator():
    return Scripted()


def sweep(simulator):
    return Simulator(simulator).dc("v1", 0.0, 2.0, 1.0, vectors=["i(v1)"])


def test_a_good_sweep_is_one_thread_no_stale_plots_and_a_stop_that_keeps_the_last_point(simulator):
    np.testing.assert_array_equal(sweep(simulator)["i(v1)"], np.ones(3))
    assert simulator.sent[-2:] == ["destroy all", "dc v1 0.0 2.000001 1.0"]
    assert "set num_threads=1" in simulator.sent


@pytest.mark.parametrize(
    "line",
    [
        "Error: circuit not parsed.",
        "Fatal error: DC Transfer Function",
        "dc simulation(s) aborted",
        "doAnalyses: no such device",
        "could not find a valid modelname",
        "unrecognized parameter (foo) - ignored",
        "Warning: r1: resistance to low, set to 1 mOhm",
        "ERROR: in capitals",
    ],
)
def test_a_line_on_stderr_that_tells_of_failure_is_an_error_with_that_line(simulator, line):
    simulator.say = [f"stderr {line}"]
    with pytest.raises(SpiceError, match="ngspice: ") as caught:
        sweep(simulator)
    if "aborted" not in line:
        assert line in str(caught.value)


def test_stepping_towards_convergence_is_no_failure_and_neither_is_stdout(simulator):
    simulator.say = [
        "stderr Note: Starting dynamic gmin stepping",
        "stderr Trying gmin =   1.0000E-03 Warning: singular matrix:  check node n error",
        "stderr Warning: Further gmin increment",
        "stderr Supplies reduced to   0.0000% ",
        "stdout error is only a word here",
    ]
    assert sweep(simulator)["i(v1)"].size == 3


def test_return_code_exit_request_and_missing_plot_are_failures(simulator):
    simulator.code = 1
    with pytest.raises(SpiceError, match="return code 1"):
        sweep(simulator)
    simulator.code, simulator.plots = 0, False
    with pytest.raises(SpiceError, match="dc gave no results"):
        sweep(simulator)
    simulator.plots = True
    engine = Simulator(simulator)
    simulator.quits, simulator.say = True, ["stderr Undefined parameter [und]"]
    with pytest.raises(SpiceError, match=r"Undefined parameter \[und\]"):
        engine.dc("v1", 0.0, 2.0, 1.0)
    sent = len(simulator.sent)
    with pytest.raises(SpiceError, match="must be replaced"):
        engine.dc("v1", 0.0, 2.0, 1.0)
    assert engine.dead
    assert len(simulator.sent) == sent, "a dead engine was called: that crashes the process"


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("i(v1)", np.ones(2), "has 2 values, 3 were asked for"),
        ("i(v1)", np.zeros(0), "has 0 values"),
        ("i(v1)", np.array([1.0, np.nan, 1.0]), "not finite"),
        ("i(v1)", None, r"no vector i\(v1\)"),
        ("v-sweep", np.array([0.0, 1.0, 5.0]), "other values than asked for"),
    ],
)
def test_vectors_are_checked_and_a_bad_one_leaves_nothing_to_read(simulator, name, values, message):
    simulator.data[name] = values
    with pytest.raises(SpiceError, match=message):
        sweep(simulator)


def test_commands_that_the_simulator_would_cut_or_choke_on_are_refused(simulator):
    engine = Simulator(simulator)
    for bad in ("x" * (COMMAND_LIMIT + 1), "two\nlines", "µ"):
        with pytest.raises(SpiceError, match="a command must be one line"):
            engine.cmd(bad)
    with pytest.raises(SpiceError, match="one line of ASCII"):
        engine.circ(["r1 a 0 1\n.control"])
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            number(value)
    assert number(np.float64(0.1)) == "0.1"


@pytest.mark.parametrize(("grid", "count"), [((0.01, 0.5, 0.0098), 51), ((0.7, 1.0, 0.05), 7), ((0.0, 1.0, 0.3), 4)])
def test_points_of_a_sweep_are_counted_as_the_simulator_counts(grid, count):
    assert count_points(*grid) == count


def test_a_sweep_without_end_is_refused():
    for grid in ((0.0, 1.0, 0.0), (1.0, 0.0, 0.1), (0.0, 1.0, np.nan)):
        with pytest.raises(ValueError, match="cannot be done"):
            count_points(*grid)
