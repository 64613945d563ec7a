"""Datasets in shards, Arrow, Parquet: the same rows, the same batches, a few shards at a time; damage is one line."""

import pickle
from pathlib import Path
from unittest.mock import Mock

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from export.recognizer import open_recognizer
from fastetl import Dataset, FastetlError, Samples, open_dataset
from fastetl.data import parquet
from fastetl.data.parquet import arrow_table, pictures_of, png_table
from fastetl.data.shards import ShardedImages
from model.outliers import character_pairs
from tests.conftest import Patch, describe, one_line, some_pictures, write_shards
from tests.export_data import sound_package

SIDE = 8


def opened(folder: Path) -> ShardedImages:
    images: object = open_dataset(folder).images
    assert isinstance(images, ShardedImages)
    return images


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    return write_shards(some_pictures(), tmp_path / "shards", rows=20)


def test_rows_are_the_same(shards: Path, monkeypatch: Patch) -> None:
    data, first = open_dataset(shards), some_pictures()
    assert data == first == pickle.loads(pickle.dumps(data))
    monkeypatch.chdir(shards.parent)
    relative = open_dataset("shards")
    monkeypatch.chdir("/")
    assert relative == pickle.loads(pickle.dumps(relative)) == first
    assert len(opened(shards).shards) == 3
    for index in (slice(17, 43), np.array([59, 0, 20, 20]), -1):
        assert (data.images[index] == first.images[index]).all()
    with pytest.raises(ValueError, match="pictures in shards are copied"):
        np.array(data.images, copy=False)
    assert data.records["file_name"].dtype == first.records["file_name"].dtype
    # Groups are stored once, beside the shards.
    names = ["image", "label", "character", "record", "file_name"]
    assert pq.read_schema(shards / "shard-00000.parquet").names == names


