"""Draws docs/concepts/drawings/*.svg, a drawing for each page of docs/concepts.

    python scripts/draw_concepts.py

The drawings are of one width, on a ground of their own, so that they read the same on light and dark pages; numbers in
them are computed (wires by `xbar_cli.array.nodal`), not drawn by hand. Colours are those of Okabe and Ito.
"""

import os
from collections.abc import Sequence

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from svg_sheet import BLUE, GREEN, GREY, INK, ORANGE, PAPER, PINK, SKY, YELLOW, Sheet

from xbar_cli.array.nodal import nodal
from xbar_cli.array.wires import Wires
from xbar_cli.statistics import estimate


def shade(share: float) -> str:
    """White for 0, a dark blue for 1."""
    low, high = np.array([255, 255, 255]), np.array([0, 92, 158])
    return "#" + "".join(f"{round(value):02x}" for value in low + (high - low) * min(max(share, 0), 1))


def grid(sheet: Sheet, values: np.ndarray, x: float, y: float, size: float) -> None:
    """A square for each value between 0 and 1, with the value in per cent where there is room."""
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            sheet.box(x + j * size, y + i * size, size, size, shade(value))
            if size >= 26:
                ink = PAPER if value > 0.55 else INK
                sheet.text(x + (j + 0.5) * size, y + (i + 0.5) * size + 4, f"{100 * value:.0f}", fill=ink)


def cell() -> None:
    """A memristor and its access transistor, and what their conductance does as the input rises."""
    sheet = Sheet("cell", "A 1T-1R cell, and its conductance against the input voltage at two states", 214)
    sheet.text(70, 20, "one cell")
    sheet.text(12, 52, "V_in", anchor="start")
    sheet.line((40, 48), (70, 48), (70, 62))
    sheet.box(60, 62, 20, 40, SKY)
    sheet.text(88, 86, "G", anchor="start")
    sheet.line((70, 102), (70, 118), (84, 118), (84, 146), (70, 146), (70, 166), (40, 166), stroke=INK)
    sheet.line((90, 118), (90, 146))
    sheet.line((90, 132), (106, 132))
    sheet.text(110, 136, "V_g", anchor="start")
    sheet.text(12, 170, "I", anchor="start")
    sheet.text(70, 198, "bit line at 0 V", fill=GREY)
    volts, limit, width = np.linspace(0.02, 0.5, 40), 6e-6, 150
    for g, color, words, at in ((10e-6, BLUE, "in the linear range", 30), (33e-6, ORANGE, "beyond G_cut", 140)):
        current = g * volts / (1 + (g * volts / limit) ** 4) ** 0.25
        height = 150 - 110 * (current / volts / g)
        sheet.line(*zip(170 + width * volts / 0.5, height + 5, strict=True), stroke=color, width=2.5)
        sheet.text(312, at + 8, words, fill=color, anchor="end")
    sheet.line((170, 32), (170, 172), (326, 172))
    sheet.text(248, 20, "effective conductance / G")
    sheet.text(248, 192, "input voltage V_in")
    sheet.save()


