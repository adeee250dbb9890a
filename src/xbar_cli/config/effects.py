"""What happens to devices between their targets and a read: a section an effect, and the step or the noise that it is."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, assert_never, get_args

from pydantic import Field, model_validator

from .base import Quantity, in_unit
from .chips.ageing_effects import ReadDisturb, Relaxing, Retention, Temperature, age_of, model_of
from .chips.effect import Effect, PulseTime, Relative, Time
from .chips.stuck import Stuck

if TYPE_CHECKING:
    from xbar_cli.device.chip import Step
    from xbar_cli.device.figures import Devices
    from xbar_cli.types import Array


class WriteVerify(Effect):
    """Programming until the conductance is within a tolerance (Alibart et al., Nanotechnology 23, 075201)."""

    model: Literal["write_verify"]
    stage: ClassVar = "programming"
    once: ClassVar = "each says what programming leaves"
    tolerance: Relative
    """Accepted distance over the target."""
    tolerance_siemens: Annotated[Quantity, in_unit("S"), Field(ge=0, le=1)] = 0.0
    """Accepted distance besides [S]."""
    sigma_over_tolerance: Annotated[Quantity, Field(ge=1e-3, le=1e3)] = 1.0
    """Spread of one attempt over the accepted distance."""


class PcmProgramming(Effect):
    """What iterative programming leaves of a phase-change device's target (Nandakumar et al., ICECS 2019)."""

    model: Literal["pcm_programming"]
    stage: ClassVar = "programming"
    once: ClassVar = "each says what programming leaves"
    scale: Relative = 1.0
    """Multiplies the noise."""


class Additive(Effect):
    """Normal, sigma in units of G_on - G_off (acm, IV-B)."""

    model: Literal["additive"]
    stage: ClassVar = "device"
    sigma: Relative
    """Standard deviation over G_on - G_off."""


class Proportional(Effect):
    """Normal, sigma in units of the conductance."""

    model: Literal["proportional"]
    stage: ClassVar = "device"
    sigma: Relative
    """Standard deviation over the device's own conductance."""


class Lognormal(Effect):
    """G exp(sigma N(0, 1)) (Vortex, DAC 2015)."""

    model: Literal["lognormal"]
    stage: ClassVar = "device"
    sigma: Annotated[Quantity, Field(ge=0, le=3)]
    """Of the natural logarithm: 3 puts a third of the devices off by more than 20 times."""


class States(Effect):
    """Mean and spread of each state of a multi-level device (biased, Fig. 4): the technology's table, or a file's."""

    model: Literal["states"]
    stage: ClassVar = "device"
    once: ClassVar = "each is the measured spread of the same devices"
    file: str | None = None
    """Statistics that `xbar fit` wrote; the technology's own when absent."""
    part: Literal["all", "device", "cycle"] = "all"
    """Of a file: all of the spread, that between devices, or that between the writes of one."""
    scale: Relative = 1.0
    """Multiplies the spread of every state."""

    @model_validator(mode="after")
    def _parted(self) -> Self:
        if self.part != "all" and self.file is None:
            raise ValueError(
                f"states: part={self.part} needs file=, what xbar fit wrote of a table with a column device"
            )
        return self


class Smooth(Effect):
    """Mean and spread interpolated over the conductance, from statistics that `xbar fit --smooth` wrote."""

    model: Literal["smooth"]
    stage: ClassVar = "device"
    once: ClassVar = "each is the measured spread of the same devices"
    file: str
    """Run of `xbar fit --smooth`, or its statistics.toml."""


class ChipCorner(Effect):
    """Every device of the chip k sigma off (tat, III-C)."""

    model: Literal["chip_corner"]
    stage: ClassVar = "chip"
    once: ClassVar = "each says how far off the chip is"
    k: Annotated[Quantity, Field(ge=-10, le=10)]
    """How many standard deviations the chip is off."""
    sigma: Relative | None = None
    """Relative standard deviation between chips; the technology's when absent."""


