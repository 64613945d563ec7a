"""What the pictures of ETL files look like, in figures: to compare one's own scans with synthetic ones.

Ink is everything from 15 % of a picture's darkest level up. A fragment is a connected piece of ink that touches the
frame's edge (two pixels); the character is the rest, or where nothing else is there all ink.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.errors import FastetlError
from fastetl.etl.files import find_files
from fastetl.etl.reading import block, new_buffer, read_records
from fastetl.etl.selection import select

__all__ = ["PERCENTILES", "Figure", "picture_statistics", "statistics"]

PERCENTILES = (5, 25, 50, 75, 95)
_INK = 0.15  # of the darkest level
_EDGE = 2
_SIDES = ("left", "right", "top", "bottom")

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Figure:
    """One measure over many pictures: its mean, and its percentiles 5, 25, 50, 75, 95 (none for a share)."""

    name: str
    unit: str
    mean: float
    percentiles: tuple[float, ...] = ()


def _pieces(ink: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Connected pieces (eight neighbours) of pictures bool (N, H, W): their numbers from 1, and each one's picture."""
    from scipy import ndimage

    neighbours = np.zeros((3, 3, 3), bool)
    neighbours[1] = True
    labels, count = ndimage.label(ink, neighbours)
    first = np.zeros(count + 1, np.int32)
    where = np.nonzero(labels)
    first[labels[where]] = where[0]
    return labels.astype(np.int32, copy=False), first


def _touching(labels: NDArray[np.int32], count: int) -> dict[str, NDArray[np.bool_]]:
    """For each side, bool (count + 1,): which pieces touch it."""
    edges = {
        "left": labels[:, :, :_EDGE],
        "right": labels[:, :, -_EDGE:],
        "top": labels[:, :_EDGE],
        "bottom": labels[:, -_EDGE:],
    }
    touching = {}
    for side, strip in edges.items():
        touching[side] = np.zeros(count + 1, bool)
        touching[side][np.unique(strip)] = True
        touching[side][0] = False
    return touching


