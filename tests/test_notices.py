"""What is odd in files that can be read is told by build and inspect, and is an error with `strict`."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from benches.etl_records import make_records
from fastetl import BuildConfig, FastetlError, build, inspect, open_dataset
from fastetl.etl import inspection
from fastetl.etl.detection import detect, find_files
from fastetl.etl.layouts import ETL8G, ETL9G, GenuineFile
from fastetl_cli.main import main
from tests.conftest import Capture, Patch, Write

SMALL = BuildConfig(size=8)


def lines(notices: tuple[object, ...]) -> str:
    return "\n".join(map(str, notices))


def test_a_sound_file_gives_no_notice(etl_file: Write, tmp_path: Path) -> None:
    source = etl_file(records=make_records(3))
    assert build(source, tmp_path / "a", SMALL).noticed == ()
    assert build(source, tmp_path / "b", BuildConfig(size=8, strict=True)).noticed == ()
    assert open_dataset(tmp_path / "a") == open_dataset(tmp_path / "b")
    (report,) = inspect(source)
    assert (report.set, report.records, report.groups, report.characters) == ("ETL8G", 3 * 135, 3, 135)
    assert (report.genuine, report.noticed) == (None, ())


def test_one_bit_in_the_first_code_is_told_and_moves_no_other(etl_file: Write, tmp_path: Path, capsys: Capture) -> None:
    sound = make_records(4)
    build(etl_file(records=sound), tmp_path / "sound", SMALL)
    records = sound.copy()
    records[0, 3] ^= 8
    source = etl_file(records=records)
    result = build(source, tmp_path / "out", SMALL)
    text = lines(result.noticed)
    assert f"{source}, record 0: records out of order: 1 (record 0); expected 0x2422 あ; found 0x242A お" in text
    a, b = open_dataset(tmp_path / "sound"), open_dataset(tmp_path / "out")
    assert b.about["noticed"] == [str(notice) for notice in result.noticed]
    assert (a.records["record"] == b.records["record"]).all()
    assert (a.groups == b.groups).all()
    assert np.flatnonzero(a.labels != b.labels).tolist() == [0]
    assert "records out of order: 1 (record 0)" in lines(inspect(source)[0].noticed)
    with pytest.raises(FastetlError, match=r"record 0: .*leave out `strict`"):
        build(source, tmp_path / "strict", BuildConfig(size=8, strict=True))
    assert main(["build", str(source), str(tmp_path / "cli"), "--size", "8"]) == 0
    assert "records out of order" in capsys.readouterr().err
    assert main(["build", str(source), str(tmp_path / "no"), "--size", "8", "--strict"]) == 2
    assert "leave out --strict" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
    assert main(["inspect", str(source)]) == 0
    assert "records out of order: 1 (record 0)" in capsys.readouterr().out
    assert main(["inspect", str(source), "--strict"]) == 1
    assert capsys.readouterr().out.endswith("1 file: 1 with irregularities\n")


def test_a_file_of_another_order_is_told(etl_file: Write, tmp_path: Path) -> None:
    records = make_records(2)
    order = np.arange(270)
    order[[3, 4, 138, 139]] = 4, 3, 139, 138
    etl_file("ETL8G_01", make_records(2, seed=1))
    etl_file("ETL8G_03", make_records(2, seed=3))
    folder = etl_file("ETL8G_02", records[order]).parent
    text = lines(build(folder, tmp_path / "out", SMALL).noticed)
    assert "ETL8G_02, record 3: a record does not follow the order of the first data set" in text
    assert "Read every header instead" in text
    assert "ETL8G_02, record 3: another order than in the other files" in text
    assert [bool(report.noticed) for report in inspect(folder)] == [False, True, False]
    (folder / "ETL8G_02").rename(folder / "ETL8G_04")  # the last file
    assert "ETL8G_04, record 3: another order" in lines(build(folder, tmp_path / "last", SMALL).noticed)


def test_a_damaged_first_data_set_makes_no_character_unwanted(etl_file: Write, tmp_path: Path) -> None:
    """The order is learnt from it: a character that it lacks was left out of the others, too."""
    records = make_records(3)
    records[70, 2:4] = 0x26, 0x22  # a kanji becomes Β, which the charset does not want
    result = build(etl_file(records=records), tmp_path / "out", BuildConfig("kanji", size=8))
    assert result.images == 3 * 60 - 1
    assert "record 70: records out of order: 1" in lines(result.noticed)


def test_what_only_a_later_writer_wrote_is_found(etl_file: Write, tmp_path: Path) -> None:
    records = make_records(3)
    records[135 + 70, 2:4] = 0x25, 0x22  # ア
    assert build(etl_file(records=records), tmp_path / "out", BuildConfig("katakana", size=8)).images == 1


def test_a_code_of_no_character_is_told_if_all_writers_have_it(etl_file: Write, tmp_path: Path) -> None:
    records = make_records(2)
    records[[70, 135 + 70], 2:4] = 0xFF
    assert "unknown codes: 2" in lines(build(etl_file(records=records), tmp_path / "out", SMALL).noticed)


def test_a_file_with_the_name_of_another_set_is_told(etl_file: Write, tmp_path: Path) -> None:
    source = etl_file("ETL4C")
    text = "ETL4C: the name is that of another set; expected ETL8G; found ETL4"
    assert text in lines(build(source, tmp_path / "out", SMALL).noticed)
    assert text in lines(inspect(source)[0].noticed)


def test_lost_and_doubled_records_and_short_sets_are_told(etl_file: Write, tmp_path: Path) -> None:
    records = make_records(3)
    lost = etl_file("ETL8G_01", np.delete(records, [140, 150], 0))
    text = lines(build(lost, tmp_path / "lost", SMALL).noticed)
    assert "record 140: records lost: 2, in 1 incomplete group" in text
    assert "of group 1; found 133 of 135 characters in that group" in text
    cut = lines(build(etl_file("ETL8G_01", records[:300]), tmp_path / "cut", SMALL).noticed)
    assert "record 300: records lost: 105" in cut
    (report,) = inspect(etl_file("ETL8G_01", np.insert(records, 5, records[4], 0)))
    assert "doubled (group, character): 1 (record 5)" in lines(report.noticed), "of the first group, 0"


def test_a_file_cut_between_data_sets_is_told(etl_file: Write) -> None:
    codes = [c for row in range(0x30, 0x3B) for c in range(row * 256 + 0x21, row * 256 + 0x7F)][:956]
    path = etl_file("ETL8G_07", make_records(3, codes, blank=True))
    assert detect(path).layout is ETL8G
    assert "expected 5 data sets of 956 records, as the genuine file 7 has; found 3" in lines(inspect(path)[0].noticed)


def test_only_regular_files_are_read(tmp_path: Path, etl_file: Write) -> None:
    folder = etl_file("ETL8G_01").parent
    links = tmp_path / "links"
    links.mkdir()
    (links / "etl").symlink_to(folder)
    (folder / "back").symlink_to(links)
    os.mkfifo(folder / "notes")  # passed over, as anything without an ETL name
    assert len(find_files([folder])) == len(find_files([links])) == 1
    os.mkfifo(folder / "ETL8G_02")
    (folder / "link").symlink_to("ETL8G_02")
    assert [report.records for report in inspect(folder)] == [270, 0]
    for path in (folder / "ETL8G_02", folder / "link", Path("/dev/zero")):
        for attempt in (lambda path=path: build([path], tmp_path / "out"), lambda path=path: inspect([path])):
            with pytest.raises(FastetlError, match="to read; expected a regular file; found a (FIFO|device)"):
                attempt()


def test_files_behind_a_damaged_one_are_inspected_too(etl_file: Write, capsys: Capture) -> None:
    folder = etl_file("ETL8G_02").parent
    etl_file("renamed", make_records(2, seed=1))
    whole = (folder / "ETL8G_02").read_bytes()
    (folder / "ETL8G_01").write_bytes(b"")
    (folder / "ETL8G_03").write_bytes(whole[: 8199 * 10] + whole[8199 * 10 + 50 :])
    assert main(["inspect", str(folder)]) == 0
    first, empty, shifted, verdict = capsys.readouterr().out.splitlines()
    assert first.endswith(" of 2 sources")
    assert empty.endswith("ETL8G_01: the file is empty; expected records; found 0 bytes. Copy it again")
    assert "ETL8G_03, record 10: not a record of ETL8G, as the name says" in shifted
    assert verdict == "4 files: 2 with irregularities"


def test_everything_odd_is_told(etl_file: Write) -> None:
    records = make_records(2)
    records[[7, 269], 2:4] = 0xFF
    ETL8G.packed(records)[[11, 200]] = 0
    (report,) = inspect([etl_file("ETL8G_33", records, tail=b"12345")])
    text = lines(report.noticed)
    assert report.models == 270
    assert "record 270: the file ends inside a record; expected 8,199 bytes; found 5. `build` refuses the" in text
    assert "unknown codes: 2 (records 7, 269); expected a code of JIS X 0208; found 0xFFFF. Left out of a" in text
    assert "blank pictures: 2 (records 11, 200)" in text


def test_a_genuine_file_is_known_by_its_fingerprint(etl_file: Write, monkeypatch: Patch) -> None:
    path, steps = etl_file("copy_of_it"), list[tuple[int, int]]()
    (report,) = inspect([path], progress=lambda *step: steps.append(step))
    content = path.read_bytes()
    assert report.fingerprint == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    assert steps == [(1, 1)]
    monkeypatch.setitem(inspection.NAME_BY_FINGERPRINT, report.fingerprint, "ETL8G_07")
    (report,) = inspect([path])
    assert report.genuine == "ETL8G_07"
    assert [notice.what for notice in report.noticed] == ["renamed: the fingerprint is that of ETL8G_07"]
    monkeypatch.setattr(inspection, "GENUINE_FILES", {"ETL8G_01": GenuineFile("ETL8G_01", 270, 0, None)})
    (report,) = inspect([etl_file("ETL8G_01", make_records(2, seed=1))])
    assert (report.genuine, report.differs) == (None, "ETL8G_01")


def test_fingerprints_are_those_of_git_and_of_coreutils() -> None:
    """`git hash-object`, and `sum -s`."""
    of_git, total = inspection.Fingerprint(6, ETL8G), inspection.Fingerprint(12_144 * ETL9G.record_bytes, ETL9G)
    for part in (b"hel", b"", b"lo\n"):
        of_git.update(memoryview(part))
        total.update(memoryview(part))
    assert str(of_git) == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert str(total) == "sum 542"


def test_what_many_files_have_is_told_once(etl_file: Write, capsys: Capture) -> None:
    for number, blank in ((1, 2), (2, 3)):
        records = make_records(2)
        ETL8G.packed(records)[:blank] = 0
        folder = etl_file(f"ETL8G_{number:02}", records).parent
    assert main(["inspect", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if "blank" in line)
    assert line.startswith("2 files: blank pictures (first: ")
    assert ", without ETL8G_03, ETL8G_04, " in lines[0]
    assert lines[-1] == "2 files: 2 with irregularities"
    assert main(["inspect", str(folder), "--strict"]) == 1
    with pytest.raises(FastetlError, match="blank pictures: 2"):
        build(folder, folder.parent / "out", SMALL, strict=True)
    assert "blank pictures: 3" in str(build(folder, folder.parent / "out", SMALL).noticed[1])