class ChipToChip(Effect):
    """One normal draw for all devices of the chip (tat, III-C, k drawn)."""

    model: Literal["chip_to_chip"]
    stage: ClassVar = "chip"
    once: ClassVar = "each says how far off the chip is"
    sigma: Relative | None = None
    """Relative standard deviation between chips; the technology's when absent."""


class Drift(Effect):
    """G (t/t0)^-nu, nu drawn per device, of its mean's sign; the technology's t0 and nu when absent (Le Gallo et al. 2018)."""

    model: Literal["drift"]
    stage: ClassVar = "drift"
    once: ClassVar = "each says how devices age"
    t: Time | None = None
    """Age of the chip [s], such as 1h; that of `--at` where several times are evaluated."""
    t0: Time | None = None
    """Time after programming at which conductances were read [s]; the technology's when absent."""
    nu: Annotated[Quantity, Field(ge=-1, le=1)] | None = None
    """Mean drift exponent; the technology's when absent."""
    nu_sigma: Annotated[Quantity, Field(ge=0, le=1)] | None = None
    """Standard deviation of the exponent between devices; the technology's when absent."""


class PcmDrift(Effect):
    """Drift whose mean and spread depend on the state of a phase-change device (Nandakumar et al., ICECS 2019)."""

    model: Literal["pcm_drift"]
    stage: ClassVar = "drift"
    once: ClassVar = "each says how devices age"
    t: Time | None = None
    """Age of the chip [s], such as 1h; that of `--at` where several times are evaluated."""
    t0: Time = 20.0
    """Time after programming at which conductances were read [s]."""


class Mismatch(Effect):
    """The threshold voltage of every cell's access transistor, N(0, sigma²), drawn once a chip."""

    model: Literal["mismatch"]
    stage: ClassVar = "transistor"
    once: ClassVar = "a transistor has one threshold voltage"
    sigma: Annotated[Quantity, in_unit("V"), Field(ge=0, le=0.2)] | None = None
    """Standard deviation [V]; that of `xbar characterize --vth-sigma` when absent."""
    scale: Relative = 1.0
    """Multiplies it."""


class ReadNoise(Effect):
    """New at every read: sqrt((sigma (G_on - G_off))^2 + (relative G)^2)."""

    model: Literal["read_noise"]
    stage: ClassVar = "read"
    sigma: Relative = 0.0
    """Standard deviation over G_on - G_off."""
    relative: Relative = 0.0
    """Standard deviation over the device's own conductance."""

    @model_validator(mode="after")
    def _given(self) -> Self:
        if not self.model_fields_set & {"sigma", "relative"}:
            raise ValueError("read_noise needs sigma= or relative=")
        return self


class PcmRead(Effect):
    """New at every read: 1/f noise of a phase-change device of age t (Nandakumar et al., ICECS 2019)."""

    model: Literal["pcm_read"]
    stage: ClassVar = "read"
    once: ClassVar = "a device has one 1/f noise"
    t: Time | None = None
    """Age of the chip [s], such as 1h; that of `--at` where several times are evaluated."""
    t_read: PulseTime = 250e-9
    """Width of the read pulse [s]."""

    @model_validator(mode="after")
    def _later(self) -> Self:
        if self.t is not None and self.t < self.t_read:
            raise ValueError(f"pcm_read: t = {self.t:g} s must be at least t_read = {self.t_read:g} s")
        return self


Ageing = Drift | PcmDrift | Relaxing | PcmRead
"""Effects that know how old a chip is."""
OnDevices = (
    WriteVerify | PcmProgramming | Additive | Proportional | Lognormal | States | Smooth | ChipCorner | ChipToChip | Drift
    | PcmDrift | Retention | ReadDisturb | Temperature | Stuck
)  # fmt: skip
"""Effects that make a chip's memristors what they are."""
AnyReadNoise = ReadNoise | PcmRead
"""Effects that are new at every read."""
AnyEffect = OnDevices | Mismatch | AnyReadNoise
EFFECTS: dict[str, type[AnyEffect]] = {
    get_args(kind.model_fields["model"].annotation)[0]: kind for kind in get_args(AnyEffect)
}


