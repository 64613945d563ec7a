"""Paper as a camera sees it: grey, shaded, ruled, noisy. Made white before a picture is read."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["whiten_paper"]

_WHITE = 247
"""Paper from this level on needs nothing."""
_EVEN = 0.25
"""Share of the pixels within two levels of the commonest light one from which the paper is even, as in a drawing."""
_SMALL, _TILES, _WINDOW = 64, 16, 12
"""The paper's level is estimated in 16 × 16 places, each from 12 × 12 pixels of the picture at 64 × 64."""
_PAPER = 80
"""Percentile of a window that is paper: a stroke through it covers less than the rest."""
_FAINT = 0.5
"""What is fainter than this share of the ink is paper: shadows' edges, ruled lines, grain."""
_BLANK = 0.1
"""Share of the paper's light that ink must take away at least."""
_SAMPLE = 2**20
"""Pixels that are looked at for the level of the ink."""
_ROWS = 64


def _uneven_paper(light: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (H, W): the level of the paper at every pixel."""
    small = np.asarray(Image.fromarray(light).resize((_SMALL, _SMALL), Image.Resampling.BOX))
    step = _SMALL // _TILES
    padded = np.pad(small, (_WINDOW - step) // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (_WINDOW, _WINDOW))[::step, ::step]
    levels = np.percentile(windows.reshape(_TILES, _TILES, -1), _PAPER, axis=2)
    height, width = light.shape
    return np.asarray(Image.fromarray(np.rint(levels).astype(np.uint8)).resize((width, height)))


def _ink(light: NDArray[np.uint8], paper: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Share of the paper's light that is missing, 0–1."""
    return np.maximum(1 - light.astype(np.float32) / np.maximum(paper, 1), 0)


def whiten_paper(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (H, W) → the same shape: dark ink on white paper, without shadows, ruled lines and grain.

    Light ink on dark paper (a blackboard) is turned round. A picture whose paper is even and white, or even and black,
    as drawings and scans in black and white have it, comes back as it is. Needs four bytes a pixel.
    """
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    light = grey if 2 * float(np.median(edge)) >= int(grey.min()) + int(grey.max()) else 255 - grey
    counts = np.array(Image.fromarray(light).histogram())
    middle = (int(light.min()) + int(light.max())) // 2
    level = middle + int(counts[middle:].argmax())
    even = counts[max(level - 2, 0) : level + 3].sum() >= _EVEN * light.size
    if even and level >= _WHITE:
        return grey
    paper = np.broadcast_to(np.uint8(level), light.shape) if even else _uneven_paper(light)
    every = max(1, math.isqrt(light.size // _SAMPLE))
    ink = _ink(light[::every, ::every], paper[::every, ::every])
    most = float(ink.max())
    full = float(np.median(ink[ink >= most / 2])) if most else 0.0
    if full < _BLANK:
        return np.full_like(grey, 255)
    faint = 0.0 if even else _FAINT * full
    out = np.empty_like(grey)
    for k in range(0, len(grey), _ROWS):
        part = _ink(light[k : k + _ROWS], paper[k : k + _ROWS])
        out[k : k + _ROWS] = 255.5 - 255 * np.clip((part - faint) / (full - faint), 0, 1)
    return out
