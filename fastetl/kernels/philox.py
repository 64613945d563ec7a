"""Counter-based random numbers: every value is a pure function of (seed, epoch, sample, index of the value).

Source: Philox4x32-10, Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
"""

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.jit import jit

Word = np.uint64
PER_BLOCK = 8  # values from one counter: four words, each cut into two halves of 16 bits

_ROUNDS = 10
_WORD_MASK = np.uint64(0xFFFFFFFF)
_WORD_BITS = np.uint64(32)
_MULTIPLY_0, _MULTIPLY_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_HALF_BITS = np.uint64(16)
_HALF_MASK = np.uint64(0xFFFF)


@jit
def philox(c0: Word, c1: Word, c2: Word, c3: Word, k0: Word, k1: Word) -> tuple[Word, Word, Word, Word]:
    """Four random words for a counter of four words and a key of two words, each a uint64 below 2**32.

    Products of two words fit into 64 bits. So nothing overflows, and plain Python gives the same words.
    """
    for _ in range(_ROUNDS):
        p0, p1 = _MULTIPLY_0 * c0, _MULTIPLY_1 * c2
        c0, c1, c2, c3 = (p1 >> _WORD_BITS) ^ c1 ^ k0, p1 & _WORD_MASK, (p0 >> _WORD_BITS) ^ c3 ^ k1, p0 & _WORD_MASK
        k0, k1 = (k0 + _WEYL_0) & _WORD_MASK, (k1 + _WEYL_1) & _WORD_MASK
    return c0, c1, c2, c3


@jit
def uniforms(samples: NDArray[np.int64], key: NDArray[np.uint64], first: int, out: NDArray[np.float32]) -> None:
    """Fill out, float32 (B, 8 × blocks), with 65,536 different values spread evenly over the open interval −1 … 1.

    samples int64 (B,), at least 0. key uint64 (3,), each below 2**32: the seed's low word, its high word, the epoch.
    first: number of the first block of each sample's values, so that another call can take the blocks after these.
    """
    k0, k1, epoch = key[0], key[1], key[2]
    for b in range(samples.size):
        sample = np.uint64(samples[b])
        for block in range(out.shape[1] // PER_BLOCK):
            words = philox(sample & _WORD_MASK, sample >> _WORD_BITS, epoch, np.uint64(first + block), k0, k1)
            for w in range(4):
                low, high = words[w] & _HALF_MASK, words[w] >> _HALF_BITS
                start = block * PER_BLOCK + 2 * w
                # (2 h + 1) / 65536 − 1: exact in float32, symmetrical, never ±1.
                out[b, start] = np.float32((2.0 * np.float64(low) - 65535.0) / 65536.0)
                out[b, start + 1] = np.float32((2.0 * np.float64(high) - 65535.0) / 65536.0)
