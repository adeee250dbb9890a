"""Files of weights: safetensors in every dtype and in shards; everything else is named by what it is."""

import io
import json
import pickle
import zipfile

import h5py
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from xbar_cli.data.tensors import read_foreign
from xbar_cli.errors import DataError

VALUES = np.array([0.0, -1.5, 0.25, 448.0, -0.015625], np.float32)


def raw(path, tensors):
    """A safetensors file of raw bytes: {name: (dtype, shape, bytes)}."""
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("F8_E4M3", jnp.float8_e4m3fn),
        ("F8_E5M2", jnp.float8_e5m2),
        ("BF16", jnp.bfloat16),
        ("F16", jnp.float16),
        ("F32", jnp.float32),
        ("F64", np.float64),
    ],
)
def test_floating_point_of_every_size_becomes_float32_exactly(kind, dtype, tmp_path):
    stored = VALUES.astype(np.dtype(dtype))
    path = raw(tmp_path / "m.safetensors", {"a": (kind, [5], stored.tobytes())})
    found = read_foreign(path)["a"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, stored.astype(np.float64))


def test_integers_stay_and_what_float32_does_not_hold_is_infinite(tmp_path):
    content = np.array([1e300, 1.0]).tobytes()
    path = raw(tmp_path / "m.safetensors", {"n": ("I64", [], (7).to_bytes(8, "little")), "w": ("F64", [2], content)})
    found = read_foreign(path)
    assert found["n"] == 7
    assert found["n"].dtype == np.int64
    assert np.isinf(found["w"][0])
    odd = raw(tmp_path / "odd.safetensors", {"w": ("F8_E8M0", [1], b"\x7f")})
    with pytest.raises(DataError, match="w is stored as F8_E8M0, which xbar does not read; save it as one of F32"):
        read_foreign(odd)


def index(folder, weight_map):
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {"total_size": 8}, "weight_map": weight_map}))
    return path


def test_shards_are_read_together(tmp_path):
    names = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    for name, key in zip(names, ("a", "b"), strict=True):
        save_file({key: VALUES}, tmp_path / name)
    whole = index(tmp_path, {"a": names[0], "b": names[1]})
    assert sorted(read_foreign(whole)) == ["a", "b"]
    with pytest.raises(DataError, match=r"is one of 2 shards; name the file .* model\.safetensors\.index\.json"):
        read_foreign(tmp_path / names[0])
    with pytest.raises(DataError, match="no shard holds c"):
        read_foreign(index(tmp_path, {"a": names[0], "c": names[1]}))
    with pytest.raises(DataError, match=r"the shard '\.\./x\.safetensors' is no safetensors file beside it"):
        read_foreign(index(tmp_path, {"a": "../x.safetensors"}))
    (tmp_path / names[1]).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(DataError, match=r"00002-of-00002\.safetensors is a git-LFS pointer"):
        read_foreign(index(tmp_path, {"a": names[0], "b": names[1]}))
    (tmp_path / names[1]).unlink()
    with pytest.raises(DataError, match=f"the shard {names[1]} is not there; all of them are needed"):
        read_foreign(index(tmp_path, {"a": names[0], "b": names[1]}))
    (tmp_path / "config.json").write_text('{"model_type": "x"}')
    with pytest.raises(DataError, match=r"config\.json is no index of shards"):
        read_foreign(tmp_path / "config.json")


def archive(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def hdf5():
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["a"] = VALUES
    return buffer.getvalue()


def npz():
    buffer = io.BytesIO()
    np.savez(buffer, a=VALUES)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "m.pth",
            archive(**{"m/data.pkl": b"x", "m/data/0": b"y"}),
            r"is a torch pickle.*weights_only=True.*safetensors",
        ),
        ("m.safetensors", archive(**{"m/data.pkl": b"x"}), "is a torch pickle"),
        ("pytorch_model.bin", pickle.dumps({"a": 1}, protocol=2), "is a torch pickle"),
        ("m.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "git-LFS pointer.*git lfs pull"),
        ("m.h5", hdf5(), r"is an HDF5 file \(Keras\)"),
        ("m.keras", archive(**{"config.json": b"{}", "model.weights.h5": b""}), "is a Keras archive"),
        ("m.npz", npz(), "is a NumPy archive; save its arrays"),
        ("m.npy", b"\x93NUMPY\x01\x00", "is one NumPy array"),
        ("m.onnx", b"\x08\x07\x12\x07pytorch", "is an ONNX graph; save the state_dict"),
        ("m.gguf", b"GGUF\x03\0\0\0", "is a GGUF file"),
        ("m.pth", b"PK\x03\x04damaged", "is a damaged zip archive"),
        ("m.zip", archive(**{"readme.txt": b"x"}), "is a zip archive; unpack it"),
        ("m.safetensors", b"", "is empty"),
        ("m.safetensors", b"\x10\0\0\0\0\0\0\0nonsense", "is missing or damaged"),
    ],
)
def test_other_files_are_named_in_one_line(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_foreign(path)
    assert "\n" not in str(caught.value)


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(DataError, match="is a directory; name the file of the weights"):
        read_foreign(tmp_path)
    with pytest.raises(DataError, match=r"m\.safetensors: cannot be read .No such file"):
        read_foreign(tmp_path / "m.safetensors")
