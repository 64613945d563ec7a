"""Make fastetl/lines/tables/bigrams.bin: how often one character follows another in Japanese text.

    pip install sudachipy sudachidict-small wordfreq
    python -m benches.studies.bigrams

Words and their frequencies come from wordfreq's list large_ja (Robyn Speer; data CC BY-SA 4.0). It does not say which
word follows which; this comes from SudachiDict small (Works Applications; Apache 2.0). Its costs of connecting two
parts of speech are scaled until each word is as frequent as in the list. Neither is a dependency of fastetl.
"""

import gzip
import importlib.resources
import struct
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Bytes, Floats, Ints, Mask
from fastetl.data.charset import JAPANESE, one_shape
from fastetl.lines.bigrams import FILE, STEPS, load_follows, scripts

BIGRAMS = 55_600
PUNCTUATION = {"、": 0.05, "。": 0.04}  # frequencies of marks, which the list lacks. Estimated by eye
NUMBERS, COUNTERS, COUNTED = "一二三四五六七八九十", "日人本月年", 0.05
"""Words such as 二人 are parted in the list. COUNTED is the share of a number that one counter follows, by eye."""
ASCII = np.array([c.isascii() for c in JAPANESE.characters])
AFTER_OTHERS = 0.3  # how often what is ASCII follows what is not, as a factor of `load_follows`; by eye, as the next
AFTER_DIGITS = {".": 0.03, ",": 0.03, "-": 0.05, ":": 0.02, "/": 0.01, "%": 0.02}
"""Shares of the signs that follow a digit. What follows one of these is mostly a digit."""
BRACKETS = 0.001  # share of brackets after what is not ASCII
MIXED = 0.02  # how much of a bigram's probability is the second character's own share
COST = 700.0
"""A difference in SudachiDict's costs that changes a probability by a factor of e; between two words it takes twice as
much."""
ROUNDS = 200
SPELT = 0.15  # share of the words with kanji that are written in hiragana
HIRAGANA = {k: k - 0x60 for k in range(ord("ァ"), ord("ヶ"))}
CHARACTERS = JAPANESE.characters
KNOWN = frozenset(CHARACTERS)


def frequencies() -> dict[str, float]:
    """Words that the charset can spell, and their shares of all words."""
    import msgpack  # type: ignore[import-not-found,import-untyped,unused-ignore]

    file = importlib.resources.files("wordfreq") / "data" / "large_ja.msgpack.gz"
    _, *bins = msgpack.loads(gzip.decompress(file.read_bytes()), raw=False)
    words = {word: 10 ** (-centibels / 100) for centibels, listed in enumerate(bins) for word in listed} | PUNCTUATION
    words |= {number + counter: COUNTED * words[number] for number in NUMBERS for counter in COUNTERS}
    # Tokens that begin with ー are ends of words.
    return {w: f for w, f in words.items() if not w.isascii() and w[0] != "ー" and KNOWN.issuperset(w)}


def _number(data: bytes, at: int) -> tuple[int, int]:
    """The number at an offset, of seven bits a byte, the lowest first; and the offset behind it."""
    value = shift = 0
    while data[at] & 128:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
    return value | data[at] << shift, at + 1


def _sections(data: bytes) -> dict[str, int]:
    """Name → offset of each section of a Sudachi dictionary."""
    at = data.index(b"ConnMatrix") - 1
    sections = {}
    while length := data[at]:
        name = data[at + 1 : at + 1 + length].decode()
        sections[name], at = _number(data, at + 1 + length)
        _, at = _number(data, at)  # how long the section is
    return sections


class Ways(NamedTuple):
    """The M ways of writing and taking all words: in each spelling, as each part of speech."""

    spellings: list[str]
    left: Ints
    """(M,): the part of speech as which a way follows another word."""
    right: Ints
    """(M,): the part of speech as which another word follows it."""
    shares: Floats
    """(M,): how often the way is taken; their sum is 1."""
    costs: NDArray[np.int16]
    """(parts of speech, parts of speech): of one at the left of a word after one at the right of a word."""


