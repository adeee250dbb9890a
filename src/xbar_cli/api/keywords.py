"""Keywords of the functions, written by `scripts/make_cli_docs.py`; docs/cli.md says what each means."""

from collections.abc import Sequence
from typing import Any, Literal

from .common import Configured, RunOf, Value


class CharacterizeKeywords(Configured, total=False):
    """Of `characterize`."""

    card: Value
    model: Value
    section: Value
    nominal: bool
    cell_table: Value
    width: Value
    length: Value
    temperature: Value
    topology: Literal["drain", "source"]
    r_on: Value
    r_off: Value
    vg_range: Value
    vin_range: Value
    g_points: int
    g_spacing: Literal["linear", "log"]
    vbl: Value
    jobs: int
    backend: Literal["auto", "ctypes", "ngspyce"]
    no_cache: bool
    tolerance: Value
    tolerance_metric: Literal["spread", "deviation", "std"]
    vdd: Value
    leakage_limit: Value
    rows: int
    surrogate_error: Value
    vth_sigma: Value
    mismatch_samples: int
    seed: int


class TrainKeywords(Configured, total=False):
    """Of `train`."""

    resume: RunOf
    method: Literal["ideal", "neat", "tat", "periphery", "biased", "insitu"]
    start: Value
    cell: Value
    vg: Value
    vg_rule: Literal["previous", "covering"]
    vg_offset: Value
    rounds: int
    epochs_per_round: int
    retrain_learning_rate: Value
    weight_scale: Literal["network", "layer", "format", "power"]
    refold: int
    corner: Value
    scheme: Literal["de", "bc", "acm"]
    bits: Value
    nonlinearity: Value
    nonlinearity_down: Value
    initial: Literal["pulses", "conductance"]
    activation_bits: Value
    weight_limit: Value
    important: Value
    restrict_at: Literal["epoch", "step", "straight"]
    favourable: Value
    technology: Value
    encoding: Literal["offset", "twos_complement", "differential"]
    importance: Literal["column", "tile"]
    tile: Value
    select: Literal["validation", "test"]
    switching: Value
    algorithm: Literal["sgd", "tiki-taka", "residual"]
    residual_tiles: int
    residual_factor: Value
    bit_length: int
    weight_range: Value
    transfer_rate: Value
    lifetime: Value
    network: Value
    network_arg: Sequence[Any]
    width: Value
    depth: int
    heads: int
    hidden: int
    activation: Literal["relu", "sigmoid"]
    bias: Literal["digital", "row"]
    mean: Value
    std: Value
    padding: Literal["same", "torch"]
    norm_epsilon: Value
    dataset: Value
    data_dir: Value
    train_images: int
    epochs: int
    batch_size: int
    epoch_images: int
    learning_rate: Value
    rates: Value
    optimizer: Literal["adam", "sgd"]
    momentum: Value
    weight_decay: Value
    schedule: Literal["constant", "cosine", "step"]
    label_smoothing: Value
    clip_norm: Value
    clip_weights: Value
    inject_schedule: Literal["constant", "ramp"]
    precision: Literal["float32", "bfloat16"]
    augment: Literal["none", "flip", "crop", "crop+flip"]
    metric: Literal["accuracy", "top5", "mse", "r2", "cross_entropy", "perplexity"]
    early_stop: int
    keep: Literal["best", "last"]
    fold_norm: bool
    array: Literal["published", "lumped", "nodal", "gated"]
    neuron: Literal["separate", "shared"]
    r_wire: Value
    r_wire_word: Value
    r_wire_bit: Value
    r_source: Value
    r_neuron: Value
    levels: int
    layers: Value
    dac_bits: int
    adc_bits: int
    range_gradient: Literal["lsq", "pact"]
    robust: bool
    inject: Value
    seed: int


