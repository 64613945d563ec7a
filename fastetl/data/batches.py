"""Shuffled, augmented batches, made in a thread beside the training step and resumable at any step."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.data.augmentation import Augmentation, augment
from fastetl.data.ordering import Samples, Step, streamed, whole
from fastetl.errors import FastetlError

__all__ = ["Batch", "Batches", "Source"]

Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Pictures uint8 (B, S, S) and their classes int32 (B,)."""


def _wrong(name: str, expected: str, found: object, do: str | None = None) -> FastetlError:
    if isinstance(found, np.ndarray):
        found = f"{found.dtype} {found.shape}"
    return FastetlError(f"batches: {name} does not fit", expected=expected, found=found, do=do, also=ValueError)


@dataclass(frozen=True, eq=False)
class Source:
    """Samples of one dataset to draw batches from.

    images: uint8 (N, S, S), ink high, may be memory-mapped or those of a dataset of shards. labels: integers (N,).
    indices: int64, the samples to use. weight: the share of an epoch's pictures, relative to the others' weights.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.integer[Any]]
    indices: NDArray[np.int64]
    weight: float = 1.0

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.images.ndim != 3 or self.images.dtype != np.uint8 or self.images.shape[1] != self.images.shape[2]:
            raise _wrong("images", "uint8 (N, S, S)", f"{self.images.dtype} {self.images.shape}")
        if self.labels.shape != (count,):
            raise _wrong("labels", f"one for each of {count} images", self.labels.shape)
        if self.indices.ndim != 1 or not len(self.indices) or self.indices.dtype.kind not in "iu":
            raise _wrong("indices", "int64 (M,), M at least 1", self.indices)
        if int(self.indices.min()) < 0 or int(self.indices.max()) >= count:
            raise _wrong("indices", f"0 to {count - 1}", f"{self.indices.min()} to {self.indices.max()}")
        if not 0 < self.weight < float("inf"):
            raise _wrong("weight", "a number over 0", self.weight)

    @property
    def side(self) -> int:
        """Pixels of a picture's side."""
        return int(self.images.shape[1])

    @property
    def span(self) -> int:
        """Indices are below this."""
        return len(self.images)

    @property
    def is_streamed(self) -> bool:
        """Whether `images` are those of a dataset of shards."""
        return not isinstance(self.images, np.ndarray)

    def __len__(self) -> int:
        return len(self.indices)

    def windows(self, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """`indices` in random order; of shards, so many at a time as are held in memory (`fastetl_ray.sharded`)."""
        if not self.is_streamed:
            yield self.indices[random.permutation(len(self.indices))].astype(np.int64, copy=False)
            return
        images: Any = self.images
        shard = np.searchsorted(images.starts, self.indices, "right") - 1
        for window in images.windows(np.unique(shard), random):
            yield random.permutation(self.indices[np.isin(shard, window)])

    def take(self, index: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]:
        """Pictures and classes at indices."""
        return self.images[index], self.labels[index]

    def blocks(self, rows: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]]:
        """The samples at `indices`, in that order, `rows` at a time."""
        for start in range(0, len(self.indices), rows):
            yield self.take(self.indices[start : start + rows])


