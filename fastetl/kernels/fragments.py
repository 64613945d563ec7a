"""Pieces of neighbouring characters at a picture's edges, and tight crops: what real scans and real crops have.

How often, how deep: 2,500 hiragana of 160 writers in scans of ETL9G, frames of 128 pixels. Sheets are grids and the
scanner's window is wider than a cell, so what shows at the left is the right end of the character that stands there,
at its natural height.
"""

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.jit import jit

FRAMED = 24
"""Values that a picture takes: 0 whether it is cropped, 1 the crop's margin, 2 whether it has fragments, 3 spare, then
five for each side: whether, depth, slide, and two for the neighbour."""

SIDES = np.array([0.77, 0.11, 0.15, 0.06])
"""How often there is a fragment at the left, right, top and bottom."""

DEPTHS = np.array([[0.0, 1.0], [0.05, 1.0], [0.25, 4.0], [0.5, 8.0], [0.75, 13.0], [0.95, 20.0], [1.0, 24.0]])
"""Its depth in 1/128 of the side, at shares of all fragments; straight lines between them. The last two are ours."""

GAP = 10 / 128
"""Paper that is left between it and the character, as a share of the side; where there is less, it is less deep."""

SLIDE = 1 / 16
"""How far it is moved along the edge at most, as a share of the side."""

MARGIN = 1 / 25
"""Paper that a crop leaves around the ink at most, as a share of the side."""


@jit
def ink_box(picture: NDArray[np.uint8], box: NDArray[np.int64]) -> bool:
    """Set box to the first and last column, first and last row that hold ink; False where nothing does.

    Ink is everything from 15 % of the darkest pixel up.
    """
    height, width = picture.shape
    flat = picture.reshape(height * width)
    darkest = np.uint8(0)
    for i in range(flat.size):
        darkest = max(darkest, flat[i])
    if darkest == 0:
        return False
    least = np.uint8((15 * np.int64(darkest) + 99) // 100)
    box[0], box[1], box[2], box[3] = width, -1, height, -1
    for y in range(height):
        row = picture[y]
        first = 0
        while first < width and row[first] < least:
            first += 1
        if first == width:
            continue
        last = width - 1
        while row[last] < least:
            last -= 1
        box[0], box[1] = min(box[0], first), max(box[1], last)
        box[2], box[3] = min(box[2], y), y
    return True


@jit
def share_of(draw: np.float32) -> float:
    """A value of −1 … 1 as one of 0 … 1."""
    return (np.float64(draw) + 1) / 2


@jit
def depth_of(share: float, depths: NDArray[np.float64]) -> float:
    """The depth at a share of all fragments; np.interp takes numba seconds to compile."""
    k = 1
    while depths[k, 0] < share:
        k += 1
    along = (share - depths[k - 1, 0]) / (depths[k, 0] - depths[k - 1, 0])
    return float(depths[k - 1, 1] + along * (depths[k, 1] - depths[k - 1, 1]))


@jit
def paste(
    target: NDArray[np.uint8],
    source: NDArray[np.uint8],
    rows: tuple[int, int],
    columns: tuple[int, int],
    dy: int,
    dx: int,
) -> None:
    """Combine target[y, x] with source[y + dy, x + dx], where that is inside, by maximum."""
    side = target.shape[0]
    for y in range(max(rows[0], -dy), min(rows[1], side - dy)):
        for x in range(max(columns[0], -dx), min(columns[1], side - dx)):
            target[y, x] = max(target[y, x], source[y + dy, x + dx])


@jit
def fragments(
    images: NDArray[np.uint8],
    pool: NDArray[np.int64],
    draws: NDArray[np.float32],
    cropped: float,
    share: float,
    sides: NDArray[np.float64],
    depths: NDArray[np.float64],
    out: NDArray[np.uint8],
) -> None:
    """Put pieces of other pictures in at the edges of `share` of the pictures, in place.

    images uint8 (N, S, S); pool int64 (M,), those of them that may be neighbours. draws float32 (B, FRAMED) in −1 … 1.
    cropped: the share of pictures that `crop_maps` takes, which stay as they are. sides, depths: SIDES and DEPTHS
    (arguments, because a cached kernel keeps another value after that has changed). out uint8 (B, S, S), ink high.
    """
    side = images.shape[1]
    box, neighbour_box = np.empty(4, np.int64), np.empty(4, np.int64)
    for b in range(out.shape[0]):
        if share_of(draws[b, 0]) < cropped or share_of(draws[b, 2]) >= share or not ink_box(out[b], box):
            continue
        for k in range(4):
            draw = draws[b, 4 + 5 * k : 9 + 5 * k]
            if share_of(draw[0]) >= sides[k]:
                continue
            depth = int(depth_of(share_of(draw[1]), depths) * side / 128 + 0.5)
            paper = box[k] if k % 2 == 0 else side - 1 - box[k]
            depth = min(max(1, depth), int(paper - GAP * side))
            high, low = np.int64(share_of(draw[3]) * 65536), np.int64(share_of(draw[4]) * 65536)
            neighbour = images[pool[((high << 16 | low) * pool.size) >> 32]]
            if depth < 1 or not ink_box(neighbour, neighbour_box):
                continue
            slide = int(np.floor(np.float64(draw[2]) * SLIDE * side + 0.5))
            # Its far end comes to `depth` pixels from the edge.
            move = neighbour_box[k + 1] - (depth - 1) if k % 2 == 0 else neighbour_box[k - 1] - (side - depth)
            span = (0, depth) if k % 2 == 0 else (side - depth, side)
            if k < 2:
                paste(out[b], neighbour, (0, side), span, slide, move)
            else:
                paste(out[b], neighbour, span, (0, side), move, slide)


@jit
def crop_maps(
    out: NDArray[np.uint8],
    draws: NDArray[np.float32],
    share: float,
    chosen: NDArray[np.int64],
    affines: NDArray[np.float32],
) -> int:
    """Find the maps, as `warp` takes them, that cut `share` of the pictures to their ink; return how many these are.

    The longer side of the ink fills the picture but for the margin, the shorter one is centred. out uint8 (B, S, S);
    draws float32 (B, FRAMED) in −1 … 1; chosen int64 (B,) and affines float32 (B, 2, 3) are filled from the start.
    """
    side, count = out.shape[1], 0
    box = np.empty(4, np.int64)
    for b in range(out.shape[0]):
        if share_of(draws[b, 0]) >= share or not ink_box(out[b], box):
            continue
        longest = max(box[1] - box[0], box[3] - box[2]) + 1
        zoom = longest / (side * (1 - 2 * MARGIN * share_of(draws[b, 1])))
        for axis in range(2):
            for k in range(2):
                affines[count, axis, k] = np.float32(zoom if k == axis else 0.0)
            affines[count, axis, 2] = np.float32((box[2 * axis] + box[2 * axis + 1]) / 2 + 1)
        chosen[count] = b
        count += 1
    return count
