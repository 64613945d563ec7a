"""Layouts, codes and classes against what AIST's pages and decoded genuine records say."""

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastetl.etl.classes import character_codes, classes, classes_by_file
from fastetl.etl.jis import jis_to_char
from fastetl.etl.layouts import GENUINE_FILES, LAYOUT_BY_NAME, LAYOUTS, T56, Layout


def field(record: bytes, at: int, bits: int) -> int:
    """The number in `bits` bits from bit `at`, from one long integer."""
    return int.from_bytes(record, "big") >> (8 * len(record) - at - bits) & ((1 << bits) - 1)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_columns_are_the_bits_of_the_record(layout: Layout, seed: int) -> None:
    raw = np.random.default_rng(seed).integers(0, 256, 3 * layout.record_bytes, np.uint8)
    records = raw.reshape(3, layout.record_bytes)
    texts = [record.tobytes() for record in records]
    for known in layout.fields:
        column = layout.column(records, known.name)
        if not known.text:
            assert column.tolist() == [field(text, known.offset, known.bits) for text in texts]
        if known.text == "t56":
            assert [T56.tolist().index(column[0][0] if column[0] else ord(" "))] == [field(texts[0], known.offset, 6)]
        again = records.copy()
        layout.put(again, known.name, b"" if known.text else np.zeros(3, np.int64))
        layout.put(again, known.name, column)
        assert (again == records).all()


@pytest.mark.parametrize(
    ("names", "code", "sheet"),
    [
        ("ETL1 ETL6 ETL7", (48, 8), (32, 16)),
        ("ETL2", (168, 12), None),
        ("ETL3 ETL4 ETL5", (72, 8), (36, 36)),
        ("ETL8B2 ETL9B ETL8G ETL9G", (16, 16), (0, 16)),
    ],
)
def test_code_and_sheet_are_where_aist_says(names: str, code: tuple[int, int], sheet: tuple[int, int] | None) -> None:
    """First bit and bits."""
    for fields in (LAYOUT_BY_NAME[name].by_name for name in names.split()):
        assert (fields["code"].offset, fields["code"].bits) == code
        assert sheet is None or (fields["sheet"].offset, fields["sheet"].bits) == sheet


def c_record(words: dict[int, int], letters: str) -> bytes:
    """A record of type C out of its 36-bit words, by arithmetic on one long integer."""
    whole = 0
    for word in range(48):
        whole = whole << 36 | words.get(word, 0)
    units = "0123456789[#@:>? ABCDEFGHI&.](<??JKLMNOPQR".index  # up to R, which the letters below do not go past
    for k, c in enumerate(letters):
        whole |= units(c) << (48 * 36 - 144 - 6 * (k + 1))
    return whole.to_bytes(216, "big") + bytes(2736)


FROM_5 = ["evaluation", "group_evaluation", "y", "x", "sex", "age", "industry", "occupation", "collected", "scanned"]
FROM_5 += ["width", "height", "levels", "magnification", "old_number"]
# Headers that others decoded from genuine files: file, letters, character, words 0 and 1, codes, words 5 to 19.
GOLDEN = """
ETL3,A  K,K,2001 4001 75 210 0 0 3 0 1 26 3552 42 740419 740420 72 76 16 133 400120
ETL4,H  A,あ,500100 5001 177 129 0 0 1 0 1 23 9144 11 741202 741216 72 76 16 133 0
ETL5,K  A,ア,1 6001 177 129 0 0 1 0 1 26 3552 42 750215 750217 72 76 16 100 0
"""


@pytest.mark.parametrize("line", GOLDEN.split("\n")[1:-1])
def test_genuine_headers_of_type_c(line: str) -> None:
    name, letters, character, numbers = line.split(",")
    number, sheet, jis, ebcdic, *rest = map(int, numbers.split())
    words = {0: number, 1: sheet, 2: jis << 28, 3: ebcdic << 28, **{5 + k: value for k, value in enumerate(rest)}}
    layout = LAYOUT_BY_NAME[name]
    record = np.frombuffer(c_record(words, letters), np.uint8)[None]
    columns = [layout.column(record, column).tolist()[0] for column in ("number", "sheet", "code", "ebcdic", *FROM_5)]
    assert columns == [number, sheet, jis, ebcdic, *rest]
    assert layout.column(record, "letters").tolist() == [letters.encode()]
    assert jis_to_char(int(character_codes(layout, record)[0])) == character


def test_genuine_headers_of_type_g() -> None:
    """ETL8G_01's and ETL9G's first records, as struct reads them; the first date of scanning is none."""
    names = ["sheet", "code", "reading", "number", "evaluation", "group_evaluation", "sex", "age", "industry"]
    names += ["occupation", "collected", "scanned", "x", "y"]
    first = (1, 0x2422, b"A.HIRA  ", 1, 0, 0, 1, 24, 3552, 0, 8001, 16880, 0, 0)
    ninth = (1, 0x3124, b"IN.HIBI ", 101, 0, 0, 0, 0, 0, 0, 8211, 8311, 4, 6)
    for name, values, form in (("ETL8G", first, ">2H8sI4B4H2B30x8128x11x"), ("ETL9G", ninth, ">2H8sI4B4H2B34x8128x7x")):
        layout = LAYOUT_BY_NAME[name]
        record = np.frombuffer(struct.pack(form, *values), np.uint8)[None]
        assert tuple(layout.column(record, column).tolist()[0] for column in names) == values