def test_an_address_has_no_path(shards: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(shards)
    assert open_dataset(".").name == "shards"
    assert open_dataset(Path(f"file://{shards}")).path is None  # `Path` makes one of two slashes
    with pytest.raises(FileNotFoundError, match=r"nowhere/dataset\.json: (cannot read the file|there is no such file)"):
        open_dataset(f"file://{shards}/nowhere")
    monkeypatch.setattr("fsspec.open", Mock(side_effect=ImportError("Install s3fs to access S3")))
    with pytest.raises(FastetlError, match=r"Install s3fs to access S3\. Install it$"):
        open_dataset("s3://bucket/data")


def test_an_address_has_shards_or_a_file_that_is_read_again(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    for data in (some_pictures(), some_pictures()[:20]):
        data.to_parquet(tmp_path / "data.parquet", overwrite=True)
        memory.pipe("/files/data.parquet", (tmp_path / "data.parquet").read_bytes())
        assert open_dataset("memory://files/data.parquet") == data
    some_pictures().write(tmp_path / "folder")
    memory.put(str(tmp_path / "folder"), "/files/folder", recursive=True)
    with pytest.raises(FastetlError, match="^memory://files/folder: the dataset is not in shards"):
        open_dataset("memory://files/folder")


def test_a_shuffle_follows_shards_and_derives_from_its_seed(shards: Path) -> None:
    images = opened(shards)
    images.cache_bytes = 2 * 20 * SIDE**2
    first = some_pictures()
    part = Samples(images, first.labels, np.flatnonzero(np.isin(first.groups, [0, 2, 3, 5])))
    order = np.concatenate(list(part.windows(np.random.default_rng(1))))
    assert sorted(order.tolist()) == [*range(10), *range(20, 40), *range(50, 60)]
    assert (order == np.concatenate(list(part.windows(np.random.default_rng(1))))).all()
    assert (order != np.concatenate(list(part.windows(np.random.default_rng(2))))).any()
    # Half of the cache holds one shard: its pictures stand together, mixed.
    assert (np.diff(order // 20) != 0).sum() == 2
    assert (np.diff(order) != 1).sum() > 20
    character_pairs([part], 30)
    assert len(images._cache) == 1


def test_no_shard_is_read_to_open_split_and_begin(shards: Path, monkeypatch: Patch) -> None:
    read: list[str] = []
    monkeypatch.setattr(ShardedImages, "table", lambda images, shard, columns: read.append(shard.file))
    data, first = open_dataset(shards), some_pictures()
    split = first.split(seed=3)
    part = data.samples(data.split(seed=3).train)
    assert sorted(np.concatenate(list(part.windows(np.random.default_rng(0)))).tolist()) == split.train.tolist()
    assert data.split(seed=3) == split
    assert "60 of 8 × 8" in repr(data)
    assert list(data.records) == list(first.records)
    assert data != first[::-1]
    assert not read


def test_a_package_reads_them_as_it_reads_an_array(tmp_path: Path) -> None:
    recognizer = open_recognizer(sound_package())
    pictures = np.random.default_rng(0).integers(0, 256, (3, 128, 128), np.uint8)
    write_shards(Dataset.create(pictures, "あいう", source="", size=128), tmp_path / "shards")
    assert (recognizer.predict(open_dataset(tmp_path / "shards").images) == recognizer.predict(pictures)).all()


def test_damage_is_one_line(shards: Path) -> None:
    file = shards / "shard-00001.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(FastetlError, match=r"shard-00001\.parquet: the shard is damaged; .* sha256 .* another hash"):
        np.asarray(open_dataset(shards).images)
    file.write_bytes(data[:-1])
    with pytest.raises(FastetlError, match=r"shard-00001\.parquet: the shard is damaged; expected .* bytes; found"):
        open_dataset(shards)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"shard-00001\.parquet"):
        open_dataset(shards)


def test_a_dataset_that_another_replaced_is_not_called_damaged(shards: Path) -> None:
    images = opened(shards)
    shards.rename(shards.with_name("old"))
    write_shards(some_pictures()[:30], shards, rows=15)
    for index in (0, 59):  # of another shard, and of one that is gone
        with pytest.raises(FastetlError, match=f"^{shards}: another dataset has replaced .* Open it again; a training"):
            images[index]


def test_a_damaged_description_is_one_line(shards: Path) -> None:
    for changes in ({"columns": 1}, {"shards": 3}, {"shards": [{"file": "../x"}]}):
        describe(shards, **changes)
        with pytest.raises(FastetlError, match=r"^[^\n]*: cannot read[^\n]*$"):
            open_dataset(shards)
    describe(shards, format=3)
    with pytest.raises(FastetlError, match="dataset of another format; expected 8; found 3"):
        open_dataset(shards)


def test_a_parquet_file_that_claims_gigabytes_is_one_line(tmp_path: Path, monkeypatch: Patch) -> None:
    some_pictures().to_parquet(tmp_path / "a.parquet")
    pq.write_table(arrow_table(some_pictures()), tmp_path / "b.parquet")
    with pytest.raises(FastetlError, match=r"b\.parquet: .* 'fastetl dataset' is missing. .* `Dataset.create` takes"):
        open_dataset(tmp_path / "b.parquet")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(FastetlError, match=r"a\.parquet: cannot read; .* exceeds limit"):
        open_dataset(tmp_path / "a.parquet")


def test_a_parquet_file_with_pictures_of_another_kind_is_one_line(tmp_path: Path, monkeypatch: Patch) -> None:
    for picture in (Image.new("P", (SIDE, SIDE)), Image.new("L", (SIDE, 4))):
        picture.save(tmp_path / "one.png")
        monkeypatch.setattr("fastetl.ink.pictures.png_file", lambda _: (tmp_path / "one.png").read_bytes())
        some_pictures().to_parquet(tmp_path / "a.parquet", overwrite=True)
        with one_line(f"a.parquet: …found a picture {picture.mode} {picture.size}, not L 8 × 8"):
            open_dataset(tmp_path / "a.parquet")


def test_a_parquet_file_is_the_table_of_the_dataset(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(parquet, "_ROWS", 25)  # of 60: they are written part by part
    data = some_pictures()
    raw = arrow_table(data)
    assert (pictures_of(raw.slice(13, 20)["image"], SIDE) == data.images[13:33]).all()
    assert raw["character"].to_pylist() == [data.charset.characters[k] for k in data.labels]
    data.to_parquet(tmp_path / "data")
    assert pq.read_table(tmp_path / "data") == png_table(data)
    assert open_dataset(tmp_path / "data") == data
    columns = {"big": np.arange(2, dtype=">i4")}
    Dataset.create(list(data.images[:2]), ["あ", "い"], records=columns).to_parquet(tmp_path / "big")
    assert open_dataset(tmp_path / "big").records["big"].tolist() == [0, 1]
    with pytest.raises(FastetlError, match="the output exists already"):
        data.to_parquet(tmp_path / "data")
