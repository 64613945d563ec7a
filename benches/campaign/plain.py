"""An independent decoder of ETL records, in numpy, with sizes and offsets typed from AIST's format pages.

Of `fastetl` it uses only the class tables of the sets that are not coded in JIS X 0208.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.classes import classes

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Plain:
    """A type of record. record: its bytes; image: where its picture begins; height, width, bits: of the picture; code,
    group: first bit and number of bits of these fields (no bits: the order tells the group); empty: how many records
    at the beginning of a file are empty."""

    record: int
    image: int
    height: int
    width: int
    bits: int
    code: tuple[int, int] = (16, 16)
    group: tuple[int, int] = (0, 0)
    empty: int = 0


PLAIN = {
    **dict.fromkeys(("ETL1", "ETL6"), Plain(2052, 32, 63, 64, 4, (48, 8), (32, 16))),
    "ETL2": Plain(2745, 45, 60, 60, 6, (168, 12)),
    **dict.fromkeys(("ETL3", "ETL4"), Plain(2952, 216, 76, 72, 4, (72, 8), (36, 36))),
    "ETL5": Plain(2952, 216, 76, 72, 4, (72, 8)),
    "ETL7": Plain(2052, 32, 63, 64, 4, (48, 8)),
    "ETL8B2": Plain(512, 8, 63, 64, 1, empty=1),
    "ETL9B": Plain(576, 8, 63, 64, 1, empty=1),
    "ETL8G": Plain(8199, 60, 127, 128, 4),
    "ETL9G": Plain(8199, 64, 127, 128, 4),
}


def number(records: Bytes, at: int, bits: int) -> NDArray[np.int64]:
    """int64 (N,): the big-endian number in `bits` bits from bit `at` on."""
    unpacked = np.unpackbits(records[:, at // 8 : -(-(at + bits) // 8)], axis=1)[:, at % 8 : at % 8 + bits]
    return np.asarray(unpacked @ (1 << np.arange(bits)[::-1]))


def levels_of(plain: Plain, records: Bytes) -> NDArray[np.float64]:
    """The levels in records, uint8 (N, bytes): float64 (N, height, width), 0 to 2^bits − 1."""
    packed = records[:, plain.image : plain.image + plain.height * plain.width * plain.bits // 8]
    bits = np.unpackbits(packed, axis=1).reshape(len(records), plain.height, plain.width, plain.bits)
    return bits @ (2.0 ** np.arange(plain.bits)[::-1])


def resized(plain: Plain, records: Bytes, size: int) -> Bytes:
    """The pictures in records, resized to uint8 (N, size, size) by the triangle filter, exact, rounded half up."""

    def weights(n: int) -> NDArray[np.float64]:
        source, target = np.arange(n), np.arange(size)[:, None]
        reach = 2 * max(n, size)
        return np.asarray(np.maximum(0.0, reach - np.abs((2 * source + 1) * size - (2 * target + 1) * n)))

    rows, columns = weights(plain.height), weights(plain.width)
    sums = rows @ levels_of(plain, records) @ columns.T
    whole = (2.0**plain.bits - 1) * rows.sum(1)[:, None] * columns.sum(1)
    return np.asarray(np.floor((510 * sums + whole) / (2 * whole)), np.uint8)


@cache
def _jis_by_code(*sets: str) -> NDArray[np.int64]:
    """int64 (65536,): code of the sets → JIS X 0208, 0 for none; without sets, the codes of JIS X 0208 themselves."""
    table = np.zeros(65536, np.int64)
    jis = [row << 8 | column for row in range(0x21, 0x7F) for column in range(0x21, 0x7F)]
    pairs = [(code, code) for code in jis if (code | 0x8080).to_bytes(2).decode("euc_jp", "ignore")]
    for code, character in [(entry.code, entry.jis) for name in sets for entry in classes(name)] or pairs:
        table[code] = character
    return table


def _etl6(records: Bytes) -> NDArray[np.int64]:
    """JIS codes of ETL6, whose letters and code must agree; symbols have letters alone."""
    by_letters = {entry.letters.encode(): entry for entry in classes("ETL6")}
    codes = np.zeros(len(records), np.int64)
    for k, record in enumerate(records):
        entry = by_letters.get(record[2:4].tobytes())
        if entry is not None and (not entry.code_is_known or entry.code == record[6]):
            codes[k] = entry.jis
    return codes


def jis_codes(name: str, records: Bytes) -> NDArray[np.int64]:
    """int64 (N,): the JIS X 0208 code of each record of the set, 0 if it has no character."""
    if name == "ETL6":
        return _etl6(records)
    sisters = next((sets for sets in (("ETL2",), ("ETL4", "ETL7"), ("ETL1", "ETL3", "ETL5")) if name in sets), ())
    return _jis_by_code(*sisters)[number(records, *PLAIN[name].code)]


def groups_of(name: str, records: Bytes) -> NDArray[np.int64] | None:
    """int64 (N,): the group of each record; None for sets whose groups follow from the order of the records."""
    field = PLAIN[name].group
    return np.minimum(number(records, *field), 999_999) if field[1] else None
