"""What batches are drawn from, and in which order an epoch takes it: from (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError

__all__ = ["Source", "Step", "does_not_fit", "steps"]

Step = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Source, index and augmentation number of each picture of a batch: int64 (batch size,) each."""
Pictures = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""uint8 (M, side, side), and which of them are meant: int64 (N,)."""
Rows = tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]
"""Pictures uint8 (N, side, side) and their classes (N,)."""
_NEIGHBOURS = 4096  # of pictures that are read piece by piece
_TOGETHER = 1 << 16
"""Pictures among which the sources are mixed."""


def does_not_fit(name: str, expected: str, found: object, do: str | None = None) -> FastetlError:
    """The error of an argument of the wrong kind."""
    if isinstance(found, np.ndarray):
        found = f"{found.dtype} {found.shape}"
    return FastetlError(f"batches: {name} does not fit", expected=expected, found=found, do=do, also=ValueError)


@dataclass(frozen=True, eq=False)
class Source:
    """Samples to draw batches from.

    images: uint8 (N, S, S), ink high, in memory, mapped, or anything that is indexed as such an array; if it has
    `windows(indices, random)`, that is the order to draw in, for pictures that are read piece by piece. labels:
    integers (N,). indices: int64, the samples to
    use. weight: the share of an epoch's pictures, relative to the others' weights.
    """

    images: Any
    labels: NDArray[np.integer[Any]]
    indices: NDArray[np.int64]
    weight: float = 1.0

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.images.ndim != 3 or self.images.dtype != np.uint8 or self.images.shape[1] != self.images.shape[2]:
            raise does_not_fit("images", "uint8 (N, S, S)", f"{self.images.dtype} {self.images.shape}")
        if self.labels.shape != (count,):
            raise does_not_fit("labels", f"one for each of {count} images", self.labels.shape)
        if self.indices.ndim != 1 or not len(self.indices) or self.indices.dtype.kind not in "iu":
            raise does_not_fit("indices", "int64 (M,), M at least 1", self.indices)
        if int(self.indices.min()) < 0 or int(self.indices.max()) >= count:
            raise does_not_fit("indices", f"0 to {count - 1}", f"{self.indices.min()} to {self.indices.max()}")
        object.__setattr__(self, "indices", np.ascontiguousarray(self.indices, np.int64))

    @property
    def side(self) -> int:
        """Pixels of a picture's side."""
        return int(self.images.shape[1])

    @property
    def span(self) -> int:
        """Indices are below this."""
        return len(self.images)

    def __len__(self) -> int:
        return len(self.indices)

    def windows(self, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """`indices` in random order: all at once, or as many together as the pictures allow."""
        windows = getattr(self.images, "windows", None)
        if windows is not None:
            yield from windows(self.indices, random)
        else:
            yield self.indices[random.permutation(len(self.indices))]

    def take(self, index: NDArray[np.int64]) -> Pictures:
        """Pictures among which those at `index` are, and where."""
        if isinstance(self.images, np.ndarray):
            return self.images, index
        return self.images[index], np.arange(len(index))

    @cached_property
    def neighbours(self) -> Pictures:
        """Pictures whose pieces may come in as fragments: the same ones whatever is taken."""
        return self.take(self.indices if isinstance(self.images, np.ndarray) else self.indices[:_NEIGHBOURS])

    def blocks(self, rows: int) -> Iterator[Rows]:
        """The samples at `indices`, in that order, `rows` at a time."""
        for start in range(0, len(self.indices), rows):
            index = self.indices[start : start + rows]
            yield self.images[index], self.labels[index]


def steps(
    sources: Sequence[Source], counts: NDArray[np.int64], count: int, size: int, seed: int, epoch: int, start: int
) -> Iterator[Step]:
    """The steps of an epoch from `start` on. counts: pictures of each source; count: steps; size: of a batch.

    A sample's augmentation number is its own for each time that it comes up: the first source's first round has its
    indices. No more of the order is held than the sources' windows.
    """
    total, largest = int(counts.sum()), int(counts.argmax())
    rounds = counts // [len(source) for source in sources] + 2  # one at least, one begun, one for roundings
    numbers = np.concatenate([[0], np.cumsum(rounds * [source.span for source in sources])]).tolist()
    queues = [_Queue(source, (seed, epoch, 0, k), numbers[k]) for k, source in enumerate(sources)]
    position = np.zeros(len(sources), np.int64)
    together = max(1, _TOGETHER // size)
    first = 0
    while first < count:
        last = first + together if first + 2 * together <= count else count
        until = np.array([share * last * size // total for share in counts.tolist()])
        until[largest] += last * size - until.sum()  # what the others' roundings leave
        parts = [
            np.concatenate([np.full((1, n), k), queue.take(n)])
            for k, (queue, n) in enumerate(zip(queues, (until - position).tolist(), strict=True))
        ]
        random = np.random.default_rng([seed, epoch, 1, first])
        order = _interleaved(parts, random.permutation(np.repeat(np.arange(len(parts)), until - position)))
        for step in range(max(first, start), last):
            yield _by_source(order[:, (step - first) * size : (step - first + 1) * size])
        first, position = last, until


class _Queue:
    """Indices and augmentation numbers of a source, which is gone through again and again."""

    def __init__(self, source: Source, seed: tuple[int, ...], number: int) -> None:
        self.source, self.seed, self.number = source, seed, number
        self.coming = self._rounds()
        self.left = np.zeros((2, 0), np.int64)

    def _rounds(self) -> Iterator[NDArray[np.int64]]:
        turn = 0
        while True:
            for index in self.source.windows(np.random.default_rng([*self.seed, turn])):
                yield np.stack([index, self.number + turn * self.source.span + index])
            turn += 1

    def take(self, count: int) -> NDArray[np.int64]:
        """int64 (2, count): the next ones."""
        parts = [self.left]
        while sum(part.shape[1] for part in parts) < count:
            parts.append(next(self.coming))
        joined = np.concatenate(parts, 1)
        self.left = joined[:, count:].copy()
        return joined[:, :count]


def _interleaved(parts: Sequence[NDArray[np.int64]], turn: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 (3, N): the rows of all parts, each part in its own order, which for shards is the one to read in."""
    order = np.argsort(turn, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return np.concatenate(parts, 1)[:, place]


def _by_source(rows: NDArray[np.int64]) -> Step:
    """One batch, its sources one after another."""
    rows = np.ascontiguousarray(rows[:, np.argsort(rows[0], kind="stable")])
    return rows[0], rows[1], rows[2]
