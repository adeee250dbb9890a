import pytest

from xbar_cli.nn.shapes import LayerName, chosen_layers

LAYERS = [LayerName("conv1", False), LayerName("fc1", True), LayerName("fc2", True), LayerName("head", True)]


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        ("all", ["conv1", "fc1", "fc2", "head"]),
        ("dense", ["fc1", "fc2", "head"]),
        ("fc*", ["fc1", "fc2"]),
        ("!head", ["conv1", "fc1", "fc2"]),
        ("fc*, !fc2, head", ["fc1", "head"]),
        ("!*, conv?", ["conv1"]),
        ("fc[2-9]", ["fc2"]),
    ],
)
def test_the_last_pattern_that_fits_decides(choice, taken):
    assert chosen_layers(LAYERS, choice) == taken


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("fc7", "'fc7' fits no layer; there are conv1, fc1"),
        ("!*", "no layer is left"),
        ("fc*,!zz", "'zz|'!zz' fits no"),
    ],
)
def test_a_choice_without_layers_is_said(choice, message):
    with pytest.raises(ValueError, match=message):
        chosen_layers(LAYERS, choice)


def test_no_dense_layer_is_said():
    with pytest.raises(ValueError, match="no fully connected layer"):
        chosen_layers(LAYERS[:1], "dense")
