"""Datasets: damage, splits, slices, pickles."""

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benches.etl_records import make_records
from fastetl import BuildConfig, Dataset, FastetlError, Preprocessing, build, load_labelled, open_dataset, write_sheet
from fastetl.data import store
from fastetl.data.charset import HIRAGANA
from tests.conftest import Patch, Write, describe, one_line, peak_memory


@pytest.fixture
def data(etl_file: Write, tmp_path: Path) -> Dataset:
    build(etl_file(), tmp_path / "out", BuildConfig(size=16))
    return open_dataset(tmp_path / "out")


def cut(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])


def header(path: Path, shape: str) -> None:
    """Another shape in the head of an .npy file, which stays as long as it is."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00\x76\x00" + text.encode() + path.read_bytes()[128:])


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def column(out: Path, **columns: Any) -> None:
    with np.load(out / "records.npz") as stored:
        records = {k: stored[k] for k in stored.files} | columns
    np.savez(out / "records.npz", allow_pickle=False, **{k: v for k, v in records.items() if v is not None})


def replaced(path: Path, text: str, by: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(text, by), encoding="utf-8")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "images cut": (lambda out: cut(out / "images.npy", -5), "images.npy"),
    "labels gone": (lambda out: (out / "labels.npy").unlink(), "labels.npy"),
    "labels of floats": (lambda out: np.save(out / "labels.npy", np.zeros(142)), "float64"),
    "labels too high": (lambda out: np.save(out / "labels.npy", np.full(142, 71, np.uint16)), "labels from 71 to 71"),
    "labels too few": (lambda out: np.save(out / "labels.npy", np.zeros(3, np.uint16)), "labels (3,), not (142,)"),
    "images too long": (lambda out: os.truncate(out / "images.npy", 10**6), "1,000,000 bytes are another size than"),
    "images of another size": (lambda out: header(out / "images.npy", "(142, 99, 16)"), "cannot read the array"),
    "images of infinite size": (lambda out: header(out / "images.npy", f"({10**30}, 16, 16)"), "cannot read the array"),
    "images a FIFO": (lambda out: fifo(out / "images.npy"), "a FIFO"),
    "deep JSON": (lambda out: (out / "dataset.json").write_text("[" * 100_000), "nested too deeply"),
    "groups of floats": (lambda out: column(out, group=np.full(142, np.nan)), "float64, not int32"),
    "groups too low": (lambda out: column(out, group=np.full(142, -2, np.int32)), "groups from -2 to -2, not fr"),
    "no groups": (lambda out: column(out, group=None), "found 'group' is missing"),
    "a source without a name": (lambda out: column(out, source=np.ones(142, np.uint16)), "sources from 1 to 1, not fr"),
    "other labels": (lambda out: np.save(out / "labels.npy", np.load(out / "labels.npy")[::-1]), "expected digest"),
    "a digit changed": (lambda out: replaced(out / "dataset.json", '"scale": 0.', '"scale": 0.0'), "expected digest"),
    "another digest": (lambda out: column(out, digest=np.zeros(142, np.uint64)), "not what was written"),
    "a column too many": (lambda out: column(out, bomb=np.zeros(10**7, np.uint8)), "one value for each"),
    "records cut": (lambda out: cut(out / "records.npz", 100), "records.npz"),
    "no JSON": (lambda out: cut(out / "dataset.json", 50), "dataset.json"),
    "other format": (lambda out: describe(out, format=2), "of another format; expected 4; found 2. Build it again"),
    "unknown preprocessing": (lambda out: describe(out, preprocessing={"sharpen": 1}), "sharpen"),
    "scale NaN": (lambda out: describe(out, preprocessing={"scale": float("nan")}), "range: nan. B"),
    "charset of numbers": (lambda out: describe(out, charset={"name": "x", "characters": [1, 2]}), "unsuitable char"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_dataset_is_named(data: Dataset, tmp_path: Path, kind: str) -> None:
    damage, expected = DAMAGES[kind]
    damage(tmp_path / "out")
    with one_line(expected):
        open_dataset(tmp_path / "out")


def test_split_by_group_shares_no_group(etl_file: Write, tmp_path: Path) -> None:
    build([etl_file(records=make_records(10))], tmp_path / "out", BuildConfig(size=8))
    data = open_dataset(tmp_path / "out")
    split = data.split(valid=0.1, test=0.3, seed=3)
    parts = [set(data.groups[part].tolist()) for part in split]
    assert [len(p) for p in parts] == [6, 1, 3]
    assert len(set.union(*parts)) == 10
    again = data.split(valid=0.1, test=0.3, seed=4)
    assert set(data.groups[again.test].tolist()) != parts[2]
    assert data.split(by="sample", valid=0.1, test=0.3, seed=3) == split != 1  # all groups are known
    for is_unknown in (np.arange(len(data)) == 0, data.groups > 0):  # one picture of nobody, or one known group
        some_unknown = replace(data, groups=np.where(is_unknown, -1, data.groups))
        assert min(map(len, some_unknown.split(by="sample"))) > 0
        with pytest.raises(FastetlError, match="too few"):
            some_unknown[[0, 1]].split(by="sample")
    with pytest.raises(FastetlError, match="no samples to divide"):
        data[:0].split()


def test_labelled_pictures_of_any_size(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (3, 50, 40), np.uint8), np.array(["あ", "ん", "あ"])
    np.savez(path, images=images, labels=labels)
    data = load_labelled(path, HIRAGANA, Preprocessing(size=20))
    assert (data.images.shape, data.labels.tolist()) == ((3, 20, 20), [0, 70, 0])
    assert {load_labelled(d, HIRAGANA, Preprocessing(size=60)).about["enlarged_from"] for d in (path, data)} == {20, 50}
    np.savez(path, images=np.asfortranarray(images), labels=labels)
    assert np.array_equal(load_labelled(path, "hiragana", Preprocessing(size=20)).images, data.images)
    np.savez(path, images=images, labels=labels.astype(object))
    with pytest.raises(FastetlError, match="Python objects, not numbers or texts: give them a dtype such as str"):
        open_dataset(path)
    np.savez(path, images=images, labels=np.array(["あ", "亜", "あ"]))
    some = load_labelled(path, HIRAGANA, Preprocessing(size=20))
    assert (some.about["left_out"], some.labels.tolist()) == ({"亜": 1}, [0, 0])
    assert load_labelled(load_labelled(path, ["あ"]), ["い", "あ"]).labels.tolist() == [1, 1]
    assert np.array_equal(some.images, data.images[np.array([0, 2])])
    assert load_labelled(path, "kanji").charset.characters == ("亜",)
    assert len(load_labelled(some[:0], "kana", Preprocessing(size=20))) == 0
    np.savez(path, images=images, labels=np.array(["亜", "亜", "亜"]))
    with pytest.raises(FastetlError, match="no sample of these characters; expected あいう.* … .71.; found 亜. Build"):
        load_labelled(path, HIRAGANA, Preprocessing())


def test_a_dataset_is_a_sequence_of_pictures_and_classes(data: Dataset) -> None:
    picture, label = data[-1]
    assert (picture.shape, label) == ((16, 16), int(data.labels[-1]))
    assert picture.dtype == np.uint8
    picture[:] = 0  # a copy of the caller's own
    assert data.images[-1].any()
    assert sum(1 for _ in data) == len(data) == 142
    for index in (142, None, np.array(3), True):
        with pytest.raises(IndexError):
            data[index]  # type: ignore[index]
    assert data[10:20] == data[np.arange(10, 20)] == data[[*range(10, 20)]]
    assert len(data[data.labels == 3]) == 2
    assert data.digest != data[10:20].digest == data[10:20].digest
    assert data.samples(data.labels == 3).indices.tolist() == np.flatnonzero(data.labels == 3).tolist()
    assert data not in (data[1:], 1)
    unknown = replace(data, records={"age": np.full(142, np.nan), "sex": np.full(142, "f")})
    assert unknown == replace(unknown) != data


def test_a_dataset_is_shown_in_one_line(data: Dataset) -> None:
    assert repr(data) == "Dataset('out', pictures: 142 of 16 × 16, charset: hiragana (71), groups: 2)"
    some_unknown = replace(data, groups=np.where(data.labels == 3, -1, data.groups))
    assert repr(some_unknown).endswith("charset: hiragana (71), groups: 2 (unknown for 2))")
    assert repr(data.split(valid=0, test=0.5)) == "Split(train 71, valid 0, test 71 samples)"
    assert repr(data[:1].samples()) == "Samples(1 of 1, 16 × 16, weight 1)"
    with pytest.raises(FastetlError, match="unsuitable data; expected a picture; found none"):
        write_sheet(data[:0], "none.png")


def test_an_unpickled_dataset_is_mapped(data: Dataset, etl_file: Write, tmp_path: Path, monkeypatch: Patch) -> None:
    """Spawned workers copied them. Another dataset's pictures are never taken."""
    monkeypatch.chdir(tmp_path)
    relative, part = open_dataset("out"), pickle.dumps(replace(data, images=data.images[::-1]))
    monkeypatch.chdir("/")
    assert relative.path == tmp_path / "out"
    stored = pickle.dumps(relative)
    assert pickle.loads(stored) == pickle.loads(pickle.dumps(pickle.loads(stored))) == data
    assert len(stored) < len(part) - 142 * 16 * 16 + 1000
    assert (pickle.loads(part).images == data.images[::-1]).all()
    build([etl_file(records=make_records(2, seed=5))], tmp_path / "out", BuildConfig(size=16), overwrite=True)
    with pytest.raises(FastetlError, match=r"out/images.npy: the file has changed .* Open the dataset again"):
        pickle.loads(stored)
    assert pickle.loads(pickle.dumps(data[:])) == data[:]


def test_a_replaced_dataset_is_read_again(data: Dataset, etl_file: Write, tmp_path: Path, monkeypatch: Patch) -> None:
    """It had the labels of the old one and as many pictures of the new one."""
    read_columns, other = store._records, etl_file("ETL8G_02", make_records(2, seed=5))

    def records(path: Path, count: Any) -> Any:
        monkeypatch.undo()
        columns = read_columns(path, count)
        build(other, path.parent, BuildConfig(size=16), overwrite=True)
        return columns

    monkeypatch.setattr(store, "_records", records)
    assert open_dataset(tmp_path / "out") == open_dataset(tmp_path / "out") != data


def test_members_that_are_not_needed_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, images=np.ones((1, 9, 9), np.uint8), labels=["あ"], bomb=np.zeros(10**8, np.uint8))
    assert peak_memory(lambda: load_labelled(path, HIRAGANA, Preprocessing())) < 10**7
