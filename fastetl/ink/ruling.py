"""Ruled, squared and printed lines, thin, straight and longer than strokes: how to find, judge and erase them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Floats, Mask
from fastetl.ink.blocks import SPECK_BLOCKS, Grey, extreme_of_rows, peak_of, quantile
from fastetl.ink.pens import mean_width

# Chosen, as the thresholds of paper.py, on the curves of benches/studies/photographs.py. Of 23 pictures in a cell as
# dark as the ink, `_MIN_COVERED` 0.5 would lose seven, and 0.2 gain one.
_MIN_COVERED = 0.35  # share of the paper's width on which a line has ink
_MIN_INKED = 0.45  # share of its own length on which it has ink: dashed lines have gaps
_MIN_LENGTH = 0.6  # as a share of the paper's width
_MAX_THICKNESS = 3  # in per cent of the longest side
_MAX_LINES = 60
_GUIDE_DASHES = 6  # if lines across and lines down have so many pieces each, they are a practice square's guides
_MIN_INK = 6  # beside printed lines, in blocks


class PrintedLine(NamedTuple):
    """A nearly horizontal line over blocks (H, W)."""

    row: int  # its row in the middle column
    rise: int  # how many rows lower it ends in the last column than it begins in the first
    thickness: float  # in blocks
    level: int  # share of the paper's light that is missing on it, of 255
    spans_paper: bool  # whether it goes from one edge of the paper to the other
    length: int  # in blocks
    dashes: int  # how many pieces it has; more than one if it is dashed or broken
    bends: int  # how often the ink leaves the line and goes on beside it, as a hand's stroke does


class _Blocks(NamedTuple):
    """What lines are looked for on, each (H, W)."""

    missing: Grey
    ink: Mask
    thin: Mask  # the ink that is no thicker than a line may be
    paper: Mask
    thickest: int

    def along(self, mask: Mask, rows: NDArray[np.intp]) -> Mask:
        """The mask at one row of each column (..., W); False outside of the picture."""
        inside = rows.clip(0, len(mask) - 1)
        return np.asarray(mask[inside, np.arange(mask.shape[1])] & (inside == rows))


def _offsets(rises: int | NDArray[np.intp], width: int) -> NDArray[np.intp]:
    """How many rows a line of each rise is below its middle in each column: (..., width)."""
    along = (np.arange(width) - (width - 1) / 2) / max(width - 1, 1)
    return np.rint(np.multiply.outer(rises, along)).astype(np.intp)


def _sums(masks: tuple[Mask, Mask], offsets: NDArray[np.intp]) -> NDArray[np.int32]:
    """How many blocks of each mask (H, W) lie on each line: (2, rises, H), by the line's row in the middle.

    offsets: (rises, W), those of flat lines first.
    """
    height, width = masks[0].shape
    most = int(offsets.max())
    before = np.zeros((width + 1, 2, height + 2 * most), np.int32)  # ink of each row in the columns before
    before[1:, :, most : most + height] = np.transpose(masks, (2, 0, 1)).cumsum(0, dtype=np.int32)
    sums = np.zeros((len(offsets), 2, height), np.int32)
    steepness = offsets.max(1)
    for offset in range(-most, most + 1):
        lines = slice(steepness.searchsorted(abs(offset)), None)  # that go so far from their middle
        columns = offsets[lines] == offset  # of each line: one run of them
        start, count = columns.argmax(1), columns.sum(1)
        rows = slice(most + offset, most + offset + height)
        sums[lines] += before[start + count, :, rows] - before[start, :, rows]
    return sums.transpose(1, 0, 2)


def ruled_lines(missing: Grey, paper: Mask, least: int, thickest: int, steepest: int = 10) -> list[PrintedLine]:
    """The nearly horizontal lines, the one with the most ink first.

    missing: share of the paper's light that is missing in each block, of 255. paper: which blocks are on the sheet.
    least: `missing` of a block that counts as ink. thickest: blocks of a line's thickness, at most.
    """
    ink = missing >= least
    begins_run = extreme_of_rows(np.pad(ink, ((thickest, thickest), (0, 0))), thickest + 1, np.minimum)
    thin = np.asarray(ink & ~extreme_of_rows(begins_run, thickest + 1, np.maximum))  # without longer runs in a column
    blocks = _Blocks(missing, ink, thin, paper, thickest)
    height, width = ink.shape
    if not blocks.thin.any(0).sum() * 2 >= width:
        return []
    steepest = max(width * steepest // 100, 2)
    rises = np.array(sorted(range(-steepest, steepest + 1), key=abs))  # of equal lines the least slanting one counts
    offsets = _offsets(rises, width)
    score = _scores(blocks, offsets)
    middles = np.arange(height)
    lefts, rights = middles + offsets[:, :1], middles + offsets[:, -1:]
    lines: list[PrintedLine] = []
    while len(lines) < _MAX_LINES and score.max(initial=0) >= _MIN_COVERED:
        best = number, row = divmod(int(score.argmax()), height)
        lines.append(_line(blocks, row, int(rises[number])))
        score[:, np.abs(middles - row) <= thickest] = 0
        for ends in (lefts, rights):
            score[np.abs(ends - ends[best]) <= thickest + 1] = 0
    return lines


def _scores(blocks: _Blocks, offsets: NDArray[np.intp]) -> Floats:
    """The share of the paper that each line (rises, height) covers; 0 for one too short or with too many gaps."""
    width = blocks.thin.shape[1]
    on, possible = _sums((blocks.thin, blocks.paper), offsets)
    score = np.where(possible * 2 >= width, on / np.maximum(possible, 1), 0.0)
    numbers, candidates = np.nonzero(score >= _MIN_COVERED)
    rows = candidates[:, None] + offsets[numbers]
    spots, sheet = blocks.along(blocks.thin, rows), blocks.along(blocks.paper, rows)
    length = width - spots.argmax(1) - spots[:, ::-1].argmax(1)
    gaps = (spots.sum(1) < _MIN_INKED * length) | (length < _MIN_LENGTH * sheet.sum(1))
    score[numbers[gaps], candidates[gaps]] = 0
    return score


def _line(blocks: _Blocks, row: int, rise: int) -> PrintedLine:
    """The line that crosses the middle column in a row and has this rise, measured where it has ink."""
    height, width = blocks.thin.shape
    rows = row + _offsets(rise, width)
    columns = np.flatnonzero(blocks.along(blocks.thin, rows))  # in which the line has ink
    on_paper = np.flatnonzero(blocks.along(blocks.paper, rows))
    first, last = columns[0], columns[-1]
    middle = blocks.thickest  # the line itself among the rows beside it
    beside = rows + np.arange(-middle, middle + 1)[:, None]
    nearby = beside.clip(0, height - 1), np.arange(width)
    ink = blocks.ink[nearby][:, first : last + 1]
    level = blocks.missing[nearby][middle - 1 : middle + 2].max(0)
    dashes = _pieces(ink.any(0))
    return PrintedLine(
        row,
        rise,
        thickness=float(blocks.thin[nearby][:, columns].sum() / len(columns)),
        level=int(level[columns].sum(dtype=int)) // len(columns),
        spans_paper=bool(first - on_paper[0] <= 2 and on_paper[-1] - last <= 2),
        length=int(last - first) + 1,
        dashes=dashes,
        bends=_pieces(ink[middle]) - dashes,
    )


def _pieces(is_inked: Mask) -> int:
    """How many runs of ink there are along a line with some."""
    return 1 + int((np.diff(np.flatnonzero(is_inked)) > 1).sum())


def without_lines(mask: Mask, across: list[PrintedLine], down: list[PrintedLine], margin: int = 0) -> Mask:
    """The mask without the blocks that lines cover, and a margin to both sides of each."""
    rest = mask.copy()
    for oriented, lines in ((rest, across), (rest.T, down)):
        height, width = oriented.shape
        for line in lines:
            reach = int(line.thickness / 2 + 1.5) + margin
            for step in range(-reach, reach + 1):
                rows = line.row + _offsets(line.rise, width) + step
                columns = np.flatnonzero((rows >= 0) & (rows < height))
                oriented[rows[columns], columns] = False
    return rest


def printed_lines(
    missing: Grey, paper: Mask, peak: int, least: int, is_clean: bool
) -> tuple[list[PrintedLine], list[PrintedLine], int]:
    """The printed lines across and down, and what is missing where the ink beside them is darkest.

    peak: `missing` where the ink is darkest. least: less is grain. is_clean: whether all paper is white.
    """
    least_of_line, thickest = peak // 3, max(2, max(missing.shape) * _MAX_THICKNESS // 100)
    across = ruled_lines(missing, paper, least_of_line, thickest)
    down = ruled_lines(missing.T, paper.T, least_of_line, thickest)
    if not across and not down:
        return [], [], peak
    beside_lines = np.where(without_lines(paper, across, down), missing, np.uint8(0))
    level = peak_of(beside_lines, 6 * SPECK_BLOCKS)
    ink = beside_lines >= max((level + 1) // 2, 1)
    # Where lines bend, they leave ink beside them. With no other ink they are strokes, as in 目.
    is_stroke = max(line.level for line in across + down) > 2 * level
    if level < least or without_lines(ink, across, down, margin=2 * is_stroke).sum() < _MIN_INK:
        return [], [], peak
    is_squared = min(len(across), len(down)) > 1
    has_guides = all(any(line.dashes >= _GUIDE_DASHES for line in lines) for lines in (across, down))
    page = _Page(mean_width(ink), level, is_clean, is_squared, has_guides)
    across, down = page.printed(across, ink), page.printed(down, ink.T)
    return across, down, level if across or down else peak


class _Page(NamedTuple):
    """What tells printed lines from strokes."""

    width: float  # mean width of the strokes beside the lines, in blocks
    level: int  # share of the paper's light that is missing where these are darkest, of 255
    is_clean: bool  # whether all paper is white
    is_squared: bool  # whether there are several lines in both directions
    has_guides: bool  # whether there are dashed lines in both directions, as in a practice square

    def printed(self, lines: list[PrintedLine], ink: Mask) -> list[PrintedLine]:
        """Those of parallel lines that are printed. ink: the strokes beside them, turned as the lines are.

        Grey or ruled paper: what goes from edge to edge or differs from the strokes. White paper may have a stroke of
        the same kind: so lines have to do both there, or differ in a practice square.
        """
        differing = [line for line in lines if self.has_guides or self._differs(line)]
        is_ruled = sum(line.spans_paper and 3 <= line.row < len(ink) - 3 for line in lines) > 1  # away from the edges
        if not self.is_clean or is_ruled:
            return [line for line in lines if line.spans_paper or line in differing]
        straight = [line for line in differing if self.has_guides or line.bends < 2]
        if self.is_squared:
            return straight
        # In a picture that is cropped to its ink and lines, a stroke spans the paper, too.
        rows = [*np.flatnonzero(ink.any(1)).tolist(), *(line.row for line in lines)]
        is_cropped = min(rows) < 3 and max(rows) >= len(ink) - 3
        return [] if is_cropped else [line for line in straight if line.spans_paper]

    def _differs(self, line: PrintedLine) -> bool:
        """Whether a line is clearly thinner, fainter or darker than the strokes."""
        return 4 * line.thickness <= 3 * self.width or not 8 * self.level < 10 * line.level < 13 * self.level


def erase(plane: NDArray[Any], line: PrintedLine, shape: tuple[int, ...], least: int) -> None:
    """Take a line out of a plane (H, W), in place: what crosses it goes on as it is beside it.

    shape: rows and columns of the blocks on which the line was found. least: pixels from this level on are ink. Where
    the ink is thicker than the line, it is a stroke along the line, and stays.
    """
    block = -(-len(plane) // shape[0])  # pixels
    rows, strip, is_inside = _strip_along(line, plane, shape, reach=block + int(3 * (line.thickness + 1) * block) + 3)
    top, bottom = _middle_runs(is_inside & (strip >= least), block + 1)
    thickness = bottom - top
    usual = quantile(thickness[thickness > 0], 50)
    is_line = (thickness > 0) & (thickness <= max(usual * 8 // 5, usual + 1))
    blur = max(1, block // 2) + 1  # the soft edge of the line
    above, below = top - blur - 1, bottom + blur  # in each column, the rows of the strip beside the line
    paper = np.take_along_axis(strip, np.stack([above, below]).clip(0, len(strip) - 1), 0).min(0)
    position = np.arange(len(strip))[:, None]
    row, column = np.nonzero(is_inside & is_line & (position > above) & (position < below))
    plane[rows[row, column], column] = paper[column]


def _strip_along(
    line: PrintedLine, plane: NDArray[Any], shape: tuple[int, ...], reach: int
) -> tuple[NDArray[np.intp], NDArray[Any], Mask]:
    """The pixels of a plane (H, W) along a line, which is level in the strip's middle: (2 * reach + 1, W).

    Returns each one's row in the plane, its value (beyond the plane that of the nearest row), and whether the row is
    one of the plane's. reach: pixels to both sides of the line. shape: see `erase`.
    """
    height, width = plane.shape
    along = ((np.arange(width) + 0.5) * shape[1] / width - 0.5 - (shape[1] - 1) / 2) / max(shape[1] - 1, 1)
    centre = np.floor((line.row + 0.5 + line.rise * along) * height / shape[0]).astype(np.intp)
    rows = centre + np.arange(-reach, reach + 1)[:, None]
    return rows, plane[rows.clip(0, height - 1), np.arange(width)], (rows >= 0) & (rows < height)


def _middle_runs(ink: Mask, near: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the run of ink nearest to the middle row begins and ends in each column; equal if none is `near`."""
    position = np.arange(len(ink))[:, None]
    from_middle = np.argsort(np.abs(position.ravel() - len(ink) // 2), kind="stable")[: 2 * near + 1]
    nearest = from_middle[ink[from_middle].argmax(0)]
    top = np.where(ink | (position > nearest), -1, position).max(0) + 1
    bottom = np.where(ink | (position < nearest), len(ink), position).min(0)
    return top, np.where(ink[nearest, np.arange(len(top))], bottom, top)