def _extent(mask: NDArray[np.bool_], axis: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last place along an axis (1 or 2) where a picture of `mask` is true; (0, −1) where it nowhere is."""
    line: NDArray[Any] = np.any(mask, axis=3 - axis)
    present, length = line.any(1), line.shape[1]
    return np.where(present, line.argmax(1), 0), np.where(present, length - 1 - line[:, ::-1].argmax(1), -1)


def picture_statistics(levels: Pictures) -> dict[str, NDArray[np.float64]]:
    """Measures of pictures uint8 (N, H, W), ink high, 0 paper; one value for each picture, NaN where there is none.

    Lengths are pixels, shares 0–1, levels those of the pictures.
    """
    from scipy import ndimage

    top = levels.max((1, 2), keepdims=True)
    ink = (levels > 0) & (levels >= _INK * top.astype(np.float32))
    labels, picture = _pieces(ink)
    touching = _touching(labels, len(picture) - 1)
    any_side = np.logical_or.reduce(list(touching.values()))
    fragment = any_side[labels]
    edge_only = ~(ink & ~fragment).any((1, 2))  # all of the ink touches the edge: it is the character
    fragment[edge_only] = False
    character = ink & ~fragment
    measures: dict[str, NDArray[np.float64]] = {}
    weight = levels.astype(np.float64)
    for side in _SIDES:
        pieces = touching[side][labels] & fragment
        measures[f"fragment {side}"] = pieces.any((1, 2)).astype(float)
        if side == "left":
            low, high = _extent(pieces, 1)
            _, depth = _extent(pieces, 2)
            present = depth >= 0
            start = _extent(character, 2)[0]
            measures["depth of the left fragment"] = np.where(present, depth + 1.0, np.nan)
            measures["height of the left fragment"] = np.where(present, high - low + 1.0, np.nan)
            measures["gap behind the left fragment"] = np.where(present, start - depth - 1.0, np.nan)
    measures["fragment anywhere"] = fragment.any((1, 2)).astype(float)
    total = np.maximum((weight * ink).sum((1, 2)), 1)
    measures["share of fragments in the ink"] = (weight * fragment).sum((1, 2)) / total
    for axis, name in ((2, "width"), (1, "height")):
        first, last = _extent(character, axis)
        measures[f"character's {name}"] = np.where(last >= first, last - first + 1.0, np.nan)
    inked_levels = weight * character
    mass = np.maximum(inked_levels.sum((1, 2)), 1e-9)
    y, x = (np.arange(n) + 0.5 for n in levels.shape[1:])
    cx, cy = (inked_levels.sum(1) * x).sum(1) / mass, (inked_levels.sum(2) * y).sum(1) / mass
    vx = (inked_levels.sum(1) * (x - cx[:, None]) ** 2).sum(1) / mass
    vy = (inked_levels.sum(2) * (y - cy[:, None]) ** 2).sum(1) / mass
    empty = ~character.any((1, 2))
    measures |= {"centre of gravity, x": cx, "centre of gravity, y": cy, "deviation": np.sqrt(vx + vy)}
    # One row of paper between the pictures of a column of all of them: the transform is taken once.
    padded = np.pad(character, ((0, 0), (1, 1), (1, 1)))
    distance = ndimage.distance_transform_edt(padded.reshape(-1, padded.shape[2])).reshape(padded.shape)
    count = np.maximum(character.sum((1, 2)), 1)
    measures["pen width"] = 4 * distance.sum((1, 2)) / count
    measures["darkest level"] = top.ravel().astype(float)
    inked = np.where(ink, levels / np.maximum(top, 1), np.nan).reshape(len(levels), -1)
    blank = ~ink.any((1, 2))
    inked[blank] = 0
    measures["median level of ink over the darkest"] = np.nanmedian(inked, 1)
    measures["paper pixels that are not 0"] = ((levels > 0) & ~ink).sum((1, 2)) / np.maximum((~ink).sum((1, 2)), 1)
    for name, values in measures.items():
        unknown = blank if name.startswith("fragment") or "level" in name else empty
        measures[name] = np.where(unknown, np.nan, values)
    return measures


def statistics(
    sources: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    charset: str = "hiragana",
    most: int = 2500,
    seed: int = 0,
) -> list[Figure]:
    """Measure `most` pictures of ETL files, drawn at random from those of the charset; all sets by their own pixels.

    Raises FastetlError as `fastetl.build` does.
    """
    from fastetl.kernels.decode import decode

    require_range("most", most, 1)
    paths = [sources] if isinstance(sources, str | PathLike) else list(sources)
    plan = select(find_files(map(Path, paths)), charset)
    if not plan.parts:
        raise FastetlError("no record has a character of the charset", expected=charset, do="choose another `charset`")
    total = sum(len(part.index) for part in plan.parts)
    chosen = np.sort(np.random.default_rng(seed).permutation(total)[:most])
    measured: list[dict[str, NDArray[np.float64]]] = []
    first = 0
    for part in plan.parts:
        layout = part.file.layout
        index = part.index[chosen[(chosen >= first) & (chosen < first + len(part.index))] - first]
        first += len(part.index)
        raw, buffer = new_buffer(layout), np.empty((block(layout), layout.height, layout.width), np.uint8)
        starts = np.arange(block(layout)) * layout.record_bytes + layout.image_offset
        for _, records in read_records(part.file, index, raw) if len(index) else ():
            pictures = buffer[: len(records)]
            decode(raw, starts[: len(records)], pictures, bits=layout.bits)
            measured.append(picture_statistics(pictures))
    return [_figure(name, np.concatenate([m[name] for m in measured])) for name in measured[0]]


def _figure(name: str, values: NDArray[np.float64]) -> Figure:
    defined = values[~np.isnan(values)]
    if name.startswith("fragment"):
        return Figure(name, "share of pictures", float(defined.mean()) if len(defined) else float("nan"))
    unit = "share" if "share" in name or "paper" in name else "of the darkest" if "median" in name else "pixels"
    if name == "darkest level":
        unit = "level"
    if not len(defined):
        return Figure(name, unit, float("nan"))
    return Figure(name, unit, float(defined.mean()), tuple(np.percentile(defined, PERCENTILES).tolist()))
