"""Times at which chips are read, and what is done to them on the way."""

from itertools import pairwise
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from xbar_cli.config.base import Option, Quantity, Section, in_unit, require
from xbar_cli.config.effects import Time
from xbar_cli.config.ranges import checked, joined
from xbar_cli.config.variation import VariationSection
from xbar_cli.outside import quoted

MOST_TIMES = 1000
PolicyKind = Literal["gain", "affine", "global", "reprogram"]
_TIME = TypeAdapter(Time)


def time_of(text: str) -> float:
    """A time [s] with its unit; ValueError for what is none."""
    try:
        return _TIME.validate_python(text.strip())
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ").partition(";")[0]
        raise ValueError(f"{quoted(text)}: {said}; write a time such as 20s, 1h, 30d or 1y") from None


def times_of(text: str) -> tuple[float, ...]:
    """Times [s], each later than the one before."""
    times = tuple(time_of(part) for part in text.split(","))
    if len(times) > MOST_TIMES:
        raise ValueError(f"{len(times)} times; at most {MOST_TIMES} are allowed")
    for before, after in pairwise(times):
        if after <= before:
            raise ValueError(f"{after:g} s comes after {before:g} s: times in their order, each once")
    return times


def policies_of(text: str) -> dict[str, float]:
    """The time between two [s] of each policy."""
    found: dict[str, float] = {}
    for part in text.split(","):
        kind, at, period = part.strip().partition("@")
        if kind not in get_args(PolicyKind) or not at:
            raise ValueError(
                f"{quoted(part)} is no policy; write {', '.join(get_args(PolicyKind))} with @TIME, as gain@30d"
            )
        found[kind] = time_of(period)
    return found


class AgeingSection(Section):
    """Times at which the same chips are read, and what is done to them on the way."""

    at: Annotated[str, BeforeValidator(joined), checked(times_of), Option(metavar="TIME[,...]")] | None = None
    """Evaluate the same chips at these times after programming, such as 1h,1d,30d,1y; effects that age (drift, pcm_drift,
    pcm_read, retention, read_disturb) take their t from here."""
    recalibrate: (
        Annotated[str, BeforeValidator(joined), checked(policies_of), Option(metavar="POLICY@TIME[,...]")] | None
    ) = None
    """What is done every so often, such as gain@30d,reprogram@1y: gain and affine fit outputs to the floating-point network
    anew, global scales each layer by what the summed current of its devices has lost, reprogram writes all devices again."""

    pulse_joule: Annotated[Quantity, in_unit("J"), Field(ge=0, le=1)] | None = None
    """Energy of a pulse that writes [J], for what reprogramming costs (default that of phase change; of other devices nothing
    is known)."""
    pulses: Annotated[Quantity, Field(gt=0, le=1e6)] | None = None
    """Pulses that writing a device takes, each verified by a read (default likewise)."""

    @property
    def times(self) -> tuple[float, ...]:
        """The times [s]; none where chips are read once."""
        return () if self.at is None else times_of(self.at)

    @property
    def policies(self) -> dict[str, float]:
        """The time between two [s] of each policy."""
        return policies_of(self.recalibrate) if self.recalibrate else {}

    def agree(self, variation: VariationSection, *, ci_width: float | None, calibrate: str | None) -> None:
        """Rules that join it with the effects and with what else is asked of the chips."""
        if self.at is None:
            require(self.recalibrate is None, "ageing.recalibrate acts at times: give ageing.at")
        for key in ("pulse_joule", "pulses"):
            require(
                getattr(self, key) is None or "reprogram" in self.policies,
                f"ageing.{key} is of writing: give ageing.recalibrate = reprogram@TIME",
            )
        if self.at is None:
            return
        told = [effect for effect in variation.ageing() if effect.t is not None]
        require(not told, f"ageing.at says how old the chips are: leave out t of {', '.join(e.model for e in told)}")
        require(
            bool(variation.ageing()),
            "ageing.at: nothing ages; add effect drift, pcm_drift, pcm_read, retention or read_disturb",
        )
        several = [kind for kind in self.policies if kind != "reprogram"]
        require(
            len(several) < 2, f"ageing.recalibrate: {' and '.join(several)} both correct the outputs; give one of them"
        )
        require(ci_width is None, "ageing.at takes monte_carlo.samples chips, not monte_carlo.ci_width")
        require(
            self.recalibrate is None or calibrate is None,
            "decoding.calibrate fits at every reading, ageing.recalibrate every so often: give one of them",
        )