def character(name: str, code: int, letters: str = "") -> str | None:
    layout = LAYOUT_BY_NAME[name]
    record = np.zeros((1, layout.record_bytes), np.uint8)
    layout.put(record, "code", code)
    if letters:
        layout.put(record, "letters", letters)
    return jis_to_char(int(character_codes(layout, record)[0]))


def test_codes_become_characters_by_table() -> None:
    expected = {"ETL1": [*"アヲヰヱ¥・"], "ETL3": [None] * 4 + [*"¥・"], "ETL5": [*"アヲヰヱ"] + [None] * 2}
    for name, characters in expected.items():
        assert [character(name, code) for code in (0xB1, 0xA6, 0xA8, 0xAA, 0x5C, 0x2E)] == characters
    assert [character("ETL4", code) for code in (0xB1, 0xA6, 0xA8, 0xAA)] == [*"あをゐゑ"]
    assert [character("ETL7", code) for code in (0xB1, 0xDD, 0xDE, 0xDF)] == [*"あん゛゜"]
    # The second イ, ウ and エ are told apart by their letters alone.
    again = {entry.code for entry in classes("ETL5") if entry.letters in ("K YI", "K WU", "K YE")}
    assert {character("ETL5", code) for code in again} == {"イ", "ウ", "エ"}
    assert len(classes("ETL5")) == 51
    assert len({entry.code for entry in classes("ETL5")}) == 48


def test_etl6_wants_letters_and_code_to_agree() -> None:
    assert character("ETL6", ord("A"), "A ") == "A"
    assert character("ETL6", 0xB1, " A") == "ア"
    assert character("ETL6", 0xB1, "A ") is None
    assert character("ETL6", ord("A"), " A") is None
    assert character("ETL6", 0, "$Y") == "¥"
    assert [character("ETL6", 0, name) for name in ("-6", "++", "=X", "+1", "/X")] == [None] * 5


def test_co59() -> None:
    codes = {entry.code: entry.character for entry in classes("ETL2")}
    assert len(codes) == 2304
    assert sum(c is None for c in codes.values()) == 124
    assert len(set(codes.values()) - {None}) == 2173
    # AIST's table begins 4,4 上; 8,4 下; 12,4 不.
    first = [(entry.code >> 6, entry.code & 63, entry.character) for entry in classes("ETL2")[:3]]
    assert first == [(4, 4, "上"), (8, 4, "下"), (12, 4, "不")]
    twice = [c for c in "滅輪薄粉李微慎" if list(codes.values()).count(c) == 2]
    assert twice == [*"滅輪薄粉李微慎"]
    assert character("ETL2", 4 << 6 | 4) == "上"
    assert character("ETL2", 15 << 6 | 17) is None


def test_t56_is_aists_but_for_four_places() -> None:
    assert bytes(T56[[0, 9, 16, 17, 48, 59]]).decode() == "09 A+,"
    assert len(set(T56.tolist())) == 64


def test_classes_and_orders_are_the_published_ones() -> None:
    assert [len(listed) for listed in classes_by_file("ETL1")] == [*[8] * 12, 3]
    assert [len(listed) for listed in classes_by_file("ETL6")] == [*[10] * 11, 5]
    assert [entry.letters for entry in classes("ETL6")].count("+1") == 2
    first = [listed[0].code for listed in classes_by_file("ETL8B2")]
    assert first == [0x2422, 0x384E, 0x4253]
    assert classes("ETL3")[20].letters == "A  K"  # record 2000 of ETL3C_1
    assert classes("ETL4")[500 % 51].letters == "H RI"  # record 500 of ETL4C
    assert classes("ETL5")[500 // 208].letters == "K  U"  # record 500 of ETL5C
    assert [len(sheet) for sheet in classes_by_file("ETL8G")] == [96, 96, 96, 96, 95, 96, 95, 95, 95, 96]
    assert [len(sheet) for sheet in classes_by_file("ETL9G")] == [*[152] * 16, *[151] * 4]
    orders = ["".join(entry.character or "" for entry in classes(name)) for name in ("ETL8G", "ETL9G")]
    for name, order in zip(("ETL8B2", "ETL9B"), orders, strict=True):
        assert sorted(order) == sorted(entry.character or "" for entry in classes(name))
    digests = [hashlib.sha256(order.encode()).hexdigest()[:12] for order in orders]
    assert digests == ["81a75ef02d7d", "c90991beab0f"]  # of the lists decoded from genuine files


def test_fingerprints_are_of_files_that_the_layouts_know() -> None:
    assert len(GENUINE_FILES) == 129
    for known in GENUINE_FILES.values():
        (layout,) = [layout for layout in LAYOUTS if layout.number(known.name) is not None]
        assert 1 <= (layout.number(known.name.lower()) or 0) <= layout.files
