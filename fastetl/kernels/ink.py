"""Which pixels of a picture are ink. In numpy alone: measuring pictures needs no numba."""

import numpy as np
from numpy.typing import NDArray

INK_PER_CENT = 15  # a pixel is ink from so many per cent of its picture's darkest one on


def ink_mask(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a picture, ink high, has ink (see `INK_PER_CENT`): what `ink_box` finds the box of, in numpy."""
    return np.asarray(picture >= max(1, -(-INK_PER_CENT * int(picture.max()) // 100)))
