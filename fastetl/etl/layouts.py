"""Record layouts (`tables/records.tsv`, `tables/sets.tsv`): a file of each set, bit by bit, and how files are arranged.

A record is a header of fields, each at a bit offset, and a picture of packed levels; all numbers are big-endian. The
same few lines read fields of whole bytes and those of the 36-bit words of which ETL2 to ETL5 are made.

Source: AIST's format pages M, K, C, B and G and its file listings. docs/sets marks what AIST leaves open.
"""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastetl.arrays import Bytes, Column, Ints, Uint64s
from fastetl.files.tables import table_rows

GROUPS_OF_FAMILY = 1_000_000  # the groups of a family are numbered from its number times this one
_T56_BITS = 6  # bits of a T56 character
# Source: AIST's page of type K. Its own script prints a space for 31, 32 and 58 and | for 48; those are \\, ↑, ← and +
# of the code that the rest equals (48 is + by AIST's example "S  +"); ↑ and ←, which no label has, are ^ and _ here.
T56: Bytes = np.frombuffer(b"0123456789[#@:>? ABCDEFGHI&.](<\\^JKLMNOPQR-$*);'+/STUVWXYZ_,%=\"!", np.uint8)
"""uint8 (64,): the ASCII character of each 6-bit unit in which ETL2 to ETL5 keep text."""
_TO_T56 = np.full(256, 16, np.uint8)  # 16 is the space
_TO_T56[T56] = np.arange(len(T56))


@dataclass(frozen=True)
class Field:
    """`bits` bits from bit `offset` of the record: a number, or characters of eight bits (ASCII) or six (T56)."""

    name: str
    offset: int
    bits: int
    text: str  # "ascii", "t56", or "" for a number

    @cached_property
    def dtype(self) -> np.dtype[np.generic]:
        """The dtype of the column that `Layout.column` gives: the smallest unsigned number that fits, or bytes."""
        if self.text:
            return np.dtype(f"S{self.bits // (8 if self.text == 'ascii' else _T56_BITS)}")
        return np.dtype(f"u{next(size for size in (1, 2, 4, 8) if 8 * size >= self.bits)}")


