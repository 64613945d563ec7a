"""Ruled, squared and printed lines: thin, straight, longer than strokes. Taken out without what crosses them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.ink.places import quantile

_COVERED = 0.35
"""Least share of the paper's width that a line has ink on."""
_DASHED = 0.45
"""Least share of its own length: dashed lines have gaps."""
_LENGTH = 0.6
"""Least length of a line, of the paper's width."""
_SLOPE = 10
"""Steepest line: per cent of the width."""
_MOST = 60

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Line:
    """A nearly horizontal line over places (H, W): `rise` rows from the first column to the last."""

    row: int
    """In the middle column."""
    rise: int
    thickness: float
    """In places."""
    level: int
    """Share of the light that is missing on it, of 255."""
    through: bool
    """From one edge of the paper to the other."""
    pieces: int
    """More than one: it is dashed, or broken."""

    def rows(self, width: int) -> NDArray[np.intp]:
        """The row in each column of places."""
        return self.row + _offsets(width)[self.rise]


@lru_cache(maxsize=8)
def _offsets(width: int) -> dict[int, NDArray[np.intp]]:
    """For each rise, the rows from the middle in each column; the least slanting first, as it is of equals."""
    reach = max(width * _SLOPE // 100, 2)
    along = (np.arange(width) - (width - 1) / 2) / max(width - 1, 1)
    return {rise: np.rint(rise * along).astype(np.intp) for rise in sorted(range(-reach, reach + 1), key=abs)}


def _sums(mask: Mask, offsets: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many places of the mask lie on each line: (rises, height), by its row in the middle."""
    height, width = mask.shape
    most = int(offsets.max())
    before = np.zeros((width + 1, height + 2 * most), np.int32)  # ink above, in the columns up to each
    before[1:, most : most + height] = mask.T.cumsum(0)
    sums = np.zeros((len(offsets), height), np.intp)
    for offset in range(-most, most + 1):
        here = offsets == offset
        start, count = here.argmax(1), here.sum(1)
        rows = np.s_[most + offset : most + offset + height]
        sums += before[start + count, rows] - before[start, rows]
    return sums


def ruled_lines(missing: Bytes, paper: Mask, least: int) -> list[Line]:
    """The nearly horizontal lines, strongest first. missing: shares of light; paper: where the sheet is."""
    mask = missing >= least
    height, width = mask.shape
    most = max(2, max(mask.shape) * 3 // 100)
    thin = _thin(mask, most)
    if not thin.any(0).sum() * 2 >= width:
        return []
    score = _scores(thin, paper)
    rises, offsets = list(_offsets(width)), np.array(list(_offsets(width).values()))
    lines: list[Line] = []
    middle, ends = np.arange(height), offsets[:, [0, -1]].T
    while len(lines) < _MOST and score.max(initial=0) >= _COVERED:
        number, row = divmod(int(score.argmax()), height)
        lines.append(_line(missing, thin, paper, row, rises[number], most))
        near = np.abs(middle[None] - row) <= most
        for end in ends:
            near = near | (np.abs(middle[None] + end[:, None] - row - end[number]) <= most + 1)
        score[near] = 0
    return lines


def _thin(mask: Mask, most: int) -> Mask:
    """The mask without what is more than `most` high in its column."""
    height, width = mask.shape
    around = np.zeros((height + 2 * most, width), bool)
    around[most : most + height] = mask
    runs = around[: height + most].copy()
    for step in range(1, most + 1):
        runs &= around[step : step + height + most]
    thin = mask.copy()
    for step in range(most + 1):
        thin &= ~runs[most - step : most - step + height]
    return thin


def _scores(thin: Mask, paper: Mask) -> NDArray[np.float64]:
    """Of each line (rises, height) the share of the paper that it covers; 0 where it is too short or too broken."""
    height, width = thin.shape
    offsets = np.array(list(_offsets(width).values()))
    on, possible = _sums(thin, offsets), _sums(paper, offsets)
    score = np.where(possible * 2 >= width, on / np.maximum(possible, 1), 0.0)
    numbers, candidates = np.nonzero(score >= _COVERED)
    rows, columns = candidates[:, None] + offsets[numbers], np.arange(width)
    inside, rows = (rows >= 0) & (rows < height), rows.clip(0, height - 1)
    spots, sheet = thin[rows, columns] & inside, paper[rows, columns] & inside
    length = width - spots.argmax(1) - spots[:, ::-1].argmax(1)
    gaps = (spots.sum(1) < _DASHED * length) | (length < _LENGTH * sheet.sum(1))
    score[numbers[gaps], candidates[gaps]] = 0
    return score


def _line(missing: Bytes, thin: Mask, paper: Mask, row: int, rise: int, most: int) -> Line:
    height, width = thin.shape
    rows, columns = row + _offsets(width)[rise], np.arange(width)
    inside, rows = (rows >= 0) & (rows < height), rows.clip(0, height - 1)
    spots, sheet = (np.flatnonzero(mask[rows, columns] & inside) for mask in (thin, paper))
    across = [thin[(rows + step).clip(0, height - 1), columns][spots].sum() for step in range(-most, most + 1)]
    return Line(
        row,
        rise,
        thickness=float(sum(across) / len(spots)),
        level=int(missing[rows, columns][spots].sum(dtype=int)) // len(spots),
        through=bool(spots[0] - sheet[0] <= 2 and sheet[-1] - spots[-1] <= 2),
        pieces=1 + int((np.diff(spots) > 1).sum()),
    )


def without(mask: Mask, lines: list[Line]) -> Mask:
    """The mask without the places of lines."""
    rest, columns = mask.copy(), np.arange(mask.shape[1])
    for line in lines:
        reach = int(line.thickness / 2 + 1.5)
        for step in range(-reach, reach + 1):
            rows = line.rows(mask.shape[1]) + step
            inside = (rows >= 0) & (rows < len(mask))
            rest[rows[inside], columns[inside]] = False
    return rest


def erase(plane: NDArray[Any], line: Line, shape: tuple[int, int], least: int) -> None:
    """Take a line over places (`shape`) out of a plane (H, W), in place: what crosses it goes on as it is beside it.

    Not where what is at least `least` there is thicker than the line, for that is a stroke along it.
    """
    height, width = plane.shape
    step = -(-height // shape[0])
    columns = np.arange(width)
    along = ((columns + 0.5) * shape[1] / width - 0.5 - (shape[1] - 1) / 2) / max(shape[1] - 1, 1)
    centre = np.floor((line.row + 0.5 + line.rise * along) * height / shape[0]).astype(np.intp)
    near = step + 1
    reach = near + int(3 * (line.thickness + 1) * step) + 2
    position = np.arange(2 * reach + 1)
    rows = centre[:, None] + position - reach
    inside = (rows >= 0) & (rows < height)
    ink = inside & (plane[rows.clip(0, height - 1), columns[:, None]] >= least)
    order = np.argsort(np.abs(position - reach), kind="stable")[: 2 * near + 1]  # nearest to the centre first
    nearest = ink[:, order]
    crossed = nearest.any(1)
    if not crossed.any():
        return
    start = order[nearest.argmax(1)]
    top = np.maximum.accumulate(np.where(ink, -1, position), 1)[columns, start] + 1
    bottom = np.minimum.accumulate(np.where(ink, 2 * reach + 1, position)[:, ::-1], 1)[:, ::-1][columns, start]
    length = bottom - top
    typical = quantile(length[crossed], 50)
    gone = crossed & (length <= max(typical * 8 // 5, typical + 1))
    blur = max(1, step // 2) + 1
    top, bottom = top - blur, bottom + blur
    first, last = (rows[columns, at.clip(0, 2 * reach)].clip(0, height - 1) for at in (top - 1, bottom))
    beside = np.minimum(plane[first, columns], plane[last, columns])
    cut = gone[:, None] & (position >= top[:, None]) & (position < bottom[:, None]) & inside
    column, place = np.nonzero(cut)
    plane[rows[column, place], column] = beside[column]
