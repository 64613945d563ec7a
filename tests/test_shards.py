"""Datasets of shards: the same rows, the same batches, read a few shards at a time; damage is one line."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fastetl.data.charset import HIRAGANA
from fastetl.data.dataset import Dataset
from fastetl.data.identity import Part, Trained
from fastetl.data.preprocessing import Preprocessing
from fastetl.errors import FastetlError
from fastetl_ray.opening import open_dataset

pytest.importorskip("pyarrow")

from fastetl_ray.sharded import ShardedDataset, ShardedImages, ShardedSource
from fastetl_ray.shards import Shard, group_ranges, runs_of, write_shards

SIDE = 8


def made(groups: int = 6, each: int = 10) -> Dataset:
    rng = np.random.default_rng(0)
    count = groups * each
    return Dataset(
        "made",
        rng.integers(0, 256, (count, SIDE, SIDE), np.uint8),
        rng.integers(0, len(HIRAGANA), count).astype(np.uint16),
        np.repeat(np.arange(groups, dtype=np.int32), each),
        HIRAGANA,
        Preprocessing(size=SIDE),
        rng.integers(0, 2**63, count).astype(np.uint64),
        np.zeros(count, np.uint16),
        ("ETL8",),
        {"record": np.arange(count, dtype=np.int32), "file_name": np.full(count, "ETL8G_01")},
    )


def opened(folder: Path, cache_bytes: int = 1 << 28) -> ShardedImages:
    images: object = open_dataset(folder).images
    assert isinstance(images, ShardedImages)
    return ShardedImages(images.folder, images.shards, SIDE, len(HIRAGANA), ("ETL8",), cache_bytes)


def chosen_of(images: ShardedImages, groups: list[int]) -> Callable[[int], NDArray[np.bool_]]:
    """Which rows of a shard are of some groups."""

    def chosen(number: int) -> NDArray[np.bool_]:
        _, values, rows = images.shards[number].groups()
        return np.repeat(np.isin(values, groups), rows)

    return chosen


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    write_shards(made(), tmp_path / "shards", rows=20)
    return tmp_path / "shards"


def test_rows_are_the_same(shards: Path) -> None:
    data, first = open_dataset(shards), made()
    assert len(opened(shards).shards) == 3
    assert (np.asarray(data.images) == first.images).all()
    assert (data.images[17:43] == first.images[17:43]).all()
    assert (data.images[np.array([59, 0, 20, 20])] == first.images[[59, 0, 20, 20]]).all()
    assert (data[-1][0] == first.images[-1]).all()
    assert (data.labels == first.labels).all()
    assert (data.groups == first.groups).all()
    assert data.records["file_name"].dtype == first.records["file_name"].dtype
    assert data.records["file_name"].tolist() == first.records["file_name"].tolist()
    assert data.split(seed=3) == first.split(seed=3)
    assert (data.subset(np.arange(7)).images == first.images[:7]).all()


def test_an_address_opens_like_a_folder(shards: Path) -> None:
    there, here = open_dataset(f"file://{shards}"), open_dataset(shards)
    assert (np.asarray(there.images) == np.asarray(here.images)).all()
    assert there.path is None
    with pytest.raises(FileNotFoundError, match=r"nowhere/dataset\.json: cannot read the file"):
        open_dataset(f"file://{shards}/nowhere")


def test_the_same_rows_give_the_same_bytes(shards: Path, tmp_path: Path) -> None:
    write_shards(open_dataset(shards), tmp_path / "again", rows=20)
    for file in shards.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_memory_holds_a_few_shards(shards: Path) -> None:
    images = opened(shards, cache_bytes=2 * 20 * SIDE**2)
    for start in range(0, 60, 10):
        images.take(np.arange(start, start + 10))
        assert sum(rows[0].nbytes for rows in images._cache.values()) <= images.cache_bytes


def test_a_shuffle_follows_shards_and_derives_from_its_seed(shards: Path) -> None:
    images = opened(shards, cache_bytes=2 * 20 * SIDE**2)
    source = ShardedSource(images, chosen_of(images, [0, 2, 3, 5]))
    order = np.concatenate(list(source.windows(np.random.default_rng(1))))
    assert sorted(order.tolist()) == [*range(10), *range(20, 40), *range(50, 60)]
    assert (order == np.concatenate(list(source.windows(np.random.default_rng(1))))).all()
    assert (order != np.concatenate(list(source.windows(np.random.default_rng(2))))).any()
    # Half of the cache holds one shard: its pictures stand together, mixed.
    changes = (np.diff(order // 20) != 0).sum()
    assert changes == 2
    assert (np.diff(order) != 1).sum() > 20


def test_nothing_but_the_description_is_read_to_open_split_and_begin(shards: Path) -> None:
    read: list[str] = []
    data = open_dataset(shards)
    assert isinstance(data, ShardedDataset)
    images, first = data.images, made()
    images._table = lambda shard, columns: read.append(shard.file)
    split = first.split(seed=3)
    parts = Trained().divided(data, by="group", valid=0.1, test=0.2, seed=3).parts()
    assert [p.groups["ETL8"].tolist() for p in parts] == [
        np.unique(first.groups[s]).tolist() for s in (split.train, split.valid, split.test)
    ]
    source = data.samples(parts[0])
    assert len(source) == len(split.train)
    assert sorted(np.concatenate(list(source.windows(np.random.default_rng(0)))).tolist()) == split.train.tolist()
    assert len(data) == 60
    assert "6 groups" in repr(data)
    assert not read


def test_blocks_are_the_rows_of_some_groups_in_order_a_shard_at_a_time(shards: Path) -> None:
    data, first = open_dataset(shards), made()
    chosen = np.flatnonzero(np.isin(first.groups, [1, 4, 5]))
    part = Part({"ETL8": np.array([1, 4, 5], np.int32)})
    for rows in (1, 15, 1000):
        blocks = list(data.samples(part).blocks(rows))
        assert all(len(labels) < rows + 20 for _, labels in blocks)
        assert (np.concatenate([pictures for pictures, _ in blocks]) == first.images[chosen]).all()
        assert (np.concatenate([labels for _, labels in blocks]) == first.labels[chosen]).all()


@pytest.mark.parametrize("groups", [[3], [-1, -1], [0, 0, 1, 1, 2, 2, 7], [5, 4, 4, 5, 6], [0, 1, 2, 0, 1, 2, 2]])
def test_runs_are_the_column_of_groups(groups: list[int]) -> None:
    runs = runs_of(np.zeros(len(groups), np.uint16), np.array(groups, np.int32))
    shard = Shard.from_dict({"file": "x", "rows": len(groups), "bytes": 1, "sha256": "", "runs": runs})
    source, values, rows = shard.groups()
    assert (np.repeat(values, rows).tolist(), set(source.tolist())) == (groups, {0})
    assert len(runs_of(np.zeros(3550, np.uint16), np.repeat(np.arange(50, dtype=np.int32), 71))) == 1
    assert len(runs_of(np.repeat(np.arange(2, dtype=np.uint16), 71), np.zeros(142, np.int32))) == 2


def test_a_copy_with_something_replaced_has_its_own_columns(shards: Path) -> None:
    data = dataclasses.replace(open_dataset(shards), labels=np.zeros(60, np.uint16))
    assert not isinstance(data, ShardedDataset)
    assert len(data.samples(Part({"ETL8": np.array([0], np.int32)}))) == 10
    assert data[3][1] == 0
    assert (data[3][0] == made().images[3]).all()


def test_pickles_and_comes_back(shards: Path) -> None:
    data = open_dataset(shards)
    sent = pickle.dumps(data)
    assert (np.asarray(pickle.loads(sent).images) == np.asarray(data.images)).all()


@pytest.mark.parametrize("most", [1, 7, 20, 60, 1000])
def test_ranges_keep_groups_together(most: int) -> None:
    groups = np.repeat(np.arange(5, dtype=np.int32), [3, 10, 1, 20, 7])
    ranges = group_ranges(np.zeros(len(groups), np.uint16), groups, most)
    assert [k for part in ranges for k in range(part.start, part.stop)] == list(range(len(groups)))
    for part in ranges:
        assert part.stop - part.start <= most
        cut = part.stop < len(groups) and groups[part.stop] == groups[part.stop - 1]
        assert not cut or len(set(groups[part].tolist())) == 1


def test_damage_is_one_line(shards: Path) -> None:
    file = shards / "shard-00001.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(
        FastetlError, match=r"shard-00001\.parquet: the shard is damaged; expected sha256 .* another hash"
    ):
        np.asarray(open_dataset(shards).images)
    file.write_bytes(data[:-1])
    with pytest.raises(FastetlError, match=r"shard-00001\.parquet: the shard is damaged; expected .* bytes; found"):
        open_dataset(shards)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"shard-00001\.parquet"):
        open_dataset(shards)


def test_a_label_outside_the_charset_is_told_when_it_is_read(shards: Path) -> None:
    about = json.loads((shards / "dataset.json").read_text(encoding="utf-8"))
    few = {**about["charset"], "characters": about["charset"]["characters"][:5]}
    text = json.dumps({**{k: v for k, v in about.items() if k != "digest"}, "charset": few})
    (shards / "dataset.json").write_text(text, encoding="utf-8")
    with pytest.raises(FastetlError, match=r"shard-00000\.parquet, record \d+: a label outside the charset"):
        _ = open_dataset(shards)[0]


def test_an_older_format_is_told(shards: Path) -> None:
    about = json.loads((shards / "dataset.json").read_text(encoding="utf-8"))
    (shards / "dataset.json").write_text(json.dumps({**about, "format": 3}), encoding="utf-8")
    with pytest.raises(FastetlError, match=r"dataset\.json: dataset of another format; expected 5; found 3"):
        open_dataset(shards)


@pytest.mark.parametrize(
    ("key", "value"),
    [("count", 5), ("shards", [{"file": "../x"}]), ("shards", 3), ("charset", {"name": "x"}), ("preprocessing", 1)],
)
def test_a_damaged_description_is_one_line(shards: Path, key: str, value: object) -> None:
    about = json.loads((shards / "dataset.json").read_text(encoding="utf-8"))
    (shards / "dataset.json").write_text(json.dumps({**about, key: value}), encoding="utf-8")
    with pytest.raises(FastetlError, match=r"dataset\.json: not what was written; expected digest"):
        open_dataset(shards)
    del about["digest"]
    (shards / "dataset.json").write_text(json.dumps({**about, key: value}), encoding="utf-8")
    with pytest.raises(FastetlError, match=r"dataset\.json: cannot read"):
        open_dataset(shards)
