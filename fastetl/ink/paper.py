"""What is ink in a picture, what is paper, and what is neither: tables, frames, ruled lines, shadows, dirt.

Ink is thin and darker than the paper around it (or lighter, on a blackboard). Paper is what a morphological closing
leaves: the picture without dark things that are narrower than its window, so that the edge of a shadow or of a table
stays where it is. All is decided on the darkest pixel of each of at most 160 × 160 places, in integers, so that
the Swift twin (`ios/Sources/KanaPhoto/Paper.swift`) decides the same to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastetl.ink.pieces import Box, boxes_of, character, labelled, stands_apart
from fastetl.ink.places import PLACES, closed, extreme, opened, pooled, quantile, share, smoothed, spread
from fastetl.ink.ruling import Line, erase, ruled_lines, without

MOST = 1600
"""Longest side of a plane: larger pictures are reduced to it."""
_WIDEST = 40
"""Per cent of the longest side: what is dark and wider is paper in a shadow, or a table."""
_BEYOND = 20
"""Least, likewise, of the edge of a picture that a shadow darkens."""
_GRAINY, _GRAINIEST, _PASSES = 1, 64, 3
"""Grain above the first is smoothed, so many times at most."""
_WINDOWS = (4, 8, 14, 26)
"""Widths, likewise, at which dark ink is compared with light ink."""
_WIDTHS = (3, 5, 7, 9, 11, 15, 21, 29, 41, 57)
"""Widths of strokes that are told apart, in places."""
_DIM = 32
"""Light under which contrast counts less, since grain counts more there."""
_CONTRAST = 12
"""Least difference between ink and paper, of 255."""
_DASHES = 6
"""A line of so many pieces is printed."""
_FEW = 4
"""So many places may be darker than the darkest ink: specks."""
_SMALL = 4
"""A character so many times in the picture is looked at alone."""
_WHITE = 250
"""Least light of white paper."""
_TINY = 12
"""One that fits in so many times may be too small."""
_THIN = 4
"""A pen that covers one part of so many of its places is hardly seen."""
_THICK = 12
"""A pen whose width goes less often into the character is made thinner, to `_PEN` times into it."""
_PEN = 20
_SAMPLED = 400
"""Pixels along the longest side that contrast is measured on."""
_BAR = 4
"""A dark picture so many times as long as it is wide is a stroke, cropped: ー."""

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_LIGHT, _DARK = np.arange(256)[:, None], np.arange(256)
_MISSING = (np.maximum(_LIGHT - _DARK, 0) * (255 + _DIM) // (_LIGHT + _DIM)).astype(np.uint8).ravel()


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
        """uint8 (S, S): the picture, or what is around a character that is small in it; paper around that.

        A pen too thin to be seen in a small picture is as thick as the eye sees it.
        """
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
        return _with_usual_pen(square)

    def picture(self, side: int) -> Bytes:
        """uint8 (side, side): the square, resized."""
        return np.asarray(Image.fromarray(self.square()).resize((side, side), Image.Resampling.BILINEAR))


def _with_usual_pen(square: Bytes) -> Bytes:
    """uint8 (S, S): the ink as a usual pen leaves it; a brush's in at most `PLACES` × `PLACES`."""
    side, small = len(square), pooled(square, np.maximum)
    step = side // PLACES
    if step > 1 and small.sum(dtype=int) * step * step > _THIN * square.sum(dtype=int):
        return extreme(square, step | 1, np.maximum, 0)
    mask = small >= 128
    if not mask.any():
        return square
    left, top, right, bottom = boxes_of(mask)[0].tolist()
    longest = max(right - left, bottom - top)
    width = _stroke_width(mask, 5) if _mean_width(mask) * _THICK > longest else 0
    reach = (width - longest // _PEN) // 2
    while reach > 0 and opened(mask, 2 * reach + 1).sum() * 10 < 8 * mask.sum():  # strokes are not lost
        reach -= 1
    if not width * 3 <= longest < width * _THICK or reach <= 0:
        return square
    if step:
        square = np.asarray(Image.fromarray(square).resize((PLACES, PLACES), Image.Resampling.BOX))
    around, thinner = np.pad(square, reach), square.copy()
    for y, x in np.argwhere(np.hypot(*np.ogrid[-reach : reach + 1, -reach : reach + 1]) <= reach).tolist():
        np.minimum(thinner, around[y:, x:][: len(square), : len(square)], out=thinner)
    return thinner


def _grain(small: Bytes) -> int:
    """How far neighbouring places differ in the quietest quarter of the picture; on white paper those are strokes."""
    grain = quantile(extreme(small, 3, np.maximum, 0) - extreme(small, 3, np.minimum, 255), 25)
    return 0 if grain > _GRAINIEST and quantile(small, 90) >= _WHITE else grain


def _missing(paper: Bytes, picture: Bytes, grain: int = 0) -> Bytes:
    """The share of the paper's light that is missing, of 255."""
    darker = np.minimum(picture, 255 - grain) + np.uint8(grain) if grain else picture
    return np.asarray(_MISSING.take(paper * np.uint16(256) + darker))


def _top(missing: Bytes, few: int = _FEW) -> int:
    """The level that only a few places exceed."""
    counts = np.bincount(missing.ravel(), minlength=256)[::-1].cumsum()
    return 255 - int((counts >= min(few, missing.size // 8 + 1)).argmax())


def _edge(picture: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def _median_edge(picture: Bytes) -> int:
    """Twice the median of the outermost pixels."""
    edge = np.sort(_edge(picture)).astype(int)
    return int(edge[len(edge) // 2 - 1] + edge[len(edge) // 2])


def _is_sheet(mask: Mask, per_cent: int = 85) -> bool:
    """Whether it covers a sixth of the picture, and so much from its first place to its last, across and down."""
    count, between = int(mask.sum()), 0
    for lines in (mask, mask.T):
        from_start, from_end = (np.maximum.accumulate(way, 1) for way in (lines, lines[:, ::-1]))
        between = max(between, int((from_start & from_end[:, ::-1]).sum()))
    return 6 * count >= mask.size and count * 100 >= per_cent * between


def _is_light(dark: Bytes, light: Bytes) -> bool:
    """Whether the ink is lighter than the paper.

    dark: the darkest pixel of each place; light: the lightest, turned round. An edge that is alike all around is paper,
    if the rest is no sheet, which fills its box. Otherwise what is thinner is ink, and what is all around is paper.
    """
    darkest, lightest = int(dark.min()), 255 - int(light.min())
    middle = (darkest + lightest) // 2
    bright = dark > middle
    if _edge(dark).max() <= middle and _is_sheet(bright):
        return False
    if _edge(dark).min() > middle and not _is_sheet(~bright, 95):
        return False
    if _edge(light).min() > 255 - middle and not _is_sheet(light < 255 - middle, 50):
        return True
    shares = []
    for small in (dark, light):
        grain = _grain(small)
        for per_cent in _WINDOWS:
            size = share(small, per_cent)
            around = np.pad(small, size, mode="edge")
            shares.append(_missing(closed(around, size), around, grain)[size:-size, size:-size])
    least = max(_top(shares[len(_WINDOWS) - 1]), _top(shares[-1])) // 3
    seen = np.array([int(s[s >= max(least, 1)].sum(dtype=int)) for s in shares]).reshape(2, -1)
    # The narrowest window through which half of the one or the other is seen.
    half = ((2 * seen >= seen[:, -1:]) & (seen >= 12 * least)).any(0)
    at = int(half.argmax()) if half.any() else len(_WINDOWS) - 1
    (dark_here, light_here), (dark_all, light_all) = (seen[:, at] + 1.0), (seen[:, -1] + 1.0)
    thinner = math.log(dark_here / light_here) + 0.3 * math.log(dark_here / dark_all * light_all / light_here)
    brightness = (_median_edge(dark) + 510 - _median_edge(light)) / 2 - darkest - lightest
    return thinner + 1.43 * brightness / max(lightest - darkest, 1) < 0


def _table(mask: Mask, is_white: bool) -> Mask:
    """What is dark along a whole side of the picture, as far inwards as it is wider than strokes are.

    On white paper not where ink is in the middle of the opposite side alone: it is a stroke, at the edge of a crop.
    """
    size = share(mask, 10)
    around = np.pad(mask, size)
    height, width = mask.shape
    sides = mask[0], mask[-1], mask[:, 0], mask[:, -1]
    full = [side.sum() * 20 >= 19 * len(side) for side in sides]
    outside = around[:size], around[-size:], around[:, :size], around[:, -size:]
    for k, opposite in enumerate((1, 0, 3, 2)):
        if full[k] and not (is_white and not full[opposite] and sides[opposite][size:-size].any()):
            outside[k][:] = True
    if not _edge(around).any():
        return np.zeros_like(mask)
    return extreme(opened(around, size), 3, np.maximum, 0)[size : size + height, size : size + width]


def _mean_width(mask: Mask) -> float:
    """In places, of strokes in any direction."""
    outline = int((mask[1:] ^ mask[:-1]).sum()) + int((mask[:, 1:] ^ mask[:, :-1]).sum())
    return 2.5 * int(mask.sum()) / max(outline, 1)


def _stroke_width(mask: Mask, tenths: int = 3) -> int:
    """Width in places that at least so many tenths of the ink have."""
    count, width = int(mask.sum()), 1
    for size in _WIDTHS:
        if size > max(mask.shape) or int(opened(mask, size).sum()) * 10 < tenths * count:
            break
        width = size
    return width


@dataclass(frozen=True)
class _Sheet:
    """What the places say."""

    paper: Bytes
    """Its level."""
    missing: Bytes
    """The share of its light that is missing; 0 outside of the sheet."""
    outside: Mask
    """Table and frames."""
    least: int
    """What is missing less is no ink, but grain."""

    @cached_property
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
        return self.missing >= -(-tenths * max(self.top, 1) // 10)

    def without(self, mask: Mask) -> _Sheet:
        """The same with more of it outside, unless no ink would be left."""
        if not mask.any():
            return self
        rest = _Sheet(self.paper, np.where(mask, np.uint8(0), self.missing), self.outside | mask, self.least)
        boxes = boxes_of(labelled(rest.at_least(5)))
        return rest if rest.top and (boxes[:, 2:] - boxes[:, :2]).max(initial=0) * 20 >= max(mask.shape) else self


def _closed_beyond(dark: Bytes, size: int) -> Bytes:
    """As if the picture went on beyond its edges as it ends there: the corner of a shadow is as wide as the shadow."""
    reach = size // 2
    return closed(np.pad(dark, reach, mode="edge"), size)[reach:-reach, reach:-reach]


def _sheet(dark: Bytes) -> _Sheet:
    """Paper and ink with a window as wide as three strokes, so that narrow shadows are paper too."""
    size, grain = share(dark, _WIDEST), _grain(dark)
    paper = closed(dark, size)
    is_lit = quantile(paper, 5) < _WHITE
    outside = np.zeros(dark.shape, bool)
    while True:
        if is_lit:
            paper = np.minimum(paper, _closed_beyond(dark, max(size, share(dark, _BEYOND))))
        missing = np.where(outside, np.uint8(0), _missing(paper, dark, grain))
        sheet = _Sheet(paper, missing, outside, _CONTRAST + 4 * grain)
        if sheet.is_plain and _edge(dark).min() >= _WHITE:
            return sheet
        sheet = sheet.without(_table(sheet.at_least(5), not is_lit))
        outside = sheet.outside
        narrower = max(3 * _stroke_width(sheet.at_least(7)) + 2 | 1, 9)
        if narrower * 5 >= size * 4:
            return sheet
        size, paper = narrower, closed(dark, narrower)


def _printed_lines(sheet: _Sheet) -> tuple[list[Line], list[Line], int]:
    """Ruled lines across and down, and what is missing where the ink beside them is darkest.

    Ruled is what is thinner, fainter or darker than the rest, or crosses the sheet; on white both.
    """
    top, inside = sheet.top, ~sheet.outside
    across = ruled_lines(sheet.missing, inside, top // 3)
    down = ruled_lines(sheet.missing.T, inside.T, top // 3)
    if not across and not down:
        return [], [], top
    strokes = np.where(without(without(inside, across).T, down).T, sheet.missing, np.uint8(0))
    strength = _top(strokes, 6 * _FEW)
    rest = strokes >= max((strength + 1) // 2, 1)
    if strength < sheet.least or rest.sum() < 6:
        return [], [], top
    width = _mean_width(rest)
    is_cell = len(across) > 1 and len(down) > 1
    has_guides = all(any(line.pieces >= _DASHES for line in lines) for lines in (across, down))

    def printed(lines: list[Line], rest: Mask) -> list[Line]:
        # On white a stroke may be as long, and reach or be an edge of a crop.
        rows = [*np.flatnonzero(rest.any(1)).tolist(), *(line.row for line in lines)]
        is_cropped = min(rows) < 3 and max(rows) >= len(rest) - 3
        is_alone = sheet.is_plain and sum(line.through and 3 <= line.row < len(rest) - 3 for line in lines) < 2
        other = [
            line
            for line in lines
            if has_guides or 4 * line.thickness <= 3 * width or not 8 * strength < 10 * line.level < 13 * strength
        ]
        if is_alone:
            return [line for line in other if (line.through and not is_cropped) or is_cell]
        return [line for line in lines if line.through or line in other]

    across, down = printed(across, rest), printed(down, rest.T)
    return across, down, strength if across or down else top


def _full_contrast(plane: Bytes, top: int) -> Bytes | None:
    """uint8 (H, W): ink to 255, what is faint to 0; None where there is no ink."""
    step = -(-max(plane.shape) // _SAMPLED)
    sample = plane[::step, ::step]
    full = quantile(sample[sample >= (top + 1) // 2], 90)
    if full < _CONTRAST:
        return None
    far = ~extreme(sample >= (full + 1) // 2, 5, np.maximum, 0)  # not the soft edges of strokes
    faint = min(full // 2, quantile(sample[far], 95) * 5 // 4)
    return np.asarray(((np.arange(256) - faint) * 255 // (full - faint)).clip(0, 255).astype(np.uint8).take(plane))


def _is_bar(grey: Bytes) -> bool:
    """Whether it is nothing but one dark stroke, cropped to it."""
    long = grey if grey.shape[1] >= grey.shape[0] else grey.T
    height, width = long.shape
    return width >= _BAR * height and bool((long[height // 3 : height - height // 3] < 128).all())


def _ink_on(sheet: _Sheet, grey: Bytes) -> tuple[Bytes | None, Mask]:
    """The plane, uint8 (H, W), None where there is no ink, and in which places it has ink."""
    across, down, top = _printed_lines(sheet)
    if sheet.is_plain and not across and not down:
        # As it is: the networks see faint strokes on white better than any threshold.
        return 255 - grey, sheet.at_least(3)
    plane = _missing(spread(sheet.paper, grey.shape), grey)
    if sheet.outside.any():
        plane[spread(sheet.outside, grey.shape)] = 0
    rows, columns = sheet.paper.shape
    for lines, turned, shape in ((across, plane, (rows, columns)), (down, plane.T, (columns, rows))):
        for line in lines:
            erase(turned, line, shape, max(_CONTRAST, line.level) // 2)
    ink = _full_contrast(plane, top)
    return ink, sheet.outside if ink is None else pooled(ink, np.maximum) >= 128


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
    dark = pooled(grey, np.minimum)
    for _ in range(_PASSES):
        if _grain(dark) <= _GRAINY:
            break
        grey = smoothed(grey, longest // 200 | 1)
        dark = pooled(grey, np.minimum)
    light = 255 - pooled(grey, np.maximum)
    if _is_light(dark, light):
        grey, dark = 255 - grey, light
    sheet = _sheet(dark)
    ink, mask = _ink_on(sheet, grey) if sheet.top else (None, sheet.outside)
    piece = None if ink is None else character(mask)
    if ink is None or piece is None:
        return Ink(np.zeros_like(grey), None, scale, "there is no ink in it: look at the picture")
    (rows, columns), (left, top, right, bottom) = dark.shape, piece
    fault = ""
    if stands_apart(mask[top:bottom, left:right]):
        fault = "two characters: use --lines"
    elif max(right - left, bottom - top) * _TINY < max(rows, columns):
        fault = "the character is small: crop the picture"
    box = (left * width // columns, top * height // rows, -(-right * width // columns), -(-bottom * height // rows))
    return Ink(ink, box, scale, fault)
