"""Drawings that are no characters: random curves, crossing as they like, and two characters side by side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fastetl.data.dataset import Samples
from fastetl.data.preprocessing import resize

_CANVAS = 128
_INK = 60
"""From which a pixel is ink."""
_SQUARE, _LARGE = 0.5, 0.3
"""Shorter side of a character's ink over its longer one, and that over the picture's, at least: narrow and small ones
stand together in い, 川 and 三."""
_TANGLED = 3.5
"""Edges that a row and a column cross together, over two, at least in one of a pair: in ノ and し 2 to 3."""
_LONG = 1.35
"""Length of a pair over its height at least: hardly any character is as long."""
_CUT, _LEFT = 0.4, (0.35, 0.65)
"""Share of the pairs of which one character is cut off, and how much of it is left."""
_DOWN = 0.3
"""Share of the pairs that stand one above the other."""
_GAP, _OFFSET = (-0.08, 0.2), (-0.08, 0.08)
"""Between the two along their line and across it, in sizes of the larger one."""
_SIZE = (0.5, 0.85)
"""Of the larger one in the picture: what of the pair lies outside is not seen."""
_NEAR = 40
"""Samples as near as this are mostly of one writer, whose pen and size are the same."""
_TRIES = 6
"""Pairs that are looked at for each one that is asked for."""

Pictures = NDArray[np.uint8]


def scribbles(count: int, size: int, seed: int = 0) -> Pictures:
    """uint8 (count, size, size), ink high: two to six random curves each, drawn over the whole canvas."""
    random = np.random.default_rng(seed)
    canvases = np.empty((count, _CANVAS, _CANVAS), np.uint8)
    for k in range(count):
        canvas = Image.new("L", (_CANVAS, _CANVAS))
        pen = ImageDraw.Draw(canvas)
        width = int(random.integers(3, 9))
        for _ in range(random.integers(2, 7)):
            curve = random.uniform(0.1, 0.9, (int(random.integers(4, 10)), 2)) * _CANVAS
            for _ in range(3):  # Chaikin: cut every corner
                near, far = 0.75 * curve[:-1] + 0.25 * curve[1:], 0.25 * curve[:-1] + 0.75 * curve[1:]
                curve = np.stack([near, far], 1).reshape(-1, 2)
            pen.line([(float(x), float(y)) for x, y in curve], fill=255, width=width, joint="curve")
        canvases[k] = np.asarray(canvas)
    return resize(canvases, size)


def pairs(sources: Sequence[Samples], count: int, seed: int = 0) -> Pictures:
    """uint8 (N, S, S), ink high: two different characters each, touching or near, often one of them cut off.

    So many of each source as its weight says. N is less than `count` where most characters are narrow, small or
    simple, or have other ink at the edges of their pictures.
    """
    random, side = np.random.default_rng(seed), sources[0].side
    weights = np.array([source.weight for source in sources])
    # Of pictures that are read piece by piece, as many as are held at a time; in their order, writer by writer.
    held = [np.sort(next(source.windows(np.random.default_rng(seed)))) for source in sources]
    taken = [source.take(indices) for source, indices in zip(sources, held, strict=True)]
    composed: list[Pictures] = []
    for k in random.choice(len(sources), _TRIES * count, p=weights / weights.sum()).tolist():
        if len(composed) == count:
            break
        first = int(random.integers(len(held[k])))
        two = [first, (first + int(random.integers(1, _NEAR))) % len(held[k])]
        (pictures, places), (label, other) = taken[k], sources[k].labels[held[k][two]]
        turned = random.random() < _DOWN
        left, right = (pictures[place].T if turned else pictures[place] for place in places[two])
        pair = None if label == other else _side_by_side(left, right, random)
        if pair is not None:
            composed.append(pair.T if turned else pair)
    return np.array(composed, np.uint8).reshape(-1, side, side)  # a stack of turned ones would not be contiguous


def _side_by_side(first: Pictures, second: Pictures, random: np.random.Generator) -> Pictures | None:
    """The two (S, S) in a picture of their size, or None where they might be one character."""
    box, other = _box(first), _box(second)
    if box is None or other is None:
        return None
    (top, bottom, left, right, tangled), (upper, lower, begin, end, tangled_too) = box, other
    size = max(bottom - top, right - left, lower - upper, end - begin)
    cut = random.random()
    if cut < _CUT / 2:
        left, tangled = _thinnest(first, left, right, 1 - random.uniform(*_LEFT)), 0
    elif cut < _CUT:
        end, tangled_too = _thinnest(second, begin, end, random.uniform(*_LEFT)), 0
    gap, offset = round(size * random.uniform(*_GAP)), round(size * random.uniform(*_OFFSET))
    length, height = right - left + gap + end - begin, max(bottom, lower + offset) - min(top, upper + offset)
    if max(tangled, tangled_too) < _TANGLED or length < _LONG * height:
        return None
    window = round(size / random.uniform(*_SIZE))
    room = max(length, height, window)
    y, x = (room - height) // 2 - min(top, upper + offset), (room - length) // 2
    canvas = np.zeros((room, room), np.uint8)
    canvas[y + top : y + bottom, x : x + right - left] = first[top:bottom, left:right]
    beside = canvas[y + offset + upper : y + offset + lower, x + length - (end - begin) : x + length]
    np.maximum(beside, second[upper:lower, begin:end], out=beside)
    spare = (room - window) // 2
    seen = Image.fromarray(canvas[spare : spare + window, spare : spare + window])
    return np.asarray(seen.resize(first.shape, Image.Resampling.BILINEAR))


def _box(picture: Pictures) -> tuple[int, int, int, int, float] | None:
    """Top, bottom, left and right of the ink, and how tangled it is; None if it is narrow, small or at an edge."""
    ink = picture >= _INK
    rows, columns = np.flatnonzero(ink.any(1)).tolist(), np.flatnonzero(ink.any(0)).tolist()
    if not rows or min(rows[0], columns[0]) < 1 or max(rows[-1], columns[-1]) > len(ink) - 2:
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    short, long = sorted((bottom - top, right - left))
    if short < _SQUARE * long or long < _LARGE * len(ink):
        return None
    crossed = np.diff(ink, axis=1).sum() / (bottom - top) + np.diff(ink, axis=0).sum() / (right - left)
    return top, bottom, left, right, float(crossed) / 2


def _thinnest(picture: Pictures, left: int, right: int, share: float) -> int:
    """The column with the least ink near a share of the way from left to right."""
    reach = max((right - left) // 8, 1)
    start = round(left + share * (right - left)) - reach
    return start + int(picture[:, start : start + 2 * reach].sum(0).argmin())
