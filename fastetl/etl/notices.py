"""What a user should know about files that can be read: records out of order, lost, doubled or unknown, and so on."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from fastetl.arrays import Bytes, Int32s, Ints, Mask, Uint16s
from fastetl.data.identity import count_within
from fastetl.errors import Notice
from fastetl.etl.classes import classes, match_classes
from fastetl.etl.detection import EtlFile, set_by_name
from fastetl.etl.groups import Alignment
from fastetl.etl.jis import jis_to_char

_MAX_LISTED = 5  # records named in one notice


def summarize(notices: Sequence[Notice]) -> list[str]:
    """A line for each kind of oddity. If several files have one, the line tells how many; otherwise all about it."""
    notices_of_title: dict[str, list[Notice]] = {}
    for notice in notices:
        notices_of_title.setdefault(notice.what.partition(":")[0], []).append(notice)
    lines = []
    for title, members in notices_of_title.items():
        first, count = members[0], len({notice.file for notice in members})
        summary = Notice(f"{title} (first: {first.file})", f"{count:,} file{'s' * (count > 1)}", done=first.done)
        lines.append(str(first if len(members) == 1 else summary))
    return lines


def format_code(code: int | np.integer) -> str:
    """A code, with its character where it has one."""
    return f"0x{code:02X} {jis_to_char(int(code)) or ''}".strip()


def notice_of_records(file: EtlFile, what: str, records: Ints, expected: str, found: str, treatment: str) -> Notice:
    """A notice of these records of a file, which lists the first few."""
    numbers = ", ".join(map(str, records[:_MAX_LISTED].tolist())) + (", …" if len(records) > _MAX_LISTED else "")
    listing = f"{len(records):,} (record{'s' * (len(records) > 1)} {numbers})"
    return Notice(f"{what}: {listing}", str(file.path), int(records[0]), expected, found, treatment)


def notices_of_name(file: EtlFile) -> Iterator[Notice]:
    """Whether a file's name is that of another set than its records."""
    layout = set_by_name(file.path.name) or set_by_name(file.path.stem)
    if layout is not None and layout is not file.layout:
        treatment = "taken for the set of its records; rename it, or check whether it is damaged"
        yield Notice("the name is that of another set", str(file.path), None, file.layout.name, layout.name, treatment)


def notices_of_length(file: EtlFile) -> Iterator[Notice]:
    """Whether a file ends inside a record."""
    if file.tail_bytes:
        expected, treatment = f"{file.layout.record_bytes:,} bytes", "`build` refuses the file: copy it again"
        what, found = "the file ends inside a record", f"{file.tail_bytes:,}"
        yield Notice(what, str(file.path), file.record_count, expected, found, treatment)


def _unknown_codes(file: EtlFile, codes: Uint16s, is_known: Mask, expected: str) -> Iterator[Notice]:
    """Records whose codes stand for no character. codes, is_known: (count,), of all records."""
    unknowns = np.flatnonzero(~is_known)
    unknowns = unknowns[unknowns >= file.layout.first_sample]
    if len(unknowns):
        code = format_code(int(codes[unknowns[0]]))
        yield notice_of_records(file, "unknown codes", unknowns, expected, code, "left out of a dataset")


def _doublets(file: EtlFile, codes: Uint16s, groups: Int32s, what: str, limits: Ints) -> Iterator[Notice]:
    """Records of a code that a group has more often than limits[code], int64 (65536,). groups: −1 for no sample."""
    is_doubled = count_within(groups.astype(np.int64) << 16 | codes) >= limits[codes]
    doublets = np.flatnonzero(is_doubled & (groups >= 0))
    if len(doublets):
        example = f"{format_code(int(codes[doublets[0]]))} again in group {groups[doublets[0]]}"
        title, expected = f"doubled (group, {what})", f"each {what} once in a group"
        yield notice_of_records(file, title, doublets, expected, example, "each of them is taken")


