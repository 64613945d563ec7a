"""The short way (learn the order, read what is wanted, check each code) gives what the long way gives."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from benches.etl_records import Records, make_records
from fastetl import BuildConfig, FastetlError, build
from fastetl.data.charset import HIRAGANA
from fastetl.etl import selection
from fastetl.etl.detection import EtlFile, detect
from fastetl.etl.jis import codes_of
from fastetl.etl.layouts import ETL8G
from fastetl.etl.reading import block_records, new_buffer, read_headers, read_records
from fastetl.etl.selection import select
from fastetl.kernels.vector import ENABLED
from tests.conftest import Patch, Write

_KANA = codes_of(HIRAGANA)
CODES = [_KANA[0], 0x3021, _KANA[1], _KANA[2], *range(0x3022, 0x302A), _KANA[3]]
WANTED = "".join(HIRAGANA.characters[:4])


def damaged(records: Records, kind: str, at: int, to: int) -> Records:
    if kind == "lost":
        return np.delete(records, at, 0)
    if kind == "doubled":
        return np.insert(records, to, records[at], 0)
    if kind == "cut":
        return records[: max(at + 1, 3)]  # with a wanted one
    if kind == "swapped":
        records[[at, to]] = records[[to, at]]
    else:
        records[at, 2:4] = 0xFF  # its code
    return records


KINDS = st.sampled_from(["lost", "doubled", "swapped", "unknown", "cut"])
CHANGES = st.lists(st.tuples(KINDS, st.integers(0, 999), st.integers(0, 999)), max_size=2)


@settings(
    max_examples=150 if ENABLED else 30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(first=[], second=[("swapped", 1, 908)], sets=(1, 2))
@given(first=CHANGES, second=CHANGES, sets=st.tuples(st.integers(1, 3), st.integers(1, 3)))
def test_what_is_taken_is_the_same(tmp_path: Path, first: Any, second: Any, sets: tuple[int, int]) -> None:
    (tmp_path / "wanted.txt").write_text(WANTED, encoding="utf-8")
    files = []
    for number, (changes, count) in enumerate(zip((first, second), sets, strict=True)):
        records = make_records(count, [int(c) for c in CODES], seed=number, blank=True)
        for kind, at, to in changes:
            records = damaged(records, kind, at % len(records), to % len(records))
        (tmp_path / f"ETL8G_{number + 1:02d}").write_bytes(records.tobytes())
        path = tmp_path / f"ETL8G_{number + 1:02d}"
        files.append(EtlFile(path, ETL8G, len(records), 0, number + 1, "ETL8"))
    wanted = str(tmp_path / "wanted.txt")
    long, short = select(files, wanted), select(files, wanted, by_order=True)
    # A wanted character twice from one writer, which no sound file has, is the one thing that the short way may miss.
    samples = [(id(part), *sample) for part in long.parts for sample in zip(part.groups, part.codes, strict=True)]
    codes = (ETL8G.column(read_headers(part.file), "code")[part.numbers] for part in short.parts)
    as_planned = all(map(np.array_equal, codes, (part.codes for part in short.parts)))  # `build` checks
    assume(as_planned and len(set(samples)) == len(samples))
    assert [p.file for p in short.parts] == [p.file for p in long.parts]
    for a, b in zip(short.parts, long.parts, strict=True):
        for name in ("numbers", "codes", "groups"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_a_sound_file_takes_the_short_way(etl_file: Write, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(selection, "contents_of", lambda *_: pytest.fail("every header was read"))
    build(etl_file(records=make_records(3)), tmp_path / "short", BuildConfig(size=8))


def test_records_are_read_in_runs_and_blocks(etl_file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    records = make_records(2)
    file = detect(etl_file(records=records))
    buffer, preadv = new_buffer(file.layout), os.preadv
    indices = (np.arange(len(records)), np.arange(0, 270, 3), np.array([5]), np.array([0, 1, 2, 100, 269]))
    for k, index in enumerate((*indices, indices[0])):
        if k == len(indices):  # as from disks of other machines: fewer bytes than are asked for
            monkeypatch.setattr(os, "preadv", lambda file, runs, offset: preadv(file, [runs[0][:5000]], offset))
        seen = np.zeros(len(index), bool)
        for here, some in read_records(file, index, buffer):
            assert here.stop - here.start == len(some) <= block_records(file.layout)
            assert (some == records[index[here]]).all()
            seen[here] = True
        assert seen.all()
    headers = records[:, : ETL8G.image_offset]
    assert np.array_equal(read_headers(file), headers)
    assert np.array_equal(read_headers(file, end=7), headers[:7])


def test_a_file_that_ends_while_it_is_read(etl_file: Write) -> None:
    file = detect(etl_file())
    os.truncate(file.path, 8199 * 100 + 50)
    with pytest.raises(FastetlError, match=r"record 100, byte 819950: the file ended while"):
        list(read_records(file, np.array([3, 99, 100]), new_buffer(file.layout)))
    with pytest.raises(FastetlError, match="the file ended while"):
        read_headers(file)
    file.path.unlink()
    with pytest.raises(FastetlError, match="there is no such file"):
        list(read_records(file, np.array([3]), new_buffer(file.layout)))
