"""What is ink in a picture, what is paper, and what is neither: tables, frames, ruled lines, shadows, dirt.

Ink is thin and darker than the paper around it (or lighter, on a blackboard). Paper is what a morphological closing
leaves: the picture without dark things that are narrower than its window, so that the edge of a shadow or of a table
stays where it is. All is decided on the darkest pixel of each of at most 160 × 160 places, in integers, so that
the Swift twin (`ios/Sources/KanaPhoto/Paper.swift`) decides the same to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastetl.ink.pieces import character, pieces, stands_apart
from fastetl.ink.places import closed, extreme, opened, places, pooled, quantile, share, spread
from fastetl.ink.ruling import Line, erase, ruled_lines, without

__all__ = ["MOST", "Box", "Ink", "separate_ink"]

MOST = 1600
"""Longest side of a plane: larger pictures are reduced to it."""
_WIDEST = 40
"""Per cent of the longest side: what is dark and wider is paper in a shadow, or a table."""
_WINDOWS = (4, 8, 14, 26)
"""Widths, likewise, at which dark ink is compared with light ink."""
_WIDTHS = (3, 5, 7, 9, 11, 15, 21, 29, 41, 57)
"""Widths of strokes that are told apart, in places."""
_DIM = 32
"""Light under which contrast counts less, since grain counts more there."""
_CONTRAST = 16
"""Least difference between ink and paper, of 255."""
_FEW = 4
"""So many places may be darker than the darkest ink: specks."""
_SMALL = 5
"""A character so many times in the picture is looked at alone."""
_WHITE = 250
"""Least light of white paper."""
_TINY = 12
"""One that fits in so many times may be too small."""
_BAR = 4
"""A dark picture so many times as long as it is wide is a stroke, cropped: ー."""

Bytes = NDArray[np.uint8]
Places = NDArray[np.int32]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last two are the first outside."""


