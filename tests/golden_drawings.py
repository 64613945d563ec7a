"""The drawings on which every rasterizer is compared; `python -m tests.golden_drawings` writes their file.

A picture is stored as runs: [count, value, count, value, …] over its rows from the top.
"""

import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.ink.drawings import Drawing, Stroke, rasterize_plainly

FILE = Path(__file__).parent / "data" / "golden_drawings.json"


def _line(*points: tuple[float, float], pressure: tuple[float, ...] | None = None) -> Stroke:
    return Stroke(tuple(x for x, _ in points), tuple(y for _, y in points), pressure)


def _curve(points: Iterable[tuple[float, float]]) -> Stroke:
    return _line(*((round(x, 2), round(y, 2)) for x, y in points))


def _spiral(count: int, turns: float, radius: float) -> Stroke:
    turned = ((k / (count - 1), 2 * math.pi * turns * k / (count - 1)) for k in range(count))
    return _curve((150 + radius * s * math.cos(a), 150 + radius * s * math.sin(a)) for s, a in turned)


def drawings() -> dict[str, Drawing]:
    """By name."""
    dot = _line((150, 150))
    rng = np.random.default_rng(12)
    jagged = _line(*((round(float(x), 1), round(float(y), 1)) for x, y in rng.uniform(-40, 340, (24, 2))))
    wave = [(20 + 130 * k / 400, 150 + 100 * math.sin(k / 22)) for k in range(400)]
    return {
        "nothing": Drawing(300, 300, ()),
        "an empty stroke": Drawing(300, 300, (Stroke((), ()),)),
        "one point": Drawing(300, 300, (dot,)),
        "one point between pixels": Drawing(128, 128, (_line((64.25, 63.8)),), pen=0.03),
        "the same point again and again": Drawing(300, 300, (_line(*[(90.5, 200.25)] * 7),)),
        "dots": Drawing(300, 300, tuple(_line((x, y)) for x in (30, 120, 210.7) for y in (20.2, 160, 299)), 0.02),
        "a hair": Drawing(300, 300, (_line((20, 20), (280, 270)), _line((20, 150), (280, 150))), pen=0.001),
        "a broad pen": Drawing(300, 300, (_line((100, 80), (220, 210)),), pen=0.5),
        "edges": Drawing(300, 300, (_line((0, 0), (300, 0), (300, 300), (0, 300), (0, 0)),)),
        "outside": Drawing(300, 300, (_line((-200, 100), (500, 180)), _line((400, 400)), _line((310, -10), (150, 40)))),
        "far outside": Drawing(10, 10, (_line((-160, -160), (160, 150)), _line((160, -160), (-150, 160)))),
        "a fast stroke": Drawing(300, 300, (_line((35, 260), (70, 90), (150, 40), (240, 120), (265, 250)),)),
        "long strokes": Drawing(300, 300, (jagged,), pen=0.012),
        "thousands of points": Drawing(300, 300, (_spiral(2000, 4, 140),), pen=0.02),
        "slow and shaky": Drawing(300, 300, (_curve(wave),), pen=0.03),
        "a wide canvas": Drawing(400, 150, (_line((20, 20), (380, 130)), _line((0, 75), (400, 75)))),
        "a high canvas": Drawing(90.5, 333.3, (_line((10, 10), (80, 320)), _line((45, 333.3)))),
        "a canvas of side 1": Drawing(1, 1, (_line((0.2, 0.3), (0.8, 0.35)), _line((0.5, 0.1), (0.45, 0.9)))),
        "pressure": Drawing(
            300,
            300,
            (
                _line((40, 60), (150, 60), (260, 60), pressure=(0, 0.5, 1)),
                _line((40, 150), (260, 150), pressure=(1, 0.1)),
                _line((80, 240), pressure=(1,)),
                _line((200, 240), (200, 240), pressure=(0.2, 0.9)),
            ),
        ),
        "as a mouse presses": Drawing(300, 300, (_line((40, 60), (260, 240), pressure=(0.5, 0.5)),)),
    }


def runs(picture: NDArray[np.uint8]) -> list[int]:
    """[count, value, …] over the rows."""
    flat = picture.reshape(-1).astype(int)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    counts = np.diff(np.concatenate([starts, [len(flat)]]))
    return np.stack([counts, flat[starts]], 1).reshape(-1).tolist()


def picture(stored: list[int], side: int = 128) -> NDArray[np.uint8]:
    """What `runs` was given."""
    return np.repeat(np.array(stored[1::2], np.uint8), stored[0::2]).reshape(side, side)


def golden() -> list[dict[str, Any]]:
    """What the file holds."""
    drawn = drawings().items()
    return [{"name": name, **d.as_dict(), "runs": runs(rasterize_plainly(d))} for name, d in drawn]


def main() -> None:
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in golden())
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    sys.stdout.write(f"{FILE}: {len(golden())} drawings, {FILE.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
