"""Drawings that are no characters, to see whether they are rejected: random curves, crossing as they like."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fastetl.data.preprocessing import resize

_CANVAS = 128


def scribbles(count: int, size: int, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 (count, size, size), ink high: two to six random curves each, drawn over the whole canvas."""
    random = np.random.default_rng(seed)
    canvases = np.empty((count, _CANVAS, _CANVAS), np.uint8)
    for k in range(count):
        canvas = Image.new("L", (_CANVAS, _CANVAS))
        pen = ImageDraw.Draw(canvas)
        width = int(random.integers(3, 9))
        for _ in range(random.integers(2, 7)):
            curve = random.uniform(0.1, 0.9, (int(random.integers(4, 10)), 2)) * _CANVAS
            for _ in range(3):  # Chaikin: cut every corner
                near, far = 0.75 * curve[:-1] + 0.25 * curve[1:], 0.25 * curve[:-1] + 0.75 * curve[1:]
                curve = np.stack([near, far], 1).reshape(-1, 2)
            pen.line([(float(x), float(y)) for x, y in curve], fill=255, width=width, joint="curve")
        canvases[k] = np.asarray(canvas)
    return resize(canvases, size)
