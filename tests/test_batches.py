"""Batches: every sample once, the same after an interruption, no thread left behind."""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from fastetl import Augmentation, Batches, Samples, augment, open_dataset
from fastetl.data.shards import Shard, ShardedImages
from tests.conftest import Patch, peak_memory, python, some_pictures, write_shards

SIDE = 6
Pairs = list[tuple[NDArray[np.uint8], NDArray[np.int32]]]


def samples(count: int, first: int = 0, weight: float = 1.0) -> Samples:
    """Pictures that carry their number in their first two pixels; labels are the numbers."""
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    numbers = np.arange(first, first + count)
    images[:, 0, 0], images[:, 0, 1] = numbers % 256, numbers // 256
    return Samples(images, numbers.astype(np.uint16), np.arange(count), weight)


def same(a: Pairs, b: Pairs) -> bool:
    return len(a) == len(b) and all((x == u).all() and (y == v).all() for (x, y), (u, v) in zip(a, b, strict=True))


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_an_epoch_has_every_sample_once_but_the_remainder(prefetch: int) -> None:
    batches = Batches([samples(50)], batch_size=8, seed=0, augmentation=None, prefetch=prefetch)
    assert len(batches) == 6
    orders = []
    for epoch in range(2):
        pairs = list(batches.epoch(epoch))
        assert [images.shape for images, _ in pairs] == [(8, SIDE, SIDE)] * 6
        assert len({images.ctypes.data for images, _ in pairs}) == 6  # arrays of their own
        for images, labels in pairs:
            assert [images.dtype, labels.dtype] == [np.uint8, np.int32]
            np.testing.assert_array_equal(images[:, 0, 0] + 256 * images[:, 0, 1].astype(int), labels)
        orders.append(np.concatenate([labels for _, labels in pairs]))
        assert len(set(orders[-1].tolist())) == 48
    assert (orders[0] != orders[1]).any()
    assert (np.sort(orders[0]) != orders[0]).any()
    [(reseeded, _)] = next(Batches([samples(50)], batch_size=48, seed=1).picks(0, 0))
    assert (reseeded != orders[0]).any()


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_epoch_taken_up_at_a_step_gives_the_identical_batches(prefetch: int) -> None:
    def fresh(seed: int = 5) -> Batches:
        parts = [samples(40), samples(30, 1000, 2.0)]
        return Batches(parts, batch_size=8, seed=seed, augmentation=Augmentation(), prefetch=prefetch)

    whole = list(fresh().epoch(3))
    assert same(list(fresh().epoch(3)), whole)
    for start in (1, 5, len(whole)):
        assert same(list(fresh().epoch(3, start)), whole[start:])
    assert not same(list(fresh().epoch(4)), whole)
    assert not same(list(fresh(6).epoch(3)), whole)


def test_a_mixture_has_the_shares_that_the_weights_say() -> None:
    batches = Batches([samples(400), samples(40, 1000, 3.0)], batch_size=20)
    assert len(batches) == 22
    seen = []
    for epoch in range(2):
        labels = np.concatenate([labels for _, labels in list(batches.epoch(epoch))])
        assert (labels >= 1000).sum() == 330
        # 330 of 40: each eight or nine times. 110 of 400: none twice, others in the next epoch.
        assert set(np.bincount(labels[labels >= 1000] - 1000).tolist()) == {8, 9}
        # Wherever one looks, the mixture is that of the whole.
        assert np.abs(np.cumsum(labels >= 1000) - 0.75 * np.arange(1, 441)).max() < 40
        seen.append(set(labels[labels < 1000].tolist()))
        assert len(seen[-1]) == 110
    assert seen[0] != seen[1]
    assert [len(indices) for indices, _ in next(Batches([samples(10)] * 60, batch_size=540).picks(0, 0))] == [9] * 60


@pytest.mark.parametrize("count", [2, 3])
def test_any_number_of_threads_gives_the_same_pixels(count: int) -> None:
    parts, config = [samples(60), samples(30, 1000, 2.0)], Augmentation(fragments=0.5, crop=0.3)

    def pictures(threads: int) -> list[tuple[Any, Any]]:
        batches = Batches(parts, batch_size=4, seed=3, augmentation=config, prefetch=4, threads=threads)
        return [(images.copy(), labels.copy()) for images, labels in batches.epoch(1, start=2)]

    assert same(pictures(count), pictures(1))
    assert not threads()


def test_every_thread_has_a_batch_to_prepare(monkeypatch: Patch) -> None:
    meeting = threading.Barrier(3)
    monkeypatch.setattr("fastetl.data.batches.augment", lambda *_, **__: meeting.wait(20))
    assert len(list(Batches(samples(24), batch_size=4, augmentation=Augmentation(), threads=3))) == 6


def test_a_consumer_that_stops_early_leaves_no_thread() -> None:
    batches = Batches([samples(200)], batch_size=4, seed=0, augmentation=None, prefetch=2)
    steps = batches.epoch(0)
    assert len(list(islice(steps, 3))) == 3
    assert len(threads()) == 1
    steps.close()  # type: ignore[attr-defined]
    assert not threads()
    assert len(list(batches.epoch(0))) == 50
    assert not threads()
    code = "import fastetl, numpy as np, threading as t\n"
    code += "samples = fastetl.Samples(np.zeros((9, 8, 8), 'u1'), *[range(9)] * 2)\n"
    code += "t.kept = fastetl.Batches(samples, batch_size=2).epoch(0); next(t.kept)"  # freed with its module
    assert python(code).stderr == ""