@dataclass(frozen=True)
class Ink:
    """The ink of a picture."""

    plane: Bytes
    """uint8 (H, W): ink 255, paper 0; reduced where the picture is larger than `MOST`."""
    box: Box | None
    """Around the character in the plane, dirt left out; None where there is no ink."""
    scale: float = 1.0
    """Pixels of the picture for one of the plane."""
    fault: str = ""
    """Why it may be recognized wrongly, and what to do; "" where nothing speaks against it."""

    def square(self) -> Bytes:
        """uint8 (S, S): the picture, or what is around a character that is small in it; paper around that."""
        height, width = self.plane.shape
        side, (left, top) = max(height, width), (width // 2, height // 2)
        if self.box is not None:
            longest = max(self.box[2] - self.box[0], self.box[3] - self.box[1])
            if longest * _SMALL < side:
                side, left, top = longest * 9 // 5, (self.box[0] + self.box[2]) // 2, (self.box[1] + self.box[3]) // 2
        left, top = left - side // 2, top - side // 2
        square = np.zeros((side, side), np.uint8)
        rows, columns = (slice(max(at, 0), min(at + side, n)) for at, n in ((top, height), (left, width)))
        square[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = self.plane[
            rows, columns
        ]
        return square


def _grain(small: Bytes) -> int:
    """How far neighbouring places differ in the quietest quarter of the picture."""
    return quantile(extreme(small, 3, np.maximum, 0) - extreme(small, 3, np.minimum, 255), 25)


def _missing(paper: Bytes, picture: Bytes, grain: int = 0) -> Places:
    """The share of the paper's light that is missing, of 255."""
    light = paper.astype(np.int32)
    return np.asarray(np.maximum(light - picture - grain, 0) * (255 + _DIM) // (light + _DIM), np.int32)


def _top(missing: Places) -> int:
    """The level that only a few places exceed."""
    counts = np.bincount(missing.ravel(), minlength=256)[::-1].cumsum()
    return 255 - int((counts >= min(_FEW, missing.size // 8 + 1)).argmax())


def _median_edge(picture: Bytes) -> int:
    """Twice the median of the outermost pixels."""
    edge = np.sort(np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]).astype(int))
    return int(edge[len(edge) // 2 - 1] + edge[len(edge) // 2])


def _is_light(dark: Bytes, light: Bytes) -> bool:
    """Whether the ink is lighter than the paper: what is thinner is ink, and what is all around is paper.

    dark: the darkest pixel of each place; light: the lightest, turned round.
    """
    shares = []
    for small in (dark, light):
        grain = _grain(small)
        for per_cent in _WINDOWS:
            size = share(small, per_cent)
            around = np.pad(small, size, mode="edge")
            shares.append(_missing(closed(around, size), around, grain)[size:-size, size:-size])
    least = max(_top(shares[len(_WINDOWS) - 1]), _top(shares[-1])) // 3
    found = np.array([int(s[s >= max(least, 1)].sum()) for s in shares]).reshape(2, -1)
    # The narrowest window through which half of the one or the other is seen.
    half = ((2 * found >= found[:, -1:]) & (found >= 12 * least)).any(0)
    at = int(half.argmax()) if half.any() else len(_WINDOWS) - 1
    (dark_here, light_here), (dark_all, light_all) = (found[:, at] + 1.0), (found[:, -1] + 1.0)
    thinner = math.log(dark_here / light_here) + 0.3 * math.log(dark_here / dark_all * light_all / light_here)
    darkest, lightest = int(dark.min()), 255 - int(light.min())
    brightness = (_median_edge(dark) + 510 - _median_edge(light)) / 2 - darkest - lightest
    return thinner + 1.43 * brightness / max(lightest - darkest, 1) < 0


def _table(mask: Mask) -> Mask:
    """What is dark along a whole side of the picture, as far inwards as it is wider than strokes are."""
    size = share(mask, 10)
    around = np.pad(mask, size)
    height, width = mask.shape
    for side, outside in (
        (mask[0], around[:size]),
        (mask[-1], around[-size:]),
        (mask[:, 0], around[:, :size]),
        (mask[:, -1], around[:, -size:]),
    ):
        if side.sum() * 20 >= 19 * len(side):
            outside[:] = True
    if not around[0].any() and not around[-1].any() and not around[:, 0].any() and not around[:, -1].any():
        return np.zeros_like(mask)
    return extreme(opened(around, size), 3, np.maximum, 0)[size : size + height, size : size + width]


def _foreign(mask: Mask, dark: Bytes, paper: Bytes) -> Mask:
    """Pieces that go on as a dark background, or fill a corner of the picture: where a table is narrow."""
    numbers, listed = pieces(mask)
    foreign = np.zeros(len(listed), bool)
    level, light = dark.astype(np.int32), paper.astype(np.int32)
    goes_on = np.zeros(len(listed), np.intp)
    for inner, outer in (
        (np.s_[1:], np.s_[:-1]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        edge = mask[inner] & ~mask[outer] & (level[outer] <= level[inner] + 12)
        edge &= 2 * light[outer] <= light[inner] + level[inner]
        goes_on += np.bincount(numbers[inner][edge], minlength=len(listed))
    reach = max(mask.shape) // 25
    foreign |= goes_on >= max(6, reach)
    for view in (numbers, numbers[::-1], numbers[:, ::-1], numbers[::-1, ::-1]):
        corner = view[0, 0]
        if corner >= 0 and (view[: reach + 1, 0] == corner).all() and (view[0, : reach + 1] == corner).all():
            foreign[corner] = True
    chosen = (numbers >= 0) & foreign[numbers] if len(listed) else mask
    return extreme(chosen, 3, np.maximum, 0) & (~mask | chosen)


def _stroke_width(mask: Mask) -> int:
    """Width in places that at least three tenths of the ink have."""
    count, width = int(mask.sum()), 1
    for size in _WIDTHS:
        if size > max(mask.shape) or int(opened(mask, size).sum()) * 10 < 3 * count:
            break
        width = size
    return width


@dataclass(frozen=True)
class _Sheet:
    """What the places say."""

    paper: Bytes
    """Its level."""
    missing: Places
    """The share of its light that is missing; 0 outside of the sheet."""
    outside: Mask
    """Table and frames."""
    least: int
    """What is missing less is no ink, but grain."""

    @property
    def top(self) -> int:
        """What is missing where the ink is darkest; 0 where there is none."""
        top = _top(self.missing)
        return top if top >= self.least else 0

    @property
    def is_plain(self) -> bool:
        """Whether it is white paper alone, as a scan or a drawing has."""
        return not self.outside.any() and quantile(self.paper, 5) >= _WHITE

    def at_least(self, tenths: int) -> Mask:
        """Where so many tenths of that are missing."""
        return self.missing * 10 >= tenths * max(self.top, 1)

    def without(self, mask: Mask) -> _Sheet | None:
        """The same with more of it outside; None where no ink would be left."""
        rest = _Sheet(self.paper, np.where(mask, 0, self.missing), self.outside | mask, self.least)
        longest = max((piece.longest for piece in pieces(rest.at_least(5))[1]), default=0)
        return rest if mask.any() and rest.top and longest * 20 >= max(mask.shape) else None


def _sheet(dark: Bytes) -> _Sheet:
    """Paper and ink with a window as wide as three strokes, so that narrow shadows are paper too."""
    size, grain = share(dark, _WIDEST), _grain(dark)
    outside = np.zeros(dark.shape, bool)
    while True:
        paper = closed(dark, size)
        sheet = _Sheet(paper, np.where(outside, 0, _missing(paper, dark, grain)), outside, _CONTRAST + 4 * grain)
        sheet = sheet.without(_table(sheet.at_least(5))) or sheet
        outside = sheet.outside
        narrower = max(3 * _stroke_width(sheet.at_least(7)) + 2 | 1, 9)
        if narrower * 5 >= size * 4:
            break
        size = narrower
    return sheet.without(_foreign(sheet.at_least(5), dark, paper)) or sheet


def _erase_lines(plane: Places, sheet: _Sheet) -> None:
    """Take ruled lines out of the plane, in place: what is thinner or fainter than the rest, or crosses the sheet."""
    top, inside = sheet.top, ~sheet.outside
    across = ruled_lines(sheet.missing, inside, top // 3)
    down = ruled_lines(sheet.missing.T, inside.T, top // 3)
    if not across and not down:
        return
    rest = without(without(sheet.missing * 2 >= top, across).T, down).T
    if rest.sum() < 6:
        return
    strokes, strength = _stroke_width(rest), _top(np.where(rest, sheet.missing, 0))

    def is_printed(line: Line) -> bool:
        return line.through or 10 * line.thickness <= 6 * strokes or 10 * line.level <= 8 * strength

    for lines, turned, shape in ((across, plane, rest.shape), (down, plane.T, rest.T.shape)):
        for line in filter(is_printed, lines):
            erase(turned, line, (shape[0], shape[1]), max(_CONTRAST, line.level) // 2)


def _full_contrast(plane: Places, top: int) -> Bytes | None:
    """uint8 (H, W): ink to 255, what is faint to 0; None where there is no ink."""
    full = quantile(plane[2 * plane >= top], 90)
    if full < _CONTRAST:
        return None
    far = ~extreme(2 * plane >= full, 5, np.maximum, 0)  # not the soft edges of strokes
    faint = min(full // 2, quantile(plane[far], 95) * 5 // 4)
    return np.asarray(((plane - faint) * 255 // (full - faint)).clip(0, 255), np.uint8)


def _is_bar(grey: Bytes) -> bool:
    """Whether it is nothing but one dark stroke, cropped to it."""
    long = grey if grey.shape[1] >= grey.shape[0] else grey.T
    height, width = long.shape
    return width >= _BAR * height and bool((long[height // 3 : height - height // 3] < 128).all())


def separate_ink(grey: Bytes) -> Ink:
    """uint8 (H, W), brightness, on any paper, in any light → what is ink in it, and where the character is."""
    longest = max(grey.shape)
    scale = max(1.0, longest / MOST)
    if longest > MOST:
        width, height = (max(1, n * MOST // longest) for n in grey.shape[::-1])
        grey = np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BOX))
    height, width = grey.shape
    if _is_bar(grey):
        return Ink(255 - grey, (0, 0, width, height), scale)
    dark, light = pooled(grey, np.minimum), 255 - pooled(grey, np.maximum)
    if _is_light(dark, light):
        grey, dark = 255 - grey, light
    sheet = _sheet(dark)
    plane = _missing(spread(sheet.paper, grey.shape), grey)
    plane[spread(sheet.outside, grey.shape)] = 0
    plain = plane.copy()
    if sheet.top:
        _erase_lines(plane, sheet)
    ink = _full_contrast(plane, sheet.top) if sheet.top else None
    mask = None if ink is None else pooled(ink, np.maximum) >= 128
    piece = None if mask is None else character(mask)
    if ink is None or mask is None or piece is None:
        return Ink(np.zeros_like(grey), None, scale, "there is no ink in it: look at the picture")
    if sheet.is_plain and (plane == plain).all():
        ink = 255 - grey  # as it is: the networks see faint strokes on white better than any threshold
    rows, columns = places(grey.shape)
    fault = ""
    if stands_apart(mask[piece.top : piece.bottom, piece.left : piece.right]):
        fault = "two characters: use --lines"
    elif piece.longest * _TINY < max(rows, columns):
        fault = "the character is small: crop the picture"
    left, right = piece.left * width // columns, -(-piece.right * width // columns)
    return Ink(ink, (left, piece.top * height // rows, right, -(-piece.bottom * height // rows)), scale, fault)
