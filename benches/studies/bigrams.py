"""Make fastetl/lines/tables/bigrams.bin: how often one character follows another in Japanese text.

    pip install sudachipy sudachidict-small wordfreq
    python -m benches.studies.bigrams [--out fastetl/lines/tables/bigrams.bin]

Words and their frequencies come from wordfreq's list large_ja (Robyn Speer; data CC BY-SA 4.0). It does not say which
word follows which; this comes from SudachiDict small (Works Applications; Apache 2.0). Its costs of connecting two
parts of speech are scaled until each word is as frequent as in the list. Neither is a dependency of fastetl.
"""

import argparse
import gzip
import importlib.resources
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def _sections(data: bytes) -> dict[str, int]:
    """Name → offset of each section of a Sudachi dictionary."""
    at, sections = data.index(b"ConnMatrix") - 1, {}
    while data[at]:
        length = data[at]
        name, at = data[at + 1 : at + 1 + length].decode(), at + 1 + length
        numbers = []
        for _ in range(2):
            value = shift = 0
            while data[at] & 128:
                value, shift, at = value | (data[at] & 127) << shift, shift + 7, at + 1
            numbers.append(value | data[at] << shift)
            at += 1
        sections[name] = numbers[0]
    return sections


def connections(words: dict[str, float]) -> tuple[Any, ...]:
    """For each way of taking each word: word, left and right part of speech, share; and the costs [left, right]."""
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
    names, left, right, share = [], [], [], []
    for word, frequency in words.items():
        ways = np.array(entries.get(word, entries["学校"]))  # a word that the dictionary lacks is taken for a noun
        odds = np.exp((ways[:, 2].min() - ways[:, 2]) / COST)
        reading = readings.get(word, word)
        spelt = SPELT if reading != word and KNOWN.issuperset(reading) else 0.0
        for spelling, part in ((word, 1 - spelt), (reading, spelt))[: 1 + bool(spelt)]:
            names += [spelling] * len(ways)
            left += ways[:, 0].tolist()
            right += ways[:, 1].tolist()
            share += (part * frequency * odds / odds.sum()).tolist()
    return names, np.array(left), np.array(right), np.array(share) / np.sum(share), costs


def joint(words: dict[str, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """float64 (N, N): how often the second character follows the first; (N,): shares of words' first."""
    from scipy.sparse import coo_matrix

    names, left, right, share, costs = connections(words)
    lefts, left = np.unique(left, return_inverse=True)
    rights, right = np.unique(right, return_inverse=True)
    kernel = np.exp(-costs[np.ix_(lefts, rights)] / (2 * COST))
    begins, ends = np.bincount(left, share), np.bincount(right, share)
    x = np.ones(len(rights))
    for _ in range(ROUNDS):
        y = begins / (kernel @ x)
        x = ends / (kernel.T @ y)
    follows = x[:, None] * kernel.T * y
    class_of, n = JAPANESE.class_of, len(CHARACTERS)
    first, last = (np.array([class_of[w[k]] for w in names]) for k in (0, -1))
    ending = coo_matrix((share / ends[right], (right, last)), shape=(len(rights), n)).tocsr()
    beginning = coo_matrix((share / begins[left], (left, first)), shape=(len(lefts), n)).tocsr()
    counts = np.asarray((beginning.T @ np.asarray(ending.T @ follows).T).T)
    for word, part in zip(names, share, strict=True):
        for a, b in pairwise(word):
            counts[class_of[a], class_of[b]] += part
    return np.asarray(counts / counts.sum()), np.asarray(np.bincount(first, share, n), np.float64)


def with_ascii(
    joint: NDArray[np.float64], beginnings: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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


def _stored(logarithms: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(-STEPS * logarithms), 0, 255).astype(np.uint8)


def packed(joint: NDArray[np.float64], beginnings: NDArray[np.float64], count: int) -> bytes:
    """The file's bytes. joint: float64 (N, N), how often the second character follows the first; `count` bigrams stay.
    beginnings: float64 (N,), shares of the beginnings of words.

    Those stay whose probability differs most from what the second character's share alone tells. Rarer ones stay only
    where another character is written like the second: は一 is a bigram, はー is none.
    """
    share = joint.sum(0) / joint.sum()
    share = (share + 1e-7) / (share + 1e-7).sum()
    likely = (1 - MIXED) * joint / np.maximum(joint.sum(1, keepdims=True), 1e-12) + MIXED * share
    gained = np.where(joint > 0, joint * np.maximum(np.log(likely / share), 0), 0)
    names = [one_shape(c) for c in CHARACTERS[: len(joint)]]
    alike = [names.count(c) > 1 for c in names]
    expected = joint.sum(1, keepdims=True) / joint.sum() * share
    gained = np.maximum(gained, alike * expected * np.maximum(np.log(share / likely), 0))
    listed = gained > np.partition(gained.ravel(), -count)[-count]
    rest = 1 - np.where(listed, likely, 0).sum(1)
    factor = rest / np.maximum(1 - np.where(listed, share, 0).sum(1), 1e-9)
    first, second = np.nonzero(listed)
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


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FILE)
    out: Path = parser.parse_args().out
    out.write_bytes(packed(*with_ascii(*joint(frequencies())), BIGRAMS))
    print(f"{out}: {out.stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
