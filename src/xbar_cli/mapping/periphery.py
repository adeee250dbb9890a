"""Signed weights from non-negative conductances: `W = S·M`, a fixed matrix S in {−1, 0, 1} behind the columns.

In the orientation of the house, `[rows cols] = [inputs outputs]`, `w[rows out] = m[rows n_d] @ S^T`:

* `de`, double element: n_d = 2·out, `w_j = m_2j − m_2j+1`;
* `bc`, bias column: n_d = out + 1, `w_j = m_j − m_ref`, the reference the last column;
* `acm`, adjacent connection matrix: n_d = out + 1, `w_j = m_j − m_j+1`.

The differences are taken after the converters, so that a layer has one extra column whatever its tiles.

References:
    Kazemi et al. (acm), section III and Figs. 1–3.
"""

from jaxtyping import Float

from xbar_cli.types import AnyArray

SCHEMES = ("de", "bc", "acm")


def check_scheme(scheme: str) -> str:
    """`scheme` itself. Raises ValueError unless it is "de", "bc" or "acm"."""
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got {scheme!r}")
    return scheme


def device_columns(scheme: str, n_out: int) -> int:
    """Number of physical columns n_d for `n_out` signed outputs. Raises ValueError where it is below 1."""
    if n_out < 1:
        raise ValueError(f"n_out must be at least 1, got {n_out}")
    return 2 * n_out if check_scheme(scheme) == "de" else n_out + 1


def outputs(scheme: str, n_columns: int) -> int:
    """Signed outputs of `n_columns` physical columns: the inverse of `device_columns`. Raises ValueError for any other number."""
    if check_scheme(scheme) == "de":
        if n_columns < 2 or n_columns % 2:
            raise ValueError(f"n_columns of scheme 'de' must be even and at least 2, got {n_columns}")
        return n_columns // 2
    if n_columns < 2:
        raise ValueError(f"n_columns of scheme {scheme!r} must be at least 2, got {n_columns}")
    return n_columns - 1


def combine(scheme: str, m: Float[AnyArray, "*batch n_d"]) -> Float[AnyArray, "*batch n_out"]:
    """`m @ S^T` by differences of columns, without S: signed weights from conductances, signed outputs from currents."""
    outputs(scheme, m.shape[-1])
    match scheme:
        case "de":
            return m[..., 0::2] - m[..., 1::2]
        case "bc":
            return m[..., :-1] - m[..., -1:]
        case _:
            return m[..., :-1] - m[..., 1:]


def reference_conductance(*, g_min: float, g_max: float) -> float:
    """Conductance of the bias column's devices [S]: the middle of the range, which no level of B bits hits.

    References:
        Kazemi et al. (acm), section II.
    """
    return (g_max + g_min) / 2
