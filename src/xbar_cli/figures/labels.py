"""What keys and figures are called on axes: words, symbol and unit, one table for all pictures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from xbar_cli.outside import cut, printable

LONGEST_NAME = 40
"""Characters of a name that comes from a run."""
PLAIN = {"1": "", "ohm": "Ω", "degC": "°C", "m2": "m²"}
"""Units of results.nc as they are printed; others are printed as they are."""
PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
PREFIXED = ("J", "s", "m", "S", "A", "W", "F", "Hz", "V", "Ω", "m²")
WHOLE_BELOW_ONE = ("V", "Ω")
"""Units that keep no prefix for tenths: 0.8 V, not 800 mV."""


@dataclass(frozen=True)
class Label:
    """What stands on an axis.

    Attributes:
        words: the name.
        symbol: of the quantity, in matplotlib's mathematics without the dollars; empty where it has none.
        unit: as it is printed; empty for none.
        factor: from the value to this unit.
        clock: whether values are seconds that are written as hours, days and years.
    """

    words: str
    symbol: str = ""
    unit: str = ""
    factor: float = 1.0
    clock: bool = False

    @property
    def text(self) -> str:
        """The label as matplotlib takes it: `gate voltage $V_g$ (V)`."""
        parts = [self.words, f"${self.symbol}$" if self.symbol else "", f"({self.unit})" if self.unit else ""]
        return " ".join(part for part in parts if part)

    @property
    def plain(self) -> str:
        """The label for captions and terminals, without mathematics."""
        return f"{self.words} ({self.unit})" if self.unit else self.words


def _percent(words: str, symbol: str = "") -> Label:
    return Label(words, symbol, "%", 100.0)


KEYS: dict[str, Label] = {
    "r_wire_ohm": Label("wire resistance", r"r_\mathrm{wire}", "Ω"),
    "r_wire_word_ohm": Label("wire resistance of word lines", r"r_\mathrm{wire}", "Ω"),
    "r_wire_bit_ohm": Label("wire resistance of bit lines", r"r_\mathrm{wire}", "Ω"),
    "r_source_ohm": Label("source resistance", r"R_\mathrm{source}", "Ω"),
    "r_neuron_ohm": Label("neuron resistance", r"R_\mathrm{neuron}", "Ω"),
    "r_on_ohm": Label("low resistance", r"R_\mathrm{on}", "Ω"),
    "r_off_ohm": Label("high resistance", r"R_\mathrm{off}", "Ω"),
    "vg": Label("gate voltage", "V_g", "V"),
    "vg_range": Label("gate voltage", "V_g", "V"),
    "v_read_volt": Label("read voltage", r"V_\mathrm{read}", "V"),
    "width_m": Label("transistor width", "W", "m"),
    "length_m": Label("transistor length", "L", "m"),
    "temperature_celsius": Label("temperature", "T", "°C"),
    "tile": Label("array size"),
    "scheme": Label("mapping scheme"),
    "mapping.bits": Label("bits per device"),
    "weight_bits": Label("bits per weight"),
    "weight_limit": Label("weight limit"),
    "technology": Label("device technology"),
    "adc_bits": Label("ADC resolution", "", "bit"),
    "dac_bits": Label("DAC resolution", "", "bit"),
    "adc_range": Label("ADC range"),
    "adc_noise": Label("ADC noise"),
    "columns_per_adc": Label("columns per ADC"),
    "rows_at_once": Label("rows read at once"),
    "variation.amount": _percent("device variation", r"\sigma"),
    "variation.model": Label("variation model"),
    "array.model": Label("array model"),
    "network.name": Label("network"),
    "network.width": Label("width factor"),
    "network.hidden": Label("hidden units"),
    "dataset.name": Label("data set"),
    "method": Label("training method"),
    "seed": Label("seed"),
    "run": Label("network"),
    "epochs": Label("epochs"),
    "learning_rate": Label("learning rate"),
    "train_images": Label("training images"),
    "samples": Label("chips"),
    "remedies": Label("repair"),
    "stuck.on": _percent("devices stuck on"),
    "stuck.off": _percent("devices stuck off"),
    "stuck.on=off": _percent("devices stuck on, and as many off"),
    "stuck.open": _percent("open devices"),
    "drift.t": Label("time since programming", "t", clock=True),
    "pcm_drift.t": Label("time since programming", "t", clock=True),
    "retention.t": Label("time since programming", "t", clock=True),
    "ageing.at": Label("time since programming", "t", clock=True),
    "recalibrate": Label("recalibration"),
    "epoch": Label("epoch"),
    "drift.nu": Label("drift exponent", r"\nu"),
    "lognormal.sigma": Label("lognormal spread", r"\sigma"),
    "proportional.sigma": _percent("device variation", r"\sigma"),
    "additive.sigma": _percent("device variation", r"\sigma"),
    "read_noise.sigma": _percent("read noise", r"\sigma"),
    "read_noise.relative": _percent("read noise, of the conductance", r"\sigma"),
    "write_verify.tolerance": _percent("write tolerance"),
    "write_verify.tolerance_siemens": Label("write tolerance", "", "S"),
    "write_verify.sigma_over_tolerance": Label("spread of a write over its tolerance"),
    "pcm_programming.scale": Label("scale of the programming noise"),
    "states.scale": Label("scale of the states' spread"),
    "chip_corner.k": Label("chip corner", "k", "σ"),
    "chip_corner.sigma": _percent("spread between chips", r"\sigma"),
    "chip_to_chip.sigma": _percent("spread between chips", r"\sigma"),
    "drift.t0": Label("time of the first read", "t_0", clock=True),
    "pcm_drift.t0": Label("time of the first read", "t_0", clock=True),
    "drift.nu_sigma": Label("spread of the drift exponent", r"\sigma_\nu"),
    "pcm_read.t": Label("time since programming", "t", clock=True),
    "pcm_read.t_read": Label("width of the read pulse", "", "s"),
    "mismatch.sigma": Label("threshold mismatch", r"\sigma_{V_\mathrm{th}}", "V"),
    "mismatch.scale": Label("scale of the mismatch"),
    "retention.tau": Label("retention time constant", r"\tau", clock=True),
    "retention.tau_sigma": Label("spread of the retention's logarithm", r"\sigma"),
    "retention.ea": Label("activation energy", "E_a", "eV"),
    "retention.kelvin": Label("temperature", "T", "K"),
    "temperature.kelvin": Label("temperature", "T", "K"),
    "temperature.alpha_on": Label("temperature coefficient of the on state", r"\alpha_\mathrm{on}", "1/K"),
    "temperature.alpha_off": Label("temperature coefficient of the off state", r"\alpha_\mathrm{off}", "1/K"),
    "read_disturb.t": Label("time since programming", "t", clock=True),
    "read_disturb.share": _percent("change by a read"),
    "read_disturb.rate": Label("reads per second", "", "Hz"),
    "read_disturb.share_sigma": Label("spread of the disturb's logarithm", r"\sigma"),
    "stuck.row": _percent("rows cut off"),
    "stuck.column": _percent("columns cut off"),
    "stuck.cluster": Label("side of a cluster of faults", "", "devices"),
}
"""By the end of a dotted key, or by effect and parameter."""
FIGURES: dict[str, Label] = {
    "accuracy_mean": _percent("accuracy"),
    "test_accuracy": _percent("test accuracy"),
    "ideal_accuracy": _percent("accuracy in floating point"),
    "accuracy_std": Label("standard deviation of accuracy", "", "points", 100.0),
    "accuracy_worst": _percent("accuracy of the worst chip"),
    "accuracy": _percent("accuracy"),
    "validation_accuracy": _percent("validation accuracy"),
    "yield": _percent("yield"),
    "metric_value": Label("metric"),
    "metric_loss": Label("loss of the metric"),
    "loss": Label("loss"),
    "energy_joule": Label("energy per inference", "E", "J"),
    "area_m2": Label("area", "A", "m²"),
    "latency_seconds": Label("latency", "t", "s"),
    "devices": Label("devices"),
    "tiles": Label("arrays"),
    "utilisation": _percent("utilisation"),
    "weight_rmse": Label("rms error of weights"),
}
"""By the end of a figure's name; what stands before it is the stage's."""
PERCENT_WORDS = ("accuracy", "fraction", "utilisation")


def label_of_key(key: str, *, unit: str = "1") -> Label:
    """The label of a swept key: of the table by the longest end of it that stands there, else its own words."""
    parts = key.split(".")
    for start in range(len(parts)):
        found = KEYS.get(".".join(parts[start:]))
        if found is not None:
            return found
    return _own(parts[-1], unit)


def label_of_figure(name: str, *, unit: str = "1") -> Label:
    """The label of a figure of a summary; the stage that its name begins with stands behind it in brackets."""
    words = name.split("_")
    for start in range(len(words)):
        found = FIGURES.get("_".join(words[start:]))
        if found is not None:
            stage = safe("_".join(words[:start]))
            return replace(found, words=f"{found.words} [{stage}]") if stage else found
    own = _own(name, unit)
    share = unit == "1" and any(word in words for word in PERCENT_WORDS)
    return replace(own, unit="%", factor=100.0) if share else own


def _own(name: str, unit: str) -> Label:
    """A label of a name's own words, its unit's word apart."""
    stem = name.rpartition("_")[0]
    words = stem if stem and unit != "1" else name
    return Label(safe(words.replace("_", " ")), "", PLAIN.get(unit, safe(unit)))


def safe(text: str) -> str:
    """A text of a run for matplotlib: on one line, short, and no mathematics."""
    shown = printable(" ".join(text.split()))
    return cut(shown, LONGEST_NAME).replace("\\", "∖").replace("$", r"\$")


def prefixed(label: Label, largest: float) -> Label:
    """The label with the SI prefix that suits a quantity of this size."""
    if label.unit not in PREFIXED or not math.isfinite(largest) or largest <= 0:
        return label
    power = 2 if label.unit == "m²" else 1
    if label.unit in WHOLE_BELOW_ONE and 0.1 <= largest < 1:
        return label
    near = 1 + (1e-9 if largest < 1.5 else -1e-9)  # 1000 Ω stay, and 1e-9 m are 1 nm
    tenths = 2 if power == 2 else 0  # 0.2 mm² rather than 200000 µm²
    exponent = 3 * math.floor((math.log10(largest * near) + tenths) / (3 * power))
    exponent = min(max(exponent, min(PREFIXES)), max(PREFIXES))
    return replace(label, unit=PREFIXES[exponent] + label.unit, factor=label.factor * 10.0 ** (-exponent * power))


def units_of(attributes: Mapping[str, object]) -> str:
    """The unit that a variable of results.nc says it has."""
    found = attributes.get("units", "1")
    return found if isinstance(found, str) else "1"
