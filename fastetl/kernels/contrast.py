"""Darker and paler ink through a table per picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._jit import jit

__all__ = ["contrast"]


@jit
def contrast(tables: NDArray[np.uint8], which: NDArray[np.int64], images: NDArray[np.uint8]) -> None:
    """Replace every pixel of images[b], uint8 (B, S, S), by tables[which[b], pixel]; tables uint8 (T, 256)."""
    for b in range(which.size):
        flat = images[b].reshape(images.shape[1] * images.shape[2])
        table = tables[which[b]]
        for i in range(flat.size):
            flat[i] = table[flat[i]]
