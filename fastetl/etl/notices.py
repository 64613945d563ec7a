"""What a user should know about files that can be read: records out of order, lost, added, unknown; incomplete sets."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.data.identity import digest_of
from fastetl.errors import FastetlError
from fastetl.etl.classes import classes, is_of
from fastetl.etl.files import EtlFile, named
from fastetl.etl.groups import Alignment
from fastetl.etl.jis import jis_to_char

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
        return str(self.error(self.done))

    def error(self, do: str | None = "mend the files, or leave out `strict`") -> FastetlError:
        """The same as an error, for `strict`."""
        place: dict[str, Any] = {"file": self.file, "record": self.record}
        return FastetlError(self.what, **place, expected=self.expected, found=self.found, do=do)


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


def misnamed(file: EtlFile) -> Iterator[Notice]:
    """A file that has the name of another set than its records are of."""
    layout = named(file.path.name) or named(file.path.stem)
    if layout is not None and layout is not file.layout:
        treatment = "taken by its records; rename it, or look whether it is damaged"
        what = "the name is that of another set"
        yield Notice(what, str(file.path), None, file.layout.name, layout.name, treatment)


def blanks_of(files: Iterable[EtlFile]) -> list[int]:
    """The digests of pictures without ink, which are no copies of each other."""
    return [digest_of(bytes(size)) for size in sorted({file.layout.image_bytes for file in files})]


def notices_of_copies(
    files: Sequence[EtlFile],
    records: Sequence[NDArray[np.int64]],
    digests: NDArray[np.uint64],
    copied: NDArray[np.int64],
) -> Iterator[Notice]:
    """Pictures of each file that other groups have before: the same file under two names, most likely.

    records: of each file, those whose pictures have the `digests`. copied: which these are, as `group_copies` tells.
    """
    starts = np.cumsum([0, *map(len, records)])
    for k, (file, index) in enumerate(zip(files, records, strict=True)):
        copies = copied[np.searchsorted(copied, starts[k]) : np.searchsorted(copied, starts[k + 1])]
        if len(copies):
            first = int(np.flatnonzero(digests == digests[copies[0]])[0])
            origin = int(np.searchsorted(starts, first, "right")) - 1
            numbers, example = index[copies - starts[k]], records[origin][first - starts[origin]]
            what = f"pictures that other groups have too: {listed(numbers)}"
            actual = f"that of record {example} of {files[origin].path}"
            treatment = "a build takes them into the groups of the first; give each file once"
            yield Notice(what, str(file.path), int(numbers[0]), "a picture of its own", actual, treatment)


def _unknown(file: EtlFile, codes: NDArray[np.uint16], is_known: NDArray[np.bool_], expected: str) -> Iterator[Notice]:
    """Records whose codes stand for no character. codes, is_known: (count,), of all records."""
    unknown = np.flatnonzero(~is_known)
    unknown = unknown[unknown >= file.first]
    if len(unknown):
        what, code = f"unknown codes: {listed(unknown)}", shown(int(codes[unknown[0]]))
        yield Notice(what, str(file.path), int(unknown[0]), expected, code, "left out of a dataset")


def _doubled(
    file: EtlFile, codes: NDArray[np.uint16], groups: NDArray[np.int32], what: str, limit: NDArray[np.int64]
) -> Iterator[Notice]:
    """What a group has more often than `limit`, int64 (65536,) by code. groups: as in a dataset, −1 for no sample."""
    again = count_within(groups.astype(np.int64) << 16 | codes) >= limit[codes]
    doubled = np.flatnonzero(again & (groups >= 0))
    if len(doubled):
        at = int(doubled[0])
        example = f"{shown(int(codes[at]))} again in group {groups[at]}"
        title, expected = f"doubled (group, {what}): {listed(doubled)}", f"each {what} once in a group"
        yield Notice(title, str(file.path), at, expected, example, "each of them is taken")


def _misplaced(file: EtlFile, codes: NDArray[np.uint16], aligned: Alignment) -> Iterator[Notice]:
    if len(aligned.aside):
        at = int(aligned.aside[0])
        what = f"records out of order: {listed(aligned.aside + file.first)}"
        expected, actual = shown(int(aligned.order[aligned.expected[at]])), shown(int(codes[at + file.first]))
        treatment = "taken by their codes, with the group in which they stand; all others keep theirs"
        yield Notice(what, str(file.path), at + file.first, expected, actual, treatment)


def _lost(file: EtlFile, aligned: Alignment, first_group: int) -> Iterator[Notice]:
    """Characters that groups lack, but for those in whose place a record out of order stands."""
    length = len(aligned.order)
    place = aligned.groups.astype(np.int64) * length + aligned.expected
    is_there = aligned.is_there()
    is_there[place[aligned.aside]] = True
    lost = np.flatnonzero(~is_there)
    if len(lost):
        at, short = int(np.count_nonzero(place < lost[0])) + file.first, np.unique(lost // length)
        what = f"records lost: {len(lost):,}, in {len(short):,} group{'s' * (len(short) > 1)} that are not complete"
        expected = f"{shown(int(aligned.order[lost[0] % length]))} of group {first_group + int(short[0])}"
        tally = f"{length - np.count_nonzero(lost // length == short[0]):,} of {length:,} characters in that group"
        yield Notice(what, str(file.path), at, expected, tally, "the dataset has no such samples")


def _another_order(
    file: EtlFile, order: NDArray[np.uint16], usual: NDArray[np.uint16], reference: EtlFile
) -> Iterator[Notice]:
    lost, added = np.setdiff1d(usual, order), np.setdiff1d(order, usual)
    if len(lost) or len(added):
        example = shown(int((lost if len(lost) else added)[0]))
        actual = f"{len(lost):,} of them missing, {len(added):,} others ({example})"
        expected = f"the {len(usual):,} characters of {reference.path.name}"
        yield Notice("other characters than in the other files", str(file.path), None, expected, actual)
    elif (order != usual).any():
        at = int(np.flatnonzero(order != usual)[0])
        treatment = "every header was read; groups are told by this file's own order"
        expected, actual = shown(int(usual[at])), shown(int(order[at]))
        yield Notice("another order than in the other files", str(file.path), at, expected, actual, treatment)


def _data_sets(file: EtlFile, aligned: Alignment) -> Iterator[Notice]:
    layout, number = file.layout, file.number
    if len(aligned.order) != layout.data_set or number is None or not 1 <= number <= layout.files:
        return  # not a file as it is distributed
    sets, expected = int(aligned.groups.max()) + 1, layout.data_sets(number)
    if sets != expected:
        counted = f"{expected} data sets of {layout.data_set:,} records, as the genuine file {number} has"
        what = "another number of data sets"
        yield Notice(what, str(file.path), None, counted, str(sets), "those there are taken")


def notices_of_order(
    file: EtlFile,
    codes: NDArray[np.uint16],
    groups: NDArray[np.int32],
    aligned: Alignment,
    usual: NDArray[np.uint16],
    reference: EtlFile,
) -> Iterator[Notice]:
    """What the order of a file tells, if its records follow one another in data sets.

    codes, groups: (count,), groups as in a dataset, −1 for the empty record. aligned: the others. usual: the order of
    most files of the set, such as `reference`.
    """
    if not len(aligned.groups):
        return
    yield from _misplaced(file, codes, aligned)
    yield from _lost(file, aligned, int(groups[file.first]) - int(aligned.groups[0]))
    yield from _doubled(file, codes, groups, "character", np.ones(65536, np.int64))
    values, position = np.unique(codes, return_inverse=True)
    is_known = np.array([jis_to_char(code) is not None for code in values.tolist()])[position]
    yield from _unknown(file, codes, is_known, "a code of JIS X 0208")
    yield from _another_order(file, aligned.order, usual, reference)
    yield from _data_sets(file, aligned)


_KNOWN_GAPS = {("ETL1", 9): 1, ("ETL1", 12): 1}
"""Records that genuine files lack: ナ on sheet 2672 and リ on sheet 2708."""


def notices_of_classes(
    file: EtlFile,
    headers: NDArray[Any],
    groups: NDArray[np.int32],
    models: NDArray[np.bool_],
) -> Iterator[Notice]:
    """What is odd in a file whose records follow one another by class or by sheet.

    headers: (count,). groups: −1 for an empty record. models: model patterns.
    """
    layout, entries = file.layout, classes(file.layout.name)
    if file.first and headers[:1].tobytes().strip(b"\0"):
        treatment = "left out, as the rule of the set is"
        yield Notice("record 0 is not empty", str(file.path), 0, "zeros", "a header", treatment)
    codes = layout.column(headers, "code").astype(np.uint16)
    is_known = is_of(layout, headers, entries)[not all(entry.is_sure for entry in entries)]
    yield from _unknown(file, codes, is_known, f"a code of {layout.name}")
    if layout.group == "place":
        yield from _in_pieces(file, codes, np.flatnonzero((groups >= 0) & ~models))
    if layout.group not in ("style", "person"):
        yield from _each_once(file, codes, np.where(is_known & ~models, groups, np.int32(-1)))


def _in_pieces(file: EtlFile, codes: NDArray[np.uint16], samples: NDArray[np.int64]) -> Iterator[Notice]:
    """Classes that are not in one piece, where the place in its class tells the group of a record."""
    begins = samples[np.diff(codes[samples].astype(np.int64), prepend=-1) != 0]
    again = begins[count_within(codes[begins]) > 0]
    if len(again):
        at, treatment = int(again[0]), "taken by their codes, with the group of their place in the class"
        what, example = f"records out of order: {listed(again)}", f"{shown(int(codes[at]))} again"
        yield Notice(what, str(file.path), at, "each class in one piece", example, treatment)


def _each_once(file: EtlFile, codes: NDArray[np.uint16], groups: NDArray[np.int32]) -> Iterator[Notice]:
    """Whether each sheet (or data set) of the file has each of its classes as often as the set has them."""
    layout, is_sample = file.layout, groups >= 0
    if not is_sample.any():
        return
    usual = Counter(entry.code for entry in classes(layout.name) if entry.is_sure)
    present, counts = np.unique(codes[is_sample], return_counts=True)
    sheets, per_sheet = len(np.unique(groups[is_sample])), np.array([usual[code] for code in present.tolist()])
    # Classes of other files are never too many: ETL1 has some of its second イ, ウ and エ in others than the first.
    limit = np.full(65536, len(codes), np.int64)
    limit[present] = np.where(per_sheet > 0, per_sheet, len(codes))
    yield from _doubled(file, codes, groups, "class", limit)
    complete = np.where(per_sheet > 0, np.maximum(np.rint(counts / sheets), 1), 0).astype(np.int64) * sheets
    lost = np.maximum(complete - counts, 0)
    if lost.sum() > _KNOWN_GAPS.get((layout.name, file.number or 0), 0):
        k = int(np.flatnonzero(lost)[0])
        what = f"records lost: {lost.sum():,}, of {(lost > 0).sum():,} classes"
        expected = f"0x{present[k]:02X} {complete[k]:,} times, for {sheets:,} groups"
        yield Notice(what, str(file.path), None, expected, f"{counts[k]:,}", "the dataset has no such samples")
