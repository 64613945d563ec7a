"""Types of arrays by their numbers, for functions that only the code here calls; public ones write `NDArray[…]`."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Uint16s = NDArray[np.uint16]
Int32s = NDArray[np.int32]
Uint64s = NDArray[np.uint64]
Integers = NDArray[np.integer]  # of any size
Float32s = NDArray[np.float32]
Floats = NDArray[np.float64]
Reals = NDArray[np.floating]  # float32 or float64
Column = NDArray[np.bool_ | np.number | np.str_ | np.bytes_]  # one field of them, or one header field of a dataset
