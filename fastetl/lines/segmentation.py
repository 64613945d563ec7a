"""The lines of a picture or a drawing, each with its spans: the parts of its ink that may be a character.

Strokes stay whole. The ink of a picture is cut wherever a character may end.
"""

import dataclasses
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
from PIL import Image

from fastetl.arrays import Bytes, Floats, Ints, Mask
from fastetl.errors import FastetlError
from fastetl.ink import SIDE
from fastetl.ink.components import Components, weighted_median_extent
from fastetl.ink.drawings import Drawing, paint, segments_of
from fastetl.lines import layout
from fastetl.lines.layout import Boxes
from fastetl.lines.pieces import Pieces, part_pieces, pieces_of
from fastetl.lines.seams import ruled_ink

_LINE_HEIGHT = 92.0  # height of a line in the pictures (128 × 128) that the network is shown, in pixels
_WRITING_SIZE = 1.15  # side of a character's box, in heights of the line
_TOUCHING_OVERLAP, _TOUCHING_EDGE = 0.8, 0.1  # of `atoms_of` for characters that touch; the edge in heights of the line
_MIN_WINDOW = 1.1  # side of a picture of strokes, in lengths of what it shows
_UNSURE_STEEPNESS = 0.3  # least `layout.steepness` of a sure direction: ordinary pages have 0.4 and more
_MAX_PEN = 0.15  # widest pen, in usual extents of strokes: the default one is for one character on the whole canvas
_MAX_PIECES_OF_ONE, _MAX_ASPECT_OF_ONE, _MAX_HEIGHT_OF_ONE = 20, 1.3, 1.9  # width/height, height/width
MAX_PIECES = 10_000  # most pieces of ink in a picture; more are an error


@dataclass(frozen=True)
class Geometry:
    """Where a line lies and how large it is written, in coordinates in which it runs across."""

    middle: float  # y of the line's middle at x = 0
    slope: float  # dy/dx of the line
    size: float  # size of the writing, across the line
    stretch: float = 1.0  # size along the line over `size`
    uneven: float = 0.2  # standard deviation of the logarithms of the characters' sizes
    wander: float = 0.1  # standard deviation of their positions across the line, in sizes


@dataclass(frozen=True)
class Spans:
    """The S spans over the A atoms of a line: neighbouring atoms that may be a character. Each atom alone is one."""

    atom_boxes: Boxes  # float64 (A, 4)
    ends: Ints  # int64 (S, 2): first and last atom of each
    cuts: Mask  # bool (A + 1,): whether a piece of ink was cut before each atom and at the end
    stroke_counts: Ints  # int64 (S,): how many strokes each span has; 0 in pictures

    @cached_property
    def boxes(self) -> Boxes:
        """float64 (S, 4): the box of each span."""
        return layout.unions(self.atom_boxes, [range(first, last + 1) for first, last in self.ends])

    @cached_property
    def gaps(self) -> Floats:
        """float64 (A + 1,): the gap before each atom and after the last one; infinite at both ends of the line."""
        max_rights = np.maximum.accumulate(np.append(-np.inf, self.atom_boxes[:, 2]))
        return np.append(self.atom_boxes[:, 0], np.inf) - max_rights

    @cached_property
    def inner_gaps(self) -> Floats:
        """float64 (S,): the largest gap between the atoms of each span; 0 without one."""
        return np.array([self.gaps[first + 1 : last + 1].max(initial=0) for first, last in self.ends])


