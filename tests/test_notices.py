"""What is odd in files that can be read is told by build and inspect, and is an error with `strict`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastetl.data.charset import HIRAGANA
from fastetl.data.store import open_dataset
from fastetl.errors import FastetlError
from fastetl.etl import build as building
from fastetl.etl import inspection
from fastetl.etl.build import BuildConfig, build
from fastetl.etl.files import find_files, recognize
from fastetl.etl.inspection import inspect
from fastetl.etl.jis import codes_of
from fastetl.etl.layouts import ETL8G
from fastetl.etl.reading import new_buffer
from fastetl.etl.selection import select
from fastetl.testing.records import make_records
from fastetl_cli.main import main

Write = Callable[..., Path]
SMALL = BuildConfig(size=8)


def told(notices: tuple[object, ...]) -> str:
    return "\n".join(map(str, notices))


def test_a_sound_file_gives_no_notice(etl_file: Write, tmp_path: Path) -> None:
    source = etl_file(records=make_records(3))
    assert build(source, tmp_path / "a", SMALL).noticed == ()
    strict = build(source, tmp_path / "b", BuildConfig(size=8, strict=True))
    assert strict.noticed == ()
    assert open_dataset(tmp_path / "a") == open_dataset(tmp_path / "b")
    assert inspect(source, strict=True)[0].noticed == ()


def test_one_bit_in_the_first_code_is_told_and_moves_no_other_record(
    etl_file: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = make_records(4)
    build(etl_file(records=sound), tmp_path / "sound", SMALL)
    records = sound.copy()
    records["code"][0] ^= 8
    source = etl_file(records=records)
    result = build(source, tmp_path / "out", SMALL)
    text = told(result.noticed)
    assert f"{source}, record 0: records out of order: 1 (record 0); expected 0x2422 あ; found 0x242A お" in text
    a, b = open_dataset(tmp_path / "sound"), open_dataset(tmp_path / "out")
    assert b.about["noticed"] == [str(notice) for notice in result.noticed]
    assert (a.records["record"] == b.records["record"]).all()
    assert (a.groups == b.groups).all()
    assert np.flatnonzero(a.labels != b.labels).tolist() == [0]
    assert "records out of order: 1 (record 0)" in told(inspect(source)[0].noticed)
    with pytest.raises(FastetlError, match=r"record 0: .*leave out `strict`"):
        build(source, tmp_path / "strict", BuildConfig(size=8, strict=True))
    with pytest.raises(FastetlError, match="record 0: records out of order"):
        inspect(source, strict=True)
    assert main(["build", str(source), str(tmp_path / "cli"), "--size", "8"]) == 0
    assert "records out of order" in capsys.readouterr().err
    assert main(["build", str(source), str(tmp_path / "no"), "--size", "8", "--strict"]) == 2
    assert "leave out --strict" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
    assert main(["inspect", str(source)]) == 0
    assert "records out of order: 1 (record 0)" in capsys.readouterr().out
    assert main(["inspect", str(source), "--strict"]) == 1
    assert capsys.readouterr().out.endswith("1 file: 1 with something odd\n")


def test_a_file_of_another_order_is_told(etl_file: Write, tmp_path: Path) -> None:
    records = make_records(2)
    order = np.arange(270)
    order[[3, 4, 138, 139]] = 4, 3, 139, 138
    etl_file("ETL8G_01", make_records(2, seed=1))
    etl_file("ETL8G_03", make_records(2, seed=3))
    folder = etl_file("ETL8G_02", records[order]).parent
    text = told(build(folder, tmp_path / "out", SMALL).noticed)
    assert "ETL8G_02, record 3: a record does not follow the order of the first data set" in text
    assert "Read every header of every file instead" in text
    assert "ETL8G_02, record 3: another order than in the other files" in text
    assert [bool(report.noticed) for report in inspect(folder)] == [False, True, False]
    (folder / "ETL8G_02").rename(folder / "ETL8G_04")  # the last file
    assert "ETL8G_04, record 3: another order" in told(build(folder, tmp_path / "last", SMALL).noticed)


def test_a_damaged_first_data_set_makes_no_character_unwanted(etl_file: Write, tmp_path: Path) -> None:
    """The order is learnt from it: a character that it lacks was left out of the others, too."""
    records = make_records(3)
    records["code"][70] = 0x2622  # a kanji becomes Β, which the charset does not want
    result = build(etl_file(records=records), tmp_path / "out", BuildConfig("kanji", size=8))
    assert result.images == 3 * 60 - 1
    assert "record 70: records out of order: 1" in told(result.noticed)


def test_a_file_with_the_name_of_another_set_is_told(etl_file: Write, tmp_path: Path) -> None:
    source = etl_file("ETL4C")
    text = "ETL4C: the name is that of another set; expected ETL8G; found ETL4"
    assert text in told(build(source, tmp_path / "out", SMALL).noticed)
    assert text in told(inspect(source)[0].noticed)


def test_lost_and_added_records_and_short_sets_are_told(etl_file: Write, tmp_path: Path) -> None:
    records = make_records(3)
    lost = etl_file("ETL8G_01", np.delete(records, [140, 150]))
    text = told(build(lost, tmp_path / "lost", SMALL).noticed)
    assert "record 140: records lost: 2, in 1 group that are not complete" in text
    assert "of group 1; found 133 of 135 characters in that group" in text
    cut = told(build(etl_file("ETL8G_01", records[:300]), tmp_path / "cut", SMALL).noticed)
    assert "record 300: records lost: 105" in cut
    added = etl_file("ETL8G_01", np.insert(records, 20, records[19]))
    assert "doubled (group, character): 1 (record 20)" in told(build(added, tmp_path / "added", SMALL).noticed)
    for place in (140, 269):
        records["code"][place] = 0xFFFF
    unknown = told(inspect(etl_file("ETL8G_01", records))[0].noticed)
    assert "unknown codes: 2 (records 140, 269)" in unknown
    assert "found 0xFFFF. Left out of a dataset" in unknown


def test_a_file_cut_between_data_sets_is_told(etl_file: Write) -> None:
    codes = [c for row in range(0x30, 0x3B) for c in range(row * 256 + 0x21, row * 256 + 0x7F)][:956]
    path = etl_file("ETL8G_07", make_records(3, codes, blank=True))
    assert recognize(path).layout is ETL8G
    assert "expected 5 data sets of 956 records, as the genuine file 7 has; found 3" in told(inspect(path)[0].noticed)


def test_strict_wants_every_character(etl_file: Write, tmp_path: Path) -> None:
    records = make_records(2)
    source = etl_file(records=records[records["code"] != codes_of(HIRAGANA)[9]])
    assert build(source, tmp_path / "out", SMALL).missing == HIRAGANA.characters[9]
    with pytest.raises(FastetlError, match=f"characters without a sample.*none of {HIRAGANA.characters[9]}"):
        build(source, tmp_path / "strict", BuildConfig(size=8, strict=True))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a FIFO is no file of this system")
def test_only_regular_files_are_read(tmp_path: Path, etl_file: Write) -> None:
    folder = etl_file("ETL8G_01").parent
    os.mkfifo(folder / "notes")  # passed over, as anything without an ETL name
    assert len(find_files([folder])) == 1
    os.mkfifo(folder / "ETL8G_02")
    (folder / "link").symlink_to("ETL8G_02")
    for path in (folder / "ETL8G_02", folder / "link", Path("/dev/zero"), folder):
        for attempt in (lambda path=path: build([path], tmp_path / "out"), lambda path=path: inspect([path])):
            with pytest.raises(
                FastetlError, match=r"not a file to read; expected a regular file; found a (FIFO|device)"
            ):
                attempt()


def test_a_file_that_is_cut_short_while_it_is_read_is_one_line(
    etl_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mapped, it would end the process with a bus error."""
    records = make_records(3)
    records["code"][139] = 0xFFFF  # wanted, so that every header is read
    source = etl_file(records=records)

    def cutting(function: Callable[..., object]) -> Callable[..., object]:
        def cut(*arguments: object, **options: object) -> object:
            os.truncate(source, 8199 * 100)
            return function(*arguments, **options)

        return cut

    with monkeypatch.context() as patched:
        patched.setattr(building, "select", cutting(select))
        with pytest.raises(FastetlError, match="record 100, byte 819900: the file ended while it was read"):
            build(source, tmp_path / "out", SMALL)
    source = etl_file(records=records)
    with monkeypatch.context() as patched:
        patched.setattr(inspection, "new_buffer", cutting(new_buffer))
        with pytest.raises(FastetlError, match="the file ended while it was read"):
            inspect(source)
    assert [p.name for p in tmp_path.iterdir()] == ["etl"]
