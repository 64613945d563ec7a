"""Types of arrays by their numbers, for functions that only the code here calls; public ones write `NDArray[…]`."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Float32s = NDArray[np.float32]
Floats = NDArray[np.float64]
Reals = NDArray[np.floating]  # float32 or float64
