"""Shuffled, augmented batches, which threads prepare during the training step.

The order of the samples in an epoch derives from (seed, epoch) alone, so training can be resumed at any step.
"""

import itertools
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import ABOVE_0, as_several, require_instance, require_range, unsuitable
from fastetl.data.augmentation import Augmentation, augment
from fastetl.data.charset import Charset, in_a_line
from fastetl.data.dataset import Dataset
from fastetl.data.identity import count_within
from fastetl.data.preprocessing import MAX_SIDE
from fastetl.data.samples import MAX_WEIGHT, Samples
from fastetl.data.store import open_dataset
from fastetl.errors import ArgumentError, StrPath

T = TypeVar("T", bound=Dataset | StrPath | Samples)
Data = Dataset | StrPath | Iterable[Dataset | StrPath | tuple[Dataset | StrPath, float]]
"""Datasets, opened or paths, each alone or in a pair with its weight."""
MixturePart = Dataset | StrPath | Samples
"""What a mixture is made of: a dataset, opened or its path, or samples of one."""
Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Pictures uint8 (B, S, S) and their classes int32 (B,)."""
Picks = list[tuple[NDArray[np.int64], NDArray[np.int64]]]
"""One batch as indices and augmentation numbers, int64 (N,), for each part."""
_NUMBERS_OF_PART = 2**47  # more than the augmentation numbers that a part may need


class Batches:
    """Batches of shuffled, augmented pictures from a dataset, or from a mixture of several parts.

    `for images, labels in batches` iterates over an epoch; each further loop iterates over the next one.

    An epoch has as many pictures as all parts together, less the last incomplete batch. Each part gets the share that
    its weight says. A part that is too small for its share is repeated, augmented anew each time; of a part that is
    too large, each epoch takes other samples.

    Args:
        parts: A dataset, its path, or samples of one (`Dataset.samples`), or a list of several, each alone or as
            (dataset, weight); such a weight multiplies that of samples. All have the same characters and size.
        batch_size: Pictures in a batch, at most as many as there are in all parts.
        seed: Decides the order and the augmentation; below 2**64.
        augmentation: How pictures are changed; None leaves them as they are.
        prefetch: How many batches are prepared in advance, each in new arrays; with 0 no thread starts.
        threads: How many threads prepare them, each another batch at a time; 1 without `prefetch`.
    Raises:
        FastetlError: If characters or sizes of pictures differ, or there are fewer samples than one batch.
    """

    def __init__(
        self,
        parts: MixturePart | Iterable[MixturePart | tuple[MixturePart, float]],
        *,
        batch_size: int = 64,
        seed: int = 0,
        augmentation: Augmentation | None = None,
        prefetch: int = 1,
        threads: int = 1,
    ) -> None:
        require_instance("augmentation", augmentation, Augmentation | None, "an Augmentation, or None")
        self.parts = _samples_of(parts)
        self.batch_size = batch_size
        self.seed = seed
        self.augmentation = augmentation
        self.prefetch = prefetch
        self.threads = threads
        total = sum(map(len, self.parts))
        require_range("batch_size", batch_size, 1)
        if batch_size > total:
            what, do = "fewer samples than one batch has", "choose a smaller `batch_size`, or add samples"
            raise ArgumentError(what, expected=f"{batch_size:,} or more", found=f"{total:,}", do=do)
        require_range("seed", seed, 0, 2**64 - 1)
        require_range("prefetch", prefetch, 0)
        require_range("threads", threads, 1)
        if threads > 1 and not prefetch:
            raise unsuitable("threads", "1 without `prefetch`", threads, "give `prefetch`, or leave it out")
        if augmentation is not None and self.parts[0].side > MAX_SIDE:
            raise unsuitable("parts", f"sides up to {MAX_SIDE}", self.parts[0].side, "build at a smaller `size`")
        # Cumulative shares are rounded, so that the counts sum to `total`.
        weights = np.array([part.weight for part in self.parts])
        bounds = np.rint(np.concatenate([[0.0], np.cumsum(weights / weights.sum())]) * total).astype(np.int64)
        self._counts = np.diff(bounds)
        self._next_epoch = 0

    def __iter__(self) -> Iterator[Batch]:
        self._next_epoch += 1
        return self.epoch(self._next_epoch - 1)

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        return int(self._counts.sum()) // self.batch_size

    def __repr__(self) -> str:
        return f"Batches({len(self):,} of {self.batch_size:,}: {', '.join(map(repr, self.parts))})"

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from batch `start` on; the threads end with the iterator, however it ends.

        Raises:
            FastetlError: If a number is below 0, or the batch outside the epoch.
        """
        require_range("epoch", epoch, 0, 2**32 - 1)
        require_range("start", start, 0, len(self))
        return self._batches(epoch, start)

    def _fill(self, batch: Batch, epoch: int, picks: Picks) -> Batch:
        """Write the picked samples to `batch`, and return it."""
        images, labels = batch
        begin = 0
        for part, (indices, numbers) in zip(self.parts, picks, strict=True):
            rows = slice(begin, begin + len(indices))
            begin += len(indices)
            labels[rows] = part.labels[indices]
            pictures, positions = part.take(indices)
            if self.augmentation is None:
                images[rows] = pictures[positions]
                continue
            neighbours, pool = part.neighbours if self.augmentation.fragments else (None, None)
            vary = partial(augment, config=self.augmentation, seed=self.seed, epoch=epoch, samples=numbers)
            vary(pictures, positions, images[rows], neighbours=neighbours, pool=pool)
        return batch

    def picks(self, epoch: int, start: int) -> Iterator[Picks]:
        """The samples of each batch from batch `start` on. A repeated sample gets a new augmentation number."""
        part_of = self._order_of_parts(epoch).reshape(-1, self.batch_size)
        bounds_of_parts, draws = [], []
        for number, part in enumerate(self.parts):
            bounds_of_parts.append(np.append(0, np.cumsum((part_of == number).sum(1))))
            indices = self._draw_indices(number, int(bounds_of_parts[number][-1]), epoch)
            draws.append((indices, number * _NUMBERS_OF_PART + _augmentation_numbers(indices, len(part.images))))
        for batch in range(start, len(self)):
            part_rows = [slice(bounds[batch], bounds[batch + 1]) for bounds in bounds_of_parts]
            yield [(indices[rows], numbers[rows]) for (indices, numbers), rows in zip(draws, part_rows, strict=True)]

    def _order_of_parts(self, epoch: int) -> NDArray[np.int16]:
        """int16 (samples of an epoch,): the part that each sample is drawn from."""
        total = len(self) * self.batch_size
        counts = np.diff(np.cumsum(self._counts) * total // self._counts.sum(), prepend=0)
        rng = np.random.default_rng([self.seed, epoch, 1, 0])
        return rng.permutation(np.repeat(np.arange(len(counts), dtype=np.int16), counts))

    def _draw_indices(self, number: int, count: int, epoch: int) -> NDArray[np.int64]:
        """`count` indices of a part: all in random order, in another one in each further round."""
        part = self.parts[number]
        windows = [part.indices[:0]]
        for round_number in range(-(-count // len(part))):
            windows += part.windows(np.random.default_rng([self.seed, epoch, 0, number, round_number]))
        return np.concatenate(windows)[:count]

    def _new_batch(self) -> Batch:
        side = self.parts[0].side
        return np.empty((self.batch_size, side, side), np.uint8), np.empty(self.batch_size, np.int32)

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        picks = self.picks(epoch, start)
        if not self.prefetch:
            yield from (self._fill(self._new_batch(), epoch, batch_picks) for batch_picks in picks)
            return
        executor, is_finalizing = ThreadPoolExecutor(self.threads, "batches"), sys.is_finalizing
        futures: deque[Future[Batch]] = deque()
        try:
            for _ in range(start, len(self)):
                for batch_picks in itertools.islice(picks, max(self.prefetch + 1, self.threads) - len(futures)):
                    # Allocated here, as memory that one thread frees is not reused by another.
                    futures.append(executor.submit(self._fill, self._new_batch(), epoch, batch_picks))
                yield futures.popleft().result()
        finally:
            if not is_finalizing():  # then the threads have ended, and the modules that `shutdown` needs are gone
                executor.shutdown(cancel_futures=True)


def _samples_of(parts: MixturePart | Iterable[MixturePart | tuple[MixturePart, float]]) -> tuple[Samples, ...]:
    """The samples of all parts, with their weights. Raises FastetlError unless they fit together."""
    pairs = [(p if isinstance(p, Samples) else open_dataset(p).samples(), w) for p, w in weigh("parts", parts)]
    samples = tuple(replace(part, weight=part.weight * weight) for part, weight in pairs)
    if not samples:
        raise unsuitable("parts", "one dataset or more", "none")
    require_same_characters([part.charset for part in samples if part.charset is not None])
    if len({part.side for part in samples}) > 1:
        raise unsuitable("parts", "datasets of one size", [part.side for part in samples], "build them with one `size`")
    return samples


def _augmentation_numbers(draws: NDArray[np.int64], image_count: int) -> NDArray[np.int64]:
    """int64 (N,): a number for each of the drawn indices of a part's pictures; no two draws have the same.

    Draw k of a picture, from 0, has k · image_count + index; so all are below the most draws of one · image_count.
    """
    if np.bincount(draws).max(initial=0) <= 1:  # nearly always: to sort millions takes memory and time
        return draws
    return count_within(draws) * image_count + draws


def require_same_characters(charsets: Sequence[Charset]) -> None:
    """Raise FastetlError unless all charsets have the same characters in one order: a class has one meaning then."""
    for charset in charsets[1:]:
        if charset.characters != charsets[0].characters:
            what, do = "the datasets have different characters", "build all with one `charset`"
            expected, found = (f"{c.name} ({in_a_line(c.characters, 20)})" for c in (charsets[0], charset))
            raise ArgumentError(what, expected=expected, found=found, do=do)


def weigh(name: str, data: T | Iterable[T | tuple[T, float]]) -> list[tuple[T, float]]:
    """The datasets of the argument `name` with their weights. Raises FastetlError for what is no dataset or weight."""
    pairs: list[tuple[Any, float]] = []
    for part in as_several(data, Dataset | str):
        dataset, weight = part if isinstance(part, tuple) and len(part) == 2 else (part, 1)
        expected = "datasets or paths, or pairs of one and its weight"
        advice = "give a list, as in [(dataset, 2.0)]"
        require_instance(name, dataset, Dataset | Samples | str | PathLike, expected, advice)
        require_range(f"the weight of {getattr(dataset, 'name', dataset)}", weight, ABOVE_0, MAX_WEIGHT, integer=False)
        pairs.append((dataset, float(weight)))
    return pairs
