"""The 16-bit sum of BSD's `sum`, which AIST lists for every file: a rotation and an addition for each byte."""

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._jit import jit


@jit
def bsd_sum(data: NDArray[np.uint8], begun: int) -> int:
    """The sum of the bytes before, 0–65535, and those of `data`: uint8 (N,)."""
    total = np.uint32(begun)
    for k in range(data.shape[0]):
        total = (((total >> np.uint32(1)) | (total << np.uint32(15))) + data[k]) & np.uint32(0xFFFF)
    return int(total)
