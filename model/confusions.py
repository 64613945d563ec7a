"""What is mistaken for what: by voicing, by size, and where two characters have one shape."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset, one_shape

__all__ = ["Confusion", "SizeConfusion", "confusions", "merged_accuracy", "size_confusions"]


@dataclass(frozen=True)
class Confusion:
    """One character read as another."""

    truth: str
    answer: str
    count: int
    kind: Literal["voicing", "size", "shape", "other"]
    """`voicing`: only the dakuten or handakuten differ (は/ば/ぱ); `size`: only the size (つ/っ); `shape`: nothing does
    (へ/ヘ)."""


@dataclass(frozen=True)
class SizeConfusion:
    """How well a small character is told from the large one of the same shape."""

    small: str
    large: str
    samples: int
    """Of both."""
    small_as_large: int
    large_as_small: int


@cache
def _full_size(character: str) -> str:
    """The character, or the large one of which it is the small form."""
    name = unicodedata.name(character, "") if len(character) == 1 else ""
    try:
        return unicodedata.lookup(name.replace("LETTER SMALL ", "LETTER ")) if " LETTER SMALL " in name else character
    except KeyError:
        return character


def _unvoiced(character: str) -> str:
    """A kana without its mark of voicing: は for ば and ぱ. Of other scripts the character."""
    return unicodedata.normalize("NFD", character).rstrip("\u3099\u309a")


def _kind(a: str, b: str) -> Literal["voicing", "size", "shape", "other"]:
    if one_shape(a) == one_shape(b):
        return "shape"
    if _unvoiced(a) == _unvoiced(b):
        return "voicing"
    return "size" if _full_size(a) == _full_size(b) else "other"


def confusions(matrix: NDArray[np.int64], charset: Charset) -> tuple[Confusion, ...]:
    """Every pair that occurs, the most frequent first. matrix: (classes, classes), truth in rows."""
    mistakes = matrix.copy()
    np.fill_diagonal(mistakes, 0)
    rows, columns = np.nonzero(mistakes)
    order = np.argsort(-mistakes[rows, columns], kind="stable")
    names = charset.characters
    return tuple(
        Confusion(names[i], names[j], int(mistakes[i, j]), _kind(names[i], names[j]))
        for i, j in zip(rows[order].tolist(), columns[order].tolist(), strict=True)
    )


def size_confusions(matrix: NDArray[np.int64], charset: Charset) -> tuple[SizeConfusion, ...]:
    """One line for each small character of the charset whose large one is there too, if either has a sample."""
    place, confused = charset.class_of, []
    for small in charset.characters:
        large = _full_size(small)
        if large != small and large in place:
            s, g = place[small], place[large]
            samples = int(matrix[[s, g]].sum())
            if samples:
                confused.append(SizeConfusion(small, large, samples, int(matrix[s, g]), int(matrix[g, s])))
    return tuple(confused)


def merged_accuracy(matrix: NDArray[np.int64], charset: Charset, sizes: bool = False) -> float | None:
    """Share of right answers where characters of one shape (へ/ヘ) count as one, with `sizes` also small and large ones
    (つ/っ); None where the charset has none such.
    """
    first = charset.merged(sizes)
    if len(np.unique(first)) == len(first):
        return None
    rows, columns = np.nonzero(matrix)
    counts = matrix[rows, columns]
    return float(counts[first[rows] == first[columns]].sum() / counts.sum())
