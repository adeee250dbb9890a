"""A drawing in SVG: shapes added in order to a sheet of one width, on a ground of its own."""

from html import escape
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "concepts" / "drawings"
WIDTH = 340
"""Units of a drawing's width: as many as a telephone shows pixels, so that 12 units of text are 11 pixels there."""
INK, GREY, PAPER = "#1a1a1a", "#6b6b6b", "#ffffff"
BLUE, ORANGE, GREEN, SKY, YELLOW, PINK = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#E69F00", "#CC79A7"


class Sheet:
    """An SVG file in the making: shapes are added in order, in units of `WIDTH` across."""

    def __init__(self, name: str, title: str, height: int):
        """A ground of this height, and the title that is read aloud."""
        self.path, self.height = FOLDER / f"{name}.svg", height
        self.parts = [
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{height}" rx="6" fill="{PAPER}"/>',
        ]

    def text(
        self, x: float, y: float, words: str, *, size: float = 12, fill: str = INK, anchor: str = "middle"
    ) -> None:
        """Words with their base line at y."""
        style = f'font-size="{size:g}" fill="{fill}" text-anchor="{anchor}"'
        self.parts.append(f'<text x="{x:g}" y="{y:g}" {style}>{escape(words)}</text>')

    def line(self, *points: tuple[float, float], stroke: str = INK, width: float = 1.5, dash: str = "") -> None:
        """A line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}"{dashes}/>')

    def arrow(self, x: float, y: float, to_x: float, to_y: float, stroke: str = INK) -> None:
        """A line with a head at its end; horizontal or vertical."""
        self.line((x, y), (to_x, to_y), stroke=stroke)
        across, down = np.sign(to_x - x), np.sign(to_y - y)
        side = (
            (to_x - 6 * across - 4 * down, to_y - 6 * down - 4 * across),
            (to_x - 6 * across + 4 * down, to_y - 6 * down + 4 * across),
        )
        self.line(side[0], (to_x, to_y), side[1], stroke=stroke)

    def box(
        self, x: float, y: float, width: float, height: float, fill: str = "none", *, stroke: str = INK, words: str = ""
    ) -> None:
        """A rectangle, with words in its middle."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2" fill="{fill}" stroke="{stroke}"/>'
        )
        if words:
            self.text(x + width / 2, y + height / 2 + 4, words)

    def dot(self, x: float, y: float, fill: str, radius: float = 4) -> None:
        """A filled circle."""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}"/>')

    def save(self) -> None:
        """Write the file."""
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH * 3 // 2}" '
        head += f'height="{self.height * 3 // 2}" role="img" font-family="system-ui, sans-serif">'
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("\n".join([head, *self.parts, "</svg>"]) + "\n", encoding="utf-8")
