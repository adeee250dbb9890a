"""Ranges that training learned: the training's own forward pass against arrays with these converters, and when they are taken."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.compositions.product import CALIBRATION, TILE, Tiny, trained
from xbar_cli.chip.conversion.learned import as_learned, taken, told_of_ranges
from xbar_cli.chip.full_scales import drive_ranges, with_drive_range
from xbar_cli.chip.place import map_network
from xbar_cli.chip.prepare import make_preparer
from xbar_cli.chip.resolve import resolve_mapping
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.chips.learned import TrainConverters
from xbar_cli.config.converters import ReadSection
from xbar_cli.nn.reading import on_arrays
from xbar_cli.nn.shapes import parameters as parameters_of
from xbar_cli.nn.shapes import set_parameters
from xbar_cli.reporter import SILENT
from xbar_cli.train.forward import make_forward
from xbar_cli.train.learned import install, uninstall
from xbar_cli.trained.fixed import Fixed
from xbar_cli.workflows.evaluate import build_hardware

LAYERS = ["conv", "fc"]


def learned(**section):
    """The logits of the training's forward pass for the test images, and the run that it leaves."""
    net, data = Tiny(), trained().data
    set_parameters(net, parameters_of(trained().net))
    parts = (data.train_images, data.train_labels)
    converters = install(net, TrainConverters(**section), LAYERS, parts, height=8)
    for layer in (net.conv, net.fc):  # somewhere else than they start
        for name in [name for name in ("log_input_range", "log_output_range") if hasattr(layer, name)]:
            getattr(layer, name)[...] = getattr(layer, name)[...] - 0.2
    y = net(jnp.asarray(data.test_images, jnp.float32) / 255, make_forward(converters=converters)(net, None, None))
    fixed = Fixed(learned=uninstall(net, converters, LAYERS, tile=TILE))
    assert parameters_of(net).keys() == parameters_of(trained().net).keys()
    return np.asarray(y), replace(trained(), summary=trained().summary | fixed.summary())


def hardware(run, **given):
    """The configuration and the hardware of an evaluation, as the command makes them."""
    section = {"mapping": {"tile": TILE}, "converters": given, "calibration": {"images": CALIBRATION}}
    config = as_learned(run, EvaluateConfig.model_validate(section), scheme="de", mapped=False, reporter=SILENT)
    read = config.converters.read
    placement = resolve_mapping(run, config.mapping, None, read=read, reporter=SILENT)
    return config, build_hardware(config, run, map_network(run, placement, read=read, images=CALIBRATION))


def on_ideal_devices(run, **given):
    """The logits of the nominal chip for the test images, and its hardware."""
    config, built = hardware(run, **given)
    prepare, _ = make_preparer(run, built, config.decoding, images=CALIBRATION)
    nominal = {name: jnp.asarray(layer.conductance) for name, layer in built.network.layers.items()}
    circuit, _ = prepare(nominal, jax.random.key(7))
    pictures = jnp.asarray(run.data.test_images, jnp.float32) / 255
    return np.asarray(run.net(pictures, on_arrays(circuit, key=jax.random.key(0), first=jnp.asarray(0)))), built


@pytest.mark.parametrize(
    "section", [{"dac_bits": 4}, {"adc_bits": 5}, {"dac_bits": 4, "adc_bits": 5}, {"dac_bits": 2, "adc_bits": 3}]
)
def test_arrays_of_ideal_devices_compute_what_training_did(section):
    """A layer with inputs of both signs and one without, on tiles that neither fits: codes are added over tiles and signs."""
    wanted, run = learned(**section)
    found, built = on_ideal_devices(run, **section)
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    assert taken(run, built) == {
        "inputs": LAYERS if "dac_bits" in section else [], "outputs": LAYERS if "adc_bits" in section else []
    }  # fmt: skip
    usual = {f"{key[:3]}_range": "max" for key in section} | ({"adc_input": "pair"} if "adc_bits" in section else {})
    other, _ = on_ideal_devices(run, **section, **usual)
    assert np.abs(other - wanted).max() > 1e-3


@pytest.mark.parametrize(
    ("given", "inputs", "outputs", "said"),
    [
        ({"dac_bits": 4, "adc_bits": 5, "adc_kind": "flash"}, True, True, "inputs have the ranges that training learned"),
        ({"dac_bits": 6, "adc_bits": 5}, False, True, "they are of 4 bits"),
        ({"dac_bits": 4, "adc_bits": 6, "adc_input": "pair"}, True, False, "they are of 5 bits"),
        ({"dac_bits": 4, "adc_bits": 5, "adc_input": "column"}, True, False, "converters.adc_input = pair"),
        ({"dac_bits": 4, "adc_bits": 5, "rows_at_once": 3}, True, False, "sums of 8 rows, and here 3 are converted at once"),
        ({"dac_bits": 4, "adc_bits": 5, "accumulate": "analog"}, True, False, "of sums of 8 rows"),
        ({"dac_bits": 4, "adc_bits": 5, "input": "bitserial"}, True, False, "not of inputs bit by bit"),
        ({"dac_bits": 4, "adc_bits": 5, "dac_range": "max"}, False, True, "not taken: converters.dac_range = max"),
        ({"dac_bits": 4, "adc_bits": 5, "adc_range": "0.5"}, True, False, "converters.adc_range = 0.5 is asked for"),
        ({"adc_bits": 5}, False, True, "trained with 4-bit inputs, whose ranges it learned: converters.dac_bits = 4 takes"),
        ({"dac_bits": 4}, True, False, "trained with 5-bit converters, whose ranges it learned: converters.adc_bits = 5"),
    ],
)  # fmt: skip
def test_ranges_are_taken_where_nothing_else_is_asked_for_and_told(given, inputs, outputs, said):
    _, run = learned(dac_bits=4, adc_bits=5)
    _, built = hardware(run, **given)
    found = taken(run, built)
    assert found["inputs"] == (LAYERS if inputs else [])
    assert found["outputs"] == (LAYERS if outputs else [])
    lines = list(told_of_ranges(run, built))
    assert any(said in line for line in lines), lines
    assert all("\n" not in line for line in lines)


def test_a_network_mapped_for_inputs_of_other_bits_gets_their_range_when_it_is_evaluated():
    """Both ways: mapped without a DAC and evaluated with the bits learned; mapped for these and evaluated with others."""
    _, run = learned(dac_bits=4)
    assert run.fixed.learned is not None
    ranges = run.fixed.learned.inputs
    usual = drive_ranges(run, LAYERS, "max", images=CALIBRATION)

    def scales(mapped, evaluated):
        placement = resolve_mapping(run, EvaluateConfig().mapping, None, read=mapped, reporter=SILENT)
        network = map_network(run, placement, read=mapped, images=CALIBRATION)
        network = with_drive_range(run, network, evaluated, images=CALIBRATION)
        return {name: layer.full_scale for name, layer in network.layers.items()}

    bare, four, six = (ReadSection(dac_bits=bits) for bits in (None, 4, 6))
    assert scales(four, four) == scales(bare, four) == pytest.approx(ranges)
    for mapped, evaluated in ((four, six), (six, six), (bare, bare)):
        assert scales(mapped, evaluated) == pytest.approx(usual, rel=1e-6)
    assert all(ranges[name] < 0.9 * usual[name] for name in LAYERS)


def test_a_network_without_learned_ranges_says_nothing():
    _, built = hardware(trained(), dac_bits=4)
    assert taken(trained(), built) == {}
    assert list(told_of_ranges(trained(), built)) == []
