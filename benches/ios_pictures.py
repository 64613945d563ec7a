"""Draws the app's icon, what its rasterizer makes, and the layout of its screens, which is no screenshot.

python -m benches.ios_pictures
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benches.ios_reading import kana_drawings
from export import Recognizer, open_recognizer
from fastetl.ink.drawings import Drawing, Stroke, rasterize

ROOT = Path(__file__).parent.parent
ICON = ROOT / "ios" / "App" / "Assets.xcassets" / "AppIcon.appiconset" / "icon.png"
PICTURES = ROOT / "docs" / "pictures"
_BLUE = (28, 74, 163)
_GREY = (142, 142, 147)
_ROWS = ("あきすせぬふむれ", "っアクシツネホヲ")
_WORDS = ((0.95, "almost certain"), (0.5, "likely"), (0.1, "possible"), (0.0, "unlikely"))

Colour = tuple[int, int, int]


def icon(side: int = 1024) -> Image.Image:
    """White ink on blue: one stroke, by a formula, as の is written."""
    down = [(0.55 - 0.186 * t**1.3, 0.29 + 0.435 * t) for t in np.linspace(0, 1, 30)]
    turn = [math.radians(118 + 318 * t) for t in np.linspace(0, 1, 120)]
    round_ = [(0.5 + 0.29 * math.cos(a), 0.5 + 0.255 * math.sin(a)) for a in turn]
    x, y = zip(*(down + round_), strict=True)
    ink = rasterize(Drawing(1, 1, (Stroke(x, y),), pen=0.075), side)[..., None] / 255
    picture = np.array(_BLUE) * (1 - ink) + 255 * ink
    return Image.fromarray(np.asarray(picture + 0.5, np.uint8))


def raster() -> Image.Image:
    """Pictures as the model gets them, pixel for pixel: kana, and a fast, a pressed and a dotted stroke."""
    kana = kana_drawings()
    curve = [(40 + 220 * t, 150 + 90 * math.sin(7 * t)) for t in np.linspace(0, 1, 60)]
    x, y = zip(*curve, strict=True)
    pressed = tuple(float(p) for p in np.linspace(0, 1, 60))
    more = [
        Drawing(300, 300, (Stroke((35, 70, 150, 240, 265), (260, 90, 40, 120, 250)),)),
        Drawing(300, 300, (Stroke(x, y, pressed),)),
        Drawing(300, 300, (Stroke((150,), (150,)), Stroke((80,), (80,)), Stroke((220,), (80,)))),
        Drawing(400, 150, (Stroke(tuple(v + 50 for v in x), tuple(v / 2 for v in y)),)),
        Drawing(300, 300, (Stroke((0, 300, 300, 0, 0), (0, 0, 300, 300, 0)),)),
        *(Drawing(1000, 1000, kana["ぬ"].strokes, pen) for pen in (0.02, 0.05, 0.1)),
    ]
    rows = [[kana[c] for c in row] for row in _ROWS] + [more]
    sheet = Image.new("L", (8 * 130 + 2, 3 * 130 + 2), 96)
    for row, drawings in enumerate(rows):
        for column, drawing in enumerate(drawings):
            sheet.paste(Image.fromarray(rasterize(drawing)), (2 + 130 * column, 2 + 130 * row))
    return sheet


class _Phone:
    """A screen that is drawn into: 390 × 780 points."""

    def __init__(self, title: str, tab: int, *, dark: bool = False) -> None:
        self.paper: Colour = (0, 0, 0) if dark else (255, 255, 255)
        self.ink: Colour = (255, 255, 255) if dark else (0, 0, 0)
        self.canvas: Colour = (28, 28, 30) if dark else (242, 242, 247)
        self.accent: Colour = (122, 176, 255) if dark else _BLUE
        self.image = Image.new("RGB", (390, 780), self.paper)
        self.draw = ImageDraw.Draw(self.image)
        self.text(20, 50, title, 30)
        for k, name in enumerate(("Draw", "Practice", "Samples", "Settings")):
            self.text(49 + 97 * k, 745, name, 13, self.accent if k == tab else _GREY, "mm")
        self.draw.line([0, 715, 390, 715], _GREY)

    def text(
        self, x: float, y: float, text: str, size: int = 16, fill: Colour | None = None, anchor: str = "la"
    ) -> None:
        self.draw.text((x, y), text, fill or self.ink, ImageFont.load_default(size), anchor)

    def button(self, x: int, y: int, w: int, h: int, text: str) -> None:
        self.draw.rounded_rectangle([x, y, x + w, y + h], 10, None, self.accent)
        self.text(x + w / 2, y + h / 2, text, 15, self.accent, "mm")

    def kana(self, drawing: Drawing, x: int, y: int, side: int, fill: Colour | None = None) -> None:
        mask = Image.fromarray(rasterize(drawing, side))
        self.image.paste(fill or self.ink, (x, y), mask)

    def board(self, x: int, y: int, side: int, *, left: bool) -> None:
        self.draw.rectangle([x, y, x + side, y + side], self.canvas, _GREY)
        for k in range(0, side, 8):
            self.draw.line([x + side // 2, y + k, x + side // 2, y + k + 4], _GREY)
            self.draw.line([x + k, y + side // 2, x + k + 4, y + side // 2], _GREY)
        for k, name in enumerate(("undo", "redo", "clear")):
            at = 16 if left else x + side + 8
            self.button(at, y + side // 2 - 85 + 60 * k, 50, 48, name)


def _word(probability: float) -> str:
    return next(word for least, word in _WORDS if probability >= least)


def _drawing(kana: dict[str, Drawing], recognizer: Recognizer) -> Image.Image:
    phone = _Phone("Draw", 0)
    answers = recognizer.read(rasterize(kana["ぬ"]))
    phone.kana(kana[answers[0].label], 110, 100, 34)
    phone.text(150, 107, f", {_word(answers[0].probability)}", 20)
    phone.board(20, 145, 290, left=False)
    phone.kana(kana["ぬ"], 20, 145, 290)
    for k, answer in enumerate(answers):
        phone.button(12 + 74 * k, 455, 70, 78, "")
        phone.kana(kana[answer.label], 25 + 74 * k, 459, 44, phone.accent)
        phone.text(47 + 74 * k, 518, _word(answer.probability), 10, phone.accent, "mm")
    phone.button(80, 550, 100, 40, "Another…")
    phone.button(200, 550, 120, 40, "What is this?")
    return phone.image


def _practice(kana: dict[str, Drawing]) -> Image.Image:
    phone = _Phone("Practice", 1, dark=True)
    phone.text(370, 60, "Next", 17, phone.accent, "ra")
    phone.text(100, 107, "Write “nu”", 20)
    phone.button(215, 98, 80, 36, "Listen")
    phone.board(80, 145, 290, left=True)
    phone.kana(kana["ぬ"], 80, 145, 290, (72, 72, 74))
    phone.kana(kana["め"], 80, 145, 290)
    phone.text(24, 448, "I read", 17)
    phone.kana(kana["め"], 70, 444, 28)
    phone.text(100, 448, ". The answer is", 17)
    phone.kana(kana["ぬ"], 212, 444, 28)
    phone.text(242, 448, "; it will come back.", 17)
    phone.text(195, 500, "Due today: 3", 13, None, "mm")
    return phone.image


def _samples(kana: dict[str, Drawing]) -> Image.Image:
    phone = _Phone("Samples", 2)
    for k, (meant, read) in enumerate((("ぬ", "め"), ("ね", "れ"), ("シ", "ツ"))):
        y = 110 + 64 * k
        phone.draw.rectangle([20, y, 68, y + 48], phone.canvas)
        phone.kana(kana[meant], 20, y, 48)
        phone.kana(kana[meant], 84, y + 10, 28)
        phone.text(114, y + 14, ", read as", 16)
        phone.kana(kana[read], 184, y + 10, 28)
        phone.text(370, y + 16, "2026-11-24", 13, _GREY, "ra")
        phone.draw.line([20, y + 56, 390, y + 56], _GREY)
    phone.text(20, 312, "Share", 17, phone.accent)
    phone.text(20, 356, "Delete all", 17, (215, 0, 21))
    return phone.image


def screens() -> Image.Image:
    """The layout of three screens: drawing, practice (dark, buttons on the left), samples."""
    kana = kana_drawings()
    phones = [_drawing(kana, open_recognizer(charset="hiragana")), _practice(kana), _samples(kana)]
    sheet = Image.new("RGB", (3 * 410 + 20, 850), (200, 200, 204))
    ImageDraw.Draw(sheet).text(
        (20, 12), "Layout, drawn by Python. These are no screenshots.", (0, 0, 0), ImageFont.load_default(22)
    )
    for k, phone in enumerate(phones):
        sheet.paste(phone, (20 + 410 * k, 50))
    return sheet


def main() -> None:
    icon().save(ICON)
    raster().save(PICTURES / "ios-raster.png", optimize=True)
    screens().quantize(64).save(PICTURES / "ios-screens.png", optimize=True)


if __name__ == "__main__":
    main()
