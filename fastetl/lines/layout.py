"""Boxes of ink → lines in reading order, and what may be a character in them.

A box is left, top, right, bottom. Everything here is in the coordinates of lines that run across; `turned` brings
boxes of lines that run down there and back.
"""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""float64 (N, 4): left, top, right, bottom."""

MOST_ATOMS = 9
"""Of one character."""
WIDEST = 1.45
"""A character's width at most, in sizes of the line."""
FULL = 0.5
"""Height of a band from which it is a line of its own, in sizes of the writing."""
ONE_LINE = 1.5
"""Height of two overlapping bands, in heights of the tallest, below which they are one line."""
SQUARE = 0.6
"""Thickness of lines over that of columns, or the reverse, from which they may be characters' rows and columns."""
_SLOPES = np.arange(-20, 21) / 100


def turned(boxes: Boxes) -> Boxes:
    """Lines that run down, columns from right to left, as lines that run across, from above to below."""
    return np.stack([boxes[:, 1], -boxes[:, 2], boxes[:, 3], -boxes[:, 0]], 1)


def unturned(boxes: Boxes) -> Boxes:
    """The reverse of `turned`."""
    return np.stack([-boxes[:, 3], boxes[:, 0], -boxes[:, 1], boxes[:, 2]], 1)


def _extents(boxes: Boxes) -> NDArray[np.float64]:
    return np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])


def _typical(boxes: Boxes) -> float:
    """The extent that half of the ink's extents exceed."""
    extents = np.sort(_extents(boxes))
    return float(extents[np.searchsorted(np.cumsum(extents), extents.sum() / 2)])


def _skew(boxes: Boxes, size: float) -> float:
    """The slope along which the ink lies in the clearest bands."""
    if len(boxes) < 4:
        return 0.0
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).T
    weights = _extents(boxes)
    best, least = 0.0, -1.0
    for slope in _SLOPES:
        place = np.floor((y - slope * x) / (0.15 * size)).astype(np.int64)
        counts = np.bincount(place - place.min(), weights)
        value = float((np.convolve(counts, (1, 2, 1)) ** 2).sum()) * (1 - abs(slope))
        if value > least:
            best, least = float(slope), value
    return best


def rows(boxes: Boxes, in_time: bool = False) -> list[NDArray[np.int64]]:
    """The lines from the top: for each the indices of its boxes, from the left.

    in_time: whether the boxes are of strokes in the order of time. One line is written after the other.
    """
    if not len(boxes):
        return []
    size = _typical(boxes)
    x = (boxes[:, 0] + boxes[:, 2]) / 2
    shift = _skew(boxes, size) * x
    top, bottom = boxes[:, 1] - shift, boxes[:, 3] - shift
    # A stroke that reaches into the next line must not join the two.
    shrunk = 0.2 * (bottom - top)
    bands: list[list[int]] = []
    reach = -np.inf
    for k in np.argsort(top + shrunk):
        if top[k] + shrunk[k] > reach:
            bands.append([])
        bands[-1].append(int(k))
        reach = max(reach, bottom[k] - shrunk[k])
    if in_time:
        bands = _in_turn(bands)
    bands = _without_thin(bands, top, bottom, float(boxes[:, 2].max() - boxes[:, 0].min()), size)
    return [np.array(sorted(band, key=lambda k: x[k])) for band in bands]


def _in_turn(bands: list[list[int]]) -> list[list[int]]:
    """Neighbouring bands between which the pen went back and forth are one."""
    joined = bands[:1]
    for band in bands[1:]:
        upper = np.isin(np.sort(joined[-1] + band), band)
        if np.count_nonzero(upper[1:] != upper[:-1]) > 2:
            joined[-1] = joined[-1] + band
        else:
            joined.append(band)
    return joined


def _without_thin(
    bands: list[list[int]], top: NDArray[np.float64], bottom: NDArray[np.float64], width: float, size: float
) -> list[list[int]]:
    """Bands too thin to be lines (dots, the strokes of 二) join the nearer neighbour."""
    while len(bands) > 1:
        low = [float(top[band].min()) for band in bands]
        high = [float(bottom[band].max()) for band in bands]
        heights = np.subtract(high, low)
        gaps = np.subtract(low[1:], high[:-1])
        least = np.minimum(heights[1:], heights[:-1])
        together = np.subtract(high[1:], low[:-1])
        # The upper and lower halves of a few kanji are as high as lines, but lie closer and not as far along.
        halves = (len(bands) == 2) & (gaps < 0.25 * least) & (width < 3 * together)
        tallest = max(size, float(np.max(heights)))
        thin = (least < FULL * size) & (together < 1.8 * tallest)
        # Where characters of one line stand high and low, their bands overlap.
        overlapping = (gaps < 0) & (together < ONE_LINE * tallest)
        gaps[~(thin | halves | overlapping)] = np.inf
        k = int(gaps.argmin())
        if gaps[k] > 0.75 * size:
            break
        bands[k : k + 2] = [bands[k] + bands[k + 1]]
    return bands


