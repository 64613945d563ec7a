"""What a user should know about files that can be read: records out of order, lost, added, unknown; incomplete sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastetl.charset import jis_to_char
from fastetl.errors import FastetlError
from fastetl.etl.files import EtlFile
from fastetl.etl.groups import Alignment

__all__ = ["Notice", "doubled_records", "notices_of_order", "shown", "unknown_codes"]

_LISTED = 5  # records named in one notice


@dataclass(frozen=True)
class Notice:
    """One thing noticed in a file, and what was done about it.

    what: in words. record: the first record concerned, from 0. expected, found: what should stand there, and what does.
    """

    what: str
    file: str
    record: int | None = None
    expected: str | None = None
    found: str | None = None
    done: str | None = None

    def __str__(self) -> str:
        return str(self._error(self.done))

    def error(self) -> FastetlError:
        """The same as an error, for `strict`."""
        return self._error("mend the files, or leave out `strict`")

    def _error(self, do: str | None) -> FastetlError:
        return FastetlError(
            self.what, file=self.file, record=self.record, expected=self.expected, found=self.found, do=do
        )


def shown(code: int) -> str:
    """A code, with its character where it has one."""
    return f"0x{code:04X} {jis_to_char(code) or ''}".strip()


def listed(records: Sequence[int] | NDArray[np.integer]) -> str:
    """How many records, and the numbers of the first few."""
    numbers = ", ".join(str(int(k)) for k in records[:_LISTED]) + (", …" if len(records) > _LISTED else "")
    return f"{len(records):,} (record{'s' * (len(records) > 1)} {numbers})"


def unknown_codes(file: EtlFile, codes: NDArray[np.uint16]) -> list[Notice]:
    """Codes that stand for no character. codes: uint16 (count,)."""
    values = np.unique(codes)
    none = values[[jis_to_char(code) is None for code in values.tolist()]]
    records = np.flatnonzero(np.isin(codes, none))
    if not len(records):
        return []
    what = f"unknown codes: {listed(records)}"
    first = int(records[0])
    found = shown(int(codes[first]))
    return [Notice(what, str(file.path), first, "a code of JIS X 0208", found, "left out of a dataset")]


def doubled_records(file: EtlFile, codes: NDArray[np.uint16], groups: NDArray[np.int32]) -> list[Notice]:
    """Characters that a group has more than once. groups: int32 (count,), as they are in a dataset."""
    _, first = np.unique(groups.astype(np.int64) << 16 | codes, return_index=True)
    doubled = np.setdiff1d(np.arange(len(codes)), first)
    if not len(doubled):
        return []
    what, at = f"doubled (group, character): {listed(doubled)}", int(doubled[0])
    found = f"{shown(int(codes[at]))} again in group {groups[at]}"
    return [Notice(what, str(file.path), at, "each character once in a group", found, "each of them is taken")]


def _misplaced(file: EtlFile, codes: NDArray[np.uint16], aligned: Alignment) -> list[Notice]:
    if not len(aligned.aside):
        return []
    at = int(aligned.aside[0])
    what = f"records out of order: {listed(aligned.aside)}"
    expected = shown(int(aligned.order[aligned.expected[at]]))
    done = "taken by their codes, with the group in which they stand; all others keep theirs"
    return [Notice(what, str(file.path), at, expected, shown(int(codes[at])), done)]


def _lost(file: EtlFile, aligned: Alignment, first_group: int) -> list[Notice]:
    """Characters that groups lack, but for those in whose place a record out of order stands."""
    length, groups = len(aligned.order), aligned.groups.astype(np.int64)
    there = np.zeros((int(groups.max()) + 1) * length, bool)
    known = aligned.rank >= 0
    there[(groups * length + aligned.rank)[known]] = True
    there[(groups * length + aligned.expected)[aligned.aside]] = True
    lost = np.flatnonzero(~there)
    if not len(lost):
        return []
    place = groups * length + aligned.expected
    at = int(np.count_nonzero(place < lost[0]))
    short = np.unique(lost // length)
    what = f"records lost: {len(lost):,}, in {len(short):,} group{'s' * (len(short) > 1)} that are not complete"
    expected = f"{shown(int(aligned.order[lost[0] % length]))} of group {first_group + int(lost[0]) // length}"
    found = f"{length - np.count_nonzero(lost // length == short[0]):,} of {length:,} characters in that group"
    return [Notice(what, str(file.path), at, expected, found, "the dataset has no such samples")]


def _order_of_others(
    file: EtlFile, order: NDArray[np.uint16], usual: NDArray[np.uint16], like: EtlFile
) -> list[Notice]:
    if np.array_equal(order, usual):
        return []
    lost, added = np.setdiff1d(usual, order), np.setdiff1d(order, usual)
    if len(lost) or len(added):
        example = shown(int((lost if len(lost) else added)[0]))
        found = f"{len(lost):,} of them missing, {len(added):,} others ({example})"
        expected = f"the {len(usual):,} characters of {like.path.name}"
        return [Notice("other characters than in the other files", str(file.path), None, expected, found)]
    at = int(np.flatnonzero(order != usual)[0])
    done = "every header was read; groups are told by this file's own order"
    expected, found = shown(int(usual[at])), shown(int(order[at]))
    return [Notice("another order than in the other files", str(file.path), at, expected, found, done)]


def _data_sets(file: EtlFile, aligned: Alignment) -> list[Notice]:
    layout, number = file.layout, file.number
    if len(aligned.order) != layout.data_set or number is None or not 1 <= number <= layout.files:
        return []  # not a file as it is distributed
    found, expected = int(aligned.groups.max()) + 1, layout.data_sets(number)
    if found == expected:
        return []
    counted = f"{expected} data sets of {layout.data_set:,} records, as the genuine file {number} has"
    return [Notice("another number of data sets", str(file.path), None, counted, str(found), "those there are taken")]


def notices_of_order(
    files: Sequence[EtlFile],
    codes: Sequence[NDArray[np.uint16]],
    alignments: Sequence[Alignment],
    groups: Sequence[NDArray[np.int32]],
) -> list[list[Notice]]:
    """What the order of each file tells, for sets whose records follow one another in data sets.

    codes, groups: uint16 and int32 (count,) of each file, groups numbered as in a dataset.
    """
    kinds = [(file.layout.name, aligned.order.tobytes()) for file, aligned in zip(files, alignments, strict=True)]
    counted = Counter(kinds)
    found = []
    for file, code, aligned, group in zip(files, codes, alignments, groups, strict=True):
        usual = max((kind for kind in kinds if kind[0] == file.layout.name), key=counted.__getitem__)
        like = kinds.index(usual)
        found.append(
            [
                *_misplaced(file, code, aligned),
                *_lost(file, aligned, int(group[0]) - int(aligned.groups[0])),
                *doubled_records(file, code, group),
                *unknown_codes(file, code),
                *_order_of_others(file, aligned.order, alignments[like].order, files[like]),
                *_data_sets(file, aligned),
            ]
        )
    return found
