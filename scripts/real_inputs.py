"""Inputs of the networks of docs/real_models.md, and what is true of them: rendered lines, synthetic speech, files."""

import json
import math
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from real_networks import FRAME, RATE, STRIP, packaged
from scipy.signal import lfilter

from xbar_cli.data.datasets import load

HEIGHT, WIDTH = 48, 160
"""Of a line [pixels]."""
FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono")
FRAMES = 60
VOWELS = (
    (730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240), (660, 1720, 2410),
    (490, 1350, 1690),
)  # fmt: skip
"""Formants of men's a, e, i, o, u, æ, ɝ [Hz] (Peterson and Barney, 1952, table II)."""
BANDWIDTHS = (60, 90, 150)
EMPTY, SIDE = 256, 1024
"""Token of no byte, and bytes from each end of a file that the typer sees."""
SUFFIXES = {
    ".py": "python", ".pyc": "pythonbytecode", ".c": "c", ".h": "c", ".cc": "cpp", ".js": "javascript", ".json": "json",
    ".xml": "xml", ".html": "html", ".css": "css", ".yaml": "yaml", ".toml": "toml", ".md": "markdown", ".rst": "rst",
    ".sh": "shell", ".pm": "perl", ".pl": "perl", ".tcl": "tcl", ".png": "png", ".svg": "svg", ".gz": "gzip",
    ".ttf": "ttf", ".so": "elf", ".jar": "jar", ".sql": "sql", ".php": "php", ".onnx": "onnx", ".bib": "bib",
    ".tsv": "tsv", ".po": "po", ".cmake": "cmake", ".f90": "fortran", ".npz": "npz", ".npy": "npy", ".wav": "wav",
}  # fmt: skip
"""What a file with this name is, as the typer calls it."""


@dataclass(frozen=True)
class Inputs:
    """Inputs [n …] and what is true of them: texts, or labels [n …]."""

    x: np.ndarray
    truth: list[Any]


