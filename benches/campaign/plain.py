"""An independent decoder of ETL records: sizes and offsets typed from AIST's format pages, numpy, the standard library.

It shares nothing with `fastetl` but the names of the classes of sets that are not coded in JIS X 0208.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.classes import classes
from fastetl.etl.jis import char_to_jis

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Plain:
    """Bytes of a record, offset of its picture, height, width and bits of it; how many first records are empty."""

    record: int
    image: int
    height: int
    width: int
    bits: int
    empty: int = 0


_M, _C = Plain(2052, 32, 63, 64, 4), Plain(2952, 216, 76, 72, 4)
PLAIN = {
    **dict.fromkeys(("ETL1", "ETL6", "ETL7"), _M),
    **dict.fromkeys(("ETL3", "ETL4", "ETL5"), _C),
    "ETL2": Plain(2745, 45, 60, 60, 6),
    "ETL8B2": Plain(512, 8, 63, 64, 1, empty=1),
    "ETL9B": Plain(576, 8, 63, 64, 1, empty=1),
    "ETL8G": Plain(8199, 60, 127, 128, 4),
    "ETL9G": Plain(8199, 64, 127, 128, 4),
}


def levels_of(plain: Plain, records: Bytes) -> NDArray[np.float64]:
    """(N, record) → (N, height, width), 0 to 2^bits − 1."""
    packed = records[:, plain.image : plain.image + plain.height * plain.width * plain.bits // 8]
    bits = np.unpackbits(packed, axis=1).reshape(len(records), plain.height, plain.width, plain.bits)
    return bits @ (2.0 ** np.arange(plain.bits)[::-1])


def resized(plain: Plain, records: Bytes, size: int) -> Bytes:
    """(N, record) → uint8 (N, size, size): the triangle filter in exact whole numbers (below 2⁵³), rounded half up."""

    def weights(n: int) -> NDArray[np.float64]:
        source, target = np.arange(n), np.arange(size)[:, None]
        reach = 2 * max(n, size)
        return np.asarray(np.maximum(0.0, reach - np.abs((2 * source + 1) * size - (2 * target + 1) * n)))

    rows, columns = weights(plain.height), weights(plain.width)
    sums = rows @ levels_of(plain, records) @ columns.T
    whole = (2.0**plain.bits - 1) * rows.sum(1)[:, None] * columns.sum(1)
    return np.asarray(np.floor((510 * sums + whole) / (2 * whole)), np.uint8)


@cache
def _is_character() -> NDArray[np.bool_]:
    """bool (65536,): the codes of JIS X 0208, by Python's own codec."""
    table = np.zeros(65536, bool)
    for code in range(0x2121, 0x7E7F):
        row, column = divmod(code, 256)
        if 0x21 <= column <= 0x7E:
            try:
                bytes([row | 0x80, column | 0x80]).decode("euc_jp")
            except UnicodeDecodeError:
                continue
            table[code] = True
    return table


def _wide(records: Bytes, at: int) -> NDArray[np.int64]:
    return records[:, at].astype(np.int64) << 8 | records[:, at + 1]


def _jis(character: str | None) -> int:
    return 0 if character is None else char_to_jis(character) or 0


@cache
def _by_code(*names: str) -> NDArray[np.int64]:
    table = np.zeros(4096, np.int64)
    for name in names:
        for entry in classes(name):
            table[entry.code] = _jis(entry.character)
    return table


def _etl6(records: Bytes) -> NDArray[np.int64]:
    """Letters and code must agree, but for symbols, which have letters alone."""
    by_letters = {entry.letters.encode(): entry for entry in classes("ETL6")}
    table = np.zeros(len(records), np.int64)
    for k, record in enumerate(records):
        entry = by_letters.get(record[2:4].tobytes())
        if entry is not None and (not entry.is_sure or entry.code == record[6]):
            table[k] = _jis(entry.character)
    return table


def jis_codes(name: str, records: Bytes) -> NDArray[np.int64]:
    """int64 (N,): JIS X 0208 of each record of a set, 0 for a record without a character."""
    if name in ("ETL8B2", "ETL8G", "ETL9B", "ETL9G"):
        codes = _wide(records, 2)
        return np.where(_is_character()[codes], codes, 0)
    if name == "ETL2":
        return np.asarray(_by_code("ETL2")[records[:, 21].astype(np.int64) >> 2 << 6 | _low(records)])
    if name == "ETL6":
        return _etl6(records)
    kana = ("ETL4", "ETL7") if name in ("ETL4", "ETL7") else ("ETL1", "ETL3", "ETL5")
    return _by_code(*kana)[records[:, 6 if PLAIN[name] is _M else 9]]


def _low(records: Bytes) -> NDArray[np.int64]:
    return (records[:, 21].astype(np.int64) & 3) << 4 | records[:, 22] >> 4


def groups_of(name: str, records: Bytes) -> NDArray[np.int64] | None:
    """int64 (N,): equal numbers for records of one group; None for the sets whose groups the order tells."""
    if name in ("ETL1", "ETL6"):
        return _wide(records, 4)
    if name in ("ETL3", "ETL4"):  # the second 36-bit word
        word = np.zeros(len(records), np.int64)
        for k in range(4, 9):
            word = word << 8 | records[:, k]
        return np.asarray(np.minimum(word & (1 << 36) - 1, 999_999))
    return None
