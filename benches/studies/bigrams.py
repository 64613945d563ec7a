"""Make fastetl/lines/tables/bigrams.bin: how often one character follows another in Japanese text.

    pip install sudachipy==0.7.0 sudachidict-small==20261015 wordfreq==3.1.1
    python -m benches.studies.bigrams

These versions give the bundled file, byte for byte; none is a dependency of fastetl. Words and their frequencies come
from wordfreq's list large_ja (Robyn Speer; data CC BY-SA 4.0). It does not say which word follows which; this comes
from SudachiDict small (Works Applications; Apache 2.0): its costs of connecting two parts of speech are scaled until
each word is as frequent as in the list.
"""

import gzip
import importlib.resources
import struct
from collections.abc import Mapping
from itertools import count, pairwise
from typing import Any

import numpy as np

from fastetl.arrays import Floats
from fastetl.data.charset import JAPANESE, one_shape
from fastetl.lines.bigrams import BIGRAMS_FILE, STEPS, load_follows, scripts

BIGRAMS = 55_600
PUNCTUATION = {"、": 0.05, "。": 0.04}  # frequencies of marks, which the list lacks; by eye, as all shares here
NUMBERS, COUNTERS, COUNTED = "一二三四五六七八九十", "日人本月年", 0.05
"""Words such as 二人 are parted in the list. COUNTED is the share of a number that one counter follows."""
AFTER_OTHERS = 0.3  # how often what is ASCII follows what is not, as a factor of `load_follows`
AFTER_DIGITS = {".": 0.03, ",": 0.03, "-": 0.05, ":": 0.02, "/": 0.01, "%": 0.02}
"""Shares of the signs that follow a digit. What follows one of these is mostly a digit."""
BRACKETS = 0.001  # share of brackets after what is not ASCII
MIXED = 0.02  # how much of a bigram's probability is the second character's own share
COST = 700.0  # difference in SudachiDict's costs that changes a probability by a factor of e; between two words, twice
ROUNDS = 200
SPELT = 0.15  # share of the words with kanji that are written in hiragana
HIRAGANA = {k: k - 0x60 for k in range(ord("ァ"), ord("ヶ"))}
CLASS_OF, N = JAPANESE.class_of, len(JAPANESE)


def frequencies() -> dict[str, float]:
    """Words that the charset can spell, and how frequent each is."""
    import msgpack  # type: ignore[import-not-found,import-untyped,unused-ignore]

    file = importlib.resources.files("wordfreq") / "data" / "large_ja.msgpack.gz"
    _, *bins = msgpack.loads(gzip.decompress(file.read_bytes()), raw=False)
    words = {word: 10 ** (-centibels / 100) for centibels, listed in enumerate(bins) for word in listed} | PUNCTUATION
    words |= {number + counter: COUNTED * words[number] for number in NUMBERS for counter in COUNTERS}
    # Tokens that begin with ー are ends of words.
    return {w: f for w, f in words.items() if not w.isascii() and w[0] != "ー" and CLASS_OF.keys() >= set(w)}


def _offset(data: bytes, section: bytes) -> int:
    """Where a section of a Sudachi dictionary begins, which stands behind its name: seven bits a byte, lowest first."""
    at = data.index(section) + len(section)
    end = next(k for k in count(at) if data[k] < 128)
    return sum((data[k] & 127) << 7 * (k - at) for k in range(at, end + 1))


def ways(words: Mapping[str, float]) -> tuple[Any, list[tuple[str, int, int, float]]]:
    """SudachiDict's costs of one part of speech (columns) before another (rows); each spelling of each word as each
    part of speech: the spelling, the parts at its left and its right, how often."""
    import sudachipy  # type: ignore[import-not-found,import-untyped,unused-ignore]

    data = (importlib.resources.files("sudachidict_small") / "resources" / "system.dic").read_bytes()
    matrix, first_entry = _offset(data, b"ConnMatrix"), _offset(data, b"Entries")
    (size,) = struct.unpack_from("<H", data, matrix)
    entries: dict[str, list[tuple[int, ...]]] = {}  # left, right and cost of each
    readings: dict[str, str] = {}
    for entry in sudachipy.Dictionary(dict="small").entries():
        surface = entry.raw_surface()
        numbers = struct.unpack_from("<hhh", data, first_entry + 8 * (entry.word_id() & 0xFFFFFFF))
        if surface in words and numbers[0] >= 0:
            entries.setdefault(surface, []).append(numbers)
            if any("一" <= c <= "鿿" for c in surface):
                readings.setdefault(surface, entry.reading_form().translate(HIRAGANA))
    rows = []
    for word, frequency in words.items():
        parts = np.array(entries.get(word, entries["学校"]))  # a word that the dictionary lacks is taken for a noun
        odds = np.exp((parts[:, 2].min() - parts[:, 2]) / COST)
        reading = readings.get(word, word)
        spelt = SPELT if reading != word and CLASS_OF.keys() >= set(reading) else 0.0
        for spelling, share in ((word, 1 - spelt), (reading, spelt)):
            if share:
                each = share * frequency * odds / odds.sum()
                rows += [(spelling, *part[:2], value) for part, value in zip(parts.tolist(), each, strict=True)]
    return np.frombuffer(data, np.int16, size * size, matrix + 4).reshape(size, size), rows


