"""Repaired chips as circuits, and in Monte Carlo: folded on the arrays as built, decoded where weights were mapped, averaged."""

from dataclasses import replace
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.ideal import LinearLayer
from xbar_cli.array.nodal import nodal
from xbar_cli.array.wires import Wires
from xbar_cli.chip.fabricate import make_fabricator
from xbar_cli.chip.fold import make_folder
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.mapped import LayerMapping, MappedNetwork
from xbar_cli.chip.repair.asked import check_repair, repairing, spare_lines
from xbar_cli.config.arrays import ArraySection, tile_fold
from xbar_cli.config.chips.repair import remedies_of
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.variation import VariationSection
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.readout import Readout
from xbar_cli.nn.contracts import MatrixProduct
from xbar_cli.nn.reading import Circuit, Correction, layer_outputs

G_OFF, G_ON, TILE = 1e-6, 1e-5, (4, 4)
KEY = jax.random.key(6)


def network(scheme="de", tile=TILE):
    columns = {"de": 10, "acm": 6}[scheme]
    g = np.random.default_rng(1).uniform(G_OFF, G_ON, (9, columns)).astype(np.float32)
    layer = LayerMapping(
        conductance=g, kernel=(9, 5), readout=Readout(scheme), slope=np.asarray(G_ON - G_OFF), digital=np.zeros(()),
        bottom=G_OFF, top=G_ON, scale_kept=1.0, full_scale=1.0, signed=False, vg=None, clipped_fraction=0.0,
    )  # fmt: skip
    return MappedNetwork({"a": layer}, scheme, None, None, G_OFF, G_ON, tile)


def hardware_of(text, found, model="ideal", **array):
    asked = ArraySection.model_validate({"model": model, **array}).known("ideal")
    spare = spare_lines(found, remedies_of(text))
    return Hardware(found, model=model, fold=tile_fold(asked), wires=asked.wires(), spare=spare)


def fabricator_of(text, hardware, *effects):
    steps = steps_of(VariationSection(effects=effects).on_devices(), hardware.network)
    plain = make_fabricator(hardware.network, steps, negative="clamp")
    return repairing(plain, hardware, remedies_of(text))


def test_arrays_with_wires_are_those_that_were_built():
    """Tile by tile as built, spare lines too, then each device where it was mapped."""
    hardware = hardware_of(text := "permute,sign-flip,spares=1,ensemble=2", network(), "nodal", r_wire_ohm=50.0)
    chip = jax.jit(fabricator_of(text, hardware, "stuck:on=0.1,off=0.1").__call__)(KEY)
    circuit, _ = make_folder(hardware)(chip.conductances, KEY, {})
    for folded, copy in zip((circuit, *circuit.copies), chip.conductances, strict=True):
        g, rows, columns = (
            np.asarray(copy["a"].g),
            [0, 5, 10, 12],
            [0, 6, 12, 16],
        )  # tiles of 4 × 4, 1 row and 2 columns more
        assert g.shape == (12, 16)
        built = np.zeros_like(g)
        for top, bottom in pairwise(rows):
            for left, right in pairwise(columns):
                tile = (slice(top, bottom), slice(left, right))
                built[tile] = nodal(jnp.asarray(g[tile]), Wires(word=50.0, bit=50.0)).g_eff
        at_home = built.ravel()[np.asarray(copy["a"].places)]
        wanted = (at_home[:, 0::2] - at_home[:, 1::2]) / (G_ON - G_OFF)
        np.testing.assert_allclose(folded.layers["a"].kernel, wanted, rtol=1e-4, atol=1e-6)


def test_outputs_of_copies_are_averaged_and_then_corrected():
    kernels = [jax.random.normal(key, (4, 3)) for key in jax.random.split(KEY, 3)]
    first, *others = (Circuit({"a": LinearLayer(kernel)}) for kernel in kernels)
    correction = {"a": Correction(gain=jnp.asarray(2.0), offset=jnp.asarray(1.0))}
    circuit = Circuit(first.layers, corrections=correction, copies=tuple(others))
    x = jax.random.normal(KEY, (5, 4))
    y = layer_outputs(circuit, "a", x, MatrixProduct(), key=KEY, first=jnp.asarray(0), counts=None)
    np.testing.assert_allclose(y, 2 * np.mean([x @ kernel for kernel in kernels], axis=0) + 1, rtol=1e-5, atol=1e-5)


def test_an_ensemble_of_n_has_the_nth_part_of_the_variance():
    """Of a spread alone: no faults are needed for it."""
    spreads = {}
    for text in ("ensemble=2", "ensemble=8"):
        hardware = hardware_of(text, network())
        chip = jax.jit(fabricator_of(text, hardware, "additive:sigma=0.05").__call__)
        folder = make_folder(hardware)
        found = []
        for key in jax.random.split(KEY, 24):
            circuit, _ = folder(chip(key).conductances, key, {})
            found.append(np.mean([part.layers["a"].kernel for part in (circuit, *circuit.copies)], axis=0))
        spreads[text] = np.std(found, axis=0, ddof=1).mean()
    assert spreads["ensemble=2"] / spreads["ensemble=8"] == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize(
    ("text", "found", "message"),
    [
        ("sign-flip", network("acm"), "mapping.scheme = de, not acm"),
        ("differential", network("acm"), "mapping.scheme = de, not acm"),
        ("differential", network(tile=(4, 5)), "tiles of 5 columns cut through pairs"),
        ("retrain=1", network(tile=(4, 5)), "tiles of 5 columns cut through pairs"),
        ("code", network("acm"), "mapping.scheme = de, not acm"),
        ("code", network(), "a tile of layer 'a' has one output"),
        ("spares=5", network(), "spares=5: a tile has 4 lines"),
    ],
)
def test_what_does_not_go_together_is_one_line(text, found, message):
    with pytest.raises(ConfigError, match=message) as raised:
        check_repair(remedies_of(text), hardware_of(text, found), VariationSection())
    assert "\n" not in str(raised.value)


def test_cut_off_lines_of_grouped_layers_are_refused():
    found = network()
    layer = replace(found.layers["a"], readout=Readout("de", groups=5))
    found = replace(found, layers={"a": layer})
    with pytest.raises(ConfigError, match="'a' has 5 groups"):
        check_repair(remedies_of("permute"), Hardware(found), VariationSection(effects=("stuck:row=0.1",)))
