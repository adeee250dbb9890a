"""Schemes, levels, technologies, effects, imports and fits through the command line."""

import json

import numpy as np
import pytest

from xbar_cli.runs.results import read_dataset, read_tensors, write_tensors

LAYERS = {"hidden": (784, 50), "output": (50, 10)}


def decoded(run, name):
    """The weights that a resistive map run's file says, worked out from its attributes alone."""
    dataset = read_dataset(run / "results.nc")
    array = dataset[f"{name}_conductance"]
    g, scheme = array.values.astype(np.float64), dataset.attrs["scheme"]
    if scheme == "bitslice":
        bits = int(array.attrs["slice_device_bits"])
        planes = g.reshape(g.shape[0], -1, int(array.attrs["slice_weight_bits"]) // bits)
        signed = planes @ 2.0 ** (bits * np.arange(planes.shape[-1]))
    else:
        left, right = {
            "de": (np.s_[0::2], np.s_[1::2]), "bc": (np.s_[:-1], np.s_[-1:]), "acm": (np.s_[:-1], np.s_[1:]),
        }[scheme]  # fmt: skip
        signed = g[:, left] - g[:, right]
    return signed / array.attrs["slope_siemens"] + dataset[f"{name}_digital"].values


@pytest.mark.parametrize(
    ("words", "columns", "error"),
    [
        (("--scheme", "de"), lambda out: 2 * out, 1e-6),
        (("--scheme", "bc"), lambda out: out + 1, 1e-6),
        (("--scheme", "acm", "--weight-scale", "layer"), lambda out: out + 1, 1e-5),
        (("--scheme", "bc", "--weight-scale", "column"), lambda out: out + 1, 1e-6),
        (("--scheme", "bitslice", "--weight-bits", "8", "--bits", "2"), lambda out: 4 * out, 2**-8),
        (("--scheme", "de", "--technology", "pcm", "--bits", "4", "--levels", "ratio"), lambda out: 2 * out, 0.04),
    ],
    ids=["de", "bc", "acm", "bc-column", "bitslice", "ratio"],
)
def test_every_scheme_decodes_to_the_weights(xbar, small, tmp_path, words, columns, error):
    out = tmp_path / "map"
    summary = xbar("map", small, *words, "--json", "--out", out).json
    weights = read_tensors(small / "model.safetensors")
    assert summary["devices"] == sum(rows * columns(outputs) for rows, outputs in LAYERS.values())
    for layer in summary["layers"]:
        w = weights[f"{layer['name']}.kernel"]
        difference = decoded(out, layer["name"]) - w
        assert np.abs(difference).max() <= error * max(1.0, np.abs(w).max())
        assert layer["weight_rmse"] == pytest.approx(np.sqrt(np.mean(difference**2)), rel=1e-2, abs=1e-7)
        absent = np.mean(read_dataset(out / "results.nc")[f"{layer['name']}_conductance"].values == 0)
        assert layer["absent_fraction"] == pytest.approx(absent)
        assert ("ratio" in words) == (absent > 0.5)
    found = xbar("eval", out, "--json", "--samples", "1", "--images", "300", "--out", tmp_path / "e").json
    assert found["scheme"] == words[1]
    assert found["accuracy_mean"] == pytest.approx(found["ideal_accuracy"], abs=0.03)


@pytest.mark.slow
def test_effects_act_in_physical_order_and_a_chip_repeats(xbar, small, tmp_path):
    words = ("eval", small, "--technology", "pcm", "--samples", "2", "--images", "200", "--json")
    effects = [
        "--effect", "drift:t=1e5", "--effect", "stuck:open=0.01", "--effect", "lognormal:sigma=0.05",
        "--effect", "write_verify:tolerance=0.02", "--effect", "chip_to_chip", "--effect", "read_noise:relative=0.02",
    ]  # fmt: skip
    first = xbar(*words, *effects, "--variation", "0.01", "--out", tmp_path / "a").json
    stages = [line.split()[1].rstrip(":") for line in first["effects"]]
    assert stages == ["programming", "device", "device", "chip", "drift", "faults", "below", "read"]
    again = xbar(*words, *reversed_pairs(effects), "--variation", "0.01", "--out", tmp_path / "b").json
    assert again["accuracy_samples"] == first["accuracy_samples"]
    allowed = xbar(*words, "--variation", "0.3", "--negative", "allow", "--out", tmp_path / "c").json
    clamped = xbar(*words, "--variation", "0.3", "--out", tmp_path / "d").json
    assert allowed["negative_fraction"] == pytest.approx(clamped["negative_fraction"])
    assert allowed["negative_mean_shift_siemens"] == 0
    assert clamped["negative_mean_shift_siemens"] > 0


def test_a_weight_limit_sets_the_scale_and_clips(xbar, small, tmp_path):
    words = ("map", small, "--bits", "1", "--json")
    largest, half, auto = (
        xbar(*words, "--weight-limit", limit, "--out", tmp_path / limit).json for limit in ("max", "0.1", "auto")
    )
    assert all(layer["clipped_fraction"] == 0 for layer in largest["layers"])
    assert half["layers"][0]["clipped_fraction"] > 0
    assert half["layers"][0]["slope_siemens"] == pytest.approx((1 / 30e3 - 1 / 300e3) / 0.1, rel=1e-5)
    # one bit loses most small weights at the largest one's scale: a lower limit keeps more
    assert auto["layers"][0]["slope_siemens"] > largest["layers"][0]["slope_siemens"]


def test_reflecting_keeps_what_clamping_loses(xbar, small, tmp_path):
    words = ("eval", small, "--samples", "1", "--images", "100", "--json", "--variation", "0.3")
    clamped, reflected = (
        xbar(*words, "--negative", policy, "--out", tmp_path / policy).json for policy in ("clamp", "reflect")
    )
    shift = [found["negative_mean_shift_siemens"] for found in (clamped, reflected)]
    assert shift[1] == pytest.approx(2 * shift[0], rel=1e-3)


def reversed_pairs(words):
    return [word for n in range(len(words) - 2, -1, -2) for word in words[n : n + 2]]


def test_read_noise_depends_on_the_image_not_on_the_batch(xbar, small, tmp_path):
    words = ("eval", small, "--samples", "2", "--images", "200", "--json", "--effect", "read_noise:relative=0.3")
    whole = xbar(*words, "--out", tmp_path / "a").json
    parts = xbar(*words, "--set", "monte_carlo.batch_size=50", "--out", tmp_path / "b").json
    assert whole["accuracy_samples"] == parts["accuracy_samples"]
    assert whole["accuracy_mean"] < whole["ideal_accuracy"]
    assert whole["accuracy_samples"][0] != whole["accuracy_samples"][1]


def test_measured_devices_are_fitted_and_drawn_from(xbar, small, tmp_path):
    rng = np.random.default_rng(0)
    target = np.repeat(np.linspace(1 / 300e3, 1 / 30e3, 4), 500)
    lines = [f"{t},{m}" for t, m in zip(target, target + 2e-6 * rng.normal(size=target.size), strict=True)]
    (tmp_path / "devices.csv").write_text("\n".join(["target_siemens,measured_siemens", *lines]))
    fitted = xbar("fit", tmp_path / "devices.csv", "--json", "--out", tmp_path / "fit").json
    assert fitted["points"] == 4
    np.testing.assert_allclose(fitted["sigma_siemens"], 2e-6, rtol=0.1)
    assert (tmp_path / "fit" / "figures" / "statistics.png").exists()
    words = ("eval", small, "--samples", "1", "--images", "200", "--json")
    effect = f"states:file={tmp_path / 'fit'}"
    found = xbar(*words, "--bits", "2", "--effect", effect, "--out", tmp_path / "e").json
    assert found["accuracy_mean"] < found["ideal_accuracy"]
    smooth = xbar("fit", tmp_path / "devices.csv", "--kind", "smooth", "--json", "--out", tmp_path / "smooth")
    assert smooth.code == 0
    found = xbar(*words, "--effect", f"smooth:file={tmp_path / 'smooth'}", "--out", tmp_path / "s")
    assert found.code == 0


def test_a_torch_state_dict_becomes_a_train_run(xbar, trained, tmp_path):
    own = read_tensors(trained / "model.safetensors")
    write_tensors(
        tmp_path / "t.safetensors",
        {
            name.replace("kernel", "weight").replace("hidden", "0").replace("output", "2"): value.T
            for name, value in own.items()
        },
    )
    summary = xbar(
        "import", tmp_path / "t.safetensors", "--network", "mlp", "--width", 0.2, "--json", "--out", tmp_path / "net"
    ).json
    assert summary["layout"] == "torch"
    assert summary["test_accuracy"] == json.loads((trained / "summary.json").read_text())["test_accuracy"]
    assert xbar("map", tmp_path / "net", "--scheme", "acm", "--out", tmp_path / "m").code == 0


BAD = [
    (("map", "--bits", "0"), "greater than or equal to 1"),
    (("map", "--bits", "33"), "less than or equal to 16"),
    (("map", "--scheme", "bitslice", "--bits", "3"), "no whole number of 3-bit slices"),
    (("map", "--fraction-bits", "4"), "belong to --scheme bitslice"),
    (("map", "--scheme", "acm", "--levels", "ratio", "--bits", "4"), "needs --scheme de"),
    (("map", "--levels", "ratio"), "needs --bits"),
    (("map", "--levels", "nowhere.txt"), "nowhere.txt: cannot be read"),
    (("map", "--weight-limit", "0"), "write max, largest, auto, a share such as 70% or a number from 1e-12 to 1e12"),
    (("map", "--weight-limit", "auto"), "needs --bits or --levels"),
    (("map", "--r-on", "300k", "--r-off", "300k"), "must be below"),
    (("map", "--technology", "unobtainium"), "technology 'unobtainium' is unknown"),
    (("map", "--technology", "pcm", "--r-on", "10k"), "leave out --r-on and --r-off"),
    (("map", "--scheme", "bitslice", "--weight-scale", "column"), "leave out other scales and --weight-limit"),
    (("eval", "--effect", "magic"), "'magic' is no effect"),
    (("eval", "--effect", "lognormal:spread=1"), "lognormal has no 'spread'; its keys are sigma"),
    (("eval", "--effect", "lognormal"), "variation.effects.0"),
    (("eval", "--effect", "drift:t=1"), "takes its figures from a technology"),
    (("eval", "--effect", "drift:t=1,t0=20,nu=0.05,nu_sigma=0"), "t = 1 s is before t0 = 20 s"),
    (("eval", "--effect", "stuck:on=0.6,off=0.6"), "add up to more than 1"),
    (("eval", "--effect", "states:file=nowhere.toml"), "nowhere.toml: cannot be read"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_one_clear_line(xbar, small, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    found = xbar(words[0], small, *words[1:], "--out", tmp_path / "x")
    assert (found.code, found.out) in ((1, ""), (2, ""))
    assert found.err.splitlines()[-1].startswith("Error: ")
    assert message in found.err
    assert not list(tmp_path.rglob("x*"))


def test_a_technology_file_must_be_whole(xbar, small, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('source = "mine"\nr_on_ohm = 10e3\n')
    found = xbar("map", small, "--technology", file, "--out", tmp_path / "x")
    assert found.code == 1
    assert "mine.toml: r_off_ohm is missing" in found.err
    file.write_text('source = "mine"\nr_on_ohm = 10e3\nr_off_ohm = 100e3\nsigma_chip_relative = 0.2\n')
    assert xbar("map", small, "--technology", file, "--out", tmp_path / "m").code == 0
    file.unlink()
    words = ("--effect", "chip_to_chip", "--samples", "1", "--images", "100", "--out", tmp_path / "e", "--json")
    found = xbar("eval", tmp_path / "m", *words)
    assert "sigma_relative = 0.2" in found.json["effects"][0]


@pytest.mark.spice
def test_cells_with_resistances_need_a_bit_line_axis_and_plain_inputs(xbar, small, cell, tmp_path):
    words = ("eval", small, "--cell", cell, "--vg", "0.9", "--r-wire", "1", "--images", "10", "--samples", "1")
    found = xbar(*words, "--out", tmp_path / "x")
    assert (found.code, "such as 60 mV" in found.err) == (1, True)
    found = xbar("eval", small, "--r-wire", "1", "--out", tmp_path / "x")
    assert (found.code, "nodal or gated does" in found.err) == (1, True)
