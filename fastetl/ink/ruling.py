"""Ruled, squared and printed lines, thin, straight and longer than strokes: how to find, judge and erase them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Floats, Int32s, Mask
from fastetl.ink.blocks import SPECK_BLOCKS, Grey, extreme_of_rows, peak_of, quantile
from fastetl.ink.pens import mean_width

# Chosen, as the thresholds of paper.py, on the curves of benches/studies/conditions.py. Of 23 pictures in a cell as
# dark as the ink, `_MIN_COVERED` 0.5 would lose seven, and 0.2 gain one.
_MIN_COVERED = 0.35  # share of the paper's width on which a line has ink
_MIN_INKED = 0.45  # share of its own length on which it has ink: dashed lines have gaps
_MIN_LENGTH = 0.6  # as a share of the paper's width
_MAX_THICKNESS = 3  # in per cent of the longest side
_GUIDE_DASHES = 6  # if lines across and lines down have so many pieces each, they are a practice square's guides
_THIN_WIDTH = 2.5  # blocks of a stroke: how dark and wide a thinner one looks depends on its place among the pixels
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

    shade: Grey
    ink: Mask
    thin_ink: Mask  # the ink that is no thicker than a line may be
    paper: Mask
    thickness: int  # greatest thickness of a line

    def sample(self, mask: Mask, rows: NDArray[np.intp]) -> Mask:
        """The mask at one row of each column (..., W); False outside of the picture."""
        clipped_rows = rows.clip(0, len(mask) - 1)
        return np.asarray(mask[clipped_rows, np.arange(mask.shape[1])] & (clipped_rows == rows))


def _offsets(rises: int | NDArray[np.intp], width: int) -> NDArray[np.intp]:
    """How many rows a line of each rise is below its middle in each column: (..., width)."""
    positions = (np.arange(width) - (width - 1) / 2) / max(width - 1, 1)
    return np.rint(np.multiply.outer(rises, positions)).astype(np.intp)


def _sums(masks: tuple[Mask, Mask], offsets: NDArray[np.intp]) -> Int32s:
    """How many blocks of each mask (H, W) lie on each line: (2, rises, H), by the line's row in the middle.

    offsets: (rises, W), those of flat lines first.
    """
    height, width = masks[0].shape
    max_offset = int(offsets.max())
    running_sums = np.zeros((width + 1, 2, height + 2 * max_offset), np.int32)  # ink of each row in the columns before
    running_sums[1:, :, max_offset : max_offset + height] = np.transpose(masks, (2, 0, 1)).cumsum(0, dtype=np.int32)
    sums = np.zeros((len(offsets), 2, height), np.int32)
    steepness = offsets.max(1)
    for offset in range(-max_offset, max_offset + 1):
        lines = slice(steepness.searchsorted(abs(offset)), None)  # that go so far from their middle
        columns = offsets[lines] == offset  # of each line: one run of them
        start, count = columns.argmax(1), columns.sum(1)
        rows = slice(max_offset + offset, max_offset + offset + height)
        sums[lines] += running_sums[start + count, :, rows] - running_sums[start, :, rows]
    return sums.transpose(1, 0, 2)


def ruled_lines(shade: Grey, paper: Mask, threshold: int, thickness: int, max_slope: int = 10) -> list[PrintedLine]:
    """The nearly horizontal lines, the one with the most ink first.

    shade: share of the paper's light that is missing in each block, of 255. paper: which blocks are on the sheet.
    threshold: `shade` of a block that counts as ink. thickness: blocks of a line, at most.
    """
    ink = shade >= threshold
    begins_run = extreme_of_rows(np.pad(ink, ((thickness, thickness), (0, 0))), thickness + 1, np.minimum)
    thin_ink = np.asarray(ink & ~extreme_of_rows(begins_run, thickness + 1, np.maximum))  # without longer column runs
    blocks = _Blocks(shade, ink, thin_ink, paper, thickness)
    height, width = ink.shape
    if blocks.thin_ink.any(0).sum() * 2 < width:
        return []
    max_slope = max(width * max_slope // 100, 2)
    rises = np.array(sorted(range(-max_slope, max_slope + 1), key=abs))  # of equal lines the least slanting one counts
    offsets = _offsets(rises, width)
    scores = _scores(blocks, offsets)
    middles = np.arange(height)
    lefts, rights = middles + offsets[:, :1], middles + offsets[:, -1:]
    lines: list[PrintedLine] = []
    while scores.max(initial=0) >= _MIN_COVERED:
        index = number, row = divmod(int(scores.argmax()), height)
        lines.append(_line(blocks, row, int(rises[number])))
        scores[:, np.abs(middles - row) <= thickness] = 0
        for ends in (lefts, rights):
            scores[np.abs(ends - ends[index]) <= thickness + 1] = 0
    return lines


def _scores(blocks: _Blocks, offsets: NDArray[np.intp]) -> Floats:
    """The share of the paper that each line (rises, height) covers; 0 for one too short or with too many gaps."""
    width = blocks.thin_ink.shape[1]
    ink_counts, paper_counts = _sums((blocks.thin_ink, blocks.paper), offsets)
    scores = np.where(paper_counts * 2 >= width, ink_counts / np.maximum(paper_counts, 1), 0.0)
    numbers, candidates = np.nonzero(scores >= _MIN_COVERED)
    rows = candidates[:, None] + offsets[numbers]
    is_inked, is_paper = blocks.sample(blocks.thin_ink, rows), blocks.sample(blocks.paper, rows)
    lengths = width - is_inked.argmax(1) - is_inked[:, ::-1].argmax(1)
    is_broken = (is_inked.sum(1) < _MIN_INKED * lengths) | (lengths < _MIN_LENGTH * is_paper.sum(1))
    scores[numbers[is_broken], candidates[is_broken]] = 0
    return scores


def _line(blocks: _Blocks, row: int, rise: int) -> PrintedLine:
    """The line that crosses the middle column in a row and has this rise, measured where it has ink."""
    height, width = blocks.thin_ink.shape
    rows = row + _offsets(rise, width)
    columns = np.flatnonzero(blocks.sample(blocks.thin_ink, rows))  # in which the line has ink
    paper_columns = np.flatnonzero(blocks.sample(blocks.paper, rows))
    first, last = columns[0], columns[-1]
    middle = blocks.thickness  # the line itself among the rows beside it
    strip_rows = rows + np.arange(-middle, middle + 1)[:, None]
    strip = strip_rows.clip(0, height - 1), np.arange(width)
    ink = blocks.ink[strip][:, first : last + 1]
    level = blocks.shade[strip][middle - 1 : middle + 2].max(0)
    dashes = _pieces(ink.any(0))
    return PrintedLine(
        row,
        rise,
        thickness=float(blocks.thin_ink[strip][:, columns].sum() / len(columns)),
        level=int(level[columns].sum(dtype=int)) // len(columns),
        spans_paper=bool(first - paper_columns[0] <= 2 and paper_columns[-1] - last <= 2),
        length=int(last - first) + 1,
        dashes=dashes,
        bends=_pieces(ink[middle]) - dashes,
    )


def _pieces(is_inked: Mask) -> int:
    """How many runs of ink there are along a line with some."""
    return 1 + int((np.diff(np.flatnonzero(is_inked)) > 1).sum())


def without_lines(mask: Mask, horizontals: list[PrintedLine], verticals: list[PrintedLine], *, margin: int = 0) -> Mask:
    """The mask without the blocks that lines cover, and a margin to both sides of each."""
    remainder = mask.copy()
    for view, lines in ((remainder, horizontals), (remainder.T, verticals)):
        height, width = view.shape
        for line in lines:
            reach = int(line.thickness / 2 + 1.5) + margin
            rows = line.row + _offsets(line.rise, width) + np.arange(-reach, reach + 1)[:, None]
            number, column = np.nonzero((rows >= 0) & (rows < height))
            view[rows[number, column], column] = False
    return remainder


def printed_lines(
    shade: Grey, paper: Mask, peak: int, threshold: int, is_clean: bool
) -> tuple[list[PrintedLine], list[PrintedLine], int]:
    """The printed lines across and down, and what is missing where the ink beside them is darkest.

    peak: `shade` where the ink is darkest. threshold: less is grain. is_clean: whether all paper is white.
    """
    max_thickness = max(2, max(shade.shape) * _MAX_THICKNESS // 100)
    horizontals = ruled_lines(shade, paper, peak // 3, max_thickness)
    verticals = ruled_lines(shade.T, paper.T, peak // 3, max_thickness)
    if not horizontals and not verticals:
        return [], [], peak
    beside_lines = np.where(without_lines(paper, horizontals, verticals), shade, np.uint8(0))
    level = peak_of(beside_lines, 6 * SPECK_BLOCKS)  # what lines leave of themselves is more than a speck
    ink = beside_lines >= max((level + 1) // 2, 1)
    # Where lines bend, they leave ink beside them. With no other ink they are strokes, as in 目.
    may_be_strokes = max(line.level for line in horizontals + verticals) > 2 * level
    other_ink = without_lines(ink, horizontals, verticals, margin=2) if may_be_strokes else ink
    if level < threshold or other_ink.sum() < _MIN_INK:
        return [], [], peak
    is_squared = min(len(horizontals), len(verticals)) > 1
    has_guides = all(any(line.dashes >= _GUIDE_DASHES for line in lines) for lines in (horizontals, verticals))
    page = _Page(mean_width(ink), level, is_clean, is_squared, has_guides)
    selections = page.select(horizontals, ink), page.select(verticals, ink.T)
    return *selections, level if any(selections) else peak


class _Page(NamedTuple):
    """What tells printed lines from strokes."""

    width: float  # mean width of the strokes beside the lines, in blocks
    level: int  # share of the paper's light that is missing where these are darkest, of 255
    is_clean: bool  # whether all paper is white
    is_squared: bool  # whether there are several lines in both directions
    has_guides: bool  # whether there are dashed lines in both directions, as in a practice square

    def select(self, lines: list[PrintedLine], ink: Mask) -> list[PrintedLine]:
        """Those of parallel lines that are printed. ink: the strokes beside them, turned as the lines are.

        Grey or ruled paper: what goes from edge to edge or differs from the strokes. White paper may have a stroke of
        the same kind: so lines have to do both there, or differ in a practice square.
        """
        distinct_lines = [line for line in lines if self.has_guides or self._differs(line)]
        is_ruled = sum(line.spans_paper and 3 <= line.row < len(ink) - 3 for line in lines) > 1  # away from the edges
        if not self.is_clean or is_ruled:
            return [line for line in lines if line.spans_paper or line in distinct_lines]
        straight_lines = [line for line in distinct_lines if self.has_guides or line.bends < 2]
        if self.is_squared:
            return straight_lines
        # In a picture that is cropped to its ink and lines, a stroke spans the paper, too.
        rows = [*np.flatnonzero(ink.any(1)).tolist(), *(line.row for line in lines)]
        is_cropped = min(rows) < 3 and max(rows) >= len(ink) - 3
        return [] if is_cropped else [line for line in straight_lines if line.spans_paper]

    def _differs(self, line: PrintedLine) -> bool:
        """Whether a line is clearly thinner, fainter or darker than the strokes; than thin ones, much fainter."""
        if self.width < _THIN_WIDTH and not self.is_squared:
            return 20 * line.level < 9 * self.level
        return 4 * line.thickness <= 3 * self.width or not 8 * self.level < 10 * line.level < 13 * self.level


def erase(plane: Grey, line: PrintedLine, shape: tuple[int, ...], threshold: int) -> None:
    """Take a line out of a plane (H, W), in place: what crosses it goes on as it is beside it.

    shape: rows and columns of the blocks on which the line was found. threshold: pixels from this level on are ink.
    Where the ink is thicker than the line, it is a stroke along the line, and stays.
    """
    block = -(-len(plane) // shape[0])  # pixels
    rows, strip, is_inside = _strip_along(line, plane, shape, reach=block + int(3 * (line.thickness + 1) * block) + 3)
    top, bottom = _middle_runs(is_inside & (strip >= threshold), block + 1)
    thickness = bottom - top
    usual_thickness = quantile(thickness[thickness > 0], 50)
    is_line = (thickness > 0) & (thickness <= max(usual_thickness * 8 // 5, usual_thickness + 1))
    blur = max(1, block // 2) + 1  # the soft edge of the line
    row_above, row_below = top - blur - 1, bottom + blur  # in each column, the rows of the strip beside the line
    paper = np.take_along_axis(strip, np.stack([row_above, row_below]).clip(0, len(strip) - 1), 0).min(0)
    positions = np.arange(len(strip))[:, None]
    row, column = np.nonzero(is_inside & is_line & (positions > row_above) & (positions < row_below))
    plane[rows[row, column], column] = paper[column]


def _strip_along(
    line: PrintedLine, plane: Grey, shape: tuple[int, ...], reach: int
) -> tuple[NDArray[np.intp], Grey, Mask]:
    """The pixels of a plane (H, W) along a line, which is level in the strip's middle: (2 * reach + 1, W).

    Returns each one's row in the plane, its value (beyond the plane that of the nearest row), and whether the row is
    one of the plane's. reach: pixels to both sides of the line. shape: see `erase`.
    """
    height, width = plane.shape
    positions = ((np.arange(width) + 0.5) * shape[1] / width - 0.5 - (shape[1] - 1) / 2) / max(shape[1] - 1, 1)
    centre = np.floor((line.row + 0.5 + line.rise * positions) * height / shape[0]).astype(np.intp)
    rows = centre + np.arange(-reach, reach + 1)[:, None]
    return rows, plane[rows.clip(0, height - 1), np.arange(width)], (rows >= 0) & (rows < height)


def _middle_runs(ink: Mask, reach: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the run of ink nearest to the middle row begins and ends in each column; equal if `reach` has none."""
    positions = np.arange(len(ink))[:, None]
    order = np.argsort(np.abs(positions.ravel() - len(ink) // 2), kind="stable")[: 2 * reach + 1]
    nearest_rows = order[ink[order].argmax(0)]
    top = np.where(ink | (positions > nearest_rows), -1, positions).max(0) + 1
    bottom = np.where(ink | (positions < nearest_rows), len(ink), positions).min(0)
    return top, np.where(ink[nearest_rows, np.arange(len(top))], bottom, top)
