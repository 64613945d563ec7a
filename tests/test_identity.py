"""What tells a sample again: digests, sources of files, copies, and what a run records."""

import dataclasses
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from benches.etl_records import make_records, write_set
from fastetl import BuildConfig, FastetlError, SynthConfig, build, inspect, open_dataset, synthesize
from fastetl.data.charset import HIRAGANA
from fastetl.data.dataset import Dataset, concatenate
from fastetl.data.identity import NEW, TEST, TRAIN, UNKNOWN, VALID, SplitRecord, digest_of, digest_rows
from tests.conftest import Write

SMALL = BuildConfig(size=8)
HALVES: dict[str, Any] = {"by": "sample", "valid": 0.25, "test": 0.25, "seed": 0}


def test_a_sample_has_the_same_identity_in_every_build(etl_file: Write, tmp_path: Path) -> None:
    first, second = etl_file(), etl_file("ETL8G_02", make_records(2, seed=1))
    result = build([first, second], tmp_path / "all", SMALL)
    assert (result.images, result.classes, result.groups, result.missing) == (4 * 71, 71, 4, ())
    build([second], tmp_path / "second", BuildConfig(size=16))
    whole, part = open_dataset(tmp_path / "all"), open_dataset(tmp_path / "second")
    assert whole.sources == part.sources == ("ETL8",)
    assert whole.charset == part.charset == HIRAGANA
    assert [file["bytes"] for file in whole.about["files"]] == [path.stat().st_size for path in (first, second)]
    here = np.isin(whole.groups, part.groups)
    assert (whole.digests[here] == part.digests).all()
    assert (whole.groups[here] == part.groups).all()
    assert len(set(whole.digests.tolist())) == len(whole)
    rows = np.random.default_rng(0).integers(0, 256, (3, 160), np.uint8)[:, 60:]  # as those of records
    assert digest_rows(rows).tolist() == [digest_of(row.tobytes()) for row in rows]
    assert digest_of(b"abc") == 0x44BC2CF5AD770999  # XXH64


def test_copies_have_the_group_of_the_first_and_are_named(etl_file: Write, tmp_path: Path) -> None:
    first, other = etl_file(), etl_file("ETL8G_02", make_records(2, seed=1))
    copy = first.with_name("ETL8G_01 (1)")
    shutil.copy(first, copy)
    result = build([first, other, copy], tmp_path / "out", SMALL)
    assert "copies of other pictures: 142" in str(result.noticed[-1])
    data = open_dataset(tmp_path / "out")
    assert len(data) == 3 * 142
    of_digests = {*zip(data.digests.tolist(), data.source.tolist(), data.groups.tolist(), strict=True)}
    assert len(of_digests) == len(np.unique(data.digests))
    # The files that have numbers keep their groups.
    assert set(data.groups.tolist()) == {0, 1, 5, 6}
    split = data.split(valid=0.25, test=0.25)
    assert not np.intersect1d(data.digests[split.train], data.digests[split.test]).size
    with pytest.raises(FastetlError, match="copies of other pictures"):
        build([first, other, copy], tmp_path / "strict", dataclasses.replace(SMALL, strict=True))
    noticed = [report.noticed for report in inspect([first, other, copy])]
    assert [any("copies of other pictures" in n.what for n in of_file) for of_file in noticed] == [0, 0, 1]
    # A copy of a file whose sheets tell the groups has the groups of the first, and doubled each without a word.
    write_set(tmp_path / "sheets", "ETL4")
    shutil.copytree(tmp_path / "sheets", tmp_path / "again")
    twice = build([tmp_path / "sheets", tmp_path / "again"], tmp_path / "twice", SMALL)
    assert "copies of other pictures: 196" in str(twice.noticed)
    blank = build([etl_file(records=make_records(2, blank=True))], tmp_path / "blank", SMALL)
    zeros = Dataset.create(np.zeros((3, 8, 8), np.uint8), ["あ"] * 3, [4, 5, 6])
    assert (blank.groups, "copies of" in str(blank.noticed), zeros.group_count) == (2, False, 3), "blanks are none"


