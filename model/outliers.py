"""Pictures that are no characters: random scribbles, and two characters side by side.

Training shows a share of them as outliers, so that the network learns to reject what is no character (outlier exposure,
Hendrycks et al., 2019).
"""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from fastetl.arrays import Bytes, Integers, Ints
from fastetl.data.preprocessing import resize
from fastetl.data.samples import Samples
from model.config import TrainConfig

MAX_SCRIBBLES, MAX_PAIRS = 1 << 12, 1 << 14
"""Most outliers of each kind: drawing them is slow, and augmentation changes them whenever they are used."""
_CANVAS_SIDE = 128  # pixels, of the canvas that scribbles are drawn on
_MIN_INK = 60  # least value of a pixel that counts as ink
_MIN_ASPECT = 0.5  # least shorter over longer side of a character's ink: い is made of narrow pieces
_MIN_LENGTH = 0.3  # least longer side of a character's ink over the picture's: 三 is made of small pieces
_MIN_CROSSINGS = 3.5  # least crossings of the more tangled of two whole characters; ノ and し have 2 to 3
_MIN_PAIR_ASPECT = 1.35  # least length of two characters over their height; hardly any single character is as long
_CUT_SHARE = 0.4  # share of the pictures in which one character is cut off
_KEPT_SHARES = (0.35, 0.65)  # least and greatest share of it that stays
_VERTICAL_SHARE = 0.3  # share of the pictures in which one character stands above the other
_GAPS = (-0.08, 0.2)  # distances of the two characters along their line, in parts of the larger character's size
_OFFSETS = (-0.08, 0.08)  # how far the second character is moved across that line, in the same parts
_SIZES = (0.5, 0.85)  # sizes of the larger character, in parts of the picture; what lies outside of it is lost
_NEAR_SAMPLES = 40  # samples at most this far apart are mostly by one writer, and so alike in pen and size
_ATTEMPTS = 6  # pairs of samples that are tried for each picture that is wanted
_Pixels = Bytes  # a picture (S, S), or the part of one, with high ink
_Window = tuple[_Pixels, Ints, Integers]  # pictures (N, S, S), each sample's row in them, labels


class _InkBox(NamedTuple):
    """The box of a character's ink in pixels, and how tangled the ink is."""

    left: int
    top: int
    right: int
    bottom: int
    crossings: float  # edges of the ink in a row and in a column, on average and over two; 0 for a cut character


def outlier_samples(sources: Sequence[Samples], classes: int, config: TrainConfig) -> list[Samples]:
    """The scribbles and pairs of characters for a training on `sources`; their label is `classes`, beyond the last."""
    seed = config.seed + 1
    character_share = 1 - config.scribbles - config.merged  # share of the training pictures that show one character
    total = sum(map(len, sources)) / character_share
    total_weight = sum(source.weight for source in sources) / character_share
    scribble_pictures = scribbles(min(round(config.scribbles * total), MAX_SCRIBBLES), sources[0].side, seed)
    pairs = character_pairs(sources, min(round(config.merged * total), MAX_PAIRS), seed)
    return [
        Samples(pictures, np.full(len(pictures), classes), np.arange(len(pictures)), share * total_weight)
        for share, pictures in ((config.scribbles, scribble_pictures), (config.merged, pairs))
        if len(pictures)
    ]


def scribbles(count: int, size: int, seed: int = 0) -> _Pixels:
    """uint8 (count, size, size), ink high: two to six random curves each, drawn over the whole canvas."""
    rng = np.random.default_rng(seed)
    canvases = np.empty((count, _CANVAS_SIDE, _CANVAS_SIDE), np.uint8)
    for number in range(count):
        canvas = Image.new("L", (_CANVAS_SIDE, _CANVAS_SIDE))
        draw = ImageDraw.Draw(canvas)
        width = int(rng.integers(3, 9))
        for _ in range(rng.integers(2, 7)):
            curve = rng.uniform(0.1, 0.9, (int(rng.integers(4, 10)), 2)) * _CANVAS_SIDE
            for _ in range(3):  # Chaikin: cut every corner
                near_start = 0.75 * curve[:-1] + 0.25 * curve[1:]
                near_end = 0.25 * curve[:-1] + 0.75 * curve[1:]
                curve = np.stack([near_start, near_end], 1).reshape(-1, 2)
            draw.line([(float(x), float(y)) for x, y in curve], fill=255, width=width, joint="curve")
        canvases[number] = np.asarray(canvas)
    return resize(canvases, size)


