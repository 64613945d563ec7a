"""T56, the code of six bits in which ETL2 to ETL5 keep text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["T56", "to_t56"]

# Source: AIST's page of type K. Its own script prints a space for 31, 32 and 58 and | for 48; those are \\, ↑, ← and +
# of the code that the rest equals (48 is + by AIST's example "S  +"); ↑ and ←, which no label has, are ^ and _ here.
_T56 = "0123456789[#@:>? ABCDEFGHI&.](<\\^JKLMNOPQR-$*);'+/STUVWXYZ_,%=\"!"
T56: NDArray[np.uint8] = np.frombuffer(_T56.encode(), np.uint8)
"""uint8 (64,): the ASCII character of each 6-bit unit."""
_TO_T56 = np.full(256, 16, np.uint8)  # 16 is the space
_TO_T56[T56] = np.arange(len(T56))


def to_t56(text: NDArray[np.bytes_]) -> NDArray[np.uint8]:
    """The reverse of `T56`: ASCII text (N,) of k bytes → units, uint8 (N, k)."""
    raw = np.ascontiguousarray(text).view(np.uint8).reshape(len(text), -1)
    return np.asarray(_TO_T56[np.where(raw == 0, ord(" "), raw)])
