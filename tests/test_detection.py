"""ETL files: which set they are of, and whose writing each record is."""

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benches.etl_records import make_records
from fastetl.etl.classes import character_codes
from fastetl.etl.detection import detect, find_files
from fastetl.etl.groups import align, number_groups
from fastetl.etl.jis import jis_to_char
from fastetl.etl.layouts import ETL8G, ETL9G
from fastetl.etl.reading import read_headers
from tests.conftest import Patch, Write, one_line

DAMAGE = ("lost", "doubled", "swapped", "unknown", "another")


def test_the_set_is_told_by_content_not_by_name(etl_file: Write) -> None:
    codes = [c for c in range(0x3021, 0x5121) if jis_to_char(c) is not None][:3036]
    nine = etl_file("mystery", make_records(2, codes, ETL9G, blank=True))
    assert detect(nine).layout is ETL9G
    eight = etl_file("ETL9G_07", make_records(2, codes[:956], blank=True))
    assert detect(eight).layout is ETL8G
    damaged = make_records(2)
    damaged[:4, 2:4] = 0  # the code; a quarter of those that are looked at
    assert detect(etl_file("damaged", damaged)).layout is ETL8G


def test_a_folder_is_searched_and_other_files_are_passed_over(etl_file: Write, monkeypatch: Patch) -> None:
    folder = etl_file("ETL8G_02").parent
    etl_file("ETL8G_01")
    (folder / "ETL8INFO").write_text("notes")
    (folder / ".etl.new-abcd").mkdir()
    (folder / ".etl.new-abcd" / "ETL8G_03").write_bytes((folder / "ETL8G_01").read_bytes())
    (folder / "zeros.bin").write_bytes(bytes(8199))
    (folder / "the same").hardlink_to(folder / "ETL8G_01")
    (folder / "link").symlink_to("nowhere")
    is_dir, denial = Path.is_dir, Mock(side_effect=PermissionError)  # as for a link to where nobody may look
    monkeypatch.setattr(Path, "is_dir", lambda path: (denial if path.name == "link" else is_dir)(path))
    assert [f.path.name for f in find_files([folder])] == ["ETL8G_01", "ETL8G_02"]
    assert [f.file_number for f in find_files([folder, folder / "ETL8G_01"])] == [1, 2]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "ETL8G_01",
            make_records(1).tobytes()[:100],
            "record 0: not a record of ETL8G, as the name says; … 100 bytes …. Bytes are lost",
        ),
        ("ETL9B_1", bytes(576 * 3), "record 1: not a record of ETL9B"),
        ("a.bin", bytes(2052 * 5), "not a file of a known set; expected records of ETL1 to ETL9G… Give the unpacked"),
    ],
)
def test_what_is_no_etl_file_is_rejected_in_one_line(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for attempt in (lambda: detect(path), lambda: find_files([tmp_path if name != "a.bin" else path])):
        with one_line(f"{path}…{expected}"):
            attempt()


@pytest.mark.parametrize("lost", [[0], [1], [0, 1, 2], [1, 3], [0, 135], [1, 269]])
def test_what_is_lost_at_the_beginning_does_not_move_the_others(lost: list[int]) -> None:
    """The file then seems to begin within a data set."""
    natural = np.array([c for c in range(0x3021, 0x3121) if jis_to_char(c) is not None][:90], np.uint16)
    codes, writer = np.tile(natural, 3), np.arange(3).repeat(90)
    left = np.delete(np.arange(270), lost)
    assert (align(codes[left], genuine_codes=natural).groups == writer[left]).all()
    # The first record and one of the last data set are exchanged.
    swapped = codes.copy()
    swapped[[0, 180 + 11]] = swapped[[180 + 11, 0]]
    assert (align(swapped, genuine_codes=natural).groups == writer).all()
    # An order of its own that happens to go round: it begins where the file does.
    turned = np.tile(np.roll(natural, 7), 3)
    assert (align(turned, genuine_codes=natural).groups == writer).all()


@pytest.mark.parametrize(
    ("names", "numbers"),
    [(("ETL8G_01", "ETL8G_03", "ETL8G_32"), [0, 1, 10, 11, 155, 156]), (("b", "a_99"), [0, 1, 2, 3])],
)
def test_genuine_files_number_writers(etl_file: Write, names: tuple[str, ...], numbers: list[int]) -> None:
    files = [detect(etl_file(name)) for name in names]
    groups = number_groups(files, [align(character_codes(f.layout, read_headers(f))).groups for f in files])
    assert np.unique(np.concatenate(groups)).tolist() == numbers


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sets=st.integers(1, 6),
    damage=st.lists(st.tuples(st.sampled_from(DAMAGE), st.integers(0), st.integers(0))),
)
@example(seed=0, sets=1, damage=[("doubled", 2, 0)])
@example(seed=0, sets=2, damage=[("unknown", 0, 0)])
@example(seed=0, sets=4, damage=[("lost", k, 0) for k in (230, 404, 480)])
@example(seed=0, sets=6, damage=[("unknown", 300 + k, 0) for k in range(5)])
def test_damage_to_some_records_moves_no_other(seed: int, sets: int, damage: list[tuple[str, int, int]]) -> None:
    order = (0x3021 + np.random.default_rng(seed).permutation(135)).astype(np.uint16)
    codes, true = np.tile(order, sets), np.arange(sets).repeat(135)
    # One or two data sets with several defects at the beginning may be read in two ways.
    for kind, i, j in damage[: max(1, 2 * (sets - 2))]:
        a, b = i % len(codes), j % len(codes)
        if kind == "lost":
            codes, true = np.delete(codes, a), np.delete(true, a)
        elif kind == "doubled":
            codes, true = np.insert(codes, a, codes[b]), np.insert(true, a, -1)
        elif kind == "swapped":
            codes[[a, b]], true[[a, b]] = codes[[b, a]], -1
        else:
            codes[a], true[a] = 0xFFFF if kind == "unknown" else codes[b], -1
    sound = true >= 0
    assert (align(codes, order).groups[sound] == true[sound]).all()
