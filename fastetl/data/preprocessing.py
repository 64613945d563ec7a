"""The one preprocessing specification: from a canvas with a character on it to what the network sees.

It is frozen, stored with every dataset and run, and baked into the exported graph. A dataset holds pictures
after step 1; steps 2–4 are the first layers of the network itself: `frames`, which runs in numpy and in JAX alike, and
layers of the exported graph, which are tested against it.

1. resize: canvas of any size → `size` × `size`, Pillow's triangle filter, uint8, rounded half up
2. polarity: x / 255, or (255 − x) / 255 where the border's mean is over `INVERT_ABOVE` (black ink on white)
3. contrast: divide by the brightest pixel, subtract `FLOOR`, rescale to 0–1 (paper grain, faint guide lines)
4. framing: put the ink's centre of gravity in the middle and its deviation (root of the summed variances) at
   `scale` of the frame's side, sampled into `frame` × `frame` with a triangle filter that widens when it shrinks;
   with `surroundings` a second time, `SURROUNDINGS_SIDE` times as wide: a frame may cut off strokes that stand apart
5. reading: with more than one of `readings` the network also sees a frame that is a tenth narrower, and one that is a
   tenth lower, and its answer is the mean of the logits

What framing takes away, place and size, is kept as three numbers: a network may see them beside the picture.
"""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import Options, Range, config_of
from fastetl.kernels.triangle import triangle

MIN_SIDE, MAX_SIDE = 8, 126
"""Sides in pixels of pictures that are built and augmented: no set stores larger ones, and the kernels are tested up to
here. Pictures up to 512 (`Preprocessing`) may be kept to evaluate networks on."""

BORDER = 2  # rows and columns on each side whose mean tells paper from ink
INVERT_ABOVE = 0.5
"""A picture whose border's mean (0–1) is over this is taken for black ink on white and inverted. The mean of the whole
picture would fail for thick strokes cropped to the ink."""
FLOOR = 0.15  # share of the brightest pixel below which ink counts as paper
PLACE_SIZE = 3
"""How many numbers say where a frame lies: its centre's y and x, from −1 to 1 over the picture, and its side, in sides
of the picture."""
MIN_SCALE = 0.25
"""Smallest side of the frame, in sides of the picture. A single dot has no size and must not be enlarged to fill it."""
WINDOW_MOVES = 4  # adaptive moments: how many times the Gaussian is moved to the ink under it
START = 0.2  # adaptive moments: summed variance of the ink that the first Gaussian, in the middle, is made for
WINDOW = 1.1
"""Adaptive moments: the Gaussian's variance along each axis over the ink's summed variance. A narrow one lets
neighbouring characters move the frame less (docs/decisions/0001)."""
VARIANCE_BOUNDS = (0.01, 0.6)  # adaptive moments: lowest and highest summed variance. Half the side of the picture is 1
SURROUNDINGS_SIDE = 1.5  # side of the surroundings, in sides of the frame
STRETCHES = ((1.0, 1.0), (1.0, 0.9), (0.9, 1.0))
"""Height and width of each reading's frame, in sides of the frame. A narrower frame makes the character look wider."""
Array: TypeAlias = Any  # float32 of numpy or of JAX, which have no type in common
ArrayModule: TypeAlias = Any  # numpy or jax.numpy
_FIXED_VALUES: dict[str, Any] = {"filter": "triangle", "polarity": "border", "framing": "adaptive", "floor": FLOOR}
_FIXED_VALUES |= {"invert_above": INVERT_ABOVE, "start": START, "window": WINDOW}  # what files say of the only ways
_ABSENT_VALUES: dict[str, Any] = {"surroundings": False, "readings": 1}
"""Values of keys that a file does not have, as those of 0.1.0 and the bundled `japanese`: they are not written."""


