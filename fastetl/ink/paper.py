"""What is ink in a picture, what is paper, and what is neither: tables, frames, ruled lines, shadows, dirt.

Ink is thin, and darker than the paper around it (or lighter, on a blackboard). The paper's level is found by a
morphological closing, which removes dark things that are narrower than its window; the edge of a shadow or of a table
stays where it is. Everything is decided on a reduced picture, the darkest pixel of each of at most 160 × 160 blocks, in
integers, so that the Swift twin (`ios/Sources/KanaPhoto/Paper.swift`) decides the same to the last bit.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastetl.arrays import Mask
from fastetl.checks import require_range
from fastetl.ink import MAX_DRAWN_SIDE
from fastetl.ink.blocks import Grey, T, closing, expand, extreme, odd_share, opening, peak_of, pool, quantile, smooth
from fastetl.ink.components import Box, boxes_of, character_box, extents_of, is_several_characters, label_components
from fastetl.ink.pens import stroke_width, with_usual_pen
from fastetl.ink.rules import without_rules
from fastetl.ink.ruling import PrintedLine, erase, printed_lines

# Thresholds without another source were chosen on the curves of benches/studies/conditions.py, so that no level falls
# far below the next. Of 23 pictures of each level, `_MIN_CONTRAST` 30 would lose 17 at a fifth of the contrast, and 6
# gain 11 at a tenth, but see ink on three times as many photographs of blank paper; `_INK_WIDTH` 25 would lose two by a
# thick pen, and 60 none.
MAX_PLANE = 1600  # longest side of a plane, in pixels: larger pictures are reduced to it
_INK_WIDTH = 40  # per cent of the longest side: what is dark and wider is paper in a shadow, or a table
_SHADOW_WIDTH = 20  # per cent of the longest side: a shadow at the picture's edge is at least so wide
_USUAL_GRAIN = 1  # a picture with more is smoothed
_MAX_GRAIN = 64  # on white paper, what looks like more is strokes
_MAX_PASSES = 3  # most passes of smoothing
_WINDOW_OF_PAGES = 3  # pixels to smooth over where the writing may be small
_WINDOWS = (4, 8, 14, 26)  # per cent of the longest side, in which dark ink is compared with light ink
_DIM_LIGHT = 32  # added to the paper's level before contrast is divided by it: grain matters more in little light
_MIN_CONTRAST = 12  # least difference of ink and paper, of 255
_WHITE_LEVEL = 250  # least level of white paper
_CROPPED_RATIO = 4  # longer side of the picture over the character's: above it, the picture is cropped
_TINY_RATIO = 12  # the same: above it, the character may be too small to be read
_SAMPLED_PIXELS = 400  # most pixels along the longest side at which contrast is measured
_BAR_RATIO = 4  # a dark picture so many times as long as wide is a cropped stroke: ー

_LIGHT, _DARK = np.arange(256)[:, None], np.arange(256)
_SHARE_MISSING = (np.maximum(_LIGHT - _DARK, 0) * (255 + _DIM_LIGHT) // (_LIGHT + _DIM_LIGHT)).astype(np.uint8).ravel()


@dataclass(frozen=True)
class Ink:
    """The ink of a picture."""

    plane: Grey
    """uint8 (H, W): ink 255, paper 0; reduced where the picture is larger than `MAX_PLANE`."""
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
            length = max(right - left, bottom - top)
            if length * _CROPPED_RATIO < side:
                side, x, y = length * 9 // 5, (left + right) // 2, (top + bottom) // 2
        left, top = x - side // 2, y - side // 2
        square = Image.fromarray(self.plane).crop((left, top, left + side, top + side))  # 0 beyond the plane
        return with_usual_pen(np.array(square))

    def picture(self, side: int) -> Grey:
        """uint8 (side, side), ink high: the square resized. side: 1 to 4,096, else FastetlError."""
        require_range("side", side, 1, MAX_DRAWN_SIDE)
        return np.array(Image.fromarray(self.square()).resize((side, side), Image.Resampling.BILINEAR))


def _grain(blocks: Grey) -> int:
    """How far neighbouring blocks differ in the quietest quarter of the picture; 0 if those are strokes on white."""
    grain = quantile(extreme(blocks, 3, np.maximum, 0) - extreme(blocks, 3, np.minimum, 255), 25)
    return 0 if grain > _MAX_GRAIN and quantile(blocks, 90) >= _WHITE_LEVEL else grain


def _missing_share(paper: Grey, picture: Grey, grain: int = 0) -> Grey:
    """The share of the paper's light that is missing in a picture, of 255; `grain` brighter than it is."""
    brightness = np.minimum(picture, 255 - grain) + np.uint8(grain)
    return np.asarray(_SHARE_MISSING.take(paper * np.uint16(256) + brightness))


