"""What the headers of files say: the character and the group of each record, and which records are no samples.

A split keeps each group together. What tells groups apart is the sheet, the person's data, the style of print or the
data set, whichever the files of a set have (docs/decisions/0018-groups-across-sets.md). Sets that are the same writing
share their groups. Copies of a picture, as of a file under two names, are put into the group of the first.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from fastetl.arrays import Bytes, Int32s, Ints, Mask, Uint16s, Uint64s
from fastetl.data.identity import count_within, digest_of, digest_rows, group_copies
from fastetl.errors import Notice
from fastetl.etl.classes import character_codes, classes
from fastetl.etl.detection import EtlFile
from fastetl.etl.groups import align, number_groups
from fastetl.etl.layouts import GROUPS_OF_FAMILY
from fastetl.etl.notices import notice_of_records, notices_of_classes, notices_of_order
from fastetl.etl.reading import read_headers

PERSON_FIELDS = ("sex", "age", "industry", "occupation", "collected")  # what a person's sheets have in common


class Contents(NamedTuple):
    """What the headers of one file say of its records."""

    file: EtlFile
    codes: Uint16s  # uint16 (count,), JIS X 0208; 0 for a record without a character
    groups: Int32s  # int32 (count,); −1 for a record that is no sample
    is_model_pattern: Mask  # bool (count,), whether the record is a model pattern, which no writer wrote
    noticed: tuple[Notice, ...]

    def is_usable(self, model_pattern: bool) -> Mask:
        """bool (count,): whether a dataset may have the record."""
        is_sample = (self.groups >= 0) & (self.codes > 0)
        return is_sample if model_pattern else is_sample & ~self.is_model_pattern

    @property
    def characterless(self) -> int:
        """How many samples have no character."""
        return int(((self.codes == 0) & (self.groups >= 0)).sum())


def files_by_layout(files: Sequence[EtlFile]) -> list[list[EtlFile]]:
    """The files of each set, which must be sorted by set already."""
    return [list(group) for _, group in groupby(files, key=lambda file: file.layout.name)]


def _are_trailing_models(codes: Uint16s, character_count: int) -> Mask:
    """bool (N,): which records are ETL8B2's model patterns: behind the last class, each character once more.

    character_count: how many the set has. The order of the model patterns is not documented.
    """
    is_last = count_within(codes[::-1])[::-1] == 0  # the record, of those with its code
    begin = int(np.flatnonzero(~is_last).max(initial=-1)) + 1
    is_model = np.zeros(len(codes), bool)
    is_model[begin:] = len(codes) - begin > character_count // 2
    return is_model


def _contents_from_order(files: list[EtlFile], columns: list[Uint16s]) -> Iterator[Contents]:
    """The contents of files of ETL8G, ETL9G or ETL9B, where the order of the records tells the data sets."""
    layout, first_sample = files[0].layout, files[0].layout.first_sample
    genuine_codes = np.array([entry.code for entry in classes(layout.name)], np.uint16)
    alignments = [align(codes[first_sample:], genuine_codes) for codes in columns]
    orders = [alignment.order.tobytes() for alignment in alignments]
    reference = orders.index(Counter(orders).most_common(1)[0][0])
    groups_of_files = number_groups(files, [alignment.groups for alignment in alignments])
    for file, codes, alignment, file_groups in zip(files, columns, alignments, groups_of_files, strict=True):
        groups = np.append(np.full(first_sample, -1, np.int32), file_groups)
        noticed = tuple(notices_of_order(file, codes, groups, alignment, alignments[reference].order, files[reference]))
        is_model = np.full(len(codes), file.is_model_pattern)
        data_set_count = int(alignment.groups.max(initial=-1)) + 1
        # As many data sets as the genuine file has without model patterns: none is there. Otherwise the last one is.
        if layout.kind == "B" and file.file_number == layout.model_file and data_set_count != layout.data_sets_per_file:
            is_model[first_sample:] = alignment.groups == data_set_count - 1
            groups[is_model] = layout.group_base + layout.data_sets_per_file * layout.files
        yield Contents(file, codes, groups, is_model, noticed)


def _contents_from_headers(file: EtlFile, headers: Bytes) -> Contents:
    """The contents of a file of another set, where a field (in ETL8B2 the position in the class) tells the group."""
    layout, codes = file.layout, character_codes(file.layout, headers)
    first_sample = layout.first_sample
    is_model = np.zeros(len(codes), bool)
    if layout.grouped_by == "person":
        # A digest of the person's fields gives the same number whatever other files are there.
        rows = np.stack([layout.column(headers, name).astype("<i8") for name in PERSON_FIELDS], 1)
        numbers = digest_rows(rows.view(np.uint8)) % np.uint64(GROUPS_OF_FAMILY)
    elif layout.grouped_by == "style":
        numbers = layout.column(headers, "style").view(np.uint8) - np.uint64(ord("A"))
    elif layout.grouped_by == "occurrence":
        # The n-th record of a class is of the n-th data set. Model patterns get the number after the last one.
        is_model[first_sample:] = _are_trailing_models(codes[first_sample:], layout.data_set_records)
        numbers = np.append(np.zeros(first_sample), count_within(codes[first_sample:]))
        numbers[is_model] = layout.data_sets_per_file
    else:  # damage alone gives a number that is too large
        numbers = np.minimum(layout.column(headers, "sheet").astype(np.uint64), GROUPS_OF_FAMILY - 1)
    groups = (numbers.astype(np.int64) + layout.group_base).astype(np.int32)
    groups[:first_sample] = -1
    return Contents(file, codes, groups, is_model, tuple(notices_of_classes(file, headers, groups, is_model)))


def contents_of(files: Sequence[EtlFile], all_headers: Sequence[Bytes] | None = None) -> list[Contents]:
    """What the headers of all files say, in the order of `files`, which must be sorted by set.

    all_headers: the headers of each file, if they have been read already. Raises FastetlError if a file cannot be read.
    """
    contents: list[Contents] = []
    for members in files_by_layout(files):
        start, layout = len(contents), members[0].layout
        headers = map(read_headers, members) if all_headers is None else all_headers[start : start + len(members)]
        if layout.grouped_by == "data set":
            codes = [layout.column(header, "code").astype(np.uint16, copy=False) for header in headers]
            contents += _contents_from_order(members, codes)
        else:
            contents += map(_contents_from_headers, members, headers)
    return contents


def group_copies_in_files(
    files: Sequence[EtlFile], records: Sequence[Ints], groups: Int32s, source: Uint16s, digests: Uint64s
) -> tuple[Int32s, Uint16s, tuple[Notice, ...]]:
    """Groups and sources as `group_copies` gives them, and notices of pictures without ink and of copies.

    Most likely a file with copies is there under two names. records: for each file, the numbers of its records.
    groups, source, digests: of these, file after file. Pictures without ink are no copies of each other.
    """
    blank_digests = [digest_of(bytes(size)) for size in {file.layout.image_bytes for file in files}]
    new_groups, new_source, first_copies = group_copies(groups, source, digests, blank_digests)
    is_blank = np.isin(digests, np.array(blank_digests, np.uint64)) & (groups >= 0)
    is_copy = (first_copies != np.arange(len(first_copies))) & (groups >= 0)
    file_of = np.repeat(np.arange(len(files)), list(map(len, records)))
    record_of = np.concatenate(records)
    notices = []
    for number in np.flatnonzero(np.bincount(file_of[is_blank])).tolist():
        blanks = record_of[is_blank & (file_of == number)]
        notices.append(notice_of_records(files[number], "blank pictures", blanks, "ink", "none", "built as they are"))
    for number in np.flatnonzero(np.bincount(file_of[is_copy])).tolist():
        copies = np.flatnonzero(is_copy & (file_of == number))
        first_copy = first_copies[copies[0]]
        what, expected = "copies of other pictures", "a picture of its own"
        found = f"that of record {record_of[first_copy]} of {files[file_of[first_copy]].path}"
        treatment = "a build takes them into the groups of the first; give each file once"
        notices.append(notice_of_records(files[number], what, record_of[copies], expected, found, treatment))
    return new_groups, new_source, tuple(notices)