@dataclass(frozen=True, kw_only=True)
class Line(ABC):
    """A line to be read, `_LINE_HEIGHT` high, in coordinates in which it runs across."""

    boxes: Boxes  # of its pieces, or of its strokes in the order of writing
    joints: Sequence[tuple[int, int]] = ()  # pairs of pieces that were one piece
    is_down: bool  # whether it really runs down
    is_character: bool = False  # whether all its ink is taken for one character
    are_strokes: ClassVar[bool] = False  # whether the boxes are those of strokes

    @abstractmethod
    def network_picture(self, members: Sequence[int], x: float, y: float) -> Bytes:
        """uint8 (128, 128): the pieces or strokes `members`, upright; the point x, y is in the middle."""

    @abstractmethod
    def to_original(self, boxes: Boxes) -> Boxes:
        """Boxes (N, 4) in the coordinates of the picture or canvas."""

    @cached_property
    def atoms(self) -> list[list[int]]:
        """The pieces or strokes of each atom, from left to right."""
        if self.is_character:
            return [list(range(len(self.boxes)))]
        left_to_right = np.argsort(self.boxes[:, 0] + self.boxes[:, 2], kind="stable")
        order = np.arange(len(self.boxes)) if self.are_strokes else left_to_right
        limits = (_TOUCHING_OVERLAP, _TOUCHING_EDGE * _LINE_HEIGHT) if self.joints else ()
        return layout.atoms_of(self.boxes, order, *limits)

    @cached_property
    def spans(self) -> Spans:
        """What may be a character."""
        boxes = layout.unions(self.boxes, self.atoms)
        atom_of = {piece: number for number, atom in enumerate(self.atoms) for piece in atom}
        cuts = np.zeros(len(boxes) + 1, bool)
        for piece, neighbour in self.joints:
            first, last = sorted((atom_of[piece], atom_of[neighbour]))
            cuts[first + 1 : last + 1] = True
        ends = layout.spans_of(boxes, _LINE_HEIGHT, are_strokes=self.are_strokes)
        uncut = np.flatnonzero(~cuts[:-1]), np.flatnonzero(~cuts[1:])  # pieces before the cuts: ー has any length
        ends = np.unique(np.concatenate([ends, np.stack(uncut, 1)]), axis=0)
        counts = [sum(map(len, self.atoms[first : last + 1])) if self.are_strokes else 0 for first, last in ends]
        return Spans(atom_boxes=boxes, ends=ends, cuts=cuts, stroke_counts=np.array(counts))

    @cached_property
    def geometry(self) -> Geometry:
        """A first guess, from the boxes alone."""
        return Geometry(*layout.slope_of(self.boxes, _LINE_HEIGHT), size=_WRITING_SIZE * _LINE_HEIGHT)

    @cached_property
    def turned_spans(self) -> list[int]:
        """If the line runs down, the spans of one atom: the network is shown their pictures turned, too."""
        return [span for span, (first, last) in enumerate(self.spans.ends) if first == last and self.is_down]

    def pictures(self) -> list[Bytes]:
        """The pictures for the network: of each span, and of each of `turned_spans` turned."""
        pictures = []
        for (first, last), box in zip(self.spans.ends, self.spans.boxes, strict=True):
            x = (box[0] + box[2]) / 2
            members = list(itertools.chain(*self.atoms[first : last + 1]))
            pictures.append(self.network_picture(members, x, self.geometry.middle + self.geometry.slope * x))
        return pictures + [np.rot90(pictures[span]) for span in self.turned_spans]


class _Writing(NamedTuple):
    """What is written in a picture."""

    ink: Bytes  # uint8 (H, W), ink high
    numbers: Components
    boxes: Boxes  # of all pieces
    indices: Ints  # the pieces that are neither underlines nor dirt
    scale: float  # as of `lines_of_picture`

    def lines(self, is_down: bool, is_character: bool = False) -> Iterator[Line]:
        """The lines in a direction, or all ink as one. They are made one at a time, since each is a large picture."""
        row_boxes = layout.turned(self.boxes) if is_down else self.boxes
        for members in [np.arange(len(self.indices))] if is_character else layout.line_members(row_boxes[self.indices]):
            indices = self.indices[members]
            zoom = _LINE_HEIGHT / layout.line_size(row_boxes[indices])
            left, top, right, bottom = layout.unions(self.boxes, [indices])[0].astype(int)
            upright_ink = self._excerpt(indices, np.s_[top:bottom, left:right], zoom)
            ink = np.rot90(upright_ink) if is_down else upright_ink
            pieces = part_pieces(*pieces_of(ink), _LINE_HEIGHT, is_down=is_down)
            if len(pieces.boxes):
                yield PictureLine(
                    boxes=pieces.boxes,
                    joints=pieces.joints,
                    is_down=is_down,
                    is_character=is_character,
                    ink=np.pad(ink, SIDE),
                    pieces=pieces._replace(numbers=np.pad(pieces.numbers, SIDE)),
                    zoom=zoom / self.scale,
                    corner=(left * self.scale, top * self.scale),
                )

    def _excerpt(self, indices: Ints, window: tuple[slice, slice], zoom: float) -> Bytes:
        """The ink of some pieces alone, `zoom` times as large."""
        is_shown = np.isin(self.numbers[window], [0, *indices + 1])  # 0 is the number of no piece
        height, width = (max(1, round(zoom * length)) for length in is_shown.shape)
        crop = Image.fromarray(np.where(is_shown, self.ink[window], 0))
        return np.asarray(crop.resize((width, height), Image.Resampling.BILINEAR))


def lines_of_picture(ink: Bytes, is_down: bool | None, scale: float = 1.0) -> list[Iterator[Line]]:
    """The lines of a picture in reading order: in each likely direction, the likelier first, and as one character.

    ink: uint8 (H, W), ink high. is_down: whether they run down; None: find out. scale: size of the picture, in whose
    pixels boxes are given, over that of `ink`. Raises FastetlError if there are more than `MAX_PIECES` pieces.
    """
    numbers, boxes = pieces_of(ink)
    if len(boxes) > MAX_PIECES:
        raise FastetlError("too many pieces of ink", expected=f"at most {MAX_PIECES:,}", found=len(boxes), do="crop it")
    rules = ruled_ink(numbers, boxes)
    if rules.any():
        ink = np.where(rules, 0, ink).astype(np.uint8)
        numbers, boxes = pieces_of(ink)
    is_line = layout.underlines(boxes, lambda k: np.argwhere((numbers == k + 1).T).T + 0.5)
    indices = np.flatnonzero(~is_line & ~layout.specks(boxes))
    writing = _Writing(ink, numbers, boxes, indices, scale)
    steepness = layout.steepness(boxes[indices])
    likely_directions = [steepness > 0, steepness <= 0][: 1 + (abs(steepness) < _UNSURE_STEEPNESS)]
    segmentations = list(map(writing.lines, likely_directions if is_down is None else [is_down]))
    width, height = boxes[indices, 2:].max(0, initial=0) - boxes[indices, :2].min(0, initial=np.inf)
    if 0 < len(indices) <= _MAX_PIECES_OF_ONE and 1 / _MAX_HEIGHT_OF_ONE <= width / height <= _MAX_ASPECT_OF_ONE:
        segmentations.append(writing.lines(bool(is_down), is_character=True))
    return segmentations