def character_pairs(sources: Sequence[Samples], count: int, seed: int = 0) -> _Pixels:
    """uint8 (N, S, S), ink high: each shows two different characters that touch or nearly do; often one is cut off.

    Sources are drawn in proportion to their weights. N is less than `count` where most characters are narrow, small or
    simple, or have other ink at the edges of their pictures.
    """
    rng = np.random.default_rng(seed)
    side = sources[0].side
    weights = np.array([source.weight for source in sources])
    windows: list[_Window] = []
    for source in sources:
        # Where pictures are read piece by piece, only one window of them is drawn from; sorted, so writer by writer.
        indices = np.sort(next(source.windows(np.random.default_rng(seed))))
        pictures, rows = source.take(indices)
        windows.append((pictures, rows, source.labels[indices]))
    source_numbers = rng.choice(len(sources), _ATTEMPTS * count, p=weights / weights.sum()).tolist()
    candidates = (_pair_from(windows[k], rng) for k in source_numbers)
    pairs = list(islice((pair for pair in candidates if pair is not None), count))
    return np.array(pairs, np.uint8).reshape(-1, side, side)  # contiguous, though some are transposed


def _pair_from(window: _Window, rng: np.random.Generator) -> _Pixels | None:
    """Two near samples of a window in one picture, side by side or one above the other, or None."""
    pictures, rows, labels = window
    first = int(rng.integers(len(rows)))
    other = (first + int(rng.integers(1, _NEAR_SAMPLES))) % len(rows)
    is_vertical = rng.random() < _VERTICAL_SHARE
    if labels[first] == labels[other]:
        return None
    first_picture, other_picture = pictures[rows[first]], pictures[rows[other]]
    if not is_vertical:
        return _side_by_side(first_picture, other_picture, rng)
    pair = _side_by_side(first_picture.T, other_picture.T, rng)
    return None if pair is None else pair.T


def _side_by_side(first: _Pixels, second: _Pixels, rng: np.random.Generator) -> _Pixels | None:
    """Two characters (S, S) in one picture (S, S), or None where the result might be one character."""
    first_box, second_box = _ink_box(first), _ink_box(second)
    if first_box is None or second_box is None:
        return None
    size = max(max(box.right - box.left, box.bottom - box.top) for box in (first_box, second_box))
    draw = rng.random()
    if draw < _CUT_SHARE / 2:
        edge = _thinnest_column(first, first_box, 1 - rng.uniform(*_KEPT_SHARES))
        first_box = first_box._replace(left=edge, crossings=0)
    elif draw < _CUT_SHARE:
        edge = _thinnest_column(second, second_box, rng.uniform(*_KEPT_SHARES))
        second_box = second_box._replace(right=edge, crossings=0)
    gap = max(round(size * rng.uniform(*_GAPS)), first_box.left - first_box.right, second_box.left - second_box.right)
    offset = round(size * rng.uniform(*_OFFSETS))
    first_ink = first[first_box.top : first_box.bottom, first_box.left : first_box.right]
    second_ink = second[second_box.top : second_box.bottom, second_box.left : second_box.right]
    ink = _join(first_ink, second_ink, gap, second_box.top + offset - first_box.top)
    height, length = ink.shape
    if max(first_box.crossings, second_box.crossings) < _MIN_CROSSINGS or length < _MIN_PAIR_ASPECT * height:
        return None
    window = round(size / rng.uniform(*_SIZES))
    top = (height - window) // 2  # below 0 where there is less ink
    left = (length - window) // 2
    crop = Image.fromarray(ink).crop((left, top, left + window, top + window))
    return np.asarray(crop.resize(first.shape, Image.Resampling.BILINEAR))


def _join(left: _Pixels, right: _Pixels, gap: int, offset: int) -> _Pixels:
    """Two pieces of ink side by side, `gap` pixels apart, the right one `offset` pixels lower at its top."""
    left_rows = slice(max(-offset, 0), max(-offset, 0) + len(left))
    right_rows = slice(max(offset, 0), max(offset, 0) + len(right))
    layers = np.zeros((2, max(left_rows.stop, right_rows.stop), left.shape[1] + gap + right.shape[1]), np.uint8)
    layers[0, left_rows, : left.shape[1]] = left
    layers[1, right_rows, -right.shape[1] :] = right
    return np.asarray(layers.max(0))


def _ink_box(picture: _Pixels) -> _InkBox | None:
    """Where a picture's ink is; None if it is narrow or small, or touches an edge of the picture."""
    ink = picture >= _MIN_INK
    side = len(picture)
    box = Image.fromarray(ink).getbbox()
    if box is None or min(box) < 1 or max(box) >= side:
        return None
    left, top, right, bottom = box
    width, length = sorted((bottom - top, right - left))
    if width < _MIN_ASPECT * length or length < _MIN_LENGTH * side:
        return None
    row_edges = np.diff(ink, axis=1).sum() / (bottom - top)
    column_edges = np.diff(ink, axis=0).sum() / (right - left)
    return _InkBox(left, top, right, bottom, float(row_edges + column_edges) / 2)


def _thinnest_column(picture: _Pixels, box: _InkBox, share: float) -> int:
    """The column with the least ink, among those near a share of the way from the left of the ink to its right."""
    width = box.right - box.left
    reach = max(width // 8, 1)
    start = max(round(box.left + share * width) - reach, box.left + 1)  # something stays of either part
    return start + int(picture[:, start : start + 2 * reach].sum(0).argmin())
