"""The lines of a picture or a drawing, each with its runs: the parts of its ink that may be a character.

Strokes stay whole. The ink of a picture is cut wherever a character may end.
"""

import dataclasses
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastetl.errors import FastetlError
from fastetl.ink import SIDE
from fastetl.ink.drawings import Drawing, painted, segments_of
from fastetl.lines.layout import atoms_of, is_down, line_size, rows, runs_of, slope_of, turned, underlines, unturned
from fastetl.lines.path import Floats, Geometry, Runs
from fastetl.lines.pieces import Pieces, parted, pieces_of, ruled_ink

Pixels = NDArray[np.uint8]

LINE_HEIGHT = 92  # of the line, in pixels of the pictures (128 × 128) that the network is shown
WRITING_SIZE = 1.15  # side of a character's box, in heights of the line
TOUCHING_OVERLAP, TOUCHING_EDGE = 0.8, 0.1  # of `atoms_of` for characters that touch; the edge in heights of the line
MIN_WINDOW = 1.1  # side of a picture of strokes, in lengths of what it shows
MAX_SIDE = 2400  # pixels, to which a picture is reduced before its lines are found
MAX_PIECES = 10_000  # of ink in a picture; more are an error


@dataclass(frozen=True)
class Line(ABC):
    """A line to be read, in coordinates in which it runs across.

    boxes: float64 (N, 4), of its pieces or strokes. order: see `atoms_of`. joints: pairs of pieces that were one piece.
    size: height of the line. down: whether it really runs down. in_time: whether the boxes are those of strokes.
    """

    boxes: Floats
    order: NDArray[np.int64]
    joints: Sequence[tuple[int, int]]
    down: bool
    size: ClassVar[float] = float(LINE_HEIGHT)
    in_time: ClassVar[bool] = False

    @abstractmethod
    def picture_of(self, members: Sequence[int], x: float, y: float) -> Pixels:
        """uint8 (128, 128): the pieces or strokes `members`, upright; the point x, y is in the middle."""

    @abstractmethod
    def original(self, boxes: Floats) -> Floats:
        """Boxes (N, 4) in the coordinates of the picture or canvas."""

    @cached_property
    def atoms(self) -> list[list[int]]:
        if not self.joints:
            return atoms_of(self.boxes, self.order)
        return atoms_of(self.boxes, self.order, TOUCHING_OVERLAP, TOUCHING_EDGE * self.size)

    @cached_property
    def runs(self) -> Runs:
        spans = [np.concatenate([self.boxes[atom, :2].min(0), self.boxes[atom, 2:].max(0)]) for atom in self.atoms]
        boxes = np.reshape(spans, (-1, 4))
        atom_of = {piece: number for number, atom in enumerate(self.atoms) for piece in atom}
        cuts = np.zeros(len(boxes) + 1, bool)
        for piece, other in self.joints:
            first, last = sorted((atom_of[piece], atom_of[other]))
            cuts[first + 1 : last + 1] = True
        strokes = np.array([len(atom) if self.in_time else 0 for atom in self.atoms])
        return Runs(boxes, runs_of(boxes[:, [0, 2]], self.size, self.in_time), cuts, strokes)

    @cached_property
    def geometry(self) -> Geometry:
        """A first guess, from the boxes alone."""
        return Geometry(*slope_of(self.boxes, self.size), WRITING_SIZE * self.size)

    @cached_property
    def turned_runs(self) -> list[int]:
        """If the line runs down, the runs of one atom: the network is shown their pictures turned, too."""
        return [k for k, (i, j) in enumerate(self.runs.ends) if i == j and self.down]

    def pictures(self) -> list[Pixels]:
        """The pictures for the network: of each run, and of each of `turned_runs` turned."""
        upright = []
        for (i, j), box in zip(self.runs.ends, self.runs.boxes, strict=True):
            x = (box[0] + box[2]) / 2
            members = [piece for atom in self.atoms[i : j + 1] for piece in atom]
            upright.append(self.picture_of(members, x, self.geometry.middle + self.geometry.slope * x))
        return upright + [np.rot90(upright[k]) for k in self.turned_runs]


def lines_of_picture(ink: Pixels, down: bool | None, scale: float = 1.0) -> Iterator[Line]:
    """The lines of a picture, in reading order, made one at a time, since each is a large picture.

    ink: uint8 (H, W), ink high. down: whether they run down; None: find out. scale: size of `ink` over that of the
    picture, in whose pixels boxes are given. Raises FastetlError if there are more than `MAX_PIECES` pieces.
    """
    factor = min(1.0, MAX_SIDE / max(ink.shape))
    reduced = _resized(ink, factor) if factor < 1 else ink
    numbers, boxes = pieces_of(reduced)
    if len(boxes) > MAX_PIECES:
        expected, count = f"at most {MAX_PIECES:,}", f"{len(boxes):,}"
        raise FastetlError("too many pieces of ink", expected=expected, found=count, do="crop the picture")
    ruled = ruled_ink(numbers, boxes)
    if ruled.any():
        reduced = np.where(ruled, 0, reduced).astype(np.uint8)
        numbers, boxes = pieces_of(reduced)
    written = np.flatnonzero(~underlines(boxes, lambda k: np.argwhere((numbers == k + 1).T).T + 0.5))
    down = is_down(boxes[written]) if down is None else down
    oriented = turned(boxes) if down else boxes
    for row in rows(oriented[written]):
        members = written[row]
        left, top = boxes[members, :2].min(0).astype(int)
        right, bottom = boxes[members, 2:].max(0).astype(int)
        is_kept = np.isin(np.arange(len(boxes) + 1), [0, *members + 1])  # 0 is the number of no piece
        part = np.where(is_kept[numbers[top:bottom, left:right]], reduced[top:bottom, left:right], 0).astype(np.uint8)
        size = line_size(oriented[members])
        line = _picture_line(part, (left, top), factor / scale, size, down)
        if len(line.boxes):
            yield line