def ways_of(words: dict[str, float]) -> Ways:
    """The ways of taking the words, whose shares of all words are given."""
    import sudachipy  # type: ignore[import-not-found,import-untyped,unused-ignore]

    data = (importlib.resources.files("sudachidict_small") / "resources" / "system.dic").read_bytes()
    sections = _sections(data)
    (count,) = struct.unpack_from("<H", data, sections["ConnMatrix"])
    costs = np.frombuffer(data, np.int16, count * count, sections["ConnMatrix"] + 4).reshape(count, count)
    entries: dict[str, list[tuple[int, int, int]]] = {}
    readings: dict[str, str] = {}
    for entry in sudachipy.Dictionary(dict="small").entries():
        surface = entry.raw_surface()
        numbers = struct.unpack_from("<hhh", data, sections["Entries"] + 8 * (entry.word_id() & 0xFFFFFFF))
        if surface in words and numbers[0] >= 0:
            entries.setdefault(surface, []).append(numbers)
            if any("一" <= c <= "鿿" for c in surface):
                readings.setdefault(surface, entry.reading_form().translate(HIRAGANA))
    spellings, left, right, shares = [], [], [], []
    for word, frequency in words.items():
        parts = np.array(entries.get(word, entries["学校"]))  # a word that the dictionary lacks is taken for a noun
        odds = np.exp((parts[:, 2].min() - parts[:, 2]) / COST)
        reading = readings.get(word, word)
        spelt = SPELT if reading != word and KNOWN.issuperset(reading) else 0.0
        for spelling, share in ((word, 1 - spelt), (reading, spelt)):
            if share:
                spellings += [spelling] * len(parts)
                left += parts[:, 0].tolist()
                right += parts[:, 1].tolist()
                shares += (share * frequency * odds / odds.sum()).tolist()
    return Ways(spellings, np.array(left), np.array(right), np.array(shares) / np.sum(shares), costs)


def scaled(matrix: Floats, row_sums: Floats, column_sums: Floats) -> Floats:
    """The matrix, each row and each column times a factor, so that it has these sums."""
    by_column = np.ones(len(column_sums))
    for _ in range(ROUNDS):
        by_row = row_sums / (matrix @ by_column)
        by_column = column_sums / (matrix.T @ by_row)
    return by_row[:, None] * matrix * by_column


def between_words(ways: Ways, first: Ints, last: Ints) -> Floats:
    """float64 (N, N): how often a word that begins with the second character follows one that ends with the first.

    first, last: (M,), the class of the first and of the last character of each way.
    """
    from scipy.sparse import coo_matrix

    lefts, left = np.unique(ways.left, return_inverse=True)
    rights, right = np.unique(ways.right, return_inverse=True)
    of_left, of_right = (np.bincount(part, ways.shares).astype(np.float64) for part in (left, right))
    likely = np.exp(-ways.costs[np.ix_(lefts, rights)] / (2 * COST))  # a word's part at its left, the one's before it
    follows = scaled(likely, of_left, of_right)
    begins = coo_matrix((ways.shares / of_left[left], (left, first)), shape=(len(lefts), len(CHARACTERS)))
    ends = coo_matrix((ways.shares / of_right[right], (right, last)), shape=(len(rights), len(CHARACTERS)))
    after_last = ends.T.tocsr() @ follows.T  # (N, lefts): how often each part of speech follows each last character
    return np.asarray((begins.T.tocsr() @ after_last.T).T)


def joint(words: dict[str, float]) -> tuple[Floats, Floats]:
    """float64 (N, N): how often the second character follows the first; (N,): shares of words' first characters."""
    ways, class_of = ways_of(words), JAPANESE.class_of
    first, last = (np.array([class_of[spelling[k]] for spelling in ways.spellings]) for k in (0, -1))
    counts = between_words(ways, first, last)
    for spelling, share in zip(ways.spellings, ways.shares, strict=True):
        for one, other in pairwise(spelling):
            counts[class_of[one], class_of[other]] += share
    return counts / counts.sum(), np.asarray(np.bincount(first, ways.shares, len(CHARACTERS)), np.float64)


