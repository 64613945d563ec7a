"""The one preprocessing specification: from a canvas with a character on it to what the network sees.

It is frozen, stored with every dataset and run, and baked into the exported graph. A dataset holds pictures
after step 1; steps 2–4 are the first layers of the network itself (in Flax, in the exported graph, and here in
numpy as the readable twin that the others are tested against).

1. resize: canvas of any size → `size` × `size`, Pillow's triangle filter, uint8, rounded half up
2. polarity: x / 255, or (255 − x) / 255 where the mean is over `invert_above` (black ink on white)
3. contrast: divide by the brightest pixel, subtract `floor`, rescale to 0–1 (paper grain, faint guide lines)
4. framing: put the ink's centre of gravity in the middle and its spread (root of the summed variances) at
   `scale` of the frame's side, sampled into `frame` × `frame` with a triangle filter that widens when it shrinks
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError

__all__ = ["Preprocessing", "normalize", "resize"]

Framing = Literal["moments", "none"]


@dataclass(frozen=True)
class Preprocessing:
    """How a canvas becomes the network's input. Lengths are fractions of a side unless said."""

    size: int = 32
    """Side in pixels of the stored pictures and of the network's input."""
    filter: Literal["triangle"] = "triangle"
    """Resize filter: the triangle that Pillow calls BILINEAR, antialiased."""
    invert_above: float = 0.5
    """A picture whose mean (0–1) is over this is taken for black ink on white and inverted."""
    floor: float = 0.15
    """Share of the brightest pixel below which ink counts as paper."""
    framing: Framing = "moments"
    """`moments` centres and scales by the ink's moments; `none` takes the picture as it is."""
    scale: float = 0.28
    """With moments: the ink's spread after framing, as a fraction of the frame's side."""
    frame: int = 40
    """Side in pixels of the frame, with moments."""

    @property
    def side(self) -> int:
        """Side in pixels of what the network sees: the frame, or without framing the picture."""
        return self.size if self.framing == "none" else self.frame

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """From what `as_dict` gave, by this version or an earlier one; a missing key takes its default.

        Raises FastetlError for an unknown key.
        """
        values = {("scale" if key == "spread" else key): value for key, value in values.items()}
        odd = sorted(set(values) - {f.name for f in dataclasses.fields(cls)})
        if odd:
            raise FastetlError(f"preprocessing: keys {odd} are unknown. Use the version that wrote them")
        return cls(**values)


def triangle_weights(n_in: int, n_out: int) -> NDArray[np.float64]:
    """float64 (n_out, n_in): the rows of Pillow's BILINEAR resize, each summing to 1.

    Source: the support is max(1, n_in / n_out) source pixels around each output centre (Pillow, Resample.c).
    """
    scale = n_in / n_out
    support = max(scale, 1.0)
    centres = (np.arange(n_out) + 0.5) * scale
    distance = np.abs(np.arange(n_in) + 0.5 - centres[:, None]) / support
    weights = np.maximum(1.0 - distance, 0.0)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def resize(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Step 1. uint8 (N, H, W) → uint8 (N, size, size), ink as given; any H and W."""
    if images.shape[1:] == (size, size):
        return np.ascontiguousarray(images)
    rows = triangle_weights(images.shape[1], size).astype(np.float32)
    columns = triangle_weights(images.shape[2], size).astype(np.float32)
    out = np.empty((len(images), size, size), np.uint8)
    for start in range(0, len(images), 256):
        block = images[start : start + 256].astype(np.float32)
        out[start : start + 256] = np.floor(rows @ (block @ columns.T) + np.float32(0.5))
    return out


def normalize(images: NDArray[np.uint8], spec: Preprocessing) -> NDArray[np.float32]:
    """Steps 2–4, the readable twin. uint8 (N, size, size) → float32 (N, side, side) in 0–1, ink high.

    A blank picture stays 0 everywhere.
    """
    pixels = images.astype(np.float32)
    invert = pixels.mean((1, 2), keepdims=True) > 255 * spec.invert_above
    x = np.asarray(np.where(invert, 255 - pixels, pixels) / 255, np.float32)
    top = np.maximum(x.max((1, 2), keepdims=True), np.float32(1 / 255))
    x = np.maximum(x / top - np.float32(spec.floor), 0) / np.float32(1 - spec.floor)
    if spec.framing == "none":
        return np.asarray(x, np.float32)
    rows, columns = frame_weights(x, spec)
    framed = rows @ x @ columns.transpose(0, 2, 1)
    return np.asarray(framed, np.float32)


def frame_weights(x: NDArray[np.float32], spec: Preprocessing) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The two resampling matrices of step 4, each float32 (N, frame, size), for pictures in 0–1.

    Positions run from −1 to 1 over the picture, so that half precision holds them well.
    """
    position = ((np.arange(spec.size) + 0.5) * (2 / spec.size) - 1).astype(np.float32)
    target = ((np.arange(spec.frame) + 0.5) * (2 / spec.frame) - 1).astype(np.float32)
    by_row, by_column = x.mean(2), x.mean(1)
    ink = np.maximum(by_row.mean(1, keepdims=True), np.float32(1e-4))

    def moments(profile: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        share = profile / ink
        centre = (share * position).mean(1, keepdims=True)
        variance = (share * (position - centre) ** 2).mean(1, keepdims=True)
        return centre, variance

    (cy, vy), (cx, vx) = moments(by_row), moments(by_column)
    # A single dot has no spread, and a blank picture no centre: neither may be blown up without bound.
    scale = np.maximum(np.sqrt(vy + vx) / np.float32(2 * spec.scale), np.float32(0.25))

    def weights(centre: NDArray[np.float32]) -> NDArray[np.float32]:
        source = centre[:, :, None] + scale[:, :, None] * target[None, :, None]
        # Half the triangle's base: one source pixel, or one output pixel where the picture shrinks.
        support = np.maximum(np.float32(2 / spec.size), scale * np.float32(2 / spec.frame))[:, :, None]
        raw = np.maximum(1 - np.abs(position[None, None, :] - source) / support, 0)
        # Weights of a full triangle sum to support / pixel pitch; dividing by that (not by their own sum) lets
        # what lies outside the picture count as paper.
        return np.asarray(raw * (np.float32(2 / spec.size) / support), np.float32)

    return weights(cy), weights(cx)
