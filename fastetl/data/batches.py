"""Shuffled, augmented batches, made in threads beside the training step and resumable at any step.

In which order an epoch takes the samples derives from (seed, epoch) alone.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import does_not_fit, require_range
from fastetl.data.augmentation import Augmentation, augment
from fastetl.data.dataset import Dataset, Source

__all__ = ["Batch", "Batches"]

Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Pictures uint8 (B, S, S) and their classes int32 (B,)."""
_TOGETHER = 1 << 16
"""Pictures among which the sources are mixed."""


class Batches:
    """Batches of shuffled, augmented pictures from a dataset, or from a mixture of several sources.

    `for images, labels in batches` goes through an epoch; the next such loop, through the next one.

    An epoch has as many pictures as all sources' indices together, less the remainder that fills no batch. Each
    source has the share that its weight says: a source too small for its share is gone through again, each time
    augmented anew; from a source too large another part is taken each epoch. Within a batch the sources stand one
    after another. Everything derives from (seed, epoch), so an epoch taken up at a step gives the batches that an
    epoch never interrupted gives.
    """

    data_wait: float
    """Seconds that the consumer of the newest epoch has waited for batches so far."""

    def __init__(
        self,
        sources: Dataset | Source | Sequence[Source],
        *,
        batch_size: int = 64,
        seed: int = 0,
        augmentation: Augmentation | None = None,
        prefetch: int = 1,
        threads: int = 1,
    ) -> None:
        """sources: a dataset, all of which is used, or samples of datasets (`Dataset.samples`).

        `prefetch` batches are kept ready by `threads` threads; 0 makes each when it is asked for. Any number of
        threads gives the same batches in the same order.

        Each batch has arrays of its own.

        Raises FastetlError for sources of different picture sizes, or fewer samples than one batch.
        """
        if isinstance(sources, Dataset):
            sources = [sources.samples()]
        elif not isinstance(sources, Sequence):
            sources = [sources]
        if not sources or len({source.side for source in sources}) != 1:
            sides = ", ".join(str(source.side) for source in sources)
            raise does_not_fit("sources", "pictures of one size", sides or "none", "build the datasets with one `size`")
        self.sources = tuple(sources)
        self.batch_size = batch_size
        self.seed = seed
        self.augmentation = augmentation
        self.prefetch = prefetch
        self.threads = threads
        self.data_wait = 0.0
        total = sum(len(source) for source in self.sources)
        require_range("batch_size", batch_size, 1, total)
        require_range("seed", seed, 0, 2**64 - 1)
        require_range("prefetch", prefetch, 0)
        require_range("threads", threads, 1)
        # Shares are cut at whole pictures so that they sum to the epoch's length.
        weights = np.array([source.weight for source in self.sources])
        edges = np.rint(np.concatenate([[0.0], np.cumsum(weights / weights.sum())]) * total).astype(np.int64)
        self._counts = np.diff(edges)
        self._steps = total // batch_size
        self._next = 0

    def __iter__(self) -> Iterator[Batch]:
        self._next += 1
        return self.epoch(self._next - 1)

    def __len__(self) -> int:
        """Steps of an epoch."""
        return self._steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from step `start` on.

        The threads end with the iterator: at its end, when it is closed or collected, or when an error (which the
        consumer gets) stops it.

        Raises FastetlError for a negative epoch or a step outside the epoch.
        """
        if epoch < 0 or not 0 <= start <= len(self):
            raise does_not_fit("epoch or start", f"0 or more and 0 to {len(self)}, its steps", f"{epoch} and {start}")
        self.data_wait = 0.0
        return self._batches(epoch, start)

    def _filled(self, batch: Batch, epoch: int, step: NDArray[np.int64]) -> Batch:
        """Make one batch, source by source."""
        images, labels = batch
        which, index, sample = step
        bounds = np.searchsorted(which, np.arange(len(self.sources) + 1)).tolist()
        for source, lo, hi in zip(self.sources, bounds[:-1], bounds[1:], strict=True):
            out = images[lo:hi]
            labels[lo:hi] = source.labels[index[lo:hi]]
            pictures, places = source.take(index[lo:hi])
            if self.augmentation is None:
                out[:] = pictures[places]
                continue
            neighbours, pool = source.neighbours if self.augmentation.fragments else (None, None)
            augment(
                pictures,
                places,
                out,
                config=self.augmentation,
                seed=self.seed,
                epoch=epoch,
                samples=sample[lo:hi],
                neighbours=neighbours,
                pool=pool,
            )
        return batch

    def steps(self, epoch: int, start: int) -> Iterator[NDArray[np.int64]]:
        """Source, index and augmentation number of each picture of a batch, int64 (3, B) in the order of the sources.

        A sample's augmentation number is its own for each time that it comes up: the first source's first round has
        its indices. No more of the order is held than the sources' windows.
        """
        counts, size, count = self._counts, self.batch_size, len(self)
        total, largest = int(counts.sum()), int(counts.argmax())
        rounds = counts // [len(source) for source in self.sources] + 2  # one at least, one begun, one for roundings
        numbers = np.concatenate([[0], np.cumsum(rounds * [len(source.images) for source in self.sources])]).tolist()
        queues = [_Queue(source, [self.seed, epoch, 0, k], numbers[k]) for k, source in enumerate(self.sources)]
        position = np.zeros(len(queues), np.int64)
        together = max(1, _TOGETHER // size)
        first = 0
        while first < count:
            last = first + together if first + 2 * together <= count else count
            until = counts * last * size // total
            until[largest] += last * size - until.sum()  # what the others' roundings leave
            taken = until - position
            rows = np.empty((3, int(taken.sum())), np.int64)
            random = np.random.default_rng([self.seed, epoch, 1, first])
            rows[0] = random.permutation(np.repeat(np.arange(len(queues)), taken))
            for k, queue in enumerate(queues):  # each in its own order, which for shards is the one to read in
                rows[1:, rows[0] == k] = queue.take(int(taken[k]))
            for step in range(max(first, start), last):
                batch = rows[:, (step - first) * size : (step - first + 1) * size]
                yield np.ascontiguousarray(batch[:, np.argsort(batch[0], kind="stable")])
            first, position = last, until

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        order, side = self.steps(epoch, start), self.sources[0].side

        def room() -> Batch:
            return np.empty((self.batch_size, side, side), np.uint8), np.empty(self.batch_size, np.int32)

        pool = ThreadPoolExecutor(self.threads, "batches") if self.prefetch else None
        coming: deque[Future[Batch]] = deque()
        try:
            for _ in range(start, len(self)):
                begin = time.perf_counter()
                if pool is None:
                    batch = self._filled(room(), epoch, next(order))
                else:
                    for step in itertools.islice(order, self.prefetch + 1 - len(coming)):
                        # Room is made here: memory of one thread is not used again by another.
                        coming.append(pool.submit(self._filled, room(), epoch, step))
                    batch = coming.popleft().result()
                self.data_wait += time.perf_counter() - begin
                yield batch
        finally:
            if pool is not None:
                pool.shutdown(cancel_futures=True)


class _Queue:
    """Indices and augmentation numbers of a source, which is gone through again and again."""

    def __init__(self, source: Source, seed: list[int], number: int) -> None:
        self._coming = self._rounds(source, seed, number)
        self._left = np.zeros((2, 0), np.int64)

    @staticmethod
    def _rounds(source: Source, seed: list[int], number: int) -> Iterator[NDArray[np.int64]]:
        for turn in itertools.count():
            for index in source.windows(np.random.default_rng([*seed, turn])):
                yield np.stack([index, number + turn * len(source.images) + index])

    def take(self, count: int) -> NDArray[np.int64]:
        """int64 (2, count): the next ones."""
        parts = [self._left]
        while sum(part.shape[1] for part in parts) < count:
            parts.append(next(self._coming))
        rows = np.concatenate(parts, 1)
        self._left = rows[:, count:].copy()
        return rows[:, :count]
