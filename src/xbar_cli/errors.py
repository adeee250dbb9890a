"""The errors that a user can act on: each becomes one readable line and exit status 1."""


class XbarError(Exception):
    """Base of every expected failure. The message says what is wrong, where, and what is allowed or to be done."""


class ConfigError(XbarError):
    """A value of the configuration, an option or a file is not allowed."""


class SpiceError(XbarError):
    """The circuit simulator is missing, refused a circuit, or did not converge."""


class DataError(XbarError):
    """A data set is missing, incomplete or damaged."""


class RunError(XbarError):
    """A run directory is missing, half-written, of the wrong kind, or cannot be written."""


class ModelError(XbarError):
    """A physical model left its domain: no linear range, no convergence, a non-finite value."""


class NetworkFileError(ConfigError):
    """A user's network file cannot be used; `trace` is its own traceback where it raised."""

    def __init__(self, message: str, *, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace
