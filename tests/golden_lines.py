"""The lines on which every reader of lines is compared; `python -m tests.golden_lines` writes their file.

Each has a drawing, whether it runs down, and for the table of pairs and without it the text and the boxes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from export.recognizer import Recognizer, open_recognizer
from fastetl.ink.drawings import Drawing
from fastetl.synth.lines import LineConfig, write_line

FILE = Path(__file__).parent / "data" / "golden_lines.json"
LINES = {
    "across": ("ありがとう", LineConfig(running=0)),
    "kanji": ("東京へ行く", LineConfig(running=0)),
    "long vowels": ("コーヒー", LineConfig(running=0)),
    "small kana": ("きって", LineConfig(running=0)),
    "space": ("よむ かく", LineConfig(running=0)),
    "down": ("ラーメン", LineConfig(down=True, running=0)),
    "marks at the end": ("ごがつ", LineConfig(delayed=1, running=0)),
    "touching": ("ともだち", LineConfig(touching=0.5, running=0)),
}


def _columns(drawing: Drawing) -> Drawing:
    """In whole units and without times and pressures: a small file, and the same in every language."""
    values = drawing.as_dict()
    strokes = [{k: [round(v) for v in s[k]] for k in ("x", "y")} for s in values["strokes"]]
    return Drawing.from_dict({**values, "strokes": strokes})


def answers(recognizer: Recognizer, drawing: Drawing, down: bool) -> dict[str, Any]:
    """What Python reads."""
    read = {}
    for name, plain in (("pairs", False), ("plain", True)):
        text = recognizer.read_ink(drawing, down=down, plain=plain)
        boxes = [[round(v, 1) for v in c.box] for c in text.characters]
        sure = [round(c.confidence, 3) for c in text.characters]
        read[name] = {"text": text.text, "boxes": boxes, "confidence": sure}
    return read


def main() -> None:
    """Write the file."""
    recognizer, rows = open_recognizer("japanese"), []
    for k, (name, (text, config)) in enumerate(LINES.items()):
        drawing = _columns(write_line(text, [40, k], config).drawing)
        row = {"name": name, "written": text, "down": config.down, "drawing": drawing.as_dict()}
        rows.append(json.dumps(row | answers(recognizer, drawing, config.down), ensure_ascii=False))
    FILE.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
