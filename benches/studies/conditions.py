"""Handwriting under other conditions: on scanned sheets, cropped, by a thick pen, small, photographed.

Each condition takes pictures uint8 (N, H, W), ink high, paper 0, and gives uint8 (N, 128, 128). What happens to a
picture depends only on its number and the seed.
"""

import io
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benches.studies.scans import ink_mask
from fastetl.data.scans import CUMULATIVE, FRAGMENT_DEPTHS, FRAGMENT_SHARES, OTHER_DEPTHS

SIDE = 128
Pictures = NDArray[np.uint8]
Rng = np.random.Generator
Placed = tuple[Pictures, int, int]  # a piece of ink, and its left and top in the canvas
Place = Callable[[Pictures, Rng], Placed]
Condition = Callable[[Pictures, int], Pictures]

# Pixels of 128 at the shares of `CUMULATIVE`, on the real scans of fastetl/data/scans.py; the ends were chosen.
_DEVIATION = (12.5, 13.7, 16.2, 17.9, 19.9, 23.3, 25)
_CENTRE_X = (57, 60, 64, 67, 70, 74, 77)
_CENTRE_Y = (54, 58, 65, 69, 73, 79, 83)


def _box(picture: Pictures) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the ink; of the whole picture where there is none."""
    ink = Image.fromarray(ink_mask(picture))
    return ink.getbbox() or (0, 0, *ink.size)


def _cropped(picture: Pictures) -> Pictures:
    left, top, right, bottom = _box(picture)
    return picture[top:bottom, left:right]


def _sized(picture: Pictures, factor: float) -> Pictures:
    height, width = picture.shape
    to = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(picture).resize(to, Image.Resampling.BILINEAR))


def _put(piece: Pictures, left: int, top: int, out: Pictures) -> None:
    """Lay a piece over a picture: the darker ink wins, and what lies outside is cut off."""
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + piece.shape[0], out.shape[0]), min(left + piece.shape[1], out.shape[1])
    if y1 > y0 and x1 > x0:
        np.maximum(out[y0:y1, x0:x1], piece[y0 - top : y1 - top, x0 - left : x1 - left], out=out[y0:y1, x0:x1])


def _centre(picture: Pictures) -> tuple[float, float, float]:
    """Centre of gravity x and y, and deviation (root of the summed variances), in pixels."""
    weight = picture.astype(np.float64) / max(float(picture.sum(dtype=np.int64)), 1)
    y, x = np.arange(picture.shape[0]) + 0.5, np.arange(picture.shape[1]) + 0.5
    by_row, by_column = weight.sum(1), weight.sum(0)
    cy, cx = float(by_row @ y), float(by_column @ x)
    return cx, cy, float(np.sqrt(by_row @ (y - cy) ** 2 + by_column @ (x - cx) ** 2))


def _drawn(rng: Rng, values: tuple[float, ...]) -> float:
    return float(np.interp(rng.random(), CUMULATIVE, values))


def _on_sheet(picture: Pictures, rng: Rng) -> Placed:
    """A character with the size and position of real scans."""
    piece = _cropped(picture)
    piece = _sized(piece, min(_drawn(rng, _DEVIATION) / max(_centre(piece)[2], 1), 124 / max(piece.shape)))
    cx, cy, _ = _centre(piece)
    left, top = round(_drawn(rng, _CENTRE_X) - cx), round(_drawn(rng, _CENTRE_Y) - cy)
    most = SIDE - piece.shape[1] - 2, SIDE - piece.shape[0] - 2
    return piece, min(max(left, 2), most[0]), min(max(top, 2), most[1])


def _sides_with_fragments(rng: Rng) -> NDArray[np.bool_]:
    """Which of the four sides have a fragment, (4,): each, and any at all, as often as on real scans."""
    left = rng.random() < FRAGMENT_SHARES[0]
    # Independent sides would give fragments anywhere too often: without one at the left, others are rarer.
    without = 0.4
    others = np.array(FRAGMENT_SHARES[1:])
    others = others * without if not left else others * (1 - (1 - FRAGMENT_SHARES[0]) * without) / FRAGMENT_SHARES[0]
    return np.array([left, *(rng.random(3) < others)])


def _add_fragments(out: Pictures, pictures: Pictures, neighbour: Place, rng: Rng) -> None:
    """Add ends of others of the pictures at the edges, as deep as on real scans."""
    for side, seen in enumerate(_sides_with_fragments(rng)):
        piece, left, top = neighbour(pictures[rng.integers(len(pictures))], rng)
        depth = max(1, round(_drawn(rng, FRAGMENT_DEPTHS) * (1 if side == 0 else OTHER_DEPTHS)))
        height, width = piece.shape
        if side < 2:
            left = depth - width if side == 0 else SIDE - depth
        else:
            top = depth - height if side == 2 else SIDE - depth
        if seen:
            _put(piece, left, top, out)


def _of_each(place: Place, neighbour: Place | None = None) -> Condition:
    """The condition that places each picture's piece. neighbour: places others, of which ends are at the edges."""

    def condition(pictures: Pictures, seed: int) -> Pictures:
        out = np.zeros((len(pictures), SIDE, SIDE), np.uint8)
        for k, picture in enumerate(pictures):
            rng = np.random.default_rng([seed, k])
            _put(*place(picture, rng), out[k])
            if neighbour is not None:
                _add_fragments(out[k], pictures, neighbour, rng)
        return out

    return condition


