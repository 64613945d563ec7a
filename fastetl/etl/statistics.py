"""What the pictures of ETL files look like, in figures: to compare one's own scans with synthetic ones.

Ink is everything from 15 % of a picture's darkest level up. A fragment is a connected piece of ink that touches the
frame's edge (two pixels); the character is the rest, or where nothing else is there all ink.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.errors import FastetlError
from fastetl.etl.files import find_files
from fastetl.etl.reading import block, new_buffer, read_records
from fastetl.etl.selection import select
from fastetl.ink.pieces import boxes_of, labelled

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


def _extent(mask: NDArray[np.bool_], axis: int) -> tuple[int, int]:
    """First and last place along an axis where there is something."""
    places = np.flatnonzero(mask.any(1 - axis))
    return int(places[0]), int(places[-1])


def _measured(levels: NDArray[np.uint8]) -> dict[str, float]:
    """The measures of one picture with ink."""
    from scipy.ndimage import distance_transform_edt

    darkest = int(levels.max())
    ink = (levels > 0) & (levels >= np.float32(_INK) * np.float32(darkest))
    pieces = labelled(ink)
    touching: dict[str, list[int]] = {side: [] for side in _SIDES}
    rows, columns = levels.shape
    for number, (left, top, right, bottom) in enumerate(boxes_of(pieces).tolist(), 1):
        for side, distance in zip(_SIDES, (left, columns - right, top, rows - bottom), strict=True):
            if distance < _EDGE:
                touching[side].append(number)
    fragment = np.isin(pieces, [number for numbers in touching.values() for number in numbers])
    if (fragment == ink).all():  # all of the ink touches the edge: it is the character
        touching, fragment = {side: [] for side in _SIDES}, np.zeros_like(ink)
    character = ink & ~fragment
    (top_edge, bottom_edge), (left_edge, right_edge) = (_extent(character, axis) for axis in (0, 1))
    depth = height = gap = np.nan
    if touching["left"]:
        beside = np.isin(pieces, touching["left"])
        (low, high), depth = _extent(beside, 0), _extent(beside, 1)[1] + 1.0
        height, gap = high - low + 1.0, left_edge - depth
    weight = levels.astype(np.float64)
    profiles = [(weight * character).sum(axis) for axis in (0, 1)]
    places = [np.arange(len(profile)) + 0.5 for profile in profiles]
    x, y = (np.average(place, weights=profile) for place, profile in zip(places, profiles, strict=True))
    spreads = [np.average((p - m) ** 2, weights=w) for p, m, w in zip(places, (x, y), profiles, strict=True)]
    return {
        **{f"fragment {side}": float(bool(touching[side])) for side in _SIDES},
        "depth of the left fragment": depth,
        "height of the left fragment": height,
        "gap behind the left fragment": gap,
        "fragment anywhere": float(fragment.any()),
        "share of fragments in the ink": (weight * fragment).sum() / (weight * ink).sum(),
        "character's height": bottom_edge - top_edge + 1.0,
        "character's width": right_edge - left_edge + 1.0,
        "centre of gravity, x": x,
        "centre of gravity, y": y,
        "deviation": np.sqrt(spreads[1] + spreads[0]),
        "pen width": 4 * distance_transform_edt(np.pad(character, 1)).sum() / character.sum(),
        "darkest level": float(darkest),
        "median level of ink over the darkest": np.median(levels[ink]) / darkest,
        "paper pixels that are not 0": ((levels > 0) & ~ink).sum() / max((~ink).sum(), 1),
    }


def picture_statistics(levels: Pictures) -> dict[str, NDArray[np.float64]]:
    """Measures of pictures uint8 (N, H, W), ink high, 0 paper; one value for each picture, NaN where there is none.

    Lengths are pixels, shares 0–1, levels those of the pictures.
    """
    rows = [_measured(picture) if picture.any() else {} for picture in levels]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


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
