from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastetl.etl import fingerprints
from fastetl.etl.inspection import inspect
from fastetl.etl.layouts import ETL8G
from fastetl.testing.records import make_records
from fastetl_cli.main import main

Write = Callable[..., Path]


def test_a_sound_file_has_nothing_odd(etl_file: Write) -> None:
    (report,) = inspect([etl_file(records=make_records(3))])
    assert report.noticed == ()
    assert (report.set, report.records, report.groups, report.characters) == ("ETL8G", 3 * 135, 3, 135)
    assert (report.hiragana, report.kanji, report.genuine) == (75, 60, None)


def test_everything_odd_is_told(etl_file: Write) -> None:
    records = make_records(2)
    records["code"][7] = 0xFFFF
    records["image"][[11, 200]] = 0
    records = records[np.insert(np.arange(270), 5, 4)]
    (report,) = inspect([etl_file("ETL8G_33", records, tail=b"12345")])
    odd = "\n".join(map(str, report.noticed))
    assert report.models == 271
    assert "short tail: 5 bytes after record 270" in odd
    assert "unknown codes: 1 (record 8)" in odd
    assert "doubled (group, character): 1 (record 5)" in odd
    assert "blank pictures: 2 (records 12, 201)" in odd


def test_a_genuine_file_is_known_by_its_fingerprint(etl_file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = etl_file("copy_of_it")
    (report,) = inspect([path])
    monkeypatch.setitem(fingerprints.KNOWN, report.fingerprint, "ETL8G_07")
    (report,) = inspect([path])
    assert report.genuine == "ETL8G_07"
    assert [notice.what for notice in report.noticed] == ["renamed: the fingerprint is that of ETL8G_07"]


def test_fingerprint_is_that_of_git() -> None:
    digest = fingerprints.new_fingerprint(6, ETL8G)
    digest.update(memoryview(b"hello\n"))
    assert digest.hexdigest() == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert len(fingerprints.KNOWN) == 79


def test_what_many_files_have_is_told_once(etl_file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    for number, blank in ((1, 2), (2, 3)):
        records = make_records(2)
        records["image"][:blank] = 0
        folder = etl_file(f"ETL8G_{number:02}", records).parent
    assert main(["inspect", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if "blank" in line)
    assert line.startswith("2 files: blank pictures, 2 to 3 each (first: ")
    assert lines[-1] == "2 files: 2 with something odd"
    assert main(["inspect", str(folder), "--strict", "-v"]) == 1
    assert max(map(len, capsys.readouterr().out.splitlines()[:3])) <= 80
