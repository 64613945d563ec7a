"""How likely one character follows another, in Japanese text.

Words' frequencies are those of wordfreq (Robyn Speer, data under CC BY-SA 4.0); which word follows which, the costs of
SudachiDict tell (Works Applications, Apache 2.0). `benches/studies/bigrams.py` makes the table of both. The file
`bigrams.bin` is little-endian. It holds, for the N characters of charset `japanese`, with each logarithm as a number of
negative sixteenths:

    uint8 N     log share of each character in all text
    uint8 N     for each first character, the log factor of the second's share where the bigram is not listed
    uint16 N    how many bigrams are listed that begin with each character
    uint16 …    for each listed bigram, the second character
    uint8 …     for each listed bigram, the log probability of the second character after the first
    uint8 N     log share of each character in the beginnings of words
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastetl.arrays import Floats, Ints
from fastetl.data.charset import JAPANESE, SCRIPTS, script_of

BIGRAMS_FILE = Path(__file__).parent / "tables" / "bigrams.bin"
_FOLLOWS_FILE = BIGRAMS_FILE.with_name("follows.json")
STEPS = 16  # steps into which one unit of a logarithm is divided
_MIN_BIGRAM = -9.0  # log probability: no word is impossible


class Bigrams(NamedTuple):
    """The table. Characters are classes of charset `japanese`; −1 is any other, and what precedes a line."""

    shares: Floats
    factors: Floats
    keys: Ints
    values: Floats
    beginnings: Floats

    def log_probability(self, first: Ints, second: Ints) -> Floats:
        """float64, of the two arrays' common shape: log P(second | first)."""
        count = len(self.shares) - 1
        key = first * count + np.where(second < 0, -(count**2), second)  # below 0 without a pair
        index = np.searchsorted(self.keys[:-1], key)
        backoff = np.where(first < 0, self.beginnings[second], self.factors[first] + self.shares[second])
        return np.where(self.keys[index] == key, self.values[index], backoff)


@cache
def load_bigrams() -> Bigrams:
    """The table of `BIGRAMS_FILE`, for the characters of charset `japanese`."""
    data, n = BIGRAMS_FILE.read_bytes(), len(JAPANESE)
    counts = np.frombuffer(data, "<u2", n, 2 * n)
    total = int(counts.sum())
    second = np.frombuffer(data, "<u2", total, 4 * n)
    parts = ((n, 0), (n, n), (total, 4 * n + 2 * total), (n, 4 * n + 3 * total))
    shares, factors, values, beginnings = (np.frombuffer(data, np.uint8, size, start) / -STEPS for size, start in parts)
    keys = np.repeat(np.arange(n), counts) * n + second
    # Index −1 finds the last entry, which is for characters that the charset lacks.
    shares, beginnings = (np.append(table, table.min()) for table in (shares, beginnings))
    return Bigrams(shares, np.append(factors, 0.0), keys, values, beginnings)


@cache
def scripts() -> Ints:
    """int64 (N + 1,): the script of each class, as an index in `SCRIPTS`. The last entry is for any other character."""
    return np.array([*(SCRIPTS.index(script_of(c)) for c in JAPANESE.characters), SCRIPTS.index("sign")])


@cache
def load_follows() -> Floats:
    """float64 (6, 6): log probability of one character of each script after a character of each script.

    The shares in the file are estimated by eye; they only decide where the bigrams say nothing.
    """
    shares = json.loads(_FOLLOWS_FILE.read_text(encoding="utf-8"))
    return np.log(np.array([shares[script] for script in SCRIPTS]) / np.bincount(scripts()))


def log_follows(first: Ints, second: Ints, *, is_plain: bool) -> Floats:
    """Log probability of the second class after the first (−1 before the line's first character).

    is_plain: tell it from the scripts of the two alone, for text that is no Japanese.
    """
    if is_plain:
        return np.asarray(load_follows()[scripts()[first], scripts()[second]])
    return np.maximum(load_bigrams().log_probability(first, second), _MIN_BIGRAM)
