"""What the headers of files say: the character and the group of each record, and which records are no samples.

Groups are what a split keeps together, by what the files tell of writers (docs/decisions/0018-groups-across-sets.md):
the sheet, the person's data, the style of print, the data set. Sets that are the same writing share their groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.data.identity import digest_rows
from fastetl.etl.classes import character_codes, classes
from fastetl.etl.files import EtlFile
from fastetl.etl.groups import Alignment, align, number_groups
from fastetl.etl.layouts import FAMILY, Layout
from fastetl.etl.notices import Notice, count_within, notices_of_classes, notices_of_order
from fastetl.etl.reading import read_headers

__all__ = ["Contents", "by_layout", "contents_of"]

PERSON = ("sex", "age", "industry", "occupation", "collected")
"""What a person's sheets have in common."""


@dataclass(frozen=True)
class Contents:
    """The headers of one file.

    codes: uint16 (count,), JIS X 0208, 0 for a record without a character. groups: int32 (count,), −1 for a record
    that is no sample. models: bool (count,), model patterns, which no writer wrote.
    """

    file: EtlFile
    codes: NDArray[np.uint16]
    groups: NDArray[np.int32]
    models: NDArray[np.bool_]
    noticed: tuple[Notice, ...]

    def taken(self, model_pattern: bool) -> NDArray[np.bool_]:
        """bool (count,): the records that a dataset may have."""
        samples = (self.groups >= 0) & (self.codes > 0)
        return samples if model_pattern else samples & ~self.models


def by_layout(files: Sequence[EtlFile]) -> list[list[EtlFile]]:
    """The files of each set, in the order in which they are."""
    return [list(group) for _, group in groupby(files, key=lambda file: file.layout.name)]


def _persons(layout: Layout, headers: Sequence[NDArray[Any]]) -> list[NDArray[np.int64]]:
    """Each file's records numbered by person, whatever other files are there: a digest of what the header tells."""
    rows = [np.stack([layout.column(h, name).astype("<i8") for name in PERSON], 1) for h in headers]
    return [(digest_rows(row.view(np.uint8)) % np.uint64(FAMILY)).astype(np.int64) for row in rows]


def _last_set_is_model(file: EtlFile, sets: int) -> bool:
    """Whether the last data set of a file is model patterns.

    A genuine file has as many data sets as are known; one with fewer is a small one made for tests, or cut short.
    """
    return file.number == file.layout.model_file and sets != file.layout.data_sets_per_file


def _trailing_models(codes: NDArray[np.uint16], characters: int) -> NDArray[np.bool_]:
    """bool (N,): ETL8B2's model patterns. Behind the last class every character comes once more.

    characters: how many the set has. In which order they come there is not known; where there is one writer alone, they
    begin where the codes fall.
    """
    models = np.zeros(len(codes), bool)
    behind_pair = np.flatnonzero(codes[1:] == codes[:-1]) + 2
    tail = codes[behind_pair[-1] :] if len(behind_pair) else codes
    if len(behind_pair) and len(tail) > characters // 2 and len(np.unique(tail)) == len(tail):
        models[behind_pair[-1] :] = True
        return models
    falls = np.flatnonzero(codes[1:].astype(int) < codes[:-1]) + 1
    if len(falls):
        before, tail = codes[: falls[-1]], codes[falls[-1] :]
        # Every character: two records that happen to rise, at the end of a damaged file, are no models.
        models[falls[-1] :] = bool((tail[1:] > tail[:-1]).all() and np.isin(before, tail).all())
    return models


@cache
def _genuine(layout: Layout) -> NDArray[np.uint16]:
    """uint16: the codes of one data set, as the genuine files have them."""
    return np.array([entry.code for entry in classes(layout.name)], np.uint16)


def _of_data_sets(files: list[EtlFile], raw: list[NDArray[np.uint16]]) -> list[Contents]:
    """ETL8G, ETL9G, ETL9B: the order tells the data sets."""
    codes = [code[file.first :] for file, code in zip(files, raw, strict=True)]
    alignments: list[Alignment] = [align(code, natural=_genuine(files[0].layout)) for code in codes]
    data_sets = [aligned.groups for aligned in alignments]
    groups = number_groups(files, data_sets)
    noticed = notices_of_order(files, codes, alignments, groups)
    contents = []
    for file, code, data_set, group, notices in zip(files, raw, data_sets, groups, noticed, strict=True):
        none = np.full(file.first, -1, np.int32)
        models = np.full(len(code), file.is_model_pattern)
        sets = int(data_set.max()) + 1 if len(data_set) else 0
        if file.layout.kind == "B" and _last_set_is_model(file, sets):
            models[file.first :] = data_set == sets - 1
            group[data_set == sets - 1] = file.layout.group_base + file.layout.data_sets_per_file * file.layout.files
        contents.append(Contents(file, code, np.concatenate([none, group]), models, tuple(notices)))
    return contents


def _numbers(layout: Layout, headers: list[NDArray[Any]], codes: list[NDArray[np.uint16]]) -> list[NDArray[np.int64]]:
    """Group of each record without the set's base."""
    if layout.group == "person":
        return _persons(layout, headers)
    if layout.group == "place":
        # The n-th record of a class is the n-th data set's; model patterns come next.
        sample_codes = [code[1:] for code in codes]
        models = [_trailing_models(code, layout.data_set) for code in sample_codes]
        return [
            np.where(model, layout.data_sets_per_file, count_within(code))
            for model, code in zip(models, sample_codes, strict=True)
        ]
    if layout.group == "style":
        return [layout.column(h, "style").view(np.uint8).astype(np.int64) - ord("A") for h in headers]
    # A number that no sheet has comes of damage.
    return [np.minimum(layout.column(h, "sheet").astype(np.int64), FAMILY - 1) for h in headers]


def _of_others(files: list[EtlFile], headers: list[NDArray[Any]], codes: list[NDArray[np.uint16]]) -> list[Contents]:
    layout = files[0].layout
    numbers = _numbers(layout, headers, codes)
    contents = []
    for file, header, code, number in zip(files, headers, codes, numbers, strict=True):
        groups = np.full(len(code), -1, np.int32)
        groups[file.first :] = (number + layout.group_base).astype(np.int32)
        models = np.zeros(len(code), bool)
        if layout.model_file:
            models[file.first :] = _trailing_models(code[file.first :], layout.data_set)
        noticed = notices_of_classes(file, header, code, groups, models)
        contents.append(Contents(file, code, groups, models, tuple(noticed)))
    return contents


def contents_of(files: Sequence[EtlFile], heads: Sequence[NDArray[Any]] | None = None) -> list[Contents]:
    """What the headers of all files say, in the order of `files`, which must be sorted by set.

    heads: the headers of each file, if they are there already. Raises FastetlError if a file cannot be read.
    """
    contents: list[Contents] = []
    for group in by_layout(files):
        start = len(contents)
        headers = [read_headers(file) for file in group] if heads is None else list(heads[start : start + len(group)])
        layout = group[0].layout
        if layout.group == "data set":
            contents += _of_data_sets(group, [layout.column(h, "code") for h in headers])
        else:
            contents += _of_others(group, headers, [character_codes(layout, h) for h in headers])
    return contents
