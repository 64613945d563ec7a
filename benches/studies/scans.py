"""What the pictures of ETL files look like, in figures: the table of docs/scans.md, for your own files.

    python -m benches.studies.scans PATH...

Lengths are in pixels of the set, shares 0–1, levels as stored. Ink is every pixel of at least 15 % of a picture's
darkest level. A fragment is a connected piece of ink within two pixels of the frame's edge. The character is the rest
of the ink, or all of it where every piece touches the edge.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from benches.studies.pages import table
from fastetl.etl.detection import find_files
from fastetl.etl.layouts import ETL8G
from fastetl.etl.reading import PlanPart, new_buffer, read_records
from fastetl.etl.selection import select
from fastetl.ink.components import boxes_of, label_components
from fastetl.kernels.fragments import INK_PER_CENT
from fastetl.kernels.packed import levels_of, unpack
from fastetl.synth import draw_data_set

PERCENTILES = (5, 25, 50, 75, 95)
_MAX_PICTURES = 2500  # that are measured
_EDGE_PIXELS = 2
_SIDES = {"left": 0, "right": 2, "top": 1, "bottom": 3}  # of a box


def pictures_by(seed: int, writers: Iterable[int], characters: tuple[str, ...], scans: float) -> NDArray[np.uint8]:
    """uint8 (N, 127, 128), levels 0–15: `characters` by each of the synthetic writers (see `draw_data_set`)."""
    records = np.concatenate([draw_data_set(seed, writer, characters, scans) for writer in writers])
    return unpack(ETL8G.packed(records)).reshape(-1, ETL8G.height, ETL8G.width)


def ink_mask(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a picture, ink high, has ink (see `INK_PER_CENT`)."""
    return np.asarray(picture >= max(1, -(-INK_PER_CENT * int(picture.max()) // 100)))


def picture_statistics(pictures: Iterable[NDArray[np.uint8]]) -> dict[str, NDArray[np.float64]]:
    """Measures of pictures uint8 (H, W), ink high, 0 paper; one value for each picture, NaN where it has none.

    Lengths are in pixels, shares 0–1, levels as in the pictures.
    """
    rows = [_measure(picture) if picture.any() else {} for picture in pictures]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def _measure(levels: NDArray[np.uint8]) -> dict[str, float]:
    """The measures of one picture that has ink."""
    top_level = int(levels.max())
    ink = ink_mask(levels)
    pieces = label_components(ink)
    distances = boxes_of(pieces) * (1, 1, -1, -1) + (0, 0, *levels.shape[::-1])  # from left, top, right and bottom
    is_touching = distances < _EDGE_PIXELS
    fragment = np.isin(pieces, 1 + np.flatnonzero(is_touching.any(1)))
    if (fragment == ink).all():  # all of the ink touches the edge: it is the character
        is_touching[:], fragment[:] = False, False
    character = ink & ~fragment
    ((left, top, right, bottom),) = boxes_of(character).tolist()
    depth = height = gap = np.nan
    if is_touching[:, 0].any():
        ((_, start, depth, end),) = boxes_of(np.isin(pieces, 1 + np.flatnonzero(is_touching[:, 0]))).tolist()
        height, gap = end - start, left - depth
    points, weight = np.argwhere(character) + 0.5, levels[character].astype(float)
    y, x = centre = np.average(points, 0, weight)
    return {
        **{f"fragment {side}": float(is_touching[:, k].any()) for side, k in _SIDES.items()},
        "depth of the left fragment": depth,
        "height of the left fragment": height,
        "gap behind the left fragment": gap,
        "fragment anywhere": float(fragment.any()),
        "share of fragments in the ink": levels[fragment].sum() / levels[ink].sum(),
        "character's height": bottom - top,
        "character's width": right - left,
        "centre of gravity, x": x,
        "centre of gravity, y": y,
        "deviation": np.sqrt(np.average(((points - centre) ** 2).sum(1), weights=weight)),
        "pen width": 4 * distance_transform_edt(np.pad(character, 1)).sum() / character.sum(),
        "darkest level": float(top_level),
        "median level of ink over the darkest": np.median(levels[ink]) / top_level,
        "paper pixels that are not 0": ((levels > 0) & ~ink).sum() / max((~ink).sum(), 1),
    }


def _read_levels(parts: Sequence[PlanPart], numbers: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    """The pictures with these numbers, ascending, among all records of the parts: uint8 (H, W), levels as stored."""
    first = 0
    for part in parts:
        layout = part.file.layout
        index = part.numbers[numbers[(numbers >= first) & (numbers < first + len(part.numbers))] - first]
        first += len(part.numbers)
        buffer = new_buffer(layout)
        for _, records in read_records(part.file, index, buffer):
            yield from levels_of(buffer, layout.image_starts(len(records)), layout.height, layout.width, layout.bits)


def main() -> None:
    """Measure 2,500 pictures of hiragana, drawn at random, and print mean and percentiles of each measure."""
    parts = select(find_files(sys.argv[1:]), "hiragana").parts
    total = sum(len(part.numbers) for part in parts)
    numbers = np.sort(np.random.default_rng(0).permutation(total)[:_MAX_PICTURES])
    rows = []
    for name, values in picture_statistics(_read_levels(parts, numbers)).items():
        values = values[~np.isnan(values)]
        figures = [values.mean(), *np.percentile(values, PERCENTILES)] if len(values) else []
        rows.append([name, *(f"{figure:.3g}" for figure in figures)])
    sys.stdout.write(table(["", "mean", *(f"{p} %" for p in PERCENTILES)], rows) + "\n")


if __name__ == "__main__":
    main()