class MapKeywords(Configured, total=False):
    """Of `map`."""

    scheme: Literal["de", "bc", "acm", "bitslice"]
    weight_scale: Literal["network", "layer", "column"]
    weight_limit: Value
    layers: Value
    bits: Value
    levels: Value
    weight_bits: int
    fraction_bits: int
    encoding: Literal["offset", "twos_complement", "differential"]
    technology: Value
    tile: Value
    pack: bool
    map_target: Literal["effective", "memristor"]
    top: Literal["range", "device"]
    r_on: Value
    r_off: Value
    cell: Value
    vg: Value
    input: Literal["amplitude", "bitserial", "pwm"]
    v_read: Value
    dac_bits: int
    dac_range: Value
    data_dir: Value
    seed: int


class EnergyKeywords(Configured, total=False):
    """Of `energy`."""

    model: Literal["resparc", "neurosim", "isaac"]
    preset: Literal["acm-table1", "biased-table1", "neat"]
    images: int
    activity: Value
    baseline: Value
    accuracy: Value
    node: Value
    line_charge: Literal["read", "column"]
    input_bits: int
    adc_bits: int
    columns_per_adc: int
    rows_at_once: int
    adc_input: Literal["column", "pair"]
    accumulate: Literal["digital", "analog"]
    tiles: int
    pipeline: bool
    r_wire: Value
    r_wire_word: Value
    r_wire_bit: Value
    r_source: Value
    r_neuron: Value
    constants: Value
    data_dir: Value
    seed: int


class ChipKeywords(Configured, total=False):
    """Of `chip`."""

    variation: Value
    variation_model: Literal["additive", "proportional"]
    effect: Sequence[Any]
    negative: Literal["clamp", "reflect", "allow"]
    program: Literal["verify", "gradient"]
    program_device: Value
    program_tolerance: Value
    program_pulses: int
    program_rounds: int
    program_adc_bits: int
    program_margin: Value
    repair: Value
    fault_map: Literal["march", "given"]
    metric: Literal["accuracy", "top5", "mse", "r2", "cross_entropy", "perplexity"]
    samples: int
    images: int
    array: Literal["ideal", "lumped", "published", "nodal", "gated"]
    neuron: Literal["separate", "shared"]
    wired: Literal["auto", "fold", "sweep", "exact"]
    wired_error: Value
    r_wire: Value
    r_wire_word: Value
    r_wire_bit: Value
    r_source: Value
    r_neuron: Value
    adc_bits: int
    adc_range: Value
    adc_gain_error: Value
    adc_offset_error: Value
    columns_per_adc: int
    rows_at_once: int
    adc_input: Literal["column", "pair"]
    adc_kind: Literal["ideal", "sar", "ramp", "flash"]
    adc_mismatch: Value
    adc_noise: Value
    accumulate: Literal["digital", "analog"]
    input: Literal["amplitude", "bitserial", "pwm"]
    v_read: Value
    dac_bits: int
    dac_range: Value
    calibrate: Literal["gain", "affine"]
    calibrate_per: Literal["layer", "column"]
    scheme: Literal["de", "bc", "acm", "bitslice"]
    weight_scale: Literal["network", "layer", "column"]
    weight_limit: Value
    layers: Value
    bits: Value
    levels: Value
    weight_bits: int
    fraction_bits: int
    encoding: Literal["offset", "twos_complement", "differential"]
    technology: Value
    tile: Value
    pack: bool
    map_target: Literal["effective", "memristor"]
    top: Literal["range", "device"]
    r_on: Value
    r_off: Value
    cell: Value
    vg: Value
    data_dir: Value
    seed: int


class EvaluateKeywords(ChipKeywords, total=False):
    """Of `evaluate`."""

    at: Value
    recalibrate: Value
    ci_width: Value
    max_samples: int
    yield_at: Value
    per_layer: bool


class PartitionKeywords(ChipKeywords, total=False):
    """Of `partition`."""

    loss: Value
    per: Literal["device", "mac"]
    held_out: int
    at: Value
    recalibrate: Value


class AdviseKeywords(ChipKeywords, total=False):
    """Of `advise`."""

    try_training: bool


class DesignKeywords(ChipKeywords, total=False):
    """Of `design`."""

    over: Sequence[Any]
    energy_weight: Value
    area_weight: Value
    latency_weight: Value
    cost_model: Literal["resparc", "isaac"]
    steps: int
    rate: Value
    step_images: int
    step_chips: int
    train_weights: bool
    weight_rate: Value