def _sides(picture: NDArray[T]) -> tuple[NDArray[T], ...]:
    """The outermost pixels of each side."""
    return picture[0], picture[-1], picture[:, 0], picture[:, -1]


def _border(picture: NDArray[T]) -> NDArray[T]:
    """The outermost pixels."""
    return np.concatenate(_sides(picture))


def _is_one_area(mask: Mask, per_cent: int = 85) -> bool:
    """Whether a mask is one large area: a sixth of the picture, and filled to `per_cent` between its edges."""
    count = int(mask.sum())
    hull_area = 0
    for lines in (mask, mask.T):
        after_first, before_last = (np.maximum.accumulate(view, 1) for view in (lines, lines[:, ::-1]))
        hull_area = max(hull_area, int((after_first & before_last[:, ::-1]).sum()))
    return 6 * count >= mask.size and count * 100 >= per_cent * hull_area


def _ink_by_window(dark_blocks: Grey, light_blocks: Grey) -> tuple[NDArray[np.int_], int]:
    """How much dark and light ink, (2, windows), is narrower than each of `_WINDOWS`; and the least level of ink."""
    grains = [(blocks, _grain(blocks)) for blocks in (dark_blocks, light_blocks)]
    sizes = [odd_share(dark_blocks, per_cent) for per_cent in _WINDOWS]
    shares = np.array([[_missing_share(_edge_closing(b, size), b, grain) for size in sizes] for b, grain in grains])
    min_level = max(map(peak_of, shares[:, -1])) // 3
    return np.where(shares >= max(min_level, 1), shares, np.uint8(0)).sum((2, 3), dtype=int), min_level


def _is_light(dark_blocks: Grey, light_blocks: Grey) -> bool:
    """Whether ink is lighter than the paper. dark_blocks: darkest pixels. light_blocks: 255 minus the lightest."""
    darkest, lightest = dark_blocks, 255 - light_blocks
    min_level, max_level = int(darkest.min()), int(lightest.max())
    middle = (min_level + max_level) // 2
    if _is_sheet_on_table(darkest > middle):
        return False
    if _border(darkest).min() > middle and not _is_one_area(darkest <= middle, 95):
        return False  # bright paper
    if _border(lightest).max() < middle and not _is_one_area(lightest > middle, 50):
        return True  # a blackboard
    brightness = float(np.median(_border(darkest)) + np.median(_border(lightest))) - min_level - max_level
    return _is_light_thinner(dark_blocks, light_blocks, brightness / max(max_level - min_level, 1))


def _is_sheet_on_table(is_bright: Mask) -> bool:
    """Whether what is bright is a sheet on a dark table, or one with dark bars beside it: its edges are straight."""
    dark_sides = [not side.any() for side in _sides(is_bright)]
    if not any(dark_sides) or not _is_one_area(is_bright):
        return False
    left, top, right, bottom = boxes_of(is_bright)[0]
    edge = _border(is_bright[top:bottom, left:right])
    return all(dark_sides) or bool(4 * edge.sum() >= 3 * len(edge))


def _is_light_thinner(dark_blocks: Grey, light_blocks: Grey, brightness: float) -> bool:
    """Whether the light ink is thinner than the dark, or the paper by the edge's `brightness`.

    brightness: 1 if most of the edge is white, -1 if it is black: then it outweighs strokes thicker than their gaps.
    """
    amounts, min_level = _ink_by_window(dark_blocks, light_blocks)
    # The narrowest window that shows half of the dark ink, or of the light ink.
    shows_half = ((2 * amounts >= amounts[:, -1:]) & (amounts >= 12 * min_level)).any(0)
    window = int(shows_half.argmax()) if shows_half.any() else len(_WINDOWS) - 1
    (dark_ink, light_ink), (dark_total, light_total) = amounts[:, window] + 1.0, amounts[:, -1] + 1.0
    log_ratio = math.log(dark_ink / light_ink) + 0.3 * math.log(dark_ink / dark_total * light_total / light_ink)
    # By these weights crops of 172 characters by six pens differ from inverted ones; the power leaves shadows out.
    return log_ratio + 1.43 * brightness + 3 * brightness**27 < 0


