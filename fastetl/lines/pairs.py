"""How likely one character follows another in Japanese text: `pairs.bin`, which benches/studies/pairs.py made.

Sources: the word frequencies of wordfreq (Robyn Speer, data under CC BY-SA 4.0) and the costs of SudachiDict (Works
Applications, Apache 2.0). The file, little-endian, of the N characters of charset `japanese`, logarithms as whole
sixteenths without their sign:

    uint8 N     logarithm of each character's share of all text
    uint8 N     logarithm of the factor of that share, where it follows this character and the pair is not listed
    uint16 N    how many pairs are listed that begin with this character
    uint16 …    for each listed pair, the second character
    uint8 …     for each listed pair, the logarithm of the second's probability after the first
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import JAPANESE

FILE = Path(__file__).parent / "tables" / "pairs.bin"
_STEPS = 16
_MIXED = 0.02
"""How much of a pair's probability is the second character's own share."""


@dataclass(frozen=True)
class Pairs:
    """The table, opened. Characters are classes of charset `japanese`, −1 is any other."""

    shares: NDArray[np.float64]
    factors: NDArray[np.float64]
    keys: NDArray[np.int64]
    values: NDArray[np.float64]

    def log_probability(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64 of the two arrays' common shape: the logarithm of P(second | first)."""
        count = len(self.shares) - 1
        first, second = np.broadcast_arrays(first, second)
        key = np.where((first >= 0) & (second >= 0), first * count + second, -1)
        at = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return np.where(self.keys[at] == key, self.values[at], self.factors[first] + self.shares[second])


def _stored(logarithms: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(-_STEPS * logarithms), 0, 255).astype(np.uint8)


def packed(joint: NDArray[np.float64], count: int) -> bytes:
    """The file's bytes. joint: float64 (N, N), how often the second character follows the first; `count` pairs stay.

    Those stay whose probability differs most from what the second character's share alone tells.
    """
    share = joint.sum(0) / joint.sum()
    share = (share + 1e-7) / (share + 1e-7).sum()
    likely = (1 - _MIXED) * joint / np.maximum(joint.sum(1, keepdims=True), 1e-12) + _MIXED * share
    told = np.where(joint > 0, joint * np.maximum(np.log(likely / share), 0), 0)
    kept = told > np.partition(told.ravel(), -count)[-count]
    rest = 1 - np.where(kept, likely, 0).sum(1)
    factor = rest / np.maximum(1 - np.where(kept, share, 0).sum(1), 1e-9)
    first, second = np.nonzero(kept)
    return b"".join(
        (
            _stored(np.log(share)).tobytes(),
            _stored(np.log(np.clip(factor, 1e-6, 1))).tobytes(),
            np.bincount(first, minlength=len(joint)).astype("<u2").tobytes(),
            second.astype("<u2").tobytes(),
            _stored(np.log(likely[first, second])).tobytes(),
        )
    )


@cache
def pairs() -> Pairs:
    """The table."""
    data, n = FILE.read_bytes(), len(JAPANESE)
    counts = np.frombuffer(data, "<u2", n, 2 * n)
    total = int(counts.sum())
    second = np.frombuffer(data, "<u2", total, 4 * n)
    parts = ((n, 0), (n, n), (total, 4 * n + 2 * total))
    shares, factors, values = (np.frombuffer(data, np.uint8, length, at) / -_STEPS for length, at in parts)
    keys = np.repeat(np.arange(n), counts) * n + second
    # The last of each, which −1 finds, is for characters that are not listed.
    return Pairs(np.append(shares, shares.min()), np.append(factors, 0.0), keys, values)