def _resized(ink: Pixels, factor: float) -> Pixels:
    height, width = (max(1, round(n * factor)) for n in ink.shape)
    return np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BILINEAR))


@dataclass(frozen=True)
class PictureLine(Line):
    """A line of a picture. Its pieces are in the picture `ink`, uint8 (H, W), in which it is `LINE_HEIGHT` high.

    zoom: by how much `ink` is larger than the part of the reduced picture that it shows. corner: left and top of this
    part. factor: by how much that picture was reduced.
    """

    ink: Pixels
    pieces: Pieces
    zoom: float
    corner: tuple[int, int]
    factor: float

    @cached_property
    def _padded(self) -> tuple[Pixels, NDArray[np.int32]]:
        """The ink and the number of each pixel's patch, with `SIDE` pixels of paper around."""
        return np.pad(self.ink, SIDE), np.pad(self.pieces.numbers, SIDE)

    def picture_of(self, members: Sequence[int], x: float, y: float) -> Pixels:
        padded, patches = self._padded
        is_shown = np.zeros(int(self.pieces.numbers.max(initial=0)) + 1, np.uint8)
        for piece in members:
            is_shown[self.pieces.patches[piece]] = 1
        # The padding moves the ink by `SIDE`; the window begins half of that before its middle.
        left = min(max(round(x) + SIDE // 2, 0), padded.shape[1] - SIDE)
        top = min(max(round(y) + SIDE // 2, 0), padded.shape[0] - SIDE)
        window = np.s_[top : top + SIDE, left : left + SIDE]
        shown = padded[window] * is_shown[patches[window]]
        return np.rot90(shown, -1) if self.down else shown

    def original(self, boxes: Floats) -> Floats:
        if self.down:
            width = self.ink.shape[0]  # before it was turned
            boxes = unturned(boxes - [0, width, 0, width])
        return (boxes / self.zoom + [*self.corner, *self.corner]) / self.factor


def _picture_line(part: Pixels, corner: tuple[int, int], factor: float, size: float, down: bool) -> PictureLine:
    """A line of a picture, parted into pieces.

    part: the line's ink. corner: left and top of `part` in the reduced picture. factor: how much that one was reduced
    from the original. size: of the line, in pixels of `part`.
    """
    zoom = LINE_HEIGHT / size
    upright = _resized(part, zoom)
    ink = np.rot90(upright) if down else upright
    pieces = parted(*pieces_of(ink), LINE_HEIGHT, down)
    order = np.argsort(pieces.boxes[:, 0] + pieces.boxes[:, 2], kind="stable")
    return PictureLine(pieces.boxes, order, pieces.joints, down, ink, pieces, zoom, corner, factor)


def lines_of_drawing(drawing: Drawing, down: bool | None) -> list[Line]:
    """The lines of a drawing, in reading order. down: whether they run down; None: find out."""
    strokes = [s for s in drawing.strokes if len(s)]
    if not strokes:
        return []
    pen = drawing.pen * max(drawing.width, drawing.height)
    reach = pen / 2
    boxes = np.array([(min(s.x) - reach, min(s.y) - reach, max(s.x) + reach, max(s.y) + reach) for s in strokes])
    written = ~underlines(boxes, lambda k: (strokes[k].x, strokes[k].y))
    strokes, boxes = list(itertools.compress(strokes, written)), boxes[written]
    canvas = drawing.height, drawing.width
    segments = [segments_of(dataclasses.replace(drawing, strokes=(stroke,)), canvas) for stroke in strokes]
    down = is_down(boxes, in_time=True) if down is None else down
    oriented = turned(boxes) if down else boxes
    lines: list[Line] = []
    for members in map(np.sort, rows(oriented, in_time=True)):  # in the order of writing
        zoom = LINE_HEIGHT / line_size(oriented[members])
        of_line = [segments[k] for k in members]
        lines.append(StrokeLine(oriented[members] * zoom, np.arange(len(members)), [], down, of_line, pen, zoom))
    return lines


@dataclass(frozen=True)
class StrokeLine(Line):
    """A line of strokes in the order of writing.

    segments: of each stroke, as `segments_of` returns them; they and the pen's width are in the canvas' units. zoom:
    the line's coordinates over these units.
    """

    segments: Sequence[Floats]
    pen: float
    zoom: float
    in_time: ClassVar[bool] = True

    def picture_of(self, members: Sequence[int], x: float, y: float) -> Pixels:
        x, y = (-y / self.zoom, x / self.zoom) if self.down else (x / self.zoom, y / self.zoom)
        shown = self.boxes[list(members)]
        length = float(shown[:, 2].max() - shown[:, 0].min())
        side = max(SIDE, MIN_WINDOW * length) / self.zoom
        left, top = x - side / 2, y - side / 2
        thinner = min(1.0, side / 2 / self.pen)
        drawn = np.concatenate([self.segments[k] for k in members]) - (left, top, left, top, 0, 0)
        return painted(drawn * (SIDE / side * np.array([1, 1, 1, 1, thinner, thinner])), (SIDE, SIDE))

    def original(self, boxes: Floats) -> Floats:
        return (unturned(boxes) if self.down else boxes) / self.zoom
