"""What is ink in a picture, what is paper, and what is neither: tables, frames, ruled lines, shadows, dirt.

Ink is thin, and darker than the paper around it (or lighter, on a blackboard). The paper's level is found by a
morphological closing, which removes dark things that are narrower than its window; the edge of a shadow or of a table
stays where it is. Everything is decided on a reduced picture, the darkest pixel of each of at most 160 × 160 blocks, in
integers, so that the Swift twin (`ios/Sources/KanaPhoto/Paper.swift`) decides the same to the last bit.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastetl.checks import require_range
from fastetl.ink import MOST_SIDE
from fastetl.ink.blocks import MOST_BLOCKS, Grey, closed, extreme, odd_share, opened, pooled, quantile, smoothed, spread
from fastetl.ink.components import Box, Mask, boxes_of, character_box, is_several_characters, label_components
from fastetl.ink.ruling import Line, erase, ruled_lines, without_lines

# Thresholds without another source were chosen on the curves of benches/studies/photographs.py, so that none of its
# levels falls far below the next.
MOST = 1600
"""Longest side of a plane, in pixels: larger pictures are reduced to it."""
_WIDEST = 40
"""What is dark and wider than this per cent of the longest side is paper in a shadow, or a table."""
_SHADE = 20
"""A shadow darkens at least this per cent of the longest side at the picture's edge."""
_GRAINY = 1
"""A picture with more grain than this is smoothed."""
_GRAINIEST = 64
"""On white paper, what looks like more grain than this is strokes."""
_PASSES = 3
"""Grain is smoothed at most so many times."""
_WINDOWS = (4, 8, 14, 26)
"""Windows in which dark ink is compared with light ink, in per cent of the longest side."""
_WIDTHS = (3, 5, 7, 9, 11, 15, 21, 29, 41, 57)
"""Stroke widths that are distinguished, in blocks."""
_DIM = 32
"""Added to the paper's level before the contrast is divided by it, since grain matters more in little light."""
_CONTRAST = 12
"""Least difference between ink and paper, of 255."""
_DASHES = 6
"""Lines both across and down of at least so many pieces each are the dashed guides of a practice square."""
_SPECKS = 4
"""Blocks that may be darker than the darkest ink, as specks are."""
_LEAST_INK = 6
"""Least ink beside printed lines, in blocks."""
_SMALL = 4
"""If the character's longer side goes more often into the picture, the character is cropped."""
_WHITE = 250
"""Least level of white paper."""
_TINY = 12
"""If the character's longer side goes more often into the picture, the character may be too small to be read."""
_THIN = 4
"""If the least blocks that hold a pen's ink are more than so many times that ink, the pen is hardly seen."""
_THICK = 12
"""If a pen's width goes less often into the character, the pen is thick."""
_PEN = 20
"""A thick pen is thinned until its width goes so many times into the character."""
_SAMPLED = 400
"""Pixels along the longest side that contrast is measured on."""
_BAR = 4
"""A dark picture at least so many times as long as wide is a cropped stroke: ー."""

