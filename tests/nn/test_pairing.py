"""Which source is which layer: all names, else shapes and the numbers in names; nothing by chance, nothing in doubt."""

import pytest

from xbar_cli.nn.pairing import numbered, pair, siblings

OURS = {
    "conv1": (3, 3, 1, 4),
    "conv2": (3, 3, 4, 4),
    "conv3": (3, 3, 4, 4),
    "fc1": (16, 8),
    "fc2": (8, 8),
    "fc3": (8, 2),
}
NORMED = {"conv1": 4, "conv2": 4, "conv3": 4}


def paired(names, *, norms=(), ours_normed=None, given=None, ours=OURS):
    theirs = dict(zip(names, ours.values(), strict=True))
    return pair(ours, ours_normed or {}, their_layers=theirs, their_norms=dict.fromkeys(norms, 4), given=given or {})


@pytest.mark.parametrize(
    ("names", "how"),
    [
        (list(OURS), "names"),
        ([f"module.{name}" for name in OURS], "names"),
        (["conv0", "conv1", "conv2", "fc0", "fc1", "fc2"], "order"),
        (["conv2", "conv3", "conv4", "fc2", "fc3", "fc4"], "order"),
        (["features.0", "features.3", "features.10", "classifier.0", "classifier.2", "classifier.11"], "order"),
        (["conv2d", "conv2d_1", "conv2d_2", "dense", "dense_1", "dense_2"], "order"),
        (["stem", "b.1.conv", "b.2.conv", "head.0", "head.1", "out"], "order"),
    ],
)
def test_layers_are_paired_by_all_names_or_in_the_order_of_numbers(names, how):
    found = paired(names)
    assert list(found.layers.values()) == names
    assert found.how == how


def test_what_numbers_do_not_tell_is_refused_and_can_be_said():
    words = ["conv1", "left", "right", "fc1", "fc2", "fc3"]
    with pytest.raises(
        ValueError, match=r"left and right have one shape .* no number .* pairs = conv2=THEIRS pairs = conv3=THEIRS"
    ):
        paired(words)
    assert list(paired(words, given={"conv2": "left"}).layers.values()) == words
    turned = ["c9", "c2", "c3", "fc1", "fc2", "fc3"]
    with pytest.raises(
        ValueError, match=r"conv1 is c9 and conv2, which comes after it, is c2: .* conv2, conv3 have one shape"
    ):
        paired(turned)
    assert list(paired(turned, given={"conv2": "c2"}).layers.values()) == turned


def test_numbers_that_run_backwards_do_no_harm_where_shapes_decide_everything():
    ours = {"fc1": (4, 3), "fc2": (3, 2)}
    assert paired(["l2", "l1"], ours=ours).layers == {"fc1": "l2", "fc2": "l1"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"conv9": "conv1"}, "the network has no conv9; it has conv1, conv2"),
        ({"conv1": "conv9"}, "the file has no conv9; it has bn0, bn1, bn2, conv0, conv1"),
        ({"conv1": "fc0"}, r"fc0 has no kernel of the shape \[3, 3, 1, 4\]"),
        ({"conv2": "conv1", "conv3": "conv1"}, "conv1 is given to two layers"),
        ({"conv1_norm": "conv0"}, r"pairs = conv1_norm=conv0: no batch norm of 4 outputs"),
    ],
)
def test_pairs_that_cannot_be_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        paired(
            ["conv0", "conv1", "conv2", "fc0", "fc1", "fc2"],
            norms=["bn0", "bn1", "bn2"],
            ours_normed=NORMED,
            given=given,
        )


@pytest.mark.parametrize(
    ("kernels", "norms"),
    [
        (["conv0", "conv1", "conv2"], ["bn0", "bn1", "bn2"]),
        (["conv0", "conv1", "conv2"], ["bn1", "bn2", "bn3"]),
        (["f.0", "f.3", "f.10"], ["f.1", "f.4", "f.11"]),
        (["convs.0", "convs.1", "convs.2"], ["norms.0", "norms.1", "norms.2"]),
        (["b.0.conv", "b.1.conv", "b.2.conv"], ["b.0.norm", "b.1.norm", "b.2.norm"]),
        (["conv1", "conv2", "conv3"], ["conv1_bn", "conv2_bn", "conv3_bn"]),
        (["s.0.0", "s.1.0", "s.2.0"], ["s.0.1", "s.1.1", "s.2.1"]),
    ],
)
def test_norms_go_with_the_siblings_of_their_convolution(kernels, norms):
    found = paired([*kernels, "fc1", "fc2", "fc3"], norms=norms[::-1], ours_normed=NORMED)
    assert [found.norms[name] for name in NORMED] == norms


def test_a_shortcut_has_its_own_norm_and_not_that_of_the_same_number_beside_it():
    names, norms = ["conv0", "conv1", "down.0", "fc1", "fc2", "fc3"], ["bn0", "bn1", "down.1"]
    found = paired(names, norms=norms, ours_normed=NORMED, given={"conv2": "conv1"})
    assert list(found.norms.values()) == norms


def test_norms_that_no_name_ties_to_a_convolution_are_refused_and_can_be_said():
    names = ["conv1", "conv2", "conv3", "fc1", "fc2", "fc3"]
    norms = ["alpha", "beta", "gamma"]
    with pytest.raises(
        ValueError, match=r"no batch norm goes .* conv1, conv2, conv3 .* left over: alpha, beta, gamma; .*conv1_norm"
    ):
        paired(names, norms=norms, ours_normed=NORMED)
    given = {f"conv{number}_norm": name for number, name in zip((1, 2, 3), ("gamma", "alpha", "beta"), strict=True)}
    assert paired(names, norms=norms, ours_normed=NORMED, given=given).norms == {
        "conv1": "gamma", "conv2": "alpha", "conv3": "beta",
    }  # fmt: skip


def test_a_sibling_of_another_size_is_none():
    assert siblings({"conv1": 4}, {"bn1": 8}, ["conv1"]) is None
    assert siblings({"conv1": 4}, {"bn1": 4}, ["conv1"]) == {"conv1": "bn1"}


@pytest.mark.parametrize(
    ("a", "b", "order"),
    [
        ("a2", "a10", -1),
        ("a10", "a2", 1),
        ("a", "b", 0),
        ("conv", "conv_1", -1),
        ("x.0.b", "x.1.a", -1),
        ("a1", "a1", 0),
    ],
)
def test_only_numbers_order_names(a, b, order):
    assert numbered(a, b) == order
