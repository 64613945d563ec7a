"""Splits of a dataset into train, valid and test; by group, no group is in two parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.errors import FastetlError

__all__ = ["Split", "is_among", "parts_of"]


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Sample indices of three parts, each int64, sorted, disjoint."""

    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]

    def __repr__(self) -> str:
        return f"Split(train {len(self.train):,}, valid {len(self.valid):,}, test {len(self.test):,} samples)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Split):
            return NotImplemented
        pairs = ((self.train, other.train), (self.valid, other.valid), (self.test, other.test))
        return all(np.array_equal(a, b) for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]  # as its arrays


def parts_of(
    items: NDArray[Any], by: Literal["group", "sample"], name: str, *, valid: float, test: float, seed: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Divide groups or samples (sorted, each once) into train, valid and test, each sorted.

    The fractions are of their number: at least one, if the fraction is over 0. by: what they are; name: of the
    dataset; both for messages. Raises FastetlError for fractions that do not fit, or too few of them.
    """
    if not (0 <= valid < 1 and 0 <= test < 1 and valid + test < 1):
        raise FastetlError(
            "the parts of a split do not fit",
            expected="fractions of at least 0 that sum to less than 1",
            found=f"valid {valid}, test {test}",
            do="check `valid` and `test`",
            also=ValueError,
        )
    require_range("seed", seed, 0)
    count = len(items)
    n_valid, n_test = (max(1, round(f * count)) if f else 0 for f in (valid, test))
    if n_valid + n_test >= count:
        raise FastetlError(f"{name}: too few {by}s for valid {valid} and test {test}", found=count, do=f"add {by}s")
    order = np.random.default_rng([seed, count]).permutation(count)
    part = np.zeros(count, np.int8)
    part[order[:n_test]] = 2
    part[order[n_test : n_test + n_valid]] = 1
    return items[part == 0], items[part == 1], items[part == 2]


def is_among(values: NDArray[Any], chosen: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each value is among `chosen`, which is sorted; fast for few values and many chosen."""
    if not len(chosen):
        return np.zeros(len(values), np.bool_)
    place = np.minimum(np.searchsorted(chosen, values), len(chosen) - 1)
    return np.asarray(chosen[place] == values)
