"""In which order an epoch takes the pictures of its sources: from (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Samples", "Step", "streamed", "whole"]

Step = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Source, index and augmentation number of each picture of a batch: int64 (batch size,) each."""
_TOGETHER = 1 << 16
"""Pictures among which `streamed` mixes the sources."""


class Samples(Protocol):
    """What batches are drawn from: `fastetl.Source`, or rows of a dataset of shards."""

    @property
    def weight(self) -> float:
        """The share of an epoch's pictures, relative to the others' weights."""

    @property
    def side(self) -> int:
        """Pixels of a picture's side."""

    @property
    def span(self) -> int:
        """Indices are below this."""

    @property
    def is_streamed(self) -> bool:
        """Whether pictures are read when they are taken, in an order that keeps few of them in memory."""

    def __len__(self) -> int:
        """Samples to use."""

    def windows(self, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Indices of all samples to use, each once, in random order."""

    def take(self, index: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]:
        """Pictures uint8 (M, side, side) and classes (M,) at indices."""

    def blocks(self, rows: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]]:
        """All samples to use, in their order, about `rows` at a time."""


def whole(
    sources: Sequence[Samples], counts: NDArray[np.int64], steps: int, size: int, seed: int, epoch: int, start: int
) -> Iterator[Step]:
    """The steps of an epoch from `start` on. counts: pictures of each source; size: of a batch."""
    random = np.random.default_rng([seed, epoch])
    number = 0
    parts: list[NDArray[np.int64]] = []
    for k, (source, count) in enumerate(zip(sources, counts.tolist(), strict=True)):
        chosen = np.concatenate(list(source.windows(random)))
        rounds, place = np.divmod(np.arange(count), len(chosen))
        index = chosen[place]
        # A number of its own for each time that a sample comes up: the first source's first round has its indices.
        parts.append(np.stack([np.full(count, k), index, number + rounds * source.span + index]))
        number += (int(rounds[-1]) + 1 if count else 0) * source.span
    turn = random.permutation(np.repeat(np.arange(len(parts)), counts)) if len(parts) > 1 else None
    order = _taken_in_turn(parts, turn)[:, : steps * size]
    for step in range(start, steps):
        yield _by_source(order[:, step * size : (step + 1) * size])


def streamed(
    sources: Sequence[Samples], counts: NDArray[np.int64], steps: int, size: int, seed: int, epoch: int, start: int
) -> Iterator[Step]:
    """As `whole`, in another order that needs no memory for the whole epoch."""
    total, largest = int(counts.sum()), int(counts.argmax())
    rounds = counts // [len(source) for source in sources] + 2  # one at least, one begun, one for roundings
    numbers = np.concatenate([[0], np.cumsum(rounds * [source.span for source in sources])]).tolist()
    queues = [_Queue(source, (seed, epoch, 0, k), numbers[k]) for k, source in enumerate(sources)]
    taken = np.zeros(len(sources), np.int64)
    together = max(1, _TOGETHER // size)
    first = 0
    while first < steps:
        last = first + together if first + 2 * together <= steps else steps
        until = np.array([count * last * size // total for count in counts.tolist()])
        until[largest] += last * size - until.sum()  # what the others' roundings leave
        parts = [
            np.concatenate([np.full((1, n), k), queue.take(n)])
            for k, (queue, n) in enumerate(zip(queues, (until - taken).tolist(), strict=True))
        ]
        random = np.random.default_rng([seed, epoch, 1, first])
        order = _taken_in_turn(parts, random.permutation(np.repeat(np.arange(len(parts)), until - taken)))
        for step in range(max(first, start), last):
            yield _by_source(order[:, (step - first) * size : (step - first + 1) * size])
        first, taken = last, until


class _Queue:
    """Indices and augmentation numbers of a source, which is gone through again and again."""

    def __init__(self, source: Samples, seed: tuple[int, ...], number: int) -> None:
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


def _taken_in_turn(parts: Sequence[NDArray[np.int64]], turn: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """int64 (3, N): the rows of all parts, each part in its own order, which for shards is the one to read in."""
    joined = np.concatenate(parts, 1)
    if turn is None:
        return joined
    order = np.argsort(turn, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return joined[:, place]


def _by_source(rows: NDArray[np.int64]) -> Step:
    """One batch, its sources one after another."""
    rows = np.ascontiguousarray(rows[:, np.argsort(rows[0], kind="stable")])
    return rows[0], rows[1], rows[2]
