"""Bad inputs of data sets of one's own and of ONNX graphs: files to be added or imported, and sets that are kept."""

import io
import random
import struct
import wave
import zipfile
from pathlib import Path

import numpy as np

from tests.fuzz.case import HERE, Case, Edit, write
from tests.fuzz.nasty import TEXTS, damaged_json, damaged_lines

ADD = ("data", "add", "mine")
KEPT = ("--data-dir", f"{HERE}/data")
SET = "data/xbar/mine"
"""Where the set called `mine` is kept in the folder of a case."""
HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (4,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<c16', 'fortran_order': True, 'shape': (2, 2), }",
    "{'descr': '<U9999999', 'fortran_order': False, 'shape': (99,), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }",
    "[" * 3000,
    "{'descr': '<f4'",
)  # fmt: skip
"""Of arrays in an npz that are something else."""


def table(rng: random.Random) -> str:
    """A table that is right: four inputs and a class."""
    rows = [[f"{rng.gauss(k, 1):.3g}" for _ in range(4)] + ["abc"[k]] for k in (0, 1, 2) for _ in range(12)]
    return "\n".join(",".join(row) for row in (["a", "b", "c", "d", "class"], *rows)) + "\n"


def archive(rng: random.Random, *, parts: bool = False) -> bytes:
    """An npz that is right."""
    drawn = np.random.default_rng(rng.randrange(2**32))
    arrays = {"x": drawn.normal(size=(40, 5)).astype(np.float32), "y": drawn.integers(0, 3, 40)}
    if parts:
        arrays = {f"{kind}_{part}": v for part, share in (("train", 30), ("test", 10)) for kind, v in
                  (("x", arrays["x"][:share]), ("y", arrays["y"][:share]))}  # fmt: skip
    members = {}
    for name, array in arrays.items():
        with io.BytesIO() as file:
            np.save(file, array)
            members[f"{name}.npy"] = file.getvalue()
    return zipped(members)


def zipped(members: dict[str, bytes]) -> bytes:
    """An archive whose bytes hold no time."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as new:
            for name, content in members.items():
                new.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return file.getvalue()


def other_member(rng: random.Random, raw: bytes) -> bytes:
    """The archive with one array's header, or all of it, something else; its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(raw)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    chosen = rng.choice(list(members))
    content = members.pop(chosen)
    head = rng.choice(HEADERS).encode() + b"\n"
    others = (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + content[128:], b"", content[:90], rng.randbytes(200),
        bytes(20_000_000),
    )  # fmt: skip
    members[rng.choice((chosen, chosen, "../out.npy", "x"))] = rng.choice(others)
    return zipped(members)


def damaged_bytes(rng: random.Random, name: str, raw: bytes) -> Edit:
    """A file cut, with a bit flipped, or of other bytes."""
    match rng.randrange(5):
        case 0:
            return write(name, raw[: rng.randrange(len(raw))])
        case 1:
            return write(name, rng.randbytes(300))
        case 2:
            return write(name, raw + rng.randbytes(99))
        case _:
            flipped = bytearray(raw)
            for _ in range(rng.choice((1, 1, 8))):
                reach = min(len(raw), 400) if rng.random() < 0.6 else len(raw)  # what describes the rest comes first
                flipped[rng.randrange(reach)] ^= 1 << rng.randrange(8)
            return write(name, bytes(flipped))


def picture(rng: random.Random) -> bytes:
    """A small picture."""
    from PIL import Image

    with io.BytesIO() as file:
        Image.fromarray(np.frombuffer(rng.randbytes(64), np.uint8).reshape(8, 8)).save(file, "PNG")
        return file.getvalue()


def sound(rng: random.Random) -> bytes:
    """A short sound."""
    with io.BytesIO() as file:
        with wave.open(file, "wb") as made:
            made.setnchannels(1)
            made.setsampwidth(2)
            made.setframerate(8000)
            made.writeframes(rng.randbytes(400))
        return file.getvalue()