def with_ascii(joint: Floats, beginnings: Floats) -> tuple[Floats, Floats]:
    """The results of `joint`, with digits, Latin letters and ASCII signs, which the list of words has not.

    How often they follow one another comes from their scripts. What follows a digit follows numerals in the list.
    """
    class_of = JAPANESE.class_of
    script_of = scripts()[:-1]
    digits = script_of == script_of[class_of["0"]]
    follows_script = np.exp(load_follows()[:, script_of]) * ASCII
    ascii_follows = follows_script[script_of]
    ascii_follows[~ASCII] *= AFTER_OTHERS
    ascii_follows[:, [class_of[c] for c in "()"]] = BRACKETS
    ascii_follows[digits] *= digits
    for sign, share in AFTER_DIGITS.items():
        ascii_follows[digits, class_of[sign]] = share
        ascii_follows[class_of[sign]] = 0.08 * digits
    shares = joint.sum(0) / joint.sum()
    numerals = [class_of[c] for c in NUMBERS]
    counted = joint[numerals].sum(0)
    counted[numerals] = 0
    others_follow = joint / np.maximum(joint.sum(1, keepdims=True), 1e-12)
    others_follow[ASCII] = shares
    others_follow[digits] = counted / counted.sum()
    follows = ascii_follows + others_follow * (1 - ascii_follows.sum(1, keepdims=True))
    for _ in range(ROUNDS):
        shares = (shares + shares @ follows) / 2
    first = follows_script[scripts()[-1]]
    return shares[:, None] * follows, first + beginnings * (1 - first.sum())


def _stored(logarithms: Floats) -> Bytes:
    return np.clip(np.rint(-STEPS * logarithms), 0, 255).astype(np.uint8)


def packed(joint: Floats, beginnings: Floats, count: int) -> bytes:
    """The file's bytes, with the `count` bigrams whose probability the characters' shares tell worst.

    joint: float64 (N, N), how often the second character follows the first. beginnings: float64 (N,), shares of the
    beginnings of words.
    """
    share = joint.sum(0) / joint.sum() + 1e-7
    share /= share.sum()
    likely = (1 - MIXED) * joint / np.maximum(joint.sum(1, keepdims=True), 1e-12) + MIXED * share
    is_listed = _is_listed(joint, share, likely, count)
    left = 1 - np.where(is_listed, likely, 0).sum(1)  # for the characters whose bigrams are not listed
    factor = left / np.maximum(1 - np.where(is_listed, share, 0).sum(1), 1e-9)
    first, second = np.nonzero(is_listed)
    return b"".join(
        (
            _stored(np.log(share)).tobytes(),
            _stored(np.log(np.clip(factor, 1e-6, 1))).tobytes(),
            np.bincount(first, minlength=len(joint)).astype("<u2").tobytes(),
            second.astype("<u2").tobytes(),
            _stored(np.log(likely[first, second])).tobytes(),
            _stored(np.log((1 - MIXED) * beginnings + MIXED * share)).tobytes(),
        )
    )


def _is_listed(joint: Floats, share: Floats, likely: Floats, count: int) -> Mask:
    """bool (N, N): the `count` bigrams that lose most if the second character's share alone tells them.

    share: float64 (N,), of each character; likely: float64 (N, N), of the second character after the first. Bigrams
    rarer than their characters lose only where another character is written like the second: はー is none, and は一 is.
    """
    lost = np.where(joint > 0, joint * np.maximum(np.log(likely / share), 0), 0)
    shapes = [one_shape(c) for c in CHARACTERS[: len(joint)]]
    is_ambiguous = [shapes.count(shape) > 1 for shape in shapes]
    expected = joint.sum(1, keepdims=True) / joint.sum() * share
    lost = np.maximum(lost, is_ambiguous * expected * np.maximum(np.log(share / likely), 0))
    return np.asarray(lost > np.partition(lost.ravel(), -count)[-count])


def main() -> None:
    """Write the table."""
    FILE.write_bytes(packed(*with_ascii(*joint(frequencies())), BIGRAMS))
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