def _surroundings(mask: Mask, is_white: bool) -> Mask:
    """The table or frame around the paper: what is dark along a whole side, as far inwards as it is wider than strokes.

    is_white: whether the paper is white: then a dark side may be a stroke at the edge of a crop.
    """
    size = odd_share(mask, 10)
    height, width = mask.shape
    canvas = np.pad(mask, size)
    for turns in range(4):  # each side in turn is the upper one
        view = np.rot90(mask, turns)
        if _is_full(view[0]) and not (is_white and _is_stroke(view, size)):
            np.rot90(canvas, turns)[:size] = True
    if not _border(canvas).any():
        return np.zeros_like(mask)
    return extreme(opening(canvas, size), 3, np.maximum, 0)[size : size + height, size : size + width]


def _is_stroke(mask: Mask, size: int) -> bool:
    """Whether a dark upper side may be a stroke: the opposite side has some ink, but not all along.

    Ink in a corner that a dark left or right side reaches does not count. size: least width of such a side.
    """
    bottom = mask[-1]
    left, right = _depth(mask.T, size), _depth(mask.T[::-1], size)
    return bool(bottom[left : len(bottom) - right].any()) and not _is_full(bottom)


def _is_full(side: Mask) -> bool:
    return bool(side.sum() * 20 >= 19 * len(side))


def _depth(lines: Mask, min_depth: int) -> int:
    """How many lines from the first are dark all along, or `min_depth` if these are fewer; 0 if the first is not."""
    depth = next((depth for depth, line in enumerate(lines) if not _is_full(line)), len(lines))
    return max(depth, min_depth) if depth else 0


