"""Fragments of neighbouring characters at a picture's edges, and tight crops, as real scans and real crops have them.

The sheets of ETL are grids, and the scanner's window is wider than a cell. So a fragment at the left edge is the right
end of the character in the cell to the left, at its natural height.
"""

from collections import namedtuple

import numpy as np

from fastetl.arrays import Bytes, Float32s, Floats, Ints
from fastetl.kernels.jit import jit

Edges = namedtuple("Edges", "crop share sides depths")
"""Shares of pictures: those that `crop_maps` will crop, of the others those that may get fragments, of these those that
get one at the left, right, top and bottom. depths: float64 (K, 2), rows of cumulative share and depth in 1/128 of the
side, in between linear."""

INK_PER_CENT = 15  # a pixel is ink from so many per cent of its picture's darkest one on
FRAGMENT_DRAWS = 24  # random values for each picture: four (the last is spare), then five for each edge, as follows
_OF_PICTURE = 4
_CROPPED, _MARGIN, _FRAGMENTED = range(3)  # whether it is cropped, the crop's margin, whether it has fragments
_OF_EDGE = 5
# Whether an edge (left, right, top, bottom) has a fragment, its depth, its slide, and the two halves of the number
# that chooses the neighbour.
_HAS, _DEPTH, _SLIDE, _HIGH, _LOW = range(_OF_EDGE)

# As shares of the side; chosen, not measured.
GAP = 10 / 128  # least paper between character and fragment, which is cut if need be
SLIDE = 1 / 16  # how far a fragment is moved along the edge at most
MARGIN = 1 / 25  # how much paper a crop leaves around the ink at most


@jit
def ink_box(picture: Bytes, box: Ints) -> bool:
    """Set box to the left, top, right and bottom pixels of the ink; return False if there is none."""
    height, width = picture.shape
    peak = picture.max()
    if peak == 0:
        return False
    threshold = np.uint8((INK_PER_CENT * np.int64(peak) + 99) // 100)
    box[0], box[1], box[2], box[3] = width, height, -1, -1
    for y in range(height):
        row = picture[y]
        first = 0
        while first < width and row[first] < threshold:
            first += 1
        if first == width:
            continue
        last = width - 1
        while row[last] < threshold:
            last -= 1
        box[0], box[2] = min(box[0], first), max(box[2], last)
        box[1], box[3] = min(box[1], y), y
    return True


@jit
def share_of(draw: np.float32) -> float:
    """Map a random value from −1 … 1 to 0 … 1."""
    return (np.float64(draw) + 1) / 2


@jit
def depth_of(share: float, depths: Floats) -> float:
    """Interpolate the depth at a cumulative share. (np.interp would take numba seconds to compile.)"""
    index = 1
    while depths[index, 0] < share:
        index += 1
    fraction = (share - depths[index - 1, 0]) / (depths[index, 0] - depths[index - 1, 0])
    return float(depths[index - 1, 1] + fraction * (depths[index, 1] - depths[index - 1, 1]))


@jit
def paste_at(edge: int, target: Bytes, source: Bytes, ink: Ints, depth: int, slide: int) -> None:
    """Raise the target at an edge to the source, moved until its ink, a box, ends `depth` pixels inside."""
    side = target.shape[0]
    axis = edge // 2
    if edge % 2 == 0:  # left or top
        first, last = 0, depth
        move = ink[axis + 2] - (depth - 1)
    else:
        first, last = side - depth, side
        move = ink[axis] - (side - depth)
    # What lies outside of the source is left as it is.
    for step in range(max(first, -move), min(last, side - move)):
        for position in range(max(0, -slide), min(side, side - slide)):
            if axis == 0:
                target[position, step] = max(target[position, step], source[position + slide, step + move])
            else:
                target[step, position] = max(target[step, position], source[step + move, position + slide])


@jit
def add_fragments(images: Bytes, pool: Ints, draws: Float32s, edges: Edges, out: Bytes) -> None:
    """Add fragments of other pictures at the edges of pictures in `out`, uint8 (B, S, S), ink high.

    images uint8 (N, S, S); pool int64 (M,), the numbers of those that may be neighbours. draws float32
    (B, FRAGMENT_DRAWS) in −1 … 1.
    """
    side = images.shape[1]
    box, neighbour_box = np.empty(4, np.int64), np.empty(4, np.int64)
    for b in range(out.shape[0]):
        if share_of(draws[b, _CROPPED]) < edges.crop or share_of(draws[b, _FRAGMENTED]) >= edges.share:
            continue
        if not ink_box(out[b], box):
            continue
        for edge in range(4):
            first = _OF_PICTURE + _OF_EDGE * edge
            draw = draws[b, first : first + _OF_EDGE]
            if share_of(draw[_HAS]) >= edges.sides[edge]:
                continue
            paper = box[edge // 2] if edge % 2 == 0 else side - 1 - box[edge // 2 + 2]
            new_depth = int(depth_of(share_of(draw[_DEPTH]), edges.depths) * side / 128 + 0.5)
            depth = min(max(1, new_depth), int(paper - GAP * side))
            # The halves make 32 bits: a share of the pool in 1/2³².
            high_half, low_half = np.int64(share_of(draw[_HIGH]) * 65536), np.int64(share_of(draw[_LOW]) * 65536)
            neighbour = images[pool[((high_half << 16 | low_half) * pool.size) >> 32]]
            if depth < 1 or not ink_box(neighbour, neighbour_box):
                continue
            slide = int(np.floor(np.float64(draw[_SLIDE]) * SLIDE * side + 0.5))
            paste_at(edge, out[b], neighbour, neighbour_box, depth, slide)


@jit
def crop_maps(out: Bytes, draws: Float32s, share: float, indices: Ints, affines: Float32s) -> int:
    """Find the affine maps, as `warp` takes them, that crop `share` of the pictures to their ink; return their number.

    The longer side of the ink fills the picture up to the margin; the shorter side is centred. out uint8 (B, S, S).
    draws float32 (B, FRAGMENT_DRAWS) in −1 … 1. The first entries of indices, int64 (B,), become the numbers of the
    cropped pictures, and those of affines, float32 (B, 2, 3), their maps.
    """
    side, count = out.shape[1], 0
    box = np.empty(4, np.int64)
    for b in range(out.shape[0]):
        if share_of(draws[b, _CROPPED]) >= share or not ink_box(out[b], box):
            continue
        length = max(box[2] - box[0], box[3] - box[1]) + 1
        zoom = length / (side * (1 - 2 * MARGIN * share_of(draws[b, _MARGIN])))
        affines[count] = 0
        for axis in range(2):
            affines[count, axis, axis] = np.float32(zoom)
            affines[count, axis, 2] = np.float32((box[axis] + box[axis + 2]) / 2 + 1)
        indices[count] = b
        count += 1
    return count