def joint(words: Mapping[str, float]) -> tuple[Floats, Floats]:
    """float64 (N, N): how often the second character follows the first; (N,): shares of words' first characters."""
    from scipy.sparse import coo_matrix

    costs, rows = ways(words)
    spellings, left_of_way, right_of_way, frequencies = zip(*rows, strict=True)
    shares = np.array(frequencies) / np.sum(frequencies)
    first, last = (np.array([CLASS_OF[spelling[k]] for spelling in spellings]) for k in (0, -1))
    lefts, left = np.unique(left_of_way, return_inverse=True)
    rights, right = np.unique(right_of_way, return_inverse=True)
    of_left, of_right = np.bincount(left, shares), np.bincount(right, shares)
    likely = np.exp(-costs[np.ix_(lefts, rights)] / (2 * COST))
    by_right = np.ones(len(rights))
    for _ in range(ROUNDS):  # until the sums of rows and columns are how often the parts of speech are taken
        by_left = of_left / (likely @ by_right)
        by_right = of_right / (likely.T @ by_left)
    follows = by_left[:, None] * likely * by_right
    begins = coo_matrix((shares / of_left[left], (left, first)), shape=(len(lefts), N))
    ends = coo_matrix((shares / of_right[right], (right, last)), shape=(len(rights), N))
    counts = np.asarray((begins.T.tocsr() @ (ends.T.tocsr() @ follows.T).T).T)  # between words
    for spelling, share in zip(spellings, shares, strict=True):
        for one, other in pairwise(spelling):
            counts[CLASS_OF[one], CLASS_OF[other]] += share
    return counts / counts.sum(), np.bincount(first, shares, N).astype(np.float64)


def with_ascii(joint: Floats, beginnings: Floats) -> tuple[Floats, Floats]:
    """The results of `joint`, with digits, Latin letters and ASCII signs, which the list of words has not.

    How often they follow one another comes from their scripts. What follows a digit follows numerals in the list.
    """
    is_ascii, script_of = np.array([c.isascii() for c in JAPANESE.characters]), scripts()[:-1]
    digits = script_of == script_of[CLASS_OF["0"]]
    follows_script = np.exp(load_follows()[:, script_of]) * is_ascii
    ascii_follows = follows_script[script_of]
    ascii_follows[~is_ascii] *= AFTER_OTHERS
    ascii_follows[:, [CLASS_OF[c] for c in "()"]] = BRACKETS
    ascii_follows[digits] *= digits
    for sign, share in AFTER_DIGITS.items():
        ascii_follows[digits, CLASS_OF[sign]] = share
        ascii_follows[CLASS_OF[sign]] = 0.08 * digits
    shares = joint.sum(0) / joint.sum()
    numerals = [CLASS_OF[c] for c in NUMBERS]
    counted = joint[numerals].sum(0)
    counted[numerals] = 0
    others_follow = joint / np.maximum(joint.sum(1, keepdims=True), 1e-12)
    others_follow[is_ascii] = shares
    others_follow[digits] = counted / counted.sum()
    follows = ascii_follows + others_follow * (1 - ascii_follows.sum(1, keepdims=True))
    for _ in range(ROUNDS):
        shares = (shares + shares @ follows) / 2
    first = follows_script[scripts()[-1]]
    return shares[:, None] * follows, first + beginnings * (1 - first.sum())


def table(joint: Floats, beginnings: Floats) -> bytes:
    """The file's bytes, with the `BIGRAMS` bigrams that lose most if the second character's share alone tells them.

    Bigrams rarer than their characters lose only where another character is written like the second: はー is none, and
    は一 is.
    """
    share = joint.sum(0) / joint.sum() + 1e-7
    share /= share.sum()
    likely = (1 - MIXED) * joint / np.maximum(joint.sum(1, keepdims=True), 1e-12) + MIXED * share
    lost = np.where(joint > 0, joint * np.maximum(np.log(likely / share), 0), 0)
    shapes = [one_shape(c) for c in JAPANESE.characters]
    is_ambiguous = [shapes.count(shape) > 1 for shape in shapes]
    expected = joint.sum(1, keepdims=True) / joint.sum() * share
    lost = np.maximum(lost, is_ambiguous * expected * np.maximum(np.log(share / likely), 0))
    is_listed = lost > np.partition(lost.ravel(), -BIGRAMS)[-BIGRAMS]
    left = 1 - np.where(is_listed, likely, 0).sum(1)  # for the characters whose bigrams are not listed
    factor = left / np.maximum(1 - np.where(is_listed, share, 0).sum(1), 1e-9)
    first, second = np.nonzero(is_listed)
    in_words = (1 - MIXED) * beginnings + MIXED * share
    probabilities = share, np.clip(factor, 1e-6, 1), likely[first, second], in_words
    shares, factors, listed, begins = (np.clip(np.rint(-STEPS * np.log(p)), 0, 255).astype("u1") for p in probabilities)
    counts = np.bincount(first, minlength=N).astype("<u2")
    return b"".join(part.tobytes() for part in (shares, factors, counts, second.astype("<u2"), listed, begins))


if __name__ == "__main__":
    BIGRAMS_FILE.write_bytes(table(*with_ascii(*joint(frequencies()))))