@dataclass(frozen=True, eq=False)
class Layout:
    """One set: its record, its picture and how its files are divided among groups."""

    name: str
    kind: Literal["M", "K", "C", "B", "G"]  # AIST's letter for the type of record
    record_bytes: int
    fields: tuple[Field, ...]
    image_offset: int
    height: int
    width: int
    bits: Literal[1, 4, 6]  # bits of a level; levels are packed in rows, the first pixel in the highest bits, ink high
    code_table: Literal["own", "jis"]  # what the codes of characters are: JIS X 0208, or the set's own
    grouped_by: Literal["sheet", "person", "style", "occurrence", "data set"]  # how `contents` tells groups apart
    family: int  # sets of one family are the same writing and share groups
    data_set_records: int  # number of records in which one writer (in ETL2 one style) has every character
    files: int  # how many AIST distributes
    file_name: str  # a pattern of their names, whose numbers tell which file it is
    data_sets_per_file: int  # 0 unless files are sequences of data sets; for "occurrence" the records of a class
    model_file: int  # number of the file of (ETL8G) or with (ETL8B2, ETL9B) model patterns, which no writer wrote, or 0
    first_sample: int  # number of the first record that is a sample: 1 where record 0 is empty, else 0

    @property
    def image_bytes(self) -> int:
        return self.height * self.width * self.bits // 8

    @property
    def group_base(self) -> int:
        """Number of the set's first group. That of ETL8 is 0, as datasets that are stored have it."""
        return 0 if self.family == 8 else GROUPS_OF_FAMILY * self.family

    @property
    def unused_bytes(self) -> slice:
        """The unused bytes of a record, if any, in which synthetic files are stamped: behind the header's fields, or at
        the end of an empty record 0."""
        if self.first_sample:
            return slice(self.record_bytes - 32, self.record_bytes)
        return slice(-(-max(field.offset + field.bits for field in self.fields) // 8), self.image_offset)

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    def column(self, records: Bytes, name: str) -> Column:
        """One field of records or headers, uint8 (N, bytes): numbers in native byte order, or text as ASCII bytes."""
        field = self.by_name[name]
        begin, end = field.offset, field.offset + field.bits
        if begin % 8 == 0 and field.bits == 8 * field.dtype.itemsize:  # whole bytes, which are read faster
            data = np.ascontiguousarray(records[:, begin // 8 : end // 8])
            return data.view(field.dtype.newbyteorder(">"))[:, 0].astype(field.dtype, copy=False)
        if not field.text:
            return _bits(records, begin, field.bits).astype(field.dtype)
        units = [_bits(records, k, _T56_BITS).astype(np.uint8) for k in range(begin, end, _T56_BITS)]
        return T56[np.stack(units, 1)].view(field.dtype).reshape(-1)

    def put(self, records: Bytes, name: str, values: ArrayLike) -> None:
        """Write `values`, one or (N,), into the field `name` of records, uint8 (N, bytes)."""
        field = self.by_name[name]
        if not field.text:
            unit_bits = field.bits
            units = np.broadcast_to(np.asarray(values, np.uint64), len(records))[:, None]
        else:
            texts = np.broadcast_to(np.asarray(values, field.dtype), len(records))
            characters = np.ascontiguousarray(texts).view(np.uint8).reshape(len(texts), field.dtype.itemsize)
            unit_bits = field.bits // field.dtype.itemsize
            units = (characters if field.text == "ascii" else _TO_T56[characters]).astype(np.uint64)
        digits = units[:, :, None] >> np.arange(unit_bits - 1, -1, -1, dtype=np.uint64) & np.uint64(1)
        data = records[:, field.offset // 8 : -(-(field.offset + field.bits) // 8)]
        bits = np.unpackbits(data, axis=1)
        bits[:, field.offset % 8 : field.offset % 8 + field.bits] = digits.reshape(len(records), -1)
        data[:] = np.packbits(bits, axis=1)

    def packed(self, records: Bytes) -> Bytes:
        """uint8 (N, image bytes): a view of the pictures of records, uint8 (N, record bytes)."""
        return records[:, self.image_offset : self.image_offset + self.image_bytes]

    def image_starts(self, count: int) -> Ints:
        """int64 (count,): where the pictures begin in the bytes of `count` records one after another."""
        return np.arange(count) * self.record_bytes + self.image_offset

    def data_sets(self, number: int) -> int:
        """How many data sets the genuine file `number` (from 1) has, with the model pattern."""
        if self.model_file == number:
            return 1 if self.kind == "G" else self.data_sets_per_file + 1
        return self.data_sets_per_file

    def number(self, file_name: str) -> int | None:
        """Number of the file that has this name (without a suffix, in any case), or None if it is none of the set."""
        match = re.fullmatch(self.file_name, file_name, re.IGNORECASE)
        if match is None:
            return None
        sizes = {"L": 0, "S": 2}  # ETL7 has two files of large writing (L) and two of small (S)
        parts = [part.upper() for part in match.groups()]
        return sum(sizes[part] if part in sizes else int(part) for part in parts) if parts else 1


def _bits(data: Bytes, offset: int, bits: int) -> Uint64s:
    """uint64 (N,): the number in `bits` bits (at most 57) from bit `offset` of each row."""
    first_byte, last_byte = offset // 8, (offset + bits - 1) // 8
    value = np.zeros(len(data), np.uint64)
    for column in range(first_byte, last_byte + 1):
        value = value << np.uint64(8) | data[:, column]
    return (value >> np.uint64(8 * last_byte + 7 - (offset + bits - 1))) & np.uint64((1 << bits) - 1)


def _layouts() -> Iterator[Layout]:
    fields: dict[str, list[Field]] = {}
    for kind, name, offset, bits, text, _ in table_rows("etl/tables/records.tsv"):
        fields.setdefault(kind, []).append(Field(name, int(offset), int(bits), text))
    names = [field.name for field in dataclasses.fields(Layout) if field.name != "fields"]
    for row in table_rows("etl/tables/sets.tsv"):
        values: dict[str, Any] = dict(zip(names, row, strict=True))
        numbers = {name: int(value) for name, value in values.items() if value.isdecimal()}
        yield Layout(**values | numbers | {"fields": tuple(fields[row[1]])})


class GenuineFile(NamedTuple):
    """A file as AIST distributes it, with its 16-bit sum (`sum -s`)."""

    name: str
    records: int
    byte_sum: int
    digest: str | None  # SHA-1 as of git's blobs, or SHA-256, or None


LAYOUTS = tuple(_layouts())
LAYOUT_BY_NAME = {layout.name: layout for layout in LAYOUTS}
ETL8G, ETL9G = LAYOUT_BY_NAME["ETL8G"], LAYOUT_BY_NAME["ETL9G"]
GENUINE_FILES = {
    name: GenuineFile(name, int(records), int(sysv), digest or None)
    for name, records, _, sysv, digest in table_rows("etl/tables/files.tsv")
}
"""The genuine files by their names, as AIST distributes them."""


@cache
def genuine_files(layout: Layout) -> tuple[GenuineFile, ...]:
    """The files of a set as AIST distributes it."""
    return tuple(file for file in GENUINE_FILES.values() if layout.number(file.name) is not None)