@pytest.mark.parametrize("prefetch", [0, 1])
def test_an_error_in_the_making_reaches_the_consumer(prefetch: int, monkeypatch: Patch) -> None:
    monkeypatch.setattr("fastetl.data.batches.augment", Mock(side_effect=[None, None, OSError("the disk went away")]))
    batches = Batches([samples(40)], batch_size=4, seed=0, augmentation=Augmentation(), prefetch=prefetch)
    steps = batches.epoch(0)
    assert len(list(islice(steps, 2))) == 2
    with pytest.raises(OSError, match="disk went away"):
        next(steps)
    assert not threads()


def test_what_a_picture_becomes_depends_on_seed_epoch_and_its_number() -> None:
    data = some_pictures()
    batches = Batches(data.samples([5, 5]), batch_size=2, seed=3, augmentation=Augmentation())
    [(indices, numbers)] = next(batches.picks(1, 0))
    expected = augment(data.images, indices, config=Augmentation(), seed=3, epoch=1, samples=numbers)  # type: ignore[arg-type]
    np.testing.assert_array_equal(next(batches.epoch(1))[0], expected)
    assert (expected[0] != expected[1]).any(), "one sample twice"


def test_the_order_of_an_epoch_takes_little_memory() -> None:
    count = 1 << 18
    images = np.broadcast_to(np.uint8(0), (count, 1, 1))
    batches = Batches(Samples(images, np.zeros(count, np.uint16), np.arange(count)))
    assert peak_memory(lambda: next(batches.picks(0, 0))) < 50 * count


def test_fragments_of_shards_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    data = open_dataset(write_shards(some_pictures(groups=12, each=4), tmp_path / "shards", rows=16))
    configs = (None, Augmentation(fragments=1))

    def pictures(size: int) -> dict[bytes, bytes]:
        epochs = (Batches(data, batch_size=size, seed=1, augmentation=config) for config in configs)
        plain, changed = (np.concatenate([images for images, _ in epoch]) for epoch in epochs)
        return {before.tobytes(): after.tobytes() for before, after in zip(plain, changed, strict=True)}

    assert pictures(8) == pictures(16)
    assert any(before != after for before, after in pictures(8).items())
    many = some_pictures(groups=500)
    neighbours, _ = open_dataset(write_shards(many, tmp_path / "many", rows=1000)).samples().neighbours
    assert len(neighbours) == 4096
    assert {picture.tobytes() for picture in neighbours} & {picture.tobytes() for picture in many.images[4096:]}


def test_an_epoch_from_shards_reads_each_once_or_so_and_holds_a_few(tmp_path: Path, monkeypatch: Patch) -> None:
    data: Any = open_dataset(write_shards(some_pictures(groups=120), tmp_path / "shards", rows=30))
    read: list[str] = []
    held = 0
    once = ShardedImages.table

    def counted(self: ShardedImages, shard: Shard, columns: Sequence[str]) -> Any:
        nonlocal held
        read.append(shard.file)
        held = max(held, 1 + len(self._cache))
        return once(self, shard, columns)

    monkeypatch.setattr(ShardedImages, "table", counted)
    data.images.cache_bytes = 4 * 30 * 8**2
    for _ in Batches([data.samples(np.arange(20, 1180))], batch_size=16, seed=3, augmentation=None).epoch(0):
        pass
    assert len(set(read)) == 40
    # A batch at the border of two windows, half the cache each, may find a shard gone that it needs again.
    assert len(read) <= 40 + 20
    assert held <= 5


def test_each_time_that_a_sample_comes_up_has_a_number_of_its_own() -> None:
    batches = Batches([samples(300, 600), samples(500)], batch_size=16, seed=3)
    steps = list(batches.picks(0, 0))
    numbers = np.concatenate([number for step in steps for _, number in step])
    assert len(steps) == len(batches) == 50
    assert len(set(numbers.tolist())) == 800
    # Equal weights: the first is gone through once and a third.
    second, first = (Counter(np.concatenate([step[k][0] for step in steps]).tolist()) for k in range(2))
    assert (Counter(first.values()), Counter(second.values())) == ({1: 400}, {1: 200, 2: 100})
    for step, again in zip(steps[17:], batches.picks(0, 17), strict=True):
        assert all((a == b).all() for pairs in zip(step, again, strict=True) for a, b in zip(*pairs, strict=True))


def test_a_loop_goes_through_an_epoch_and_the_next_through_the_next(tmp_path: Path) -> None:
    batches = Batches(samples(12), batch_size=4, seed=3)
    assert same([*batches, *batches], list(batches.epoch(0)) + list(batches.epoch(1)))
    device_images: Any = jnp.asarray(samples(12).images)
    on_device = Batches(replace(samples(12), images=device_images), batch_size=4, seed=3)
    assert same(list(on_device), list(batches.epoch(0)))
    some_pictures().write(tmp_path / "out")
    mixture = Batches([some_pictures(), (tmp_path / "out", 2.0)], batch_size=20)  # whole datasets
    part = "Samples(60 of 60, 8 × 8, weight"
    assert repr(mixture) == f"Batches(6 of 20: {part} 1), {part} 2))"