def test_synthetic_files_say_of_which_seed_they_are(tmp_path: Path) -> None:
    for seed in (0, 7):
        synthesize(tmp_path / str(seed), SynthConfig(files=1, charset="digits", seed=seed))
    build([tmp_path / "0", tmp_path / "7"], tmp_path / "out", BuildConfig(charset="digits", size=8))
    data = open_dataset(tmp_path / "out")
    assert set(data.sources) == {"synth:0", "synth:7"}
    assert {name: len(groups) for name, groups in data.groups_by_source().items()} == {"synth:0": 5, "synth:7": 5}


def own(count: int = 12, side: int = 8) -> Dataset:
    pictures = np.random.default_rng(0).integers(0, 256, (count, side, side), np.uint8)
    return Dataset.create(pictures, ["あ", "い", "う"] * (count // 3), np.arange(count) // 3, source="mine")


_UTF8 = arrays("U3", 4, elements=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3))
COLUMNS = st.dictionaries(
    st.text("aあ_ .-:0", min_size=1, max_size=6),
    st.sampled_from(["i1", "u8", ">i4", "f4", "?"]).flatmap(lambda kind: arrays(kind, 4)) | _UTF8,
    max_size=3,
)


@settings(max_examples=25, deadline=None)
@example("aaaa", [-1] * 4, {"text": np.array(["a\0b"] * 4)})
@given(
    st.lists(st.sampled_from("aがक"), min_size=4, max_size=4),
    st.lists(st.integers(-1, 2**31 - 1), min_size=4, max_size=4),
    COLUMNS,
)
def test_any_dataset_is_written_and_read(characters: list[str], groups: list[int], records: dict[str, Any]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8)
    data = Dataset.create(pictures, characters, groups, source="mine", records=records)
    with tempfile.TemporaryDirectory() as folder:
        data.write(f"{folder}/directory")
        data.to_parquet(f"{folder}/file.parquet")
        for place in Path(folder).iterdir():
            again = open_dataset(place)
            assert again == data
            for name, column in data.records.items():
                if column.dtype.kind != "U":  # texts may be stored as shorter ones
                    assert again.records[name].dtype == column.dtype


def test_what_a_dataset_is_created_with(tmp_path: Path) -> None:
    data = own()
    assert (data.charset.characters, data.sources) == (("あ", "い", "う"), ("mine",))
    pictures = [np.full((10, 20), 7, np.uint8), np.full((5, 5), 255, np.uint8)]
    twice = Dataset.create([Image.fromarray(pictures[0])] * 2, ["a", "a"], [-1, 4], source="my\u3000own")
    assert twice.groups.tolist() == [4, 4]
    mixed = Dataset.create(pictures, ["a", "b"], size=16)
    assert (mixed.images.shape, mixed.groups.max()) == ((2, 16, 16), -1)
    sizes = {side: Dataset.create(np.zeros((1, side, side), np.uint8), "a").images.shape[1] for side in (7, 126, 127)}
    assert sizes == {7: 64, 126: 126, 127: 64}
    folder = os.fsdecode(b"\x82")  # named in another encoding
    named = Dataset.create(pictures, "ab", np.array([np.int64(3), f" {'w' * 63}{folder}"], object))
    assert named.groups[0] == 3
    of_pandas = [Dataset.create(pictures, "ab", np.array([number, np.nan])).groups.tolist() for number in (2.0, 3e9)]
    assert of_pandas == [[2, -1], Dataset.create(pictures, "ab", ["03000000000", -1]).groups.tolist()]
    for missing in (np.nan, None, -1):  # numpy makes the text nan of the first
        data = Dataset.create(pictures, ["あ", "い"], ["Tom", missing])
        assert (data.groups[0] >= 0, data.groups[1], data.records["writer"].tolist()) == (True, -1, ["Tom", ""])
    rows = np.eye(2, dtype=np.uint8)[..., None]
    np.savez(tmp_path / "named.npz", images=rows, labels=["あ", "い"], groups=np.array(["Tom", np.nan]))
    assert open_dataset(tmp_path / "named.npz").groups.tolist()[1] == -1
    stored = named.to_parquet(tmp_path / "named.parquet")
    assert open_dataset(stored).records["writer"].tolist() == ["3", "w" * 63 + "\\udc82"]


def test_what_a_run_records_comes_back_from_json() -> None:
    digests = np.array([3, 2**64 - 1], np.uint64)
    groups = np.array([0, 1, 2, 7, 9, 10], np.int32)
    of_parts = {"ETL8": groups, "unnamed:1": groups[:0]}, {"synth:0": groups[:1] + 4}, {"ETL8": groups[2:3] + 1}
    trained = SplitRecord(of_parts, (digests, digests[:0], digests[:0]))
    values = json.loads(json.dumps(trained.as_dict()))
    assert values["train"]["groups"] == {"ETL8": [0, 2, 7, 7, 9, 10], "unnamed:1": []}
    assert SplitRecord.from_dict(values) == trained
    for ranges in ([3], [5, 2], [1, 5, 5, 7], [1, 5, 6, 7], [-1, 2], [0, 2**31], [0, 2**31 - 1], ["0", "1"]):
        values["train"]["groups"]["ETL8"] = ranges
        with pytest.raises(ValueError, match="groups"):
            SplitRecord.from_dict(values)


def test_pictures_saved_elsewhere_may_be_of_any_file() -> None:
    """A run trained on ETL8G's pictures, saved as an .npz without groups, evaluated ETL8G as if it were new."""
    etl = dataclasses.replace(own(60), sources=("ETL8",))
    saved = dataclasses.replace(etl, sources=("unnamed:1",), digests=etl.digests + np.uint64(1))
    for groups in (saved.groups, np.full(60, -1, np.int32)):
        data = dataclasses.replace(saved, groups=groups)
        assert (SplitRecord().with_data(etl, **HALVES).parts_of(data) == UNKNOWN).all()
        record = SplitRecord.from_dict(SplitRecord().with_data(data, **HALVES).as_dict())
        assert (record.parts_of(etl) == UNKNOWN).all()
        mixed = record.with_data(etl, **HALVES)
        for known in (record.parts_of(data), mixed.parts_of(data), mixed.parts_of(etl)):
            assert set(known.tolist()) == {TRAIN, VALID, TEST}
    files = dataclasses.replace(saved, sources=("unnamed:files:1",))
    for sources, part in ((("synth:1", "synthetic lines"), NEW), (("synth:1", "ETL8"), UNKNOWN), (("mine",), UNKNOWN)):
        record = SplitRecord((dict.fromkeys(sources, etl.groups[:1]), {}, {}))
        assert set(record.parts_of(files).tolist()) == {part}
        assert set(record.parts_of(saved).tolist()) == {UNKNOWN}


def test_renamed_files_are_known_by_a_picture_of_each_group() -> None:
    etl = dataclasses.replace(own(60), sources=("ETL8",))
    renamed = dataclasses.replace(etl, sources=("ETL8:0123",), groups=etl.groups[::-1] + 7)
    record = SplitRecord.from_dict(SplitRecord().with_data(etl, **HALVES).as_dict())
    assert (record.parts_of(renamed) == record.parts_of(etl)).all()
    assert (record.with_data(renamed, **HALVES).parts_of(etl) == record.parts_of(etl)).all()


def test_what_is_in_several_parts_was_trained_on() -> None:
    """A picture that is in a training set and a test set; a writer of whom a picture is in each."""
    data = own()
    first, second, none = data.digests[:1], data.digests[1:2], data.digests[:0]
    assert SplitRecord(digests=(first, none, first)).parts_of(data)[0] == TRAIN
    record = SplitRecord(digests=(first, none, second)).with_data(data, by="group", valid=0.25, test=0.25, seed=0)
    assert record.parts_of(data)[2] == TRAIN


def test_groups_without_a_source_mean_nothing_in_another_file(tmp_path: Path) -> None:
    """Their numbers alone told which samples of any such file a run was trained on."""
    pictures = np.random.default_rng(0).integers(0, 256, (2, 12, 8, 8), np.uint8)
    for name, images in zip("ab", pictures, strict=True):
        np.savez(tmp_path / f"{name}.npz", images=images, labels=["あ"] * 12, groups=np.arange(12) // 3)
    mine, other = (open_dataset(tmp_path / f"{name}.npz") for name in "ab")
    trained = SplitRecord().with_data(mine, by="group", valid=0.25, test=0.25, seed=0)
    build(tmp_path / "a.npz", tmp_path / "built", SMALL)
    assert (trained.parts_of(other) == UNKNOWN).all()
    (tmp_path / "a.npz").rename(tmp_path / "c.npz")
    for data in (open_dataset(tmp_path / "built"), open_dataset(tmp_path / "c.npz", size=16)):
        assert trained.split(data) == mine.split(valid=0.25, test=0.25)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_own_pictures_are_in_one_part_whatever_their_groups_are_called(order: tuple[int, ...]) -> None:
    """A mixture was validated on pictures that it trained on: digests of samples with groups were not recorded."""
    written, half = dataclasses.replace(own(60), sources=("samples",)), np.arange(60) < 30
    loose = dataclasses.replace(written, groups=np.full(60, -1, np.int32))
    renamed = dataclasses.replace(written, groups=written.groups[::-1] + 7, sources=("samples, renamed",))
    mixture = [(loose, written[half], renamed)[k] for k in order]
    record = SplitRecord()
    for data in mixture:
        record = record.with_data(data, **HALVES)
    parts = record.parts_of(loose)
    assert set(parts.tolist()) == {TRAIN, VALID, TEST}
    for data in (written, renamed):
        assert (record.parts_of(data) == parts).all()
    assert (SplitRecord().with_data(written, **HALVES).parts_of(renamed) < NEW).all()
    if order[0]:  # a dataset of known groups, which stay together
        assert (parts.reshape(-1, 3) == parts[::3, None]).all()


def test_groups_mean_something_within_a_source_only() -> None:
    data = own()
    trained = SplitRecord().with_data(data, by="group", valid=0.25, test=0.25, seed=0)
    other = dataclasses.replace(data, sources=("others",), digests=data.digests + np.uint64(1))
    assert trained.split(other) is None
    assert trained.split(data) == data.split(valid=0.25, test=0.25)
    loose = dataclasses.replace(data, groups=np.full(len(data), -1, np.int32))
    by_digest = SplitRecord().with_data(loose, **HALVES)
    assert (by_digest.parts_of(data) == by_digest.parts_of(loose)).all()
    assert by_digest.counts(loose) == (6, 3, 3)
    unknown = dataclasses.replace(loose, digests=loose.digests + np.uint64(1))
    assert (by_digest.parts_of(unknown) == UNKNOWN).all()  # perhaps the same ones, saved as other files
    assert (trained.parts_of(unknown) == UNKNOWN).all()  # of the source, and perhaps of a group that was trained on
    data.digests[::3] = 7  # a picture without ink in each group: it took them all to the part of the first one
    renamed = dataclasses.replace(data, digests=data.digests + np.arange(12, dtype=np.uint64) % 3, sources=("renamed",))
    record = SplitRecord()
    for each in (data, renamed):
        record = record.with_data(each, by="group", valid=0.25, test=0.25, seed=0)
        assert np.bincount(record.parts_of(each)).tolist() == [6, 3, 3]
    both = dataclasses.replace(concatenate([data, renamed]), digests=np.tile(np.arange(12, dtype=np.uint64), 2))
    assert [*map(len, both.split(valid=0.25, test=0.25))] == [12, 6, 6], "groups of one number in two sources"
