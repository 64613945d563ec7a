"""Shuffled, augmented batches, made in threads beside the training step and resumable at any step.

In which order an epoch takes the samples derives from (seed, epoch) alone.
"""

import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import does_not_fit, require_range
from fastetl.data.augmentation import Augmentation, augment
from fastetl.data.dataset import Dataset, Samples
from fastetl.data.preprocessing import LARGEST_SIDE

Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Pictures uint8 (B, S, S) and their classes int32 (B,)."""
Picks = list[tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Of each part indices and augmentation numbers, int64 (N,), for one batch."""


class Batches:
    """Batches of shuffled, augmented pictures from a dataset, or from a mixture of several parts.

    `for images, labels in batches` goes through an epoch; the next such loop, through the next one.

    An epoch has as many pictures as all parts' indices together, less the remainder that fills no batch. Each part has
    the share that its weight says: a part too small for its share is gone through again, each time augmented anew; of
    a part too large others are taken each epoch. Within a batch the parts stand one after another. Everything derives
    from (seed, epoch), so an epoch taken up at a step gives the batches that an epoch never interrupted gives.
    """

    data_wait: float
    """Seconds that the consumer of the newest epoch has waited for batches so far."""

    def __init__(
        self,
        parts: Dataset | Samples | Sequence[Samples],
        *,
        batch_size: int = 64,
        seed: int = 0,
        augmentation: Augmentation | None = None,
        prefetch: int = 1,
        threads: int = 1,
    ) -> None:
        """parts: a dataset, all of which is used, or samples of datasets (`Dataset.samples`).

        `prefetch` batches are kept ready by `threads` threads; 0 makes each when it is asked for. Any number of
        threads gives the same batches in the same order. Each batch has arrays of its own.

        Raises FastetlError for parts of different picture sizes, or fewer samples than one batch.
        """
        if isinstance(parts, Dataset):
            parts = [parts.samples()]
        elif not isinstance(parts, Sequence):
            parts = [parts]
        if not parts or len({part.side for part in parts}) != 1:
            sides = ", ".join(str(part.side) for part in parts)
            raise does_not_fit("parts", "pictures of one size", sides or "none", "build the datasets with one `size`")
        self.parts = tuple(parts)
        self.batch_size = batch_size
        self.seed = seed
        self.augmentation = augmentation
        self.prefetch = prefetch
        self.threads = threads
        self.data_wait = 0.0
        total = sum(len(part) for part in self.parts)
        require_range("batch_size", batch_size, 1, total)
        require_range("seed", seed, 0, 2**64 - 1)
        require_range("prefetch", prefetch, 0)
        require_range("threads", threads, 1)
        if augmentation is not None and self.parts[0].side > LARGEST_SIDE:
            raise does_not_fit("parts", f"sides up to {LARGEST_SIDE}", self.parts[0].side, "build at a smaller `size`")
        # Shares are cut at whole pictures so that they sum to the epoch's length.
        weights = np.array([part.weight for part in self.parts])
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

    def _filled(self, batch: Batch, epoch: int, step: Picks) -> Batch:
        images, labels = batch
        begin = 0
        for part, (index, numbers) in zip(self.parts, step, strict=True):
            rows = slice(begin, begin + len(index))
            begin += len(index)
            labels[rows] = part.labels[index]
            pictures, places = part.take(index)
            if self.augmentation is None:
                images[rows] = pictures[places]
                continue
            neighbours, pool = part.neighbours if self.augmentation.fragments else (None, None)
            augment(
                pictures,
                places,
                images[rows],
                config=self.augmentation,
                seed=self.seed,
                epoch=epoch,
                samples=numbers,
                neighbours=neighbours,
                pool=pool,
            )
        return batch

    def steps(self, epoch: int, start: int) -> Iterator[Picks]:
        """What the batches of an epoch are made of, from step `start` on.

        A sample's augmentation number is its own for each time that it comes up: the first part's first round has
        its indices.
        """
        total = len(self) * self.batch_size
        taken = self._counts * total // self._counts.sum()
        taken[taken.argmax()] += total - taken.sum()  # what the others' roundings leave
        random = np.random.default_rng([self.seed, epoch, 1, 0])
        which = random.permutation(np.repeat(np.arange(len(taken), dtype=np.int16), taken))
        index, number = np.empty(total, np.int64), np.empty(total, np.int64)
        first = 0
        for k, part in enumerate(self.parts):
            length, span, mine = len(part), len(part.images), which == k
            # In the order of the part, which for shards is the one to read in, again and again.
            rounds = [
                window
                for turn in range(-(-int(taken[k]) // length))
                for window in part.windows(np.random.default_rng([self.seed, epoch, 0, k, turn]))
            ]
            index[mine] = np.concatenate([part.indices[:0], *rounds])[: taken[k]]
            number[mine] = first + np.arange(taken[k]) // length * span + index[mine]
            first += int(self._counts[k] // length + 2) * span  # one round at least, one begun, one for roundings
        for begin in range(start * self.batch_size, total, self.batch_size):
            batch = slice(begin, begin + self.batch_size)
            mine_of = [begin + np.flatnonzero(which[batch] == k) for k in range(len(self.parts))]
            yield [(index[mine], number[mine]) for mine in mine_of]

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        order, side = self.steps(epoch, start), self.parts[0].side

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
