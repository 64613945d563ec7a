"""Shuffled, augmented batches, made in threads beside the training step and resumable at any step."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.data.augmentation import Augmentation, augment
from fastetl.data.dataset import Dataset
from fastetl.data.ordering import Source, Step, does_not_fit, steps

__all__ = ["Batch", "Batches"]

Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Pictures uint8 (B, S, S) and their classes int32 (B,)."""


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

        Raises FastetlError for sources of different picture sizes, an empty one, a weight that is no number over 0, or
        fewer samples than one batch.
        """
        if isinstance(sources, Dataset):
            sources = [sources.samples()]
        elif not isinstance(sources, Sequence):
            sources = [sources]
        if not sources or len({source.side for source in sources}) != 1:
            sides = ", ".join(str(source.side) for source in sources)
            raise does_not_fit("sources", "pictures of one size", sides or "none", "build the datasets with one `size`")
        for source in sources:
            if not 0 < source.weight < float("inf"):
                raise does_not_fit("weight", "a number over 0", source.weight)
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

    def _room(self) -> Batch:
        side = self.sources[0].side
        return np.empty((self.batch_size, side, side), np.uint8), np.empty(self.batch_size, np.int32)

    def _filled(self, batch: Batch, epoch: int, step: Step) -> Batch:
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

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        order = steps(self.sources, self._counts, len(self), self.batch_size, self.seed, epoch, start)
        pool = ThreadPoolExecutor(self.threads, "batches") if self.prefetch else None
        coming: deque[Future[Batch]] = deque()
        try:
            for _ in range(start, len(self)):
                begin = time.perf_counter()
                if pool is None:
                    batch = self._filled(self._room(), epoch, next(order))
                else:
                    for step in itertools.islice(order, self.prefetch + 1 - len(coming)):
                        # Room is made here: memory of one thread is not used again by another.
                        coming.append(pool.submit(self._filled, self._room(), epoch, step))
                    batch = coming.popleft().result()
                self.data_wait += time.perf_counter() - begin
                yield batch
        finally:
            if pool is not None:
                pool.shutdown(cancel_futures=True)