def is_down(boxes: Boxes, in_time: bool = False) -> bool:
    """Whether the writing runs down: in one column, or in columns that are farther apart than the lines would be.

    in_time: whether the boxes are of strokes in the order of time; what stands in rows and columns alike was written
    line by line.
    """
    if len(boxes) < 2:
        return False
    both = boxes, turned(boxes)
    if in_time:
        lines = [rows(one) for one in both]
        least, most = sorted(_thickness(one, of) for one, of in zip(both, lines, strict=True))
        changes = [_changes(of) for of in lines]
        if min(map(len, lines)) > 1 and least > SQUARE * most and changes[0] != changes[1]:
            return changes[1] < changes[0]
    across, down = (rows(one, in_time) for one in both)
    if len(across) == 1 or len(down) == 1:
        width, height = boxes[:, 2].max() - boxes[:, 0].min(), boxes[:, 3].max() - boxes[:, 1].min()
        return len(down) == 1 and bool(height > 1.3 * width)
    return _apart(turned(boxes), down) > 1.1 * _apart(boxes, across)


def _thickness(boxes: Boxes, lines: list[NDArray[np.int64]]) -> float:
    """Mean height of lines."""
    return float(np.mean([boxes[k, 3].max() - boxes[k, 1].min() for k in lines]))


def _changes(lines: list[NDArray[np.int64]]) -> int:
    """How often the pen went from one line to another."""
    line_of = np.repeat(np.arange(len(lines)), [len(line) for line in lines])[np.argsort(np.concatenate(lines))]
    return int(np.count_nonzero(line_of[1:] != line_of[:-1]))


def _apart(boxes: Boxes, lines: list[NDArray[np.int64]]) -> float:
    """Mean gap between lines."""
    low = np.array([boxes[k, 1].min() for k in lines])
    high = np.array([boxes[k, 3].max() for k in lines])
    return float((low[1:] - high[:-1]).mean())


def slope_of(boxes: Boxes, size: float) -> tuple[float, float]:
    """The line through the middles of a line's larger boxes: height at 0, and slope."""
    extents = _extents(boxes)
    large = boxes[extents > 0.4 * size]
    if not len(large):
        large = boxes
    x, y = ((large[:, :2] + large[:, 2:]) / 2).T
    if len(large) < 4 or np.ptp(x) < 3 * size:
        return float(y.mean()), 0.0
    return line_through(x, y)


def line_through(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """The line that fits points best: height at 0, and slope, −0.35 to 0.35."""
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / max(((x - x.mean()) ** 2).sum(), 1e-6))
    slope = min(max(slope, -0.35), 0.35)
    return float(y.mean() - slope * x.mean()), slope


def line_size(boxes: Boxes) -> float:
    """Height of a line's writing: the usual one of its stretches of about four characters, or what a box alone has."""
    size = _typical(boxes)
    _, slope = slope_of(boxes, size)
    x = (boxes[:, 0] + boxes[:, 2]) / 2
    top, bottom = boxes[:, 1] - slope * x, boxes[:, 3] - slope * x
    step = max(3 * size, 1e-6)
    place = np.floor((x - x.min()) / step).astype(np.int64)
    heights = [float(bottom[place == k].max() - top[place == k].min()) for k in np.unique(place)]
    height = float(np.quantile(heights, 0.7))
    # A single ー or 一 is as wide as it is not high.
    return max(height, 0.9 * size if len(boxes) < 4 else 0.5 * size, 1e-6)


def atoms_of(boxes: Boxes, order: NDArray[np.int64], overlap: float = 0.5) -> list[list[int]]:
    """What no cut may part: boxes over or under one another, in the order of their middles.

    order: the boxes' indices, from the left, or in the order of time.
    """
    groups: list[tuple[float, float, list[int]]] = []
    for k in order.tolist():
        left, right, members = float(boxes[k, 0]), float(boxes[k, 2]), [k]
        while True:
            common = [min(b, right) - max(a, left) - overlap * min(b - a, right - left) for a, b, _ in groups]
            # Of two characters that a mark lies over, one has it: it must not join them.
            g = int(np.argmax(common)) if common else 0
            if not common or common[g] <= 0:
                break
            a, b, others = groups.pop(g)
            left, right, members = min(a, left), max(b, right), others + members
        groups.append((left, right, members))
    groups.sort(key=lambda group: group[0] + group[1])
    return [members for _, _, members in groups]


def runs_of(spans: NDArray[np.float64], size: float) -> NDArray[np.int64]:
    """int64 (R, 2): runs of neighbouring atoms that may be a character, as first and last.

    spans: float64 (A, 2), left and right of each atom.
    """
    runs = []
    for i in range(len(spans)):
        right = left = spans[i, 0]
        for j in range(i, min(len(spans), i + MOST_ATOMS)):
            if j > i and spans[j, 0] - right > 0.7 * size:
                break
            left, right = min(left, spans[j, 0]), max(right, spans[j, 1])
            if j > i and right - left > WIDEST * size:
                break
            runs.append((i, j))
    return np.array(runs, np.int64).reshape(-1, 2)