class Batches:
    """Batches of shuffled, augmented pictures from one source or a mixture of several.

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
        sources: Sequence[Samples],
        *,
        batch_size: int,
        seed: int,
        augmentation: Augmentation | None,
        prefetch: int = 1,
        reuse: bool = False,
    ) -> None:
        """`prefetch` batches are kept ready by a thread; 0 makes each when it is asked for.

        Each batch has arrays of its own. `reuse` fills the same few again and again, which saves the system making new
        pages of memory: then a batch is valid until the next but one is asked for, and what must live longer, or is
        handed to something that reads it later, must be copied.

        Raises FastetlError for sources of different picture sizes, or fewer samples than one batch.
        """
        if not sources or len({source.side for source in sources}) != 1:
            sides = ", ".join(str(source.side) for source in sources)
            raise _wrong("sources", "pictures of one size", sides or "none", "build the datasets with one `size`")
        self.sources = tuple(sources)
        self.batch_size = batch_size
        self.seed = seed
        self.augmentation = augmentation
        self.prefetch = prefetch
        self.reuse = reuse
        self.data_wait = 0.0
        total = sum(len(source) for source in self.sources)
        require_range("batch_size", batch_size, 1, total)
        require_range("seed", seed, 0, 2**64 - 1)
        require_range("prefetch", prefetch, 0)
        # Shares are cut at whole pictures so that they sum to the epoch's length.
        weights = np.array([source.weight for source in self.sources])
        edges = np.rint(np.concatenate([[0.0], np.cumsum(weights / weights.sum())]) * total).astype(np.int64)
        self._counts = np.diff(edges)
        self._steps = total // batch_size
        self._pools = [
            np.ascontiguousarray(source.indices, np.int64) if isinstance(source, Source) else None
            for source in self.sources
        ]

    def __len__(self) -> int:
        """Steps of an epoch."""
        return self._steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from step `start` on.

        The thread ends with the iterator: at its end, when it is closed or collected, or when an error (which the
        consumer gets) stops it.

        Raises FastetlError for a negative epoch or a step outside the epoch.
        """
        if epoch < 0 or not 0 <= start <= len(self):
            raise _wrong("epoch or start", f"0 or more and 0 to {len(self)}, its steps", f"{epoch} and {start}")
        self.data_wait = 0.0
        return self._made_here(epoch, start) if self.prefetch == 0 else self._made_ahead(epoch, start)

    def _order(self, epoch: int, start: int) -> Iterator[Step]:
        ordered = streamed if any(source.is_streamed for source in self.sources) else whole
        return ordered(self.sources, self._counts, len(self), self.batch_size, self.seed, epoch, start)

    def _buffers(self) -> Batch:
        side = self.sources[0].side
        return np.empty((self.batch_size, side, side), np.uint8), np.empty(self.batch_size, np.int32)

    def _fill(self, made: Batch, epoch: int, step: Step) -> None:
        """Make one batch, source by source."""
        images, labels = made
        which, index, sample = step
        bounds = np.searchsorted(which, np.arange(len(self.sources) + 1)).tolist()
        for source, pool, lo, hi in zip(self.sources, self._pools, bounds[:-1], bounds[1:], strict=True):
            chosen, out = index[lo:hi], images[lo:hi]
            if isinstance(source, Source) and not source.is_streamed:
                pictures, places = source.images, chosen
                labels[lo:hi] = source.labels[chosen]
            else:  # only the batch's own pictures are at hand
                pictures, labels[lo:hi] = source.take(chosen)
                places = pool = np.arange(len(chosen))
            if self.augmentation is None:
                out[:] = pictures[places]
                continue
            augment(
                pictures,
                places,
                out,
                config=self.augmentation,
                seed=self.seed,
                epoch=epoch,
                samples=sample[lo:hi],
                pool=pool,
            )

    def _made_here(self, epoch: int, start: int) -> Iterator[Batch]:
        order = self._order(epoch, start)
        ring = [self._buffers() for _ in range(2 if self.reuse else 0)]
        for step in range(start, len(self)):
            begin = time.perf_counter()
            made = ring[step % 2] if self.reuse else self._buffers()
            self._fill(made, epoch, next(order))
            self.data_wait += time.perf_counter() - begin
            yield made

    def _made_ahead(self, epoch: int, start: int) -> Iterator[Batch]:
        free: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        ready: queue.SimpleQueue[Batch | BaseException] = queue.SimpleQueue()

        def work() -> None:
            try:
                for step in self._order(epoch, start):
                    made = free.get()
                    if made is None:
                        return
                    self._fill(made, epoch, step)
                    ready.put(made)
            except BaseException as error:  # the consumer raises it
                ready.put(error)

        # With `reuse` two are the consumer's, this one and the one before.
        kept = 2 if self.reuse else 0
        for _ in range(self.prefetch + kept):
            free.put(self._buffers())
        thread = threading.Thread(target=work, name="batches", daemon=True)
        thread.start()
        following: list[Batch] = []
        try:
            for _ in range(start, len(self)):
                begin = time.perf_counter()
                made = ready.get()
                self.data_wait += time.perf_counter() - begin
                if isinstance(made, BaseException):
                    raise made
                following.append(made if self.reuse else self._buffers())
                if len(following) > kept:
                    free.put(following.pop(0))
                yield made
        finally:
            free.put(None)
            thread.join()