_LIGHT, _DARK = np.arange(256)[:, None], np.arange(256)
_MISSING = (np.maximum(_LIGHT - _DARK, 0) * (255 + _DIM) // (_LIGHT + _DIM)).astype(np.uint8).ravel()


@dataclass(frozen=True)
class Ink:
    """The ink of a picture."""

    plane: Grey
    """uint8 (H, W): ink 255, paper 0; reduced where the picture is larger than `MOST`."""
    box: Box | None
    """The character in the plane, without dirt; None where there is no ink."""
    scale: float = 1.0
    """How many pixels of the picture one pixel of the plane stands for, along each side."""
    fault: str = ""
    """Why the character may be recognized wrongly, and what to do; "" if there is no reason."""

    def square(self) -> Grey:
        """uint8 (S, S): the plane in a square of paper, cropped to the character where that is small in it.

        Very thin pens are thickened and very thick ones thinned, to what networks are trained on.
        """
        height, width = self.plane.shape
        side, x, y = max(height, width), width // 2, height // 2
        if self.box is not None:
            left, top, right, bottom = self.box
            longest = max(right - left, bottom - top)
            if longest * _SMALL < side:
                side, x, y = longest * 9 // 5, (left + right) // 2, (top + bottom) // 2
        left, top = x - side // 2, y - side // 2
        square = Image.fromarray(self.plane).crop((left, top, left + side, top + side))  # 0 beyond the plane
        return _with_usual_pen(np.array(square))

    def picture(self, side: int) -> Grey:
        """uint8 (side, side), ink high: the square resized. side: 1 to 4,096, else FastetlError."""
        require_range("side", side, 1, MOST_SIDE)
        return np.array(Image.fromarray(self.square()).resize((side, side), Image.Resampling.BILINEAR))


def _with_usual_pen(square: Grey) -> Grey:
    """uint8 (S, S): the ink as a usual pen leaves it; a thinned one is reduced to at most 160 × 160 pixels."""
    side, small = len(square), pooled(square, np.maximum)
    step = side // MOST_BLOCKS
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
        square = np.asarray(Image.fromarray(square).resize((MOST_BLOCKS, MOST_BLOCKS), Image.Resampling.BOX))
    around, thinner = np.pad(square, reach), square.copy()
    down, across = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    for y, x in np.argwhere(np.hypot(down, across) <= reach).tolist():  # of a disc
        np.minimum(thinner, around[y:, x:][: len(square), : len(square)], out=thinner)
    return thinner


def _grain(small: Grey) -> int:
    """How far neighbouring blocks differ in the quietest quarter of the picture; 0 if those are strokes on white."""
    grain = quantile(extreme(small, 3, np.maximum, 0) - extreme(small, 3, np.minimum, 255), 25)
    return 0 if grain > _GRAINIEST and quantile(small, 90) >= _WHITE else grain


def _missing(paper: Grey, picture: Grey, grain: int = 0) -> Grey:
    """The share of the paper's light that is missing in a picture, of 255; `grain` brighter than it is."""
    darker = np.minimum(picture, 255 - grain) + np.uint8(grain) if grain else picture
    return np.asarray(_MISSING.take(paper * np.uint16(256) + darker))


def _top(missing: Grey, few: int = _SPECKS) -> int:
    """The highest level that a few blocks reach."""
    counts = np.bincount(missing.ravel(), minlength=256)[::-1].cumsum()
    return 255 - int((counts >= min(few, missing.size // 8 + 1)).argmax())


def _edge(picture: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def _is_sheet(mask: Mask, per_cent: int = 85) -> bool:
    """Whether a mask is one large area: a sixth of the picture, and filled to `per_cent` between its edges."""
    count, between = int(mask.sum()), 0
    for lines in (mask, mask.T):
        from_start, from_end = (np.maximum.accumulate(way, 1) for way in (lines, lines[:, ::-1]))
        between = max(between, int((from_start & from_end[:, ::-1]).sum()))
    return 6 * count >= mask.size and count * 100 >= per_cent * between


def _ink_by_window(dark: Grey, light: Grey) -> tuple[NDArray[np.int_], int]:
    """How much dark and light ink, (2, windows), is narrower than each of `_WINDOWS`; and the least level of ink."""
    shares = []
    for blocks in (dark, light):
        grain = _grain(blocks)
        for per_cent in _WINDOWS:
            size = odd_share(blocks, per_cent)
            around = np.pad(blocks, size, mode="edge")
            shares.append(_missing(closed(around, size), around, grain)[size:-size, size:-size])
    least = max(_top(shares[len(_WINDOWS) - 1]), _top(shares[-1])) // 3
    seen = [int(share[share >= max(least, 1)].sum(dtype=int)) for share in shares]
    return np.array(seen).reshape(2, -1), least


def _is_light(dark: Grey, light: Grey) -> bool:
    """Whether the ink is lighter than the paper. dark: the darkest pixel of each block; light: 255 minus the lightest.

    If the picture's edge is dark or light all around, it is paper, unless the rest is a sheet.
    """
    darkest, lightest = int(dark.min()), 255 - int(light.min())
    middle = (darkest + lightest) // 2
    bright = dark > middle
    if _edge(dark).max() <= middle and _is_sheet(bright):
        return False  # a bright sheet on a dark table
    if _edge(dark).min() > middle and not _is_sheet(~bright, 95):
        return False  # bright paper
    if _edge(light).min() > 255 - middle and not _is_sheet(light < 255 - middle, 50):
        return True  # a blackboard
    brightness = float(np.median(_edge(dark)) + 255 - np.median(_edge(light))) - darkest - lightest
    return _is_light_thinner(dark, light, brightness / max(lightest - darkest, 1))


def _is_light_thinner(dark: Grey, light: Grey, brightness: float) -> bool:
    """Whether the light ink is thinner than the dark, or the paper by the edge's `brightness`.

    brightness: 1 if most of the edge is white, -1 if it is black: then it outweighs strokes thicker than their gaps.
    """
    seen, least = _ink_by_window(dark, light)
    # The narrowest window that shows half of the dark ink, or of the light ink.
    half = ((2 * seen >= seen[:, -1:]) & (seen >= 12 * least)).any(0)
    window = int(half.argmax()) if half.any() else len(_WINDOWS) - 1
    (dark_here, light_here), (dark_all, light_all) = seen[:, window] + 1.0, seen[:, -1] + 1.0
    thinner = math.log(dark_here / light_here) + 0.3 * math.log(dark_here / dark_all * light_all / light_here)
    # The weights keep apart crops of 172 characters by six pens, dark and inverted; the power spares shadows.
    return thinner + 1.43 * brightness + 3 * brightness**27 < 0


def _table(mask: Mask, is_white: bool) -> Mask:
    """The table or frame around a sheet: what is dark along a whole side, as far inwards as it is wider than strokes.

    On white paper a dark side may be a stroke at the edge of a crop. It is one if the opposite side has some ink, but
    not all along; ink in a corner that another dark side reaches does not count.
    """
    size = odd_share(mask, 10)
    around = np.pad(mask, size)
    height, width = mask.shape
    sides = mask[0], mask[-1], mask[:, 0], mask[:, -1]
    full = [side.sum() * 20 >= 19 * len(side) for side in sides]
    outside = around[:size], around[-size:], around[:, :size], around[:, -size:]
    for k, opposite in enumerate((1, 0, 3, 2)):
        is_first_full, is_last_full = full[2:] if k < 2 else full[:2]  # the sides that begin and end these two
        between = sides[opposite][size * is_first_full : len(sides[opposite]) - size * is_last_full]
        if full[k] and not (is_white and not full[opposite] and between.any()):
            outside[k][:] = True
    if not _edge(around).any():
        return np.zeros_like(mask)
    return extreme(opened(around, size), 3, np.maximum, 0)[size : size + height, size : size + width]


def _mean_width(mask: Mask) -> float:
    """Mean width of strokes, in blocks. 2.5: between 2, right for upright strokes, and 2.8, right for diagonal ones."""
    outline = int((mask[1:] ^ mask[:-1]).sum()) + int((mask[:, 1:] ^ mask[:, :-1]).sum())
    return 2.5 * int(mask.sum()) / max(outline, 1)


def _stroke_width(mask: Mask, tenths: int = 3) -> int:
    """The greatest width, in blocks, that at least so many tenths of the ink have."""
    count, width = int(mask.sum()), 1
    for size in _WIDTHS:
        if size > max(mask.shape) or int(opened(mask, size).sum()) * 10 < tenths * count:
            break
        width = size
    return width


@dataclass(frozen=True)
class _Sheet:
    """Paper and ink of each block (H, W)."""

    paper: Grey
    """Level of the paper."""
    missing: Grey
    """Share of the paper's light that is missing, of 255; 0 outside of the sheet."""
    outside: Mask
    """Table and frames."""
    least: int
    """Where less is missing, it is grain."""

    @cached_property
    def top(self) -> int:
        """`missing` where the ink is darkest; 0 if there is no ink."""
        top = _top(self.missing)
        return top if top >= self.least else 0

    @property
    def is_plain(self) -> bool:
        """Whether all paper is white, with no table around it: a drawing or a clean scan."""
        return not self.outside.any() and quantile(self.paper, 5) >= _WHITE

    def at_least(self, tenths: int) -> Mask:
        """Where at least so many tenths of `top` are missing."""
        return self.missing >= -(-tenths * max(self.top, 1) // 10)

    def without(self, mask: Mask) -> "_Sheet":
        """The sheet with more blocks outside of it; unchanged if no ink would be left."""
        if not mask.any():
            return self
        rest = _Sheet(self.paper, np.where(mask, np.uint8(0), self.missing), self.outside | mask, self.least)
        boxes = boxes_of(label_components(rest.at_least(5)))
        return rest if rest.top and (boxes[:, 2:] - boxes[:, :2]).max(initial=0) * 20 >= max(mask.shape) else self


def _closed_beyond(dark: Grey, size: int) -> Grey:
    """A closing in which the picture goes on beyond its edges, so that a shadow in a corner is as wide as elsewhere."""
    reach = size // 2
    return closed(np.pad(dark, reach, mode="edge"), size)[reach:-reach, reach:-reach]


def _sheet(dark: Grey) -> _Sheet:
    """Paper and ink, found with ever narrower windows down to three stroke widths: a narrow shadow is paper, too."""
    size, grain = odd_share(dark, _WIDEST), _grain(dark)
    paper = closed(dark, size)
    is_white = quantile(paper, 5) >= _WHITE
    outside = np.zeros(dark.shape, bool)
    while True:
        if not is_white:
            paper = np.minimum(paper, _closed_beyond(dark, max(size, odd_share(dark, _SHADE))))
        missing = np.where(outside, np.uint8(0), _missing(paper, dark, grain))
        sheet = _Sheet(paper, missing, outside, _CONTRAST + 4 * grain)
        if sheet.is_plain and _edge(dark).min() >= _WHITE:
            return sheet
        sheet = sheet.without(_table(sheet.at_least(5), is_white))
        outside = sheet.outside
        narrower = max(3 * _stroke_width(sheet.at_least(7)) + 2 | 1, 9)
        if is_white or narrower * 5 >= size * 4:  # white paper has no shadows, for which windows are narrowed
            return sheet
        size, paper = narrower, closed(dark, narrower)


def _printed_lines(sheet: _Sheet) -> tuple[list[Line], list[Line], int]:
    """Printed lines across and down, and what is missing where the ink beside them is darkest.

    A line is printed if it is thinner, fainter or darker than the ink, or goes from edge to edge. On white it has to be
    both, or part of a practice square.
    """
    top, inside = sheet.top, ~sheet.outside
    across = ruled_lines(sheet.missing, inside, top // 3)
    down = ruled_lines(sheet.missing.T, inside.T, top // 3)
    if not across and not down:
        return [], [], top
    strokes = np.where(without_lines(without_lines(inside, across).T, down).T, sheet.missing, np.uint8(0))
    strength = _top(strokes, 6 * _SPECKS)
    ink = strokes >= max((strength + 1) // 2, 1)
    if strength < sheet.least or ink.sum() < _LEAST_INK or _are_strokes(ink, across, down, strength):
        return [], [], top
    width = _mean_width(ink)
    has_guides = all(any(line.dashes >= _DASHES for line in lines) for lines in (across, down))
    is_square = len(across) > 1 and len(down) > 1

    def printed(lines: list[Line], ink: Mask) -> list[Line]:
        others = [line for line in lines if has_guides or _differs(line, width, strength)]
        if not sheet.is_plain or sum(line.spans_paper and 3 <= line.row < len(ink) - 3 for line in lines) > 1:
            return [line for line in lines if line.spans_paper or line in others]
        others = [line for line in others if has_guides or line.bends < 2]
        rows = [*np.flatnonzero(ink.any(1)).tolist(), *(line.row for line in lines)]
        is_cropped = min(rows) < 3 and max(rows) >= len(ink) - 3  # to the ink: then a stroke spans it, too
        return [line for line in others if is_square or (line.spans_paper and not is_cropped)]

    across, down = printed(across, ink), printed(down, ink.T)
    return across, down, strength if across or down else top


def _differs(line: Line, width: float, strength: int) -> bool:
    """Whether a line is clearly thinner, fainter or darker than strokes of a mean width and level."""
    return 4 * line.thickness <= 3 * width or not 8 * strength < 10 * line.level < 13 * strength


def _are_strokes(ink: Mask, across: list[Line], down: list[Line], strength: int) -> bool:
    """Whether the ink beside the lines is but what they leave where they bend: then they are strokes, as in 目."""
    beside = without_lines(without_lines(ink, across, 2).T, down, 2)
    return max(line.level for line in across + down) > 2 * strength and bool(beside.sum() < _LEAST_INK)


def _full_contrast(plane: Grey, top: int) -> Grey | None:
    """uint8 (H, W): the plane stretched, ink to 255 and faint traces to 0; None if there is no ink."""
    step = -(-max(plane.shape) // _SAMPLED)
    sample = plane[::step, ::step]
    full = quantile(sample[sample >= (top + 1) // 2], 90)
    if full < _CONTRAST:
        return None
    far = ~extreme(sample >= (full + 1) // 2, 5, np.maximum, 0)  # not the soft edges of strokes
    faint = min(full // 2, quantile(sample[far], 95) * 5 // 4)
    return np.asarray(((np.arange(256) - faint) * 255 // (full - faint)).clip(0, 255).astype(np.uint8).take(plane))


def _is_bar(grey: Grey) -> bool:
    """Whether the picture is nothing but one dark stroke, cropped."""
    long = grey if grey.shape[1] >= grey.shape[0] else grey.T
    height, width = long.shape
    return width >= _BAR * height and bool((long[height // 3 : height - height // 3] < 128).all())


def _ink_on(sheet: _Sheet, grey: Grey) -> tuple[Grey | None, Mask]:
    """The plane uint8 (H, W), None if there is no ink, and a mask of the blocks in which it has ink."""
    across, down, top = _printed_lines(sheet)
    if sheet.is_plain and not across and not down:
        # Unchanged: networks read faint strokes on white better than any threshold finds them.
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


def separate_ink(grey: Grey) -> Ink:
    """Find the ink of a character on any paper, in any light. grey: uint8 (H, W), brightness."""
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
    character = None if ink is None else character_box(mask)
    if ink is None or character is None:
        return Ink(np.zeros_like(grey), None, scale, "there is no ink in it: look at the picture")
    (rows, columns), (left, top, right, bottom) = dark.shape, character
    fault = ""
    if is_several_characters(mask[top:bottom, left:right]):
        fault = "several characters: read them as a line"
    elif max(right - left, bottom - top) * _TINY < max(rows, columns):
        fault = "the character is small: crop the picture"
    box = (left * width // columns, top * height // rows, -(-right * width // columns), -(-bottom * height // rows))
    return Ink(ink, box, scale, fault)