@dataclass(frozen=True)
class Preprocessing(Options):
    """How a canvas becomes the network's input. Lengths are fractions of a side unless said."""

    size: Annotated[int, Range(MIN_SIDE, 512)] = 32
    """Side in pixels of the stored pictures and of the network's input."""
    scale: Annotated[float, Range(0.01, 1)] = 0.28
    """The ink's deviation in the frame, as a fraction of its side."""
    frame: Annotated[int, Range(8, 512)] = 40
    """Side in pixels of the frame, which the network sees."""
    surroundings: bool = True
    """A second channel shows what lies about the same centre, 1.5 times as wide, in as many pixels."""
    readings: Literal[1, 3] = 3
    """3 reads every picture as in training, and stretched a little in width and in height, and takes the
    mean of the logits; 1 reads it once, in a third of the time (docs/decisions/0001)."""

    @property
    def channels(self) -> int:
        """How many channels the network sees: 1, the frame, or 2, with the surroundings."""
        return 2 if self.surroundings else 1

    @property
    def stretches(self) -> tuple[tuple[float, float], ...]:
        """Height and width of each reading's frame, in sides of the frame."""
        return STRETCHES[: self.readings]

    @property
    def darkest_paper(self) -> int:
        """The greatest sum of the border's pixels (0–255) at which a picture is not inverted."""
        return int(INVERT_ABOVE * 255 * (self.size**2 - (self.size - 2 * BORDER) ** 2))

    def as_dict(self) -> dict[str, Any]:
        """A JSON object; fields that version 0.1.0 lacked are left out where they have the values of that version."""
        values = {"size": self.size, **_FIXED_VALUES, **dataclasses.asdict(self)}
        return {key: value for key, value in values.items() if (key, value) not in _ABSENT_VALUES.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The preprocessing that `as_dict` described. Raises FastetlError, or AttributeError for no dict."""
        options = {key: value for key, value in values.items() if (key, value) not in _FIXED_VALUES.items()}
        return config_of(cls, None, {**_ABSENT_VALUES, **options})


def triangle_weights(input_count: int, output_count: int) -> NDArray[np.float64]:
    """float64 (output_count, input_count): the rows of Pillow's BILINEAR resize (Resample.c), each summing to 1."""
    weights = triangle(input_count, output_count)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def resize(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Step 1. uint8 (N, H, W) → uint8 (N, size, size), ink as given; exact for H and W up to 3,000."""
    if images.shape[1:] == (size, size):
        return np.ascontiguousarray(images)
    rows, columns = (triangle(side, size) for side in images.shape[1:])
    divisors = np.outer(rows.sum(1), columns.sum(1))
    # Sums of whole numbers are exact in any order, in a float type that holds the largest.
    dtype = np.dtype("f4" if 255 * divisors.max() < 1 << 24 else "f8")
    result = np.empty((len(images), size, size), np.uint8)
    block_pictures = max(1, (1 << 20) // max(images[:1].size, size**2))  # a million pixels
    for start in range(0, len(images), block_pictures):
        pixels = images[start : start + block_pictures].astype(dtype)
        # One product of large matrices: threads of a product of each picture's small ones would wait for each other.
        sums = np.tensordot(np.tensordot(pixels, columns.astype(dtype), (2, 1)), rows.astype(dtype), (1, 1))
        result[start : start + block_pictures] = sums.swapaxes(1, 2) / divisors + 0.5  # the digits behind are cut off
    return result


def border_sum(pixels: Array) -> Array:
    """The sum of the border's pixels: float32 (N, size, size) → (N, 1, 1), exact below 2²⁴."""
    interior = pixels[:, BORDER:-BORDER, BORDER:-BORDER]
    return pixels.sum((1, 2), keepdims=True) - interior.sum((1, 2), keepdims=True)


def frames(
    pictures: Array, preprocessing: Preprocessing, stretch: tuple[float, float] = (1.0, 1.0), xp: ArrayModule = np
) -> tuple[Array, Array]:
    """Steps 2–4 in an array module, numpy or jax.numpy, whose arrays go in and come out.

    uint8 (N, size, size) → float32 (N, frame, frame, channels) in 0–1, ink high, and where the frames lie,
    float32 (N, PLACE_SIZE). stretch: one of `preprocessing.stretches`, for step 5. Products need full
    precision: in half precision the frame moves by whole pixels.
    """
    x = xp.asarray(pictures, np.float32)
    # Inverted before it is divided: faint ink on white would lose its digits to 1 − x.
    x = xp.where(border_sum(x) > preprocessing.darkest_paper, 255 - x, x) / 255
    x = xp.maximum(x / xp.maximum(x.max((1, 2), keepdims=True), 1 / 255) - FLOOR, 0) / (1 - FLOOR)
    centre_y, centre_x, scale = _frame_place(x, preprocessing, xp)
    height, width = stretch
    views = []
    for side in (scale, scale * SURROUNDINGS_SIDE)[: preprocessing.channels]:
        row_weights = _frame_weights(centre_y, side * height, preprocessing, xp)
        column_weights = _frame_weights(centre_x, side * width, preprocessing, xp)
        views.append(row_weights @ x @ column_weights.swapaxes(1, 2))
    return xp.stack(views, -1), xp.concatenate([centre_y, centre_x, scale], 1)


def positions(count: int) -> NDArray[np.float64]:
    """Centres of `count` pixels, from −1 to 1 over the picture, a range that suits half precision."""
    return np.asarray((np.arange(count) + 0.5) * (2 / count) - 1)


def _moments(x: Array, xp: ArrayModule) -> tuple[Array, Array, Array]:
    """Centre y, centre x and summed variance of ink (N, size, size), each float32 (N, 1)."""
    position = xp.asarray(positions(x.shape[1]), np.float32)
    by_row, by_column = x.mean(2), x.mean(1)
    ink = xp.maximum(by_row.mean(1, keepdims=True), 1e-4)

    def axis_moments(profile: Array) -> tuple[Array, Array]:
        share = profile / ink
        centre = (share * position).mean(1, keepdims=True)
        return centre, (share * (position - centre) ** 2).mean(1, keepdims=True)

    (centre_y, variance_y), (centre_x, variance_x) = axis_moments(by_row), axis_moments(by_column)
    return centre_y, centre_x, variance_y + variance_x


def _frame_place(x: Array, preprocessing: Preprocessing, xp: ArrayModule) -> tuple[Array, Array, Array]:
    """Where the frame lies over ink (N, size, size) in 0–1: its centre's y and x, and its side, each float32 (N, 1).

    The moments are those of the ink under a Gaussian, which is moved there `WINDOW_MOVES` times.
    """
    position = xp.asarray(positions(x.shape[1]), np.float32)
    centre_y = centre_x = xp.zeros((len(x), 1), np.float32)
    variance = xp.full((len(x), 1), START, np.float32)
    for _ in range(WINDOW_MOVES):
        sharpness = -1 / (2 * WINDOW) / variance
        row_window, column_window = (xp.exp((position - centre) ** 2 * sharpness) for centre in (centre_y, centre_x))
        centre_y, centre_x, variance = _moments(x * row_window[:, :, None] * column_window[:, None, :], xp)
        variance = xp.clip(variance, *VARIANCE_BOUNDS)
    # A Gaussian blob of variance v along each axis comes to rest at v · (1 − 1 / (2 · window)).
    variance = variance * (2 * WINDOW / (2 * WINDOW - 1))
    return centre_y, centre_x, xp.maximum(xp.sqrt(variance) / (2 * preprocessing.scale), MIN_SCALE)


def _frame_weights(centre: Array, scale: Array, preprocessing: Preprocessing, xp: ArrayModule) -> Array:
    """The resampling matrix of one axis, float32 (N, frame, size)."""
    points = centre[:, :, None] + scale[:, :, None] * xp.asarray(positions(preprocessing.frame), np.float32)[:, None]
    # Half the triangle's base: one source pixel, or one output pixel where the picture shrinks.
    support = xp.maximum(2 / preprocessing.size, scale * (2 / preprocessing.frame))[:, :, None]
    weights = xp.maximum(1 - xp.abs(xp.asarray(positions(preprocessing.size), np.float32) - points) / support, 0)
    # Weights of a full triangle sum to support / pixel pitch; dividing by that (not by their own sum) lets what lies
    # outside the picture count as paper.
    return weights * (2 / preprocessing.size / support)
