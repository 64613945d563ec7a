"""Draws the app's icon.

python -m benches.ios_pictures
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from fastetl.ink import Drawing, Stroke, rasterize

ROOT = Path(__file__).parent.parent
ICON = ROOT / "ios" / "App" / "Assets.xcassets" / "AppIcon.appiconset" / "icon.png"
_PAPER = (28, 74, 163)


def icon(side: int = 1024) -> Image.Image:
    """White ink on blue: one stroke, by a formula, as の is written."""
    down = [(0.55 - 0.186 * t**1.3, 0.29 + 0.435 * t) for t in np.linspace(0, 1, 30)]
    turn = [math.radians(118 + 318 * t) for t in np.linspace(0, 1, 120)]
    round_ = [(0.5 + 0.29 * math.cos(a), 0.5 + 0.255 * math.sin(a)) for a in turn]
    x, y = zip(*(down + round_), strict=True)
    ink = rasterize(Drawing(1, 1, (Stroke(x, y),), pen=0.075), side)[..., None] / 255
    picture = np.array(_PAPER) * (1 - ink) + 255 * ink
    return Image.fromarray(np.asarray(picture + 0.5, np.uint8))


if __name__ == "__main__":
    icon().save(ICON, optimize=True)