def _misplaced_records(file: EtlFile, codes: Uint16s, alignment: Alignment) -> Iterator[Notice]:
    """Records that do not follow the order of their file."""
    if len(alignment.strays):
        strays = alignment.strays + file.layout.first_sample
        expected = format_code(alignment.order[alignment.expected_ranks[alignment.strays[0]]])
        found = format_code(codes[strays[0]])
        treatment = "taken by their codes, in the group that surrounds them; no other record changes its group"
        yield notice_of_records(file, "records out of order", strays, expected, found, treatment)


def _lost_records(file: EtlFile, alignment: Alignment, first_group: int) -> Iterator[Notice]:
    """Characters that groups lack, unless a record out of order stands in their slot."""
    length = len(alignment.order)
    slots = alignment.groups.astype(np.int64) * length + alignment.expected_ranks
    is_filled = alignment.filled_slots()
    is_filled[slots[alignment.strays]] = True
    gaps = np.flatnonzero(~is_filled)
    if len(gaps):
        record = int(np.count_nonzero(slots < gaps[0])) + file.layout.first_sample
        groups = np.unique(gaps // length)
        what = f"records lost: {len(gaps):,}, in {len(groups):,} incomplete group{'s' * (len(groups) > 1)}"
        expected = f"{format_code(int(alignment.order[gaps[0] % length]))} of group {first_group + int(groups[0])}"
        found = f"{length - np.count_nonzero(gaps // length == groups[0]):,} of {length:,} characters in that group"
        yield Notice(what, str(file.path), record, expected, found, "the dataset has no such samples")


def _another_order(file: EtlFile, order: Uint16s, usual_order: Uint16s, reference: EtlFile) -> Iterator[Notice]:
    """Whether the file has other characters than `reference`, or the same in another order."""
    lost_codes, added_codes = np.setdiff1d(usual_order, order), np.setdiff1d(order, usual_order)
    if len(lost_codes) or len(added_codes):
        example = format_code(int((lost_codes if len(lost_codes) else added_codes)[0]))
        found = f"{len(lost_codes):,} of them missing, {len(added_codes):,} others ({example})"
        expected = f"the {len(usual_order):,} characters of {reference.path.name}"
        yield Notice("other characters than in the other files", str(file.path), None, expected, found)
    elif (order != usual_order).any():
        record = int(np.flatnonzero(order != usual_order)[0])
        treatment = "every header was read; the groups of this file follow its own order"
        expected, found = format_code(int(usual_order[record])), format_code(int(order[record]))
        yield Notice("another order than in the other files", str(file.path), record, expected, found, treatment)


def _number_of_data_sets(file: EtlFile, alignment: Alignment) -> Iterator[Notice]:
    """Whether a file has more or fewer data sets than the genuine file of its number."""
    layout, number = file.layout, file.file_number
    if len(alignment.order) != layout.data_set_records or number is None or not 1 <= number <= layout.files:
        return  # not a file as it is distributed
    count, genuine_count = int(alignment.groups.max()) + 1, layout.data_sets(number)
    if count != genuine_count:
        expected = f"{genuine_count} data sets of {layout.data_set_records:,} records, as the genuine file {number} has"
        yield Notice("another number of data sets", str(file.path), None, expected, str(count), "those there are taken")


def notices_of_order(
    file: EtlFile, codes: Uint16s, groups: Int32s, alignment: Alignment, usual_order: Uint16s, reference: EtlFile
) -> Iterator[Notice]:
    """What is odd in a file whose records follow one another data set by data set.

    codes, groups: (count,), groups as in a dataset, −1 for the empty record 0. alignment: the records after that one.
    usual_order: the order of most files of the set; `reference` is one of them.
    """
    yield from _misplaced_records(file, codes, alignment)
    yield from _lost_records(file, alignment, int(groups[file.layout.first_sample]) - int(alignment.groups[0]))
    yield from _doublets(file, codes, groups, "character", np.ones(65536, np.int64))
    distinct_codes, position = np.unique(codes, return_inverse=True)
    is_known = np.array([jis_to_char(code) is not None for code in distinct_codes.tolist()])[position]
    yield from _unknown_codes(file, codes, is_known, "a code of JIS X 0208")
    yield from _another_order(file, alignment.order, usual_order, reference)
    yield from _number_of_data_sets(file, alignment)


_KNOWN_GAPS = {("ETL1", 9): 1, ("ETL1", 12): 1}  # records that genuine files lack: ナ of sheet 2672, リ of 2708


def notices_of_classes(file: EtlFile, headers: Bytes, groups: Int32s, is_model: Mask) -> Iterator[Notice]:
    """What is odd in a file whose records follow one another by class or by sheet.

    headers: (count, header bytes). groups: (count,), −1 for an empty record. is_model: (count,), the model patterns.
    """
    layout, entries = file.layout, classes(file.layout.name)
    if file.layout.first_sample and headers[:1].tobytes().strip(b"\0"):
        treatment = "left out, by the rule of the set"
        yield Notice("record 0 is not empty", str(file.path), 0, "zeros", "a header", treatment)
    codes = layout.column(headers, "code").astype(np.uint16)
    by_code, by_letters = match_classes(layout, headers, entries)
    is_known = by_code if all(entry.has_known_code for entry in entries) else by_letters
    yield from _unknown_codes(file, codes, is_known, f"a code of {layout.name}")
    if layout.grouped_by == "occurrence":
        yield from _split_classes(file, codes, np.flatnonzero((groups >= 0) & ~is_model))
    if layout.grouped_by not in ("style", "person"):
        yield from _incomplete_groups(file, codes, np.where(is_known & ~is_model, groups, np.int32(-1)))


def _split_classes(file: EtlFile, codes: Uint16s, samples: Ints) -> Iterator[Notice]:
    """Classes in several pieces, in a set where a record's position in its class tells its group."""
    begins = samples[np.diff(codes[samples].astype(np.int64), prepend=-1) != 0]
    repeats = begins[count_within(codes[begins]) > 0]
    if len(repeats):
        what, example = "records out of order", f"{format_code(int(codes[repeats[0]]))} again"
        treatment = "taken by their codes, in the group of their position in the class"
        yield notice_of_records(file, what, repeats, "each class in one piece", example, treatment)


def _incomplete_groups(file: EtlFile, codes: Uint16s, groups: Int32s) -> Iterator[Notice]:
    """Classes that a sheet (or data set) has more often, or less often, than the set has them."""
    is_sample = groups >= 0
    group_count = len(np.unique(groups[is_sample]))
    present_codes, counts = np.unique(codes[is_sample], return_counts=True)
    per_code = Counter(entry.code for entry in classes(file.layout.name) if entry.has_known_code)
    per_group = np.array([per_code[code] for code in present_codes.tolist()], np.int64)
    # A class that is not of this file has no limit: ETL1 has some of its second イ, ウ and エ in other files.
    is_of_file = per_group > 0
    limits = np.full(65536, len(codes), np.int64)
    limits[present_codes[is_of_file]] = per_group[is_of_file]
    yield from _doublets(file, codes, groups, "class", limits)
    usual_per_group = np.maximum(np.rint(counts / group_count), 1).astype(np.int64)
    full_counts = np.where(is_of_file, usual_per_group * group_count, 0)
    lost_counts = np.maximum(full_counts - counts, 0)
    if lost_counts.sum() > _KNOWN_GAPS.get((file.layout.name, file.file_number or 0), 0):
        index = int(np.flatnonzero(lost_counts)[0])
        what = f"records lost: {lost_counts.sum():,}, of {(lost_counts > 0).sum():,} classes"
        groups_of_file = f"{group_count:,} group{'s' * (group_count > 1)}"
        expected = f"0x{present_codes[index]:02X} {full_counts[index]:,} times, for {groups_of_file}"
        yield Notice(what, str(file.path), None, expected, f"{counts[index]:,}", "the dataset has no such samples")
