"""results.nc as a file: damage on which the library under it does not come back."""

import numpy as np
import pytest

from xbar_cli.errors import RunError
from xbar_cli.runs.results import HEAP, HEAP_HEADER, field, read_dataset, write_fields


@pytest.mark.timeout(60)
def test_a_heap_without_an_end_is_damage(tmp_path):
    path = tmp_path / "results.nc"
    at = {"chip": field(("chip",), np.arange(4), unit="1", long_name="chip")}
    write_fields(
        path, at | {"loss": field(("chip",), np.ones(4), unit="1", long_name="loss")}, attributes={"xbar_kind": "k"}
    )
    assert read_dataset(path).loss.values.tolist() == [1, 1, 1, 1]
    content = bytearray(path.read_bytes())
    place = content.index(HEAP) + HEAP_HEADER
    while index := int.from_bytes(content[place : place + 2], "little"):
        assert index < 100
        size = int.from_bytes(content[place + 8 : place + 16], "little")
        place += HEAP_HEADER + -(-size // 8) * 8
    content[place + 8 : place + 16] = bytes(8)  # what is free has no size
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"damaged \(a heap of texts has no end\)"):
        read_dataset(path)