@dataclass(frozen=True)
class _Paper:
    """The paper of a picture and the ink on it, in blocks (H, W)."""

    level: Grey  # brightness of the paper
    shade: Grey  # share of the paper's light that is missing, of 255; 0 outside of the paper
    surroundings: Mask  # table and frames
    threshold: int  # where less is missing, it is grain

    @cached_property
    def peak(self) -> int:
        """`shade` where the ink is darkest; 0 if there is no ink."""
        peak = peak_of(self.shade)
        return peak if peak >= self.threshold else 0

    @property
    def is_clean(self) -> bool:
        """Whether all paper is white, with no table around it: a drawing or a clean scan."""
        return not self.surroundings.any() and quantile(self.level, 5) >= _WHITE_LEVEL

    def at_least(self, tenths: int) -> Mask:
        """Where at least so many tenths of `peak` are missing."""
        return self.shade >= -(-tenths * max(self.peak, 1) // 10)

    def without_surroundings(self, is_white: bool) -> "_Paper":
        """The paper without table or frame; unchanged if there is none, or no ink would be left."""
        mask = _surroundings(self.at_least(5), is_white)
        if not mask.any():
            return self
        paper = replace(self, shade=np.where(mask, np.uint8(0), self.shade), surroundings=self.surroundings | mask)
        boxes = boxes_of(label_components(paper.at_least(5)))
        return paper if paper.peak and extents_of(boxes).max(initial=0) * 20 >= max(mask.shape) else self


def _edge_closing(blocks: Grey, size: int) -> Grey:
    """A closing in which the picture goes on beyond its edges, so that a shadow in a corner is as wide as elsewhere."""
    reach = size // 2
    return closing(np.pad(blocks, reach, mode="edge"), size)[reach:-reach, reach:-reach]


def _paper_of_level(blocks: Grey, level: Grey, surroundings: Mask) -> _Paper:
    grain = _grain(blocks)
    shade = np.where(surroundings, np.uint8(0), _missing_share(level, blocks, grain))
    return _Paper(level, shade, surroundings, _MIN_CONTRAST + 4 * grain)


def _paper_of(blocks: Grey) -> _Paper:
    """The paper and its ink. blocks: the darkest pixel of each block.

    Grey paper is found by ever narrower windows down to three stroke widths: a narrow shadow is paper, too.
    """
    width = odd_share(blocks, _INK_WIDTH)
    level = closing(blocks, width)
    surroundings = np.zeros(blocks.shape, bool)
    if quantile(level, 5) >= _WHITE_LEVEL:
        return _paper_of_level(blocks, level, surroundings).without_surroundings(is_white=True)
    while True:
        level = np.minimum(closing(blocks, width), _edge_closing(blocks, max(width, odd_share(blocks, _SHADOW_WIDTH))))
        paper = _paper_of_level(blocks, level, surroundings).without_surroundings(is_white=False)
        next_width = max((3 * stroke_width(paper.at_least(7)) + 2) | 1, 9)
        if next_width * 5 >= width * 4:
            return paper
        width, surroundings = next_width, paper.surroundings


def _full_contrast(plane: Grey, peak: int) -> Grey:
    """uint8 (H, W): the plane stretched, ink to 255 and faint traces to 0; all 0 if there is no ink."""
    step = -(-max(plane.shape) // _SAMPLED_PIXELS)
    sample = plane[::step, ::step]
    max_level = quantile(sample[sample >= (peak + 1) // 2], 90)
    if max_level < _MIN_CONTRAST:
        return np.zeros_like(plane)
    is_far = ~extreme(sample >= (max_level + 1) // 2, 5, np.maximum, 0)  # not the soft edges of strokes
    floor = min(max_level // 2, quantile(sample[is_far], 95) * 5 // 4)
    return np.asarray(((np.arange(256) - floor) * 255 // (max_level - floor)).clip(0, 255).astype(np.uint8).take(plane))


def _ink_on(paper: _Paper, grey: Grey, is_page: bool) -> tuple[Grey, Mask]:
    """The plane uint8 (H, W), and a mask of the blocks in which it has ink."""
    if not paper.peak:
        return np.zeros_like(grey), np.zeros_like(paper.surroundings)
    horizontals, verticals, peak = list[PrintedLine](), list[PrintedLine](), paper.peak
    if not is_page:  # which has lost its rules already
        sheet = ~paper.surroundings
        horizontals, verticals, peak = printed_lines(paper.shade, sheet, peak, paper.threshold, paper.is_clean)
    if paper.is_clean and not horizontals and not verticals:
        # Unchanged: networks read faint strokes on white better than any threshold finds them.
        return 255 - grey, paper.at_least(3)
    plane = _missing_share(expand(paper.level, grey.shape), grey)
    if paper.surroundings.any():
        plane[expand(paper.surroundings, grey.shape)] = 0
    for lines, view, blocks in ((horizontals, plane, paper.level), (verticals, plane.T, paper.level.T)):
        for line in lines:
            erase(view, line, blocks.shape, max(_MIN_CONTRAST, line.level) // 2)
    ink = _full_contrast(plane, peak)
    return ink, pool(ink, np.maximum) >= 128


def _fault(mask: Mask, character: Box) -> str:
    """Why a character may be recognized wrongly, by the blocks with ink; "" if there is no reason."""
    left, top, right, bottom = character
    if is_several_characters(mask[top:bottom, left:right]):
        return "perhaps several characters: read them as a line"
    is_tiny = max(right - left, bottom - top) * _TINY_RATIO < max(mask.shape)
    return "the character is small: crop the picture" if is_tiny else ""


def _is_bar(grey: Grey) -> bool:
    """Whether there is nothing but one dark stroke, cropped."""
    view = grey if grey.shape[1] >= grey.shape[0] else grey.T
    margin = len(view) // 3
    return view.shape[1] >= _BAR_RATIO * len(view) and bool((view[margin : len(view) - margin] < 128).all())


def _without_grain(grey: Grey, window: int) -> tuple[Grey, Grey]:
    """The picture, smoothed until it has no more grain than usual, and its blocks' darkest pixels."""
    dark_blocks = pool(grey, np.minimum)
    for _ in range(_MAX_PASSES):
        if _grain(dark_blocks) <= _USUAL_GRAIN:
            break
        grey = smooth(grey, window)
        dark_blocks = pool(grey, np.minimum)
    return grey, dark_blocks


def separate_ink(grey: Grey, *, is_page: bool = False) -> Ink:
    """Find the ink on any paper, in any light. grey: uint8 (H, W), brightness.

    is_page: whether there may be lines of writing, which is too small for smoothing in proportion to the picture, and
    for judging on blocks the rules that run through it.
    """
    length = max(grey.shape)
    scale = max(1.0, length / MAX_PLANE)
    if length > MAX_PLANE:
        width, height = (max(1, n * MAX_PLANE // length) for n in grey.shape[::-1])
        grey = np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BOX))
    height, width = grey.shape
    if _is_bar(grey):
        return Ink(255 - grey, (0, 0, width, height), scale)
    if is_page:
        grey = without_rules(grey)
    window = length // 200 | 1
    grey, dark_blocks = _without_grain(grey, min(window, _WINDOW_OF_PAGES) if is_page else window)
    light_blocks = 255 - pool(grey, np.maximum)
    if _is_light(dark_blocks, light_blocks):
        grey, dark_blocks = 255 - grey, light_blocks
    ink, mask = _ink_on(_paper_of(dark_blocks), grey, is_page)
    character = character_box(mask)
    if character is None:
        return Ink(np.zeros_like(grey), None, scale, "no ink stands out from the paper: look at the picture")
    left, top, right, bottom = character
    rows, columns = mask.shape
    box = (left * width // columns, top * height // rows, -(-right * width // columns), -(-bottom * height // rows))
    return Ink(ink, box, scale, _fault(mask, character))