def _whole(picture: Pictures, _: Rng) -> Placed:
    """The picture scaled to 128 × 128, and nothing else."""
    piece = _sized(picture, SIDE / max(picture.shape))
    return piece, (SIDE - piece.shape[1]) // 2, (SIDE - piece.shape[0]) // 2


def _ink_of_whole(picture: Pictures, rng: Rng) -> Placed:
    piece, x, y = _whole(picture, rng)
    left, top, right, bottom = _box(piece)
    return piece[top:bottom, left:right], x + left, y + top


def _fitted(piece: Pictures, share: float, rng: Rng, centred: bool = False) -> Placed:
    """A piece whose longer side covers `share` of the canvas: anywhere inside, or in the middle."""
    piece = _sized(piece, share * SIDE / max(piece.shape))
    spare = SIDE - piece.shape[1], SIDE - piece.shape[0]
    left, top = ((n // 2 if centred else int(rng.integers(n + 1))) for n in spare)
    return piece, left, top


def _crop(picture: Pictures, rng: Rng) -> Placed:
    """A crop to the ink, with paper beside it to make it square."""
    return _fitted(_cropped(picture), 1, rng, centred=True)


def _thickened(picture: Pictures, size: int, radius: int) -> Pictures:
    """The ink scaled to `size` pixels, then thickened by `radius` pixels on each side."""
    piece = np.pad(_sized(_cropped(picture), size / max(_cropped(picture).shape)), radius)
    thick = np.zeros_like(piece)
    for y, x in np.argwhere(np.hypot(*np.ogrid[-radius : radius + 1, -radius : radius + 1]) <= radius) - radius:
        _put(piece, x, y, thick)
    return thick


def _of_size(least: float, most: float) -> Condition:
    """Characters that cover between `least` and `most` of the canvas, anywhere in it."""
    return _of_each(lambda picture, rng: _fitted(_cropped(picture), float(rng.uniform(least, most)), rng))


CONDITIONS: Mapping[str, Condition] = {
    "as they are": _of_each(_whole),
    "fragments added": _of_each(_whole, _ink_of_whole),
    "size and place of scans": _of_each(_on_sheet),
    "as on scans": _of_each(_on_sheet, _on_sheet),
    "cropped to the ink": _of_each(_crop),
    # Characters of 100 pixels, by a pen 6 to 12 pixels wider.
    "thick pen, cropped": _of_each(lambda picture, rng: _crop(_thickened(picture, 100, int(rng.integers(3, 7))), rng)),
    "small": _of_size(0.22, 0.35),
    "whole canvas": _of_size(0.92, 0.98),
}


Light = NDArray[np.float64]
Size = tuple[int, int]  # height and width in pixels
PHOTOGRAPH: Size = (300, 400)


def _page(picture: Pictures, rng: Rng, share: float = 0.55, size: Size = PHOTOGRAPH) -> Light:
    """Ink 0–1 of this size: the character over `share` of the shorter side, somewhere in the middle."""
    page = np.zeros(size, np.uint8)
    piece = _sized(_cropped(picture), round(share * min(size)) / max(_cropped(picture).shape))
    top, left = (round((n - m) * rng.uniform(0.35, 0.65)) for n, m in zip(size, piece.shape, strict=True))
    page[top : top + piece.shape[0], left : left + piece.shape[1]] = piece
    return page / 255


def _photograph(light: Light, rng: Rng, grain: float = 3) -> Pictures:
    """The light as a camera stores it: with grain, as a JPEG."""
    noisy = np.clip(light + rng.normal(0, grain, light.shape), 0, 255).astype(np.uint8)
    stored = io.BytesIO()
    Image.fromarray(noisy).save(stored, "JPEG", quality=85)
    return np.asarray(Image.open(stored))


def _sheet(picture: Pictures, rng: Rng, share: float = 0.55, size: Size = PHOTOGRAPH) -> Light:
    """The light of a grey sheet with dark ink, weaker towards one side."""
    page = _page(picture, rng, share, size)
    paper, ink = rng.uniform(150, 230), rng.uniform(0.1, 0.3)
    return np.asarray(paper * (1 - (1 - ink) * page) * _edge(rng.uniform(0, 2 * np.pi), 0.5, 0.85, 0.25, size))


def _edge(angle: float, position: float, level: float, soft: float, size: Size = PHOTOGRAPH) -> Light:
    """Light of 1 on one side of an edge across the photograph, and of `level` on the other."""
    y, x = np.linspace(-0.5, 0.5, size[0])[:, None], np.linspace(-0.5, 0.5, size[1])
    along = (np.cos(angle) * x + np.sin(angle) * y) / (abs(np.cos(angle)) + abs(np.sin(angle))) + 0.5
    return np.asarray(level + (1 - level) / (1 + np.exp(-np.clip((along - position) / soft, -50, 50))))


def _shadowed(picture: Pictures, position: float, level: float, rng: Rng) -> Pictures:
    shadow = _edge(rng.uniform(0, 2 * np.pi), position, level, rng.choice([0.003, 0.02]))
    return _photograph(_sheet(picture, rng) * shadow, rng)


def _on_table(picture: Pictures, width: float, rng: Rng, sides: int = 4) -> Pictures:
    """A dark table along so many sides, as wide as `width` of the height."""
    high, wide = PHOTOGRAPH
    top, bottom, left, right = round(width * high) * (rng.permutation(4) < sides)
    light = np.full(PHOTOGRAPH, rng.uniform(20, 70))
    sheet = _sheet(picture, rng, size=(high - top - bottom, wide - left - right))
    light[top : high - bottom, left : wide - right] = sheet
    return _photograph(light, rng)


def _white(picture: Pictures, rng: Rng, share: float = 0.7, side: int = 400) -> Pictures:
    return np.asarray(255 * (1 - _page(picture, rng, share, (side, side))), np.uint8)


def _framed(picture: Pictures, width: float, rng: Rng) -> Pictures:
    wide = round(width)
    return np.pad(_white(picture, rng, 0.6)[wide : 400 - wide, wide : 400 - wide], wide)


def _lined(picture: Pictures, level: float, rng: Rng, kind: str) -> Pictures:
    """Printed lines, `level` times as dark as the ink."""
    page, lines = _page(picture, rng, 0.55, (400, 400)), np.zeros((400, 400), bool)
    gap, wide = int(rng.integers(30, 70)), int(rng.integers(1, 5))
    if kind == "cell":
        edge, dash = int(rng.integers(8, 50)), np.arange(400) // 8 % 2 == 0
        lines[edge : 400 - edge, edge : 400 - edge] = True
        lines[edge + wide : 400 - edge - wide, edge + wide : 400 - edge - wide] = False
        lines[199 : 199 + wide, edge : 400 - edge] |= dash[edge : 400 - edge]
        lines[edge : 400 - edge, 199 : 199 + wide] |= dash[edge : 400 - edge, None]
    else:
        for start in range(int(rng.integers(gap)), 400, gap):
            lines[start : start + wide] = True
            if kind == "squares":
                lines[:, start : start + wide] = True
    return np.asarray(255 * (1 - np.maximum(page, level * lines)), np.uint8)


Curve = tuple[tuple[float, ...], Callable[[Pictures, float, Rng], Pictures]]
CURVES: Mapping[str, Curve] = {
    "a shadow's light, anywhere": (
        (0.8, 0.6, 0.5, 0.4, 0.3),
        lambda p, level, rng: _shadowed(p, rng.uniform(0.2, 0.8), level, rng),
    ),
    "a shadow × 0.4 over this share": ((0.1, 0.3, 0.5, 0.7, 0.9), lambda p, share, rng: _shadowed(p, share, 0.4, rng)),
    "dim light": ((1, 0.6, 0.35, 0.2), lambda p, level, rng: _photograph(_sheet(p, rng) * level, rng, 3 * level**0.5)),
    "ink's contrast": (
        (0.8, 0.4, 0.2, 0.1),
        lambda p, contrast, rng: _photograph(rng.uniform(150, 230) * (1 - contrast * _page(p, rng)), rng),
    ),
    "grain": ((0, 6, 12, 20), lambda p, grain, rng: _photograph(_sheet(p, rng), rng, grain)),
    "dark table around, of the height": ((0.03, 0.06, 0.1, 0.2, 0.3), _on_table),
    "dark table at one side": ((0.05, 0.1, 0.2, 0.4), lambda p, width, rng: _on_table(p, width, rng, 1)),
    "black frame, pixels of 400": ((1, 2, 4, 8, 16, 32), _framed),
    **{
        name: ((0.25, 0.5, 0.75, 1), partial(_lined, kind=kind))
        for name, kind in (("ruled lines' darkness", "lines"), ("squares' darkness", "squares"), ("cell's", "cell"))
    },
    "size in a drawing": ((0.5, 0.3, 0.2, 0.15, 0.1, 0.07), lambda p, share, rng: _white(p, rng, share, 1000)),
    "pen wider by, of 200": ((0, 4, 8, 12, 16, 20), lambda p, wider, rng: _white(_thickened(p, 200, int(wider)), rng)),
}
"""Each condition's levels, and a function that gives a picture (ink high) at a level as a camera or program does."""