def folded(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Conductances over the largest, and how much of each counts through wires: g_eff over g."""
    g = np.random.default_rng(3).uniform(0.15, 1, (size, size))
    g_eff = np.asarray(nodal(1e-4 * g, Wires(word=300.0, bit=300.0)).g_eff) / 1e-4
    return g, g_eff


def array() -> None:
    """Drivers, cells and sense nodes, and the share of each device that counts through wires."""
    sheet = Sheet(
        "array", "An array whose wires take voltage: devices far from drivers and sense nodes count less", 274
    )
    g, g_eff = folded(5)
    sheet.text(170, 20, "what counts of each device, in per cent")
    size, left, top = 40, 84, 34
    for i in range(5):
        y = top + size * (i + 0.5)
        sheet.text(36, y + 4, f"V_{i + 1}", anchor="end")
        sheet.line(*[(40 + 4 * k, y + 4 * (-1) ** k * (0 < k < 9)) for k in range(10)], (left, y), stroke=GREY)
    grid(sheet, g_eff / g, left, top, size)
    for j in range(5):
        x = left + size * (j + 0.5)
        sheet.arrow(x, top + 5 * size, x, top + 5 * size + 18)
        sheet.text(x, top + 5 * size + 33, f"I_{j + 1}")
    for y, part in (
        (top + 20, "word"),
        (top + 35, "line"),
        (top + 5 * size + 14, "bit"),
        (top + 5 * size + 29, "line"),
    ):
        sheet.text(290, y, part, anchor="start", fill=GREY)
    sheet.save()


def fold() -> None:
    """The conductances that were programmed, those that act, and the product that is left."""
    sheet = Sheet("fold", "The fold: programmed conductances become effective ones, once a chip", 208)
    g, g_eff = folded(5)
    for x, values, words in ((14, g, "programmed g"), (202, g_eff, "effective g_eff")):
        grid(sheet, values, x, 32, 25)
        sheet.text(x + 62, 22, words)
    sheet.arrow(148, 94, 194, 94, ORANGE)
    sheet.text(170, 82, "fold", fill=ORANGE)
    sheet.text(170, 114, "once", fill=GREY)
    sheet.text(170, 130, "a chip", fill=GREY)
    sheet.box(50, 172, 240, 26, "#eef4f8", words="I = V · g_eff, for every image")
    sheet.save()


def tile() -> None:
    """A layer's matrix cut into arrays of one size, whose sums are added digitally."""
    sheet = Sheet("tile", "A layer on tiles: rows and columns are cut, sums of tiles below each other are added", 250)
    sheet.text(96, 20, "a layer, 10 × 7")
    sheet.text(262, 20, "tiles of 4 × 4")
    for i in range(10):
        for j in range(7):
            color = (SKY, YELLOW)[(i // 4 + j // 4) % 2]
            sheet.box(28 + 18 * j, 34 + 18 * i, 18, 18, color)
    sheet.arrow(162, 124, 186, 124)
    for i in range(3):
        for j in range(2):
            x, y = 196 + 66 * j, 34 + 58 * i
            sheet.box(x, y, 48, 48, "#f0f0f0")
            used = (min(4, 10 - 4 * i), min(4, 7 - 4 * j))
            sheet.box(x, y, 12 * used[1], 12 * used[0], (SKY, YELLOW)[(i + j) % 2])
    for j in range(2):
        sheet.arrow(220 + 66 * j, 200, 220 + 66 * j, 218)
        sheet.text(220 + 66 * j, 234, "Σ digital")
    sheet.text(96, 234, "grey: unused devices", fill=GREY)
    sheet.save()


def columns(sheet: Sheet, y: float, name: str, colors: Sequence[str], labels: Sequence[str], formula: str) -> None:
    """A scheme: its columns of devices, what each is called, and the weight that they make."""
    sheet.text(12, y + 24, name, size=14, anchor="start")
    for n, (color, label) in enumerate(zip(colors, labels, strict=True)):
        x = 72 + 34 * n
        sheet.box(x, y, 24, 36, color)
        sheet.text(x + 12, y + 50, label)
    sheet.text(328, y + 24, formula, anchor="end")


def mappings() -> None:
    """Columns that hold two weights under each scheme."""
    sheet = Sheet("mappings", "Columns of devices for two signed weights under four mapping schemes", 292)
    sheet.text(328, 20, "two weights", anchor="end", fill=GREY)
    sheet.text(72, 20, "columns of devices", anchor="start", fill=GREY)
    columns(sheet, 30, "de", (BLUE, SKY, BLUE, SKY), ("1+", "1−", "2+", "2−"), "w = g⁺ − g⁻")
    columns(sheet, 96, "bc", (BLUE, BLUE, YELLOW), ("1", "2", "ref"), "w = g − g_ref")
    columns(sheet, 162, "acm", (BLUE, SKY, BLUE), ("1", "2", "3"), "w_j = g_j − g_(j+1)")
    columns(sheet, 228, "bitslice", (BLUE, SKY, BLUE, SKY), ("·64", "·16", "·4", "·1"), "one weight of 8 bits")
    sheet.save()


def chips() -> None:
    """Accuracies of chips as dots, with mean, interval and the share above a bound."""
    rng = np.random.default_rng(1)
    accuracy = np.clip(rng.normal(82, 1.6, 25), 0, 100)
    found = estimate(list(accuracy))
    mean, (low, high) = found.mean, found.ci95 or (found.mean, found.mean)
    sheet = Sheet(
        "chips", "25 chips of one network: each has an accuracy, their mean has an interval, a share passes", 196
    )

    def across(value: float) -> float:
        return 20 + 300 * (value - 76) / 12

    sheet.text(170, 20, "25 chips of one design: one network, 25 draws")
    good = 81.0
    for n, value in enumerate(accuracy):
        sheet.dot(across(value), 46 + 4.2 * (n * 7 % 13), BLUE if value >= good else ORANGE)
    sheet.line((across(good), 34), (across(good), 112), stroke=GREY, dash="4 3")
    sheet.line((across(low), 124), (across(high), 124), width=5, stroke=GREEN)
    sheet.dot(across(mean), 124, INK, 5)
    sheet.text(across(high) + 8, 128, "mean and 95 % interval", anchor="start", fill=GREEN)
    sheet.line((20, 144), (320, 144))
    for value in (76, 79, 82, 85, 88):
        sheet.line((across(value), 144), (across(value), 149))
        sheet.text(across(value), 163, f"{value} %")
    sheet.text(170, 184, f"yield at {good:.0f} %: {(accuracy >= good).sum()} of 25 chips (blue)")
    sheet.save()


def effects() -> None:
    """The stages through which a device's conductance goes, in order."""
    stages = (
        ("target", "what the mapping asks for", "#f0f0f0"),
        ("programming", "write_verify, pcm_programming", SKY),
        ("device", "additive, lognormal, states …", SKY),
        ("chip", "chip_corner, chip_to_chip", SKY),
        ("drift", "drift, retention, temperature …", YELLOW),
        ("faults", "stuck: on, off, open, lines", PINK),
        ("transistor", "mismatch", SKY),
        ("wires", "array model: the fold", "#f0f0f0"),
        ("read", "read_noise, pcm_read", GREEN),
    )
    sheet = Sheet(
        "effects", "Effects act in physical order, from the target of a device to its read", 30 + 40 * len(stages)
    )
    sheet.text(12, 20, "stage", anchor="start", fill=GREY)
    sheet.text(122, 20, "effects", anchor="start", fill=GREY)
    for n, (stage, words, color) in enumerate(stages):
        y = 30 + 40 * n
        sheet.box(10, y, 98, 26, color, words=stage)
        sheet.text(122, y + 17, words, anchor="start")
        if n + 1 < len(stages):
            sheet.arrow(59, y + 26, 59, y + 39)
    sheet.save()


def converters() -> None:
    """From numbers to voltages to currents to numbers, and the staircase of an ADC."""
    sheet = Sheet("converters", "Converters around an array, and the codes of an ADC with its range", 262)
    for x, words, color in ((10, "DAC", YELLOW), (126, "array", SKY), (242, "ADC", YELLOW)):
        sheet.box(x, 34, 88, 34, color, words=words)
    sheet.text(54, 22, "bits")
    sheet.text(112, 86, "volts")
    sheet.text(228, 86, "amperes")
    sheet.text(286, 22, "codes")
    sheet.arrow(98, 51, 125, 51)
    sheet.arrow(214, 51, 241, 51)
    sheet.line((46, 100), (46, 228), (330, 228))
    points = [(46.0, 228.0)]
    for code in range(8):
        right = 46 + 28 * (code + 0.5)
        points += [(right, 228 - 14 * code), (right, 228 - 14 * min(code + 1, 7))]
    sheet.line(*points, (326, 130), stroke=BLUE, width=2.5)
    sheet.line((242, 112), (242, 228), stroke=ORANGE, dash="4 3")
    sheet.text(246, 116, "range: clipped", anchor="start", fill=ORANGE)
    sheet.text(50, 110, "code (3 bits)", anchor="start")
    sheet.text(188, 248, "current of a column")
    sheet.save()


def energy() -> None:
    """What an image costs: the parts of a read, and what is multiplied by what."""
    sheet = Sheet("energy", "An energy model is a sum of parts, each a count times a constant", 232)
    parts = (
        ("input", "drivers and DACs", YELLOW),
        ("cells", "V² · G · time", SKY),
        ("gates", "C · V_g²", SKY),
        ("output", "ADCs, adders", YELLOW),
        ("digital", "other layers", "#e4e4e4"),
    )
    for n, (name, words, color) in enumerate(parts):
        y = 14 + 34 * n
        sheet.box(12, y, 70, 26, color, words=name)
        sheet.text(92, y + 17, words, anchor="start")
        sheet.line((206, y + 13), (226, y + 13), (226, 95), stroke=GREY)
    sheet.arrow(226, 95, 244, 95, GREY)
    sheet.box(246, 70, 82, 50, "#eef4f8")
    sheet.text(287, 91, "joules")
    sheet.text(287, 108, "an image")
    sheet.text(170, 204, "each: how often × what one costs", fill=GREY)
    sheet.text(170, 221, "(constants with their source in TOML)", fill=GREY)
    sheet.save()


def words() -> None:
    """The scale of one device: states, levels, and the full scale."""
    sheet = Sheet("words", "The scale of one device, from its high-resistance to its low-resistance state", 168)
    left, right = 40, 300
    sheet.line((left, 70), (right, 70), width=3)
    for n in range(8):
        x = left + (right - left) * n / 7
        sheet.dot(x, 70, BLUE)
    sheet.text(left, 50, "G_off")
    sheet.text(left, 34, "HRS")
    sheet.text(right, 50, "G_on")
    sheet.text(right, 34, "LRS")
    sheet.text(170, 50, "8 levels: 3 bits a device", fill=BLUE)
    sheet.line((left, 92), (left, 100), (right, 100), (right, 92), stroke=GREY)
    sheet.text(170, 118, "G_on − G_off: the largest weight", fill=GREY)
    sheet.text(170, 146, "--variation 0.05: σ is 5 % of this")
    sheet.save()


def main() -> None:
    """Draw all of them."""
    for draw in (cell, array, fold, tile, mappings, chips, effects, converters, energy, words):
        draw()


if __name__ == "__main__":
    main()
