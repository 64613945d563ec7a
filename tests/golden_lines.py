"""The lines on which every reader of lines is compared; `python -m tests.golden_lines` writes their file.

Each has a drawing, whether it was found to run down, and with and without the table of bigrams the text and the boxes.
Of a picture of it, Python alone has the boxes of what may be a character.
"""

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from export import Recognizer, open_recognizer
from fastetl import Drawing
from fastetl.lines.segmentation import lines_of_picture
from fastetl.synth.written_lines import LineConfig, write_line

FILE = Path(__file__).parent / "data" / "golden_lines.json"
LINES = {
    "across": ("ありがとう", LineConfig(running=0)),
    "kanji": ("東京へ行く", LineConfig(running=0)),
    "long vowels": ("コーヒー", LineConfig(running=0)),
    "small kana": ("きって", LineConfig(running=0)),
    "space": ("あか しろ", LineConfig(running=0)),
    "down": ("ラーメン", LineConfig(down=True, running=0)),
    "marks at the end": ("ごがつ", LineConfig(delayed=1, running=0)),
    "touching": ("ともだち", LineConfig(touching=0.5, running=0)),
    "random": ("ぴロぬ濡", LineConfig(running=0)),
    "two lines": ("はるのうみ\nあさひ", LineConfig(running=0)),
    "two columns": ("ゆきだるま\nつきよ", LineConfig(down=True, running=0)),
    "underlined": ("さくらのはな", LineConfig(running=0, slope=0)),
    "wide": ("北海道", LineConfig(running=0)),
    "page": ("きょうは\nいいてん\nきなので\nうみまで\nあるいた\nよるはほ\nしをみた", LineConfig(running=0)),
    "dots": ("一", LineConfig()),  # a finger that taps: no stroke has a length
    "one character": ("ハ", LineConfig(running=0)),
    "one row": ("童話", LineConfig(running=0)),
}


def _drawing(text: str, seed: int, config: LineConfig, name: str) -> Drawing:
    """A drawing in whole units, without times and pressures: a small file, and the same in every language."""
    lines = [write_line(line, [40, seed], config).drawing for line in text.split("\n")]
    strokes, side = [], max(max(line.width, line.height) for line in lines)
    for k, line in enumerate(lines):
        along = 1.5 * k * min(line.width, line.height)
        x, y = ((len(lines) - 1) * side - along, 0.0) if config.down else (0.0, along)
        wide = 1.7 if name == "wide" else 1
        strokes += [{"x": [round(wide * v + x) for v in s.x], "y": [round(v + y) for v in s.y]} for s in line.strokes]
    if name == "underlined":
        strokes.append({"x": [9, round(lines[0].width)], "y": [round(lines[0].height)] * 2})
    if name == "dots":
        strokes = [{"x": [10 * k], "y": [50]} for k in range(31)]
    values = lines[0].as_dict()
    if len(lines) > 1:
        canvas = max(2, len(lines) / 2) * side
        pen = lines[0].pen * max(lines[0].width, lines[0].height) / canvas
        values |= {"width": canvas, "height": canvas, "pen": pen}
    return Drawing.from_dict({**values, "strokes": strokes})


def answers(recognizer: Recognizer, drawing: Drawing) -> dict[str, Any]:
    """What Python reads."""
    read: dict[str, Any] = {}
    for name, plain in (("bigrams", False), ("plain", True)):
        text = recognizer.read_line(drawing, plain=plain)
        boxes = [[round(v, 1) for v in c.box] for c in text.characters]
        sure = [round(c.confidence, 3) for c in text.characters]
        read |= {"down": text.lines[0].down, name: {"text": text.text, "boxes": boxes, "confidence": sure}}
    return read


def spans(drawing: Drawing) -> list[list[list[int]]]:
    """Boxes of what may be a character, of each line of a faint picture of the drawing with a speck and a dash."""
    ink = (0.4 * dataclasses.replace(write_line("一", 1), drawing=drawing).picture()).astype(np.uint8)
    ink[1, 2:7] = ink[3, 2:10] = ink.max()
    lines = itertools.chain(*lines_of_picture(ink, None))
    return [np.rint(line.to_original(line.spans.boxes)).astype(int).tolist() for line in lines]


def main() -> None:
    """Write the file."""
    recognizer, rows = open_recognizer("japanese"), []
    for k, (name, (text, config)) in enumerate(LINES.items()):
        drawing = _drawing(text, k, config, name)
        row = {"name": name, "written": text, "drawing": drawing.as_dict()} | answers(recognizer, drawing)
        row["spans"] = spans(drawing)
        rows.append(json.dumps(row, ensure_ascii=False))
    FILE.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
