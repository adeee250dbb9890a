"""How data drives rows: means against plain sums over images and positions."""

import numpy as np


def test_activity_is_linear_in_images():
    """The energy of many images is the sum of theirs, whatever the batches; and every statistic is what it says."""
    import jax.numpy as jnp

    from xbar_cli.chip.activity import Wanted, from_values, mean, of_inputs, to_field
    from xbar_cli.nn.contracts import Convolution

    x = np.random.default_rng(0).normal(size=(9, 6, 6, 2)).astype(np.float32)
    contract = Convolution(padding="SAME", stride=2)
    given = {"full_scale": 2.0, "wanted": Wanted((3, 8), 5)}
    whole = of_inputs(x, contract, (3, 3), signed=True, **given)
    parts = mean([of_inputs(part, contract, (3, 3), signed=True, **given) for part in (x[:4], x[4:])])
    positive = of_inputs(np.maximum(x, 0), contract, (3, 3), signed=False, **given)
    negative = of_inputs(np.maximum(-x, 0), contract, (3, 3), signed=False, **given)
    stored = to_field("l", whole)
    again = from_values(stored.values, stored.attrs)
    for name in ("squares", "moments"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-6, atol=1e-9)
        both = getattr(positive, name) + getattr(negative, name)  # two phases: each row is driven in one of them
        np.testing.assert_allclose(both, getattr(whole, name), rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    seen = contract.rows(jnp.asarray(np.abs(np.clip(x / 2, -1, 1))), (3, 3))
    rows = np.asarray(seen, np.float64).reshape(-1, 18)
    np.testing.assert_allclose(whole.squares, (rows**2).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        whole.moments[:, 2], (rows * (2 * (2 * rows - 1) ** 2 - 1)).mean(axis=0), rtol=1e-5, atol=1e-7
    )
    codes = np.rint(rows * 7).astype(int)
    np.testing.assert_allclose(whole.pulses[3], sum(codes >> b & 1 for b in range(3)).mean(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(whole.driven("bitserial", 3), again.pulses[3])
    assert (parts.images, whole.positions) == (9, 9)


def test_window_sums_are_the_rows_of_all_positions():
    import jax.numpy as jnp

    from xbar_cli.chip.activity import window_sums
    from xbar_cli.nn.contracts import Convolution, dense

    x = np.random.default_rng(0).uniform(size=(7, 6, 3, 2))
    for padding, stride, window in (
        ("SAME", 1, (3, 3)),
        ("VALID", 1, (5, 5)),
        ("SAME", 2, (3, 3)),
        ("SAME", 2, (1, 1)),
    ):
        contract = Convolution(padding=padding, stride=stride)
        for k in range(2):
            rows = np.asarray(contract.rows(jnp.asarray(x[None, ..., k], jnp.float32), window))
            sums, positions = window_sums(x, contract, window)
            np.testing.assert_allclose(sums[:, k], rows.reshape(-1, rows.shape[-1]).sum(axis=0), rtol=1e-5)
            assert positions == rows.shape[1] * rows.shape[2]
    np.testing.assert_array_equal(window_sums(x[0, 0], dense, ())[0], x[0, 0])