def folder(rng: random.Random) -> tuple[str, tuple[Edit, ...]]:
    """A folder of classes, of pictures or sounds, one or two of which are damaged."""
    suffix, make = rng.choice((("png", picture), ("wav", sound)))
    files = {f"set/{kind}/{n}.{suffix}": make(rng) for kind in ("cat", "dog") for n in range(4)}
    edits = [write(name, raw) for name, raw in files.items()]
    name = rng.choice(list(files))
    link = Edit("set/dog/more.png", "link", data=write("", rng.choice(("/dev/zero", "/etc/passwd", name))).data)
    damaged = damaged_bytes(rng, name, files[name])
    odd = (damaged, damaged, Edit(name, "fifo"), Edit(name, "folder"), write("set/cat/x.txt", "x"), link)
    edits.append(rng.choice(odd))
    return "set", tuple(edits)


def own_set(rng: random.Random, good: Path) -> Case:
    """A file to be added that is damaged, or options that say something else of it."""
    del good
    options: tuple[str, ...] = ()
    if rng.random() < 0.4:
        name = rng.choice(
            ("--label", "--columns", "--length", "--size", "--rate", "--test-fraction", "--seed", "--task")
        )
        options = (name, rng.choice((*TEXTS, "class", "a,b", "5", "8x8", "0.5", "regression", "labelling")))
    if rng.random() < 0.3:
        options += (rng.choice(("--no-header", "--standardise", "--overwrite")),)
    match rng.randrange(6):
        case 0 | 1:
            text = table(rng)
            name, edits = "set.csv", (write("set.csv", damaged_lines(rng, text) if rng.random() < 0.7 else text),)
        case 2:
            raw = archive(rng, parts=rng.random() < 0.3)
            name, edits = (
                "set.npz",
                (damaged_bytes(rng, "set.npz", raw) if rng.random() < 0.8 else write("set.npz", raw),),
            )
        case 3:
            name, edits = "set.npz", (write("set.npz", other_member(rng, archive(rng))),)
        case 4:
            text = "".join(
                chr(rng.choice((97, 98, 32, 10, 0, 233, 0x1F4A5, 0xD800))) for _ in range(rng.choice((0, 5, 900)))
            )
            name, edits = "set.txt", (write("set.txt", text if rng.random() < 0.5 else "to be or not to be " * 40),)
        case _:
            name, edits = folder(rng)
    return Case("own set", (*ADD, f"{HERE}/{name}", *options, *KEPT), {}, edits)


def kept_set(rng: random.Random, good: Path) -> Case:
    """A set that is kept, one of whose files is damaged, into what reads it."""
    name = rng.choice(("set.json", "arrays.npz"))
    raw = (good / SET / name).read_bytes()
    if name == "set.json" and rng.random() < 0.8:
        edit = write(f"{SET}/{name}", damaged_json(rng, raw.decode()))
    elif name == "arrays.npz" and rng.random() < 0.4:
        edit = write(f"{SET}/{name}", other_member(rng, raw))
    else:
        edit = rng.choice(
            (damaged_bytes(rng, f"{SET}/{name}", raw), Edit(f"{SET}/{name}", "delete"), Edit(f"{SET}/{name}", "fifo"))
        )
    argv = ("data", rng.choice(("show", "ls")))
    if rng.random() < 0.3:
        argv = ("train", "--config", f"{HERE}/train.toml", "--dataset", "mine", "--out", f"{HERE}/out")
    elif argv[-1] == "show":
        argv = (*argv, "mine")
    return Case("kept set", (*argv, *KEPT), {"data": "data", "train.toml": "train.toml"}, (edit,))


def graph(rng: random.Random, good: Path) -> Case:
    """An ONNX file that is damaged."""
    raw = (good / "net.onnx").read_bytes()
    argv = ("import", f"{HERE}/net.onnx", "--out", f"{HERE}/out")
    return Case("graph", argv, {}, (damaged_bytes(rng, "net.onnx", raw),))
