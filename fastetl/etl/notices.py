"""What a user should know about files that can be read: records out of order, lost, added, unknown; incomplete sets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError
from fastetl.etl.classes import classes, is_of
from fastetl.etl.files import EtlFile
from fastetl.etl.groups import Alignment
from fastetl.etl.jis import jis_to_char
from fastetl.etl.recognition import named

__all__ = ["Notice", "count_within", "grouped", "misnamed", "notices_of_classes", "notices_of_order", "shown"]

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


def grouped(notices: Sequence[Notice]) -> list[str]:
    """A line for each kind of oddity, however many files have it; one that stands alone is told whole."""
    kinds: dict[str, list[Notice]] = {}
    for notice in notices:
        kinds.setdefault(notice.what.partition(":")[0], []).append(notice)
    return [str(members[0]) if len(members) == 1 else _together(kind, members) for kind, members in kinds.items()]


def _together(kind: str, members: Sequence[Notice]) -> str:
    counts = sorted(int(n[1].replace(",", "")) for m in members if (n := re.match(r"[^:]*: ([\d,]*\d)", m.what)))
    spread = f"{counts[0]:,}" + (f" to {counts[-1]:,}" if counts[0] < counts[-1] else "") if counts else ""
    files, treatment = len({notice.file for notice in members}), members[0].done
    line = f"{files:,} file{'s' * (files > 1)}: {kind}" + (f", {spread} each" if counts else "")
    return f"{line} (first: {members[0].file})" + (f". {treatment[0].upper()}{treatment[1:]}" if treatment else "")


def shown(code: int) -> str:
    """A code, with its character where it has one."""
    return f"0x{code:02X} {jis_to_char(code) or ''}".strip()


def listed(records: Sequence[int] | NDArray[np.integer]) -> str:
    """How many records, and the numbers of the first few."""
    numbers = ", ".join(str(int(k)) for k in records[:_LISTED]) + (", …" if len(records) > _LISTED else "")
    return f"{len(records):,} (record{'s' * (len(records) > 1)} {numbers})"


def count_within(codes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """int64 (N,): how many records before have the same code."""
    order = np.argsort(codes, kind="stable")
    ascending = codes[order]
    begins = np.append(True, ascending[1:] != ascending[:-1])
    starts = np.maximum.accumulate(np.where(begins, np.arange(len(codes)), 0))
    out = np.empty(len(codes), np.int64)
    out[order] = np.arange(len(codes)) - starts
    return out


def _unknown(file: EtlFile, codes: NDArray[np.uint16], records: NDArray[np.int64], expected: str) -> list[Notice]:
    """Records whose codes stand for no character. codes: uint16 (count,), of all that are not empty by rule."""
    if not len(records):
        return []
    what, code = f"unknown codes: {listed(records + file.first)}", shown(int(codes[records[0]]))
    return [Notice(what, str(file.path), int(records[0]) + file.first, expected, code, "left out of a dataset")]


def _without_character(codes: NDArray[np.uint16]) -> NDArray[np.int64]:
    values = np.unique(codes)
    return np.flatnonzero(np.isin(codes, values[[jis_to_char(code) is None for code in values.tolist()]]))


def misnamed(file: EtlFile) -> list[Notice]:
    """A file that has the name of another set than its records are of."""
    layout = named(file.path.name) or named(file.path.stem)
    if layout is None or layout is file.layout:
        return []
    treatment = "taken by its records; rename it, or look whether it is damaged"
    return [Notice("the name is that of another set", str(file.path), None, file.layout.name, layout.name, treatment)]


def _doubled(
    file: EtlFile, codes: NDArray[np.uint16], groups: NDArray[np.int32], what: str, limit: NDArray[np.int64]
) -> list[Notice]:
    """What a group has more often than `limit`, int64 (65536,) by code. groups: int32 (count,), as in a dataset."""
    doubled = np.flatnonzero(count_within(groups.astype(np.int64) << 16 | codes) >= limit[codes])
    if not len(doubled):
        return []
    title, at = f"doubled (group, {what}): {listed(doubled + file.first)}", int(doubled[0])
    again = f"{shown(int(codes[at]))} again in group {groups[at]}"
    expected, treatment = f"each {what} once in a group", "each of them is taken"
    return [Notice(title, str(file.path), at + file.first, expected, again, treatment)]


def _misplaced(file: EtlFile, codes: NDArray[np.uint16], aligned: Alignment) -> list[Notice]:
    if not len(aligned.aside):
        return []
    at = int(aligned.aside[0])
    what = f"records out of order: {listed(aligned.aside + file.first)}"
    expected = shown(int(aligned.order[aligned.expected[at]]))
    treatment = "taken by their codes, with the group in which they stand; all others keep theirs"
    return [Notice(what, str(file.path), at + file.first, expected, shown(int(codes[at])), treatment)]


def _lost(file: EtlFile, aligned: Alignment, first_group: int) -> list[Notice]:
    """Characters that groups lack, but for those in whose place a record out of order stands."""
    length, groups = len(aligned.order), aligned.groups.astype(np.int64)
    present = np.zeros((int(groups.max()) + 1) * length, bool)
    ranked = aligned.rank >= 0
    present[(groups * length + aligned.rank)[ranked]] = True
    present[(groups * length + aligned.expected)[aligned.aside]] = True
    lost = np.flatnonzero(~present)
    if not len(lost):
        return []
    place = groups * length + aligned.expected
    at = int(np.count_nonzero(place < lost[0]))
    short = np.unique(lost // length)
    what = f"records lost: {len(lost):,}, in {len(short):,} group{'s' * (len(short) > 1)} that are not complete"
    expected = f"{shown(int(aligned.order[lost[0] % length]))} of group {first_group + int(lost[0]) // length}"
    tally = f"{length - np.count_nonzero(lost // length == short[0]):,} of {length:,} characters in that group"
    return [Notice(what, str(file.path), at + file.first, expected, tally, "the dataset has no such samples")]


def _order_of_others(
    file: EtlFile, order: NDArray[np.uint16], usual: NDArray[np.uint16], reference: EtlFile
) -> list[Notice]:
    if np.array_equal(order, usual):
        return []
    lost, added = np.setdiff1d(usual, order), np.setdiff1d(order, usual)
    if len(lost) or len(added):
        example = shown(int((lost if len(lost) else added)[0]))
        actual = f"{len(lost):,} of them missing, {len(added):,} others ({example})"
        expected = f"the {len(usual):,} characters of {reference.path.name}"
        return [Notice("other characters than in the other files", str(file.path), None, expected, actual)]
    at = int(np.flatnonzero(order != usual)[0])
    treatment = "every header was read; groups are told by this file's own order"
    expected, actual = shown(int(usual[at])), shown(int(order[at]))
    return [Notice("another order than in the other files", str(file.path), at, expected, actual, treatment)]


def _data_sets(file: EtlFile, aligned: Alignment) -> list[Notice]:
    layout, number = file.layout, file.number
    if len(aligned.order) != layout.data_set or number is None or not 1 <= number <= layout.files:
        return []  # not a file as it is distributed
    sets, expected = int(aligned.groups.max()) + 1, layout.data_sets(number)
    if sets == expected:
        return []
    counted = f"{expected} data sets of {layout.data_set:,} records, as the genuine file {number} has"
    return [Notice("another number of data sets", str(file.path), None, counted, str(sets), "those there are taken")]


def notices_of_order(
    files: Sequence[EtlFile],
    codes: Sequence[NDArray[np.uint16]],
    alignments: Sequence[Alignment],
    groups: Sequence[NDArray[np.int32]],
) -> list[list[Notice]]:
    """What the order of each file tells, for sets whose records follow one another in data sets.

    codes, groups: uint16 and int32 (count,) of each file without its empty record, groups numbered as in a dataset.
    """
    kinds = [(file.layout.name, aligned.order.tobytes()) for file, aligned in zip(files, alignments, strict=True)]
    counted = Counter(kinds)
    notices: list[list[Notice]] = []
    for file, code, aligned, group in zip(files, codes, alignments, groups, strict=True):
        if not len(code):
            notices.append([])
            continue
        usual = max((kind for kind in kinds if kind[0] == file.layout.name), key=counted.__getitem__)
        reference = kinds.index(usual)
        notices.append(
            [
                *_misplaced(file, code, aligned),
                *_lost(file, aligned, int(group[0]) - int(aligned.groups[0])),
                *_doubled(file, code, group, "character", np.ones(65536, np.int64)),
                *_unknown(file, code, _without_character(code), "a code of JIS X 0208"),
                *_order_of_others(file, aligned.order, alignments[reference].order, files[reference]),
                *_data_sets(file, aligned),
            ]
        )
    return notices


_KNOWN_GAPS = {("ETL1", 9): 1, ("ETL1", 12): 1}
"""Records that genuine files lack: ナ on sheet 2672 and リ on sheet 2708."""


def _dummy(file: EtlFile, headers: NDArray[Any]) -> list[Notice]:
    if not file.first or not headers[:1].tobytes().strip(b"\0"):
        return []
    treatment = "left out, as the rule of the set is"
    return [Notice("record 0 is not empty", str(file.path), 0, "zeros", "a header", treatment)]


def notices_of_classes(
    file: EtlFile,
    headers: NDArray[Any],
    codes: NDArray[np.uint16],
    groups: NDArray[np.int32],
    models: NDArray[np.bool_],
) -> list[Notice]:
    """What is odd in a file whose records follow one another by class or by sheet.

    headers: (count,). codes: JIS X 0208 or 0. groups: −1 for an empty record. models: model patterns.
    """
    layout = file.layout
    raw = layout.column(headers, "code").astype(np.uint16)
    sample = (groups >= 0) & ~models
    notices = _dummy(file, headers)
    entries = classes(layout.name)
    valid = is_of(layout, headers, entries)[not all(entry.is_sure for entry in entries)]
    first = file.first
    notices += _unknown(file, raw[first:], np.flatnonzero(~valid[first:]), f"a code of {layout.name}")
    if layout.group == "place":
        notices += _runs(file, raw, sample)
    if layout.group in ("style", "person"):
        return notices
    return notices + _each_once(file, raw, groups, sample & valid)


def _runs(file: EtlFile, raw: NDArray[np.uint16], sample: NDArray[np.bool_]) -> list[Notice]:
    """Whether each class is in one piece, where the place in its class tells the group of a record."""
    index = np.flatnonzero(sample)
    begins = index[np.append(True, np.diff(raw[index].astype(np.int64)) != 0)] if len(index) else index
    again = np.setdiff1d(np.arange(len(begins)), np.unique(raw[begins], return_index=True)[1])
    if not len(again):
        return []
    at = int(begins[again[0]])
    example = f"{shown(int(raw[at]))} again"
    treatment = "taken by their codes, with the group of their place in the class"
    what = f"records out of order: {listed(begins[again])}"
    return [Notice(what, str(file.path), at, "each class in one piece", example, treatment)]


def _each_once(
    file: EtlFile, raw: NDArray[np.uint16], groups: NDArray[np.int32], sample: NDArray[np.bool_]
) -> list[Notice]:
    """Whether each sheet (or data set) of the file has each of its classes as often as the set has them."""
    layout, path, index = file.layout, str(file.path), np.flatnonzero(sample)
    if not len(index):
        return []
    usual = Counter(entry.code for entry in classes(layout.name) if entry.is_sure)
    present, counts = np.unique(raw[index], return_counts=True)
    sheets, per_sheet = np.unique(groups[index]), np.array([usual.get(code, 0) for code in present.tolist()])
    # Classes of other files are never too many: ETL1 has some of its second イ, ウ and エ in others than the first.
    limit = np.full(65536, len(raw), np.int64)
    limit[present] = np.where(per_sheet > 0, per_sheet, len(raw))
    alone = np.where(sample, groups, -1 - np.arange(len(raw), dtype=np.int32))  # each without a group in one of its own
    notices = _doubled(file, raw[file.first :], alone[file.first :], "class", limit)
    complete = np.where(per_sheet > 0, np.maximum(np.rint(counts / len(sheets)), 1), 0).astype(np.int64) * len(sheets)
    lost = np.maximum(complete - counts, 0)
    if int(lost.sum()) > _KNOWN_GAPS.get((layout.name, file.number or 0), 0):
        k = int(np.flatnonzero(lost)[0])
        what = f"records lost: {int(lost.sum()):,}, of {int((lost > 0).sum()):,} classes"
        expected = f"0x{int(present[k]):02X} {int(complete[k]):,} times, for {len(sheets):,} groups"
        notices.append(Notice(what, path, None, expected, f"{int(counts[k]):,}", "the dataset has no such samples"))
    return notices
