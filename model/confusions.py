"""What is mistaken for what: by voicing, by size, and where two characters have one shape."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset, one_shape

__all__ = ["Confusion", "SizeConfusion", "confusions", "merged_accuracy", "pairs_of", "size_confusions"]


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


def confusions(pairs: NDArray[np.int64], charset: Charset) -> tuple[Confusion, ...]:
    """Every mistake that occurs, the most frequent first. pairs: see `pairs_of`."""
    mistakes = pairs[pairs[:, 0] != pairs[:, 1]]
    names = charset.characters
    return tuple(
        Confusion(names[i], names[j], count, _kind(names[i], names[j]))
        for i, j, count in mistakes[np.argsort(-mistakes[:, 2], kind="stable")].tolist()
    )


def pairs_of(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 (K, 3): truth, answer and how often, for the pairs that occur: thousands of classes have millions of pairs.

    labels, answers: (N,).
    """
    pairs, count = np.unique(np.stack([labels, answers], 1), axis=0, return_counts=True)
    return np.column_stack([pairs, count])


def size_confusions(pairs: NDArray[np.int64], charset: Charset) -> tuple[SizeConfusion, ...]:
    """One line for each small character of the charset whose large one is there too, if either has a sample."""
    classes = charset.class_of
    samples = np.bincount(pairs[:, 0], pairs[:, 2], len(charset)).astype(int).tolist()
    counts = {(truth, answer): count for truth, answer, count in pairs.tolist()}
    both = [(small, _full_size(small)) for small in charset.characters if _full_size(small) in classes]
    numbers = [(small, large, classes[small], classes[large]) for small, large in both if small != large]
    return tuple(
        SizeConfusion(small, large, samples[s] + samples[g], counts.get((s, g), 0), counts.get((g, s), 0))
        for small, large, s, g in numbers
        if samples[s] + samples[g]
    )


def merged_accuracy(pairs: NDArray[np.int64], charset: Charset, sizes: bool = False) -> float | None:
    """Share of right answers where characters of one shape (へ/ヘ) count as one, with `sizes` also small and large ones
    (つ/っ); None where the charset has none such.
    """
    first = charset.merged(sizes)
    if len(np.unique(first)) == len(first):
        return None
    right = first[pairs[:, 0]] == first[pairs[:, 1]]
    return float(pairs[right, 2].sum() / pairs[:, 2].sum())