def lines(n: int, *, seed: int) -> Inputs:
    """Lines of the bundled text in four fonts, dark on light, as strips of columns `[n places 8 48 3]`."""
    rng, data = random.Random(seed), load("jargon", data_dir=None)
    text = "".join(data.class_names[token] for token in data.test_images.ravel())
    words = [word for word in text.split() if word.isascii() and word.isprintable()]
    pictures, texts = [], []
    while len(texts) < n:
        file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{rng.choice(FONTS)}.ttf"
        font = ImageFont.truetype(str(file), rng.randint(24, 30))
        at, line = rng.randrange(len(words) - 8), ""
        for word in words[at : at + 8]:
            if font.getlength(f"{line} {word}".strip()) > WIDTH - 12:
                break
            line = f"{line} {word}".strip()
        if len(line) < 4:
            continue
        paper, ink = rng.randint(200, 255), rng.randint(0, 80)
        picture = Image.new("RGB", (WIDTH, HEIGHT), (paper,) * 3)
        ImageDraw.Draw(picture).text((6, HEIGHT // 2), line, font=font, fill=(ink,) * 3, anchor="lm")
        noise = np.random.default_rng(rng.randrange(2**32)).normal(0, 6, (HEIGHT, WIDTH, 1))
        pictures.append(np.clip(np.asarray(picture, np.float64) + noise, 0, 255).astype(np.uint8))
        texts.append(line)
    columns = np.stack(pictures).transpose(0, 2, 1, 3)
    return Inputs(columns.reshape(n, WIDTH // STRIP, STRIP, HEIGHT, 3), texts)


def characters() -> list[str]:
    """The recogniser's classes; the first is no character."""
    import onnx

    model = onnx.load(packaged("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"))
    named = {entry.key: entry.value for entry in model.metadata_props}
    return ["", *named["character"].splitlines(), " "]


def sounds(n: int, *, seed: int) -> Inputs:
    """Stretches of vowels and of nothing under noise `[n frames 512]`, and in which frames there is speech `[n frames]`."""
    rng = np.random.default_rng([seed, 1])
    found = [_sound(rng) for _ in range(n)]
    x = np.stack([sound for sound, _ in found]).reshape(n, FRAMES, FRAME).astype(np.float32)
    spoken = np.stack([speech for _, speech in found]).reshape(n, FRAMES, FRAME)
    return Inputs(x, list((spoken.mean(axis=2) > 0.5).astype(np.int32)))


def _sound(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two seconds of sound, and where in it there is speech."""
    length = FRAMES * FRAME
    speech, spoken, at = np.zeros(length), np.zeros(length), int(rng.uniform(0, 0.4) * RATE)
    pitch = rng.uniform(90, 220)
    while at < length:
        for _ in range(int(rng.integers(2, 6))):  # syllables of a phrase
            one = _syllable(rng, pitch * rng.uniform(0.85, 1.2))
            end = min(at + len(one), length)
            speech[at:end] += one[: end - at]
            spoken[at:end] = 1
            at = min(at + len(one), length)
        at += int(rng.uniform(0.3, 0.7) * RATE)
    speech *= 0.1 / max(float(np.sqrt((speech**2).sum() / max(spoken.sum(), 1))), 1e-9)
    noise = rng.normal(size=length)
    if rng.random() < 0.5:
        noise = lfilter([1], [1, -0.9], noise)
    noise *= 0.1 * 10 ** (-rng.uniform(10, 25) / 20) / noise.std()
    return np.clip(speech + noise, -1, 1), spoken


def _syllable(rng: np.random.Generator, pitch: float) -> np.ndarray:
    """A consonant of noise, then pulses of a voice through the formants of a vowel that moves to another one."""
    length = int(rng.uniform(0.12, 0.28) * RATE)
    time = np.arange(length) / RATE
    phase = np.cumsum(pitch * (1 + 0.04 * np.sin(2 * math.pi * 5 * time)) * np.linspace(1.05, 0.92, length) / RATE)
    source = np.diff(np.floor(phase), prepend=0.0)
    source = lfilter([1], [1, -1.7, 0.7225], source) + 0.02 * rng.normal(size=length)
    first, second = (VOWELS[k] for k in rng.integers(len(VOWELS), size=2))
    vowels = [_through(source, formants) for formants in (first, second)]
    mix = np.linspace(0, 1, length)
    voice = (1 - mix) * vowels[0] + mix * vowels[1]
    voice *= np.sin(math.pi * np.clip(np.arange(length) / length, 0, 1)) ** 0.5 / max(voice.std(), 1e-9)
    hiss = np.diff(rng.normal(size=int(rng.uniform(0.03, 0.08) * RATE)), prepend=0.0)
    return np.concatenate([0.15 * hiss, voice])


def _through(source: np.ndarray, formants: tuple[int, ...]) -> np.ndarray:
    """A sound through resonators one after the other, with the radiation of the lips."""
    for frequency, width in zip(formants, BANDWIDTHS, strict=True):
        r = math.exp(-math.pi * width / RATE)
        source = lfilter([1 - r], [1, -2 * r * math.cos(2 * math.pi * frequency / RATE), r * r], source)
    return np.diff(source, prepend=0.0)


def files(n: int, *, seed: int) -> Inputs:
    """Files of this machine whose names say what they are, as tokens of their two ends `[n 2048]`, and what they are."""
    names = type_names()
    rng, kinds = random.Random(seed), {suffix: [] for suffix in SUFFIXES}
    for root in (Path("/usr/share"), Path("/usr/lib"), Path(sys.prefix)):
        for path in root.rglob("*"):
            if path.suffix in kinds and path.is_file() and not path.is_symlink() and 64 <= path.stat().st_size < 2**24:
                kinds[path.suffix].append(path)
    each = math.ceil(n / sum(bool(paths) for paths in kinds.values()))
    chosen = [path for paths in kinds.values() for path in rng.sample(sorted(paths), min(each, len(paths)))]
    rng.shuffle(chosen)
    tokens = np.stack([_ends(path.read_bytes()) for path in chosen[:n]])
    return Inputs(tokens, [names.index(SUFFIXES[path.suffix]) for path in chosen[:n]])


def type_names() -> list[str]:
    """What the typer's outputs are called."""
    config = json.loads(packaged("magika", "models/standard_v3_3/config.min.json").read_text())
    return config["target_labels_space"]


def _ends(content: bytes) -> np.ndarray:
    """The first and last bytes of a file as the typer takes them: no blanks at its ends, tokens of no byte where it is short."""
    start, end = content[:4096].lstrip()[:SIDE], content[-4096:].rstrip()[-SIDE:]
    first = [*start, *[EMPTY] * (SIDE - len(start))]
    return np.asarray([*first, *[EMPTY] * (SIDE - len(end)), *end], np.int32)