def step_of(effect: OnDevices, devices: "Devices") -> "Step":
    """One effect on a chip's memristors with its numbers; ConfigError where figures are not there, or of other devices."""
    from xbar_cli.device.chip import Step

    model, parameters = _model(effect, devices)
    takes_target = isinstance(effect, PcmProgramming | PcmDrift)
    return Step(name=effect.model, stage=effect.stage, model=model, parameters=parameters, takes_target=takes_target)


def _model(effect: OnDevices, devices: "Devices") -> "tuple[Callable[..., Array], dict[str, Any]]":
    from xbar_cli.device import drift, faults, figures, pcm, programming, variation

    match effect:
        case WriteVerify():
            given = {"tolerance_siemens": effect.tolerance_siemens, "tolerance_relative": effect.tolerance}
            return programming.write_verify, {**given, "sigma_over_tolerance": effect.sigma_over_tolerance}
        case PcmProgramming():
            return pcm.pcm_programming, {"g_max": devices.g_on, "scale": effect.scale}
        case Additive():
            return variation.normal_additive, {"sigma_siemens": effect.sigma * (devices.g_on - devices.g_off)}
        case Proportional():
            return variation.normal_proportional, {"sigma_relative": effect.sigma}
        case Lognormal():
            return variation.lognormal, {"sigma_log": effect.sigma}
        case States():
            table, _ = figures.statistics_of(devices, effect.model, file=effect.file, part=effect.part)
            return variation.per_state, {"table": table._replace(sigma=effect.scale * table.sigma)}
        case Smooth():
            return variation.smooth, {"curve": figures.statistics_of(devices, effect.model, file=effect.file)[0]}
        case ChipCorner():
            sigma = figures.corner(devices, k=effect.k, sigma=effect.sigma)
            return variation.chip_corner, {"k": effect.k, "sigma_relative": sigma}
        case ChipToChip():
            sigma = figures.between_chips(devices, effect.model, sigma=effect.sigma)
            return variation.chip_to_chip, {"sigma_relative": sigma}
        case Stuck():
            return faults.stuck_at, effect.parameters(devices)
        case Drift():
            given = {"t": age_of(effect), "t0": effect.t0, "nu": effect.nu, "nu_sigma": effect.nu_sigma}
            return drift.drift, figures.drift_of(devices, **given)
        case PcmDrift():
            times = {"t_seconds": figures.after(age_of(effect), effect.t0), "t0_seconds": effect.t0}
            return pcm.pcm_drift, {**times, "g_max": devices.g_on}
        case Retention() | ReadDisturb() | Temperature():
            return model_of(effect, devices)
        case _:
            assert_never(effect)


def read_spread_of(effect: AnyReadNoise, devices: "Devices") -> "Callable[[Array, Array], Array]":
    """Standard deviation at a read [S] of devices of conductances `g` [S] that were aimed at `target` [S]: `(g, target)`.

    A stuck device still conducts, and fluctuates as one of its conductance does; an absent or open one has no noise.
    """
    from xbar_cli.device.pcm import pcm_read_sigma
    from xbar_cli.device.variation import read_sigma

    match effect:
        case ReadNoise():
            sigma = effect.sigma * (devices.g_on - devices.g_off)
            return lambda g, _: read_sigma(g, sigma_siemens=sigma, sigma_relative=effect.relative)
        case PcmRead():
            times = {"t_seconds": age_of(effect), "t_read_seconds": effect.t_read}
            return lambda g, target: pcm_read_sigma(g, target=target, g_max=devices.g_on, **times)
        case _:
            assert_never(effect)