@dataclass(frozen=True, kw_only=True)
class PictureLine(Line):
    """A line of a picture."""

    ink: Bytes  # uint8 (H, W): the line, with `SIDE` pixels of paper around
    pieces: Pieces  # its pieces, with their patches in `ink`
    zoom: float  # by how much `ink` is larger than the part of the picture that it shows
    corner: tuple[float, float]  # left and top of this part

    def network_picture(self, members: Sequence[int], x: float, y: float) -> Bytes:
        is_shown = np.zeros(self.pieces.patch_count + 1, np.uint8)
        for piece in members:
            is_shown[self.pieces.patches[piece]] = 1
        # The paper moves the ink by `SIDE`; the window begins half of that before its middle.
        left = min(max(round(x) + SIDE // 2, 0), self.ink.shape[1] - SIDE)
        top = min(max(round(y) + SIDE // 2, 0), self.ink.shape[0] - SIDE)
        window = np.s_[top : top + SIDE, left : left + SIDE]
        picture = self.ink[window] * is_shown[self.pieces.numbers[window]]
        return np.rot90(picture, -1) if self.is_down else picture

    def to_original(self, boxes: Boxes) -> Boxes:
        if self.is_down:
            width = self.ink.shape[0] - 2 * SIDE  # before it was turned
            boxes = layout.unturned(boxes - [0, width, 0, width])
        return np.asarray(boxes / self.zoom + [*self.corner, *self.corner])


def lines_of_drawing(drawing: Drawing, is_down: bool | None) -> Iterator[Line]:
    """The lines of a drawing, in reading order. is_down: whether they run down; None: find out."""
    strokes = [s for s in drawing.strokes if len(s)]
    extents = np.reshape([(min(s.x), min(s.y), max(s.x), max(s.y)) for s in strokes], (-1, 4))
    if strokes:  # the pen is at most one that writes strokes as small as these
        max_pen = _MAX_PEN * weighted_median_extent(extents) / max(drawing.width, drawing.height)
        drawing = dataclasses.replace(drawing, pen=min(drawing.pen, max(max_pen, 1e-5)))
    pen = drawing.pen * max(drawing.width, drawing.height)
    boxes = extents + pen / 2 * np.array([-1, -1, 1, 1])
    is_writing = ~layout.underlines(boxes, lambda k: (strokes[k].x, strokes[k].y))
    strokes, boxes = list(itertools.compress(strokes, is_writing)), boxes[is_writing]
    parts = [dataclasses.replace(drawing, strokes=(stroke,)) for stroke in strokes]
    segments = [segments_of(part, (drawing.height, drawing.width)) for part in parts]
    is_down = layout.steepness(boxes, are_strokes=True) > 0 if is_down is None else is_down
    row_boxes = layout.turned(boxes) if is_down else boxes
    for members in map(np.sort, layout.line_members(row_boxes, are_strokes=True)):  # in the order of writing
        zoom = _LINE_HEIGHT / layout.line_size(row_boxes[members])
        line_segments = [segments[k] for k in members]
        yield StrokeLine(boxes=row_boxes[members] * zoom, is_down=is_down, segments=line_segments, pen=pen, zoom=zoom)


@dataclass(frozen=True, kw_only=True)
class StrokeLine(Line):
    """A line of strokes in the order of writing."""

    segments: Sequence[Floats]  # of each stroke, as `segments_of` returns them, in the canvas' units
    pen: float  # its width in these units
    zoom: float  # the line's coordinates over these units
    are_strokes: ClassVar[bool] = True

    def network_picture(self, members: Sequence[int], x: float, y: float) -> Bytes:
        x, y = (-y / self.zoom, x / self.zoom) if self.is_down else (x / self.zoom, y / self.zoom)
        boxes = self.boxes[list(members)]
        side = max(SIDE, _MIN_WINDOW * float(boxes[:, 2].max() - boxes[:, 0].min())) / self.zoom
        left, top = x - side / 2, y - side / 2
        pen_factor = min(1.0, side / 2 / self.pen)
        segments = np.concatenate([self.segments[k] for k in members]) - (left, top, left, top, 0, 0)
        return paint(segments * (SIDE / side * np.array([1, 1, 1, 1, pen_factor, pen_factor])), (SIDE, SIDE))

    def to_original(self, boxes: Boxes) -> Boxes:
        return (layout.unturned(boxes) if self.is_down else boxes) / self.zoom
