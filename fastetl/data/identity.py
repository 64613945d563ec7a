"""Which samples a run was trained on, recognized in a dataset of any picture size and format.

A group number has a meaning within its source only. Files tell the source of a genuine set (sets of the same writing
are one) and of synthetic writers of one seed. There, source and group identify the writer of a sample. Any other
sample, such as a user's picture, is identified by its digest, too, whatever its group is called. The digest is of the
source data: the packed picture, the file, the strokes.

An example: a run is trained on ETL8G's writers 0–9, of whom 0–6 are drawn for training, 7 for validation, 8 and 9 for
the test. `as_dict` of its SplitRecord says {"train": {"groups": {"ETL8": [0, 6]}, …}, …}. In a dataset of ETL8B2, which
is the same writing, samples of writer 3 are TRAIN, those of writer 9 TEST and those of writer 10 NEW. All of ETL9G is
NEW. New pictures from an `.npz`, whose source has no name, are UNKNOWN: it may hold any writer's. And to a run that was
trained on such pictures, all but its own are UNKNOWN.
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import xxhash
from numpy.typing import ArrayLike, NDArray

from fastetl.checks import BELOW_1, require_range, unsuitable
from fastetl.data.charset import nfc
from fastetl.data.samples import DatasetFields
from fastetl.errors import ArgumentError, FastetlError

SplitUnit = Literal["group", "sample"]
TRAIN, VALID, TEST, NEW, UNKNOWN = range(5)
"""Where a sample was in a training: in one of the three parts, in none, or nothing tells."""
UNNAMED = "unnamed:"
"""Stands, with a digest behind it, for the source of groups that have meaning within one dataset alone."""
UNNAMED_FILES = "unnamed:files:"
"""The same for picture files, which synthetic writers do not make."""
SYNTHETIC = "synth:"  # stands, with a seed behind it, for the source of synthetic writers' groups, also in their files
_SOURCE_OF_FILES = re.compile(rf"ETL\d+(:.*)?|{SYNTHETIC}.*")  # names that files tell, and nobody may give
_SYNTHETIC = re.compile("synth(:|etic )")  # the bundled network learnt "synthetic lines", too
RESERVED_SOURCE = re.compile(f"{_SOURCE_OF_FILES.pattern}|{UNNAMED}.*")
"""Names of sources that nobody may give: ETL files and synthetic writers have them, or nothing tells the source."""
MAX_NAME_LENGTH = 64
"""Most characters of a group's name."""
_PARTS = ("train", "valid", "test")
_MAX_GROUPS = 1 << 21  # most groups of a source in a part: the metadata of a package may be anybody's
digest_of = xxhash.xxh64_intdigest  # bytes → uint64


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Indices of the samples in each of three parts: int64, sorted, disjoint."""

    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]

    @classmethod
    def of(cls, parts: NDArray[np.int8]) -> Self:
        """The split of samples whose parts are TRAIN, VALID, TEST or others, which are left out."""
        return cls(*(np.flatnonzero(parts == part) for part in (TRAIN, VALID, TEST)))

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        return iter((self.train, self.valid, self.test))

    def __repr__(self) -> str:
        return f"Split(train {len(self.train):,}, valid {len(self.valid):,}, test {len(self.test):,} samples)"

    def __eq__(self, other: object) -> bool:
        return all(map(np.array_equal, self, other)) if isinstance(other, Split) else NotImplemented


def draw_parts(
    count: int, unit: SplitUnit, name: str, *, valid: float, test: float, seed: int, may_be_few: bool = False
) -> NDArray[np.int8]:
    """int8 (count,): TRAIN, VALID or TEST for each of `count` groups or samples, drawn by `seed`.

    valid, test: fractions of `count`, as of `Dataset.split`. unit, name: what is counted, and the dataset's name, for
    messages. may_be_few: if there are too few for three parts, all are TRAIN.
    """
    require_range("valid", valid, 0, BELOW_1, integer=False)
    require_range("test", test, 0, BELOW_1, integer=False)
    if valid + test >= 1:
        do = "check `valid` and `test`"
        raise unsuitable("split", "fractions that sum to less than 1", f"valid {valid}, test {test}", do)
    require_range("seed", seed, 0)
    valid_count, test_count = (max(1, round(share * count)) if share else 0 for share in (valid, test))
    parts = np.full(count, TRAIN, np.int8)
    if valid_count + test_count < count:
        order = np.random.default_rng([seed, count]).permutation(count)
        parts[order[:test_count]] = TEST
        parts[order[test_count : test_count + valid_count]] = VALID
    elif count and not may_be_few:
        raise FastetlError(f"{name}: too few {unit}s for valid {valid} and test {test}", found=count, do=f"add {unit}s")
    return parts


def group_name(name: object) -> str:
    """A group's name or number as text, "" where it is unknown: what numpy and pandas show of a missing value is."""
    text = str(name).strip()
    return "" if text in ("-1", "-1.0", "nan", "None", "<NA>") else text


def group_numbers(names: Sequence[str | float], file: Path | None = None) -> NDArray[np.int32]:
    """int32 (N,): a whole number below 2³¹ itself, also of 01 and 1.0, a hash of any other name, −1 where unknown.

    Raises ArgumentError about `file` for a number below −1, for what is neither a whole number nor a text, and for a
    name of over 64 characters, which a header field would not hold.
    """
    numbers: dict[str | float, int] = {}
    for name in dict.fromkeys(names):
        text = group_name(name) or "-1"
        match = re.fullmatch(r"(-?\d{1,64})(\.0+)?", text)  # pandas has 1.0 for 1 beside NaN
        number = int(match[1]) if match else None
        is_name = isinstance(name, str) or match is not None
        if not is_name or len(text) > MAX_NAME_LENGTH or (number is not None and number < -1):
            expected = f"a name of up to {MAX_NAME_LENGTH} characters, a whole number from 0, or −1 where unknown"
            do = "name or number the groups so"
            record = None if file is None else names.index(name)
            raise ArgumentError("no group", file=file, record=record, expected=expected, found=text[:40], do=do)
        if number is None or number >= 2**31:
            text = nfc(text) if number is None else str(number)
            number = digest_of(text.encode(errors="surrogatepass")) & 0x7FFFFFFF
        numbers[name] = number
    return np.array([numbers[name] for name in names], np.int32)


def digest_rows(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """uint64 (N,): XXH64 of each row of uint8 (N, B). The bytes of a row are contiguous; rows may be strided."""
    return np.fromiter(map(digest_of, rows), np.uint64, len(rows))


def count_within(values: NDArray[np.integer]) -> NDArray[np.int64]:
    """int64 (N,): how many earlier values equal each value."""
    order = np.argsort(values, kind="stable")
    sorted_values = values[order]
    counts = np.empty(len(values), np.int64)
    counts[order] = np.arange(len(values)) - np.searchsorted(sorted_values, sorted_values)
    return counts


def group_copies(
    groups: NDArray[np.int32], source: NDArray[np.uint16], digests: NDArray[np.uint64], blanks: ArrayLike = ()
) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.int64]]:
    """Give copies, which are samples of equal digests, one group and source, so that no split separates them.

    They are those of the first copy whose group is known. blanks: digests of pictures without ink, which are no copies
    of each other. Returns the new groups and sources (N,), and the index of each sample's first copy, int64 (N,): the
    first of known group, or, if all are unknown, the first; its own if there is no other copy.
    """
    first_copy = np.arange(len(digests))
    if np.diff(np.sort(digests)).all():  # no copies
        return groups, source, first_copy
    order = np.argsort(groups < 0, kind="stable")  # known groups first
    _, begins, digest_numbers = np.unique(digests[order], return_index=True, return_inverse=True)
    first_copy[order] = order[begins[digest_numbers]]
    first_copy = np.where(np.isin(digests, np.array(blanks, np.uint64)), np.arange(len(digests)), first_copy)
    return groups[first_copy], np.where(groups[first_copy] >= 0, source[first_copy], source), first_copy


def _ranges(values: NDArray[np.int32]) -> list[int]:
    """Sorted numbers as the first and last of each run of consecutive ones: [first, last, first, …]."""
    runs = np.split(values, np.flatnonzero(np.diff(values) != 1) + 1) if len(values) else []
    return [int(number) for run in runs for number in (run[0], run[-1])]


def _numbers(ranges: Sequence[int]) -> NDArray[np.int32]:
    """The numbers that `_ranges` made `ranges` of. Raises ValueError for what it cannot make."""
    if len(ranges) % 2 or not all(type(n) is int and 0 <= n < 2**31 for n in ranges):
        raise ValueError("groups are no ranges")
    runs = np.array(ranges).reshape(-1, 2) + np.array([0, 1])  # each run's first number, and its end
    if (np.diff(runs.ravel()) <= 0).any() or np.diff(runs).sum() > _MAX_GROUPS:
        raise ValueError("groups are ranges that fall, overlap, touch, or are too long")
    return np.concatenate([np.zeros(0, np.int32), *(np.arange(*run, dtype=np.int32) for run in runs.tolist())])


def _keys_in_files(data: DatasetFields) -> NDArray[np.int64]:
    """int64 (N,): a number for each sample's group if ETL's or synthetic files tell it, else −1."""
    is_in_files = np.array([bool(_SOURCE_OF_FILES.fullmatch(source)) for source in data.sources])[data.source]
    return np.where(is_in_files & (data.groups >= 0), data.source.astype(np.int64) << 32 | data.groups, -1)


@dataclass(frozen=True, eq=False)
class SplitRecord:
    """Which samples a run was trained on, validated on, and never saw: of each of these parts, in this order."""

    groups: tuple[Mapping[str, NDArray[np.int32]], ...] = ({}, {}, {})
    """The groups of each source, sorted; there may be none."""
    digests: tuple[NDArray[np.uint64], ...] = (np.zeros(0, np.uint64),) * 3
    """Sorted digests of samples whose group is unknown, or whose source no file tells, and one of each other group."""

    def __eq__(self, other: object) -> bool:
        return self.as_dict() == other.as_dict() if isinstance(other, SplitRecord) else NotImplemented

    def parts_of(self, data: DatasetFields) -> NDArray[np.int8]:
        """int8 (N,): the part of each sample, TRAIN, VALID or TEST; NEW if it is in none; UNKNOWN if nothing tells."""
        parts = np.full(len(data), NEW, np.int8)
        parts[self._may_have_seen(data)] = UNKNOWN
        for part, groups in enumerate(self.groups):
            for index, source in enumerate(data.sources):
                parts[(data.source == index) & np.isin(data.groups, groups.get(source, ()))] = part
        parts_of_digests = self._parts_of_digests(data)  # the same in all datasets, and so before the group's part
        return np.where(parts_of_digests != NEW, parts_of_digests, parts)

    def _parts_of_digests(self, data: DatasetFields) -> NDArray[np.int8]:
        """int8 (N,): the part that a sample's digest is in, or that of a sample of its group in ETL's files; or NEW."""
        parts, keys = np.full(len(data), NEW, np.int8), _keys_in_files(data)
        for part in (TEST, VALID, TRAIN):  # TRAIN is written last, and so over the other parts
            is_known = np.isin(data.digests, self.digests[part])
            parts[is_known | ((keys >= 0) & np.isin(keys, keys[is_known]))] = part
        return parts

    def _may_have_seen(self, data: DatasetFields) -> NDArray[np.bool_]:
        """bool (N,): samples of which neither source nor group tells whether they were trained on.

        Unnamed pictures may be of any: ETL's, saved as PNG files, have other digests. Synthetic ones are no files.
        """
        known_sources = {source for groups in self.groups for source in groups}
        has_unnamed = any(source.startswith(UNNAMED) for source in known_sources)
        new_names = UNNAMED_FILES if known_sources and all(map(_SYNTHETIC.match, known_sources)) else ()
        may_be_any = [has_unnamed or (s.startswith(UNNAMED) and not s.startswith(new_names)) for s in data.sources]
        is_of_known_source = np.array([source in known_sources for source in data.sources])[data.source]
        return np.array(may_be_any)[data.source] | is_of_known_source & (data.groups < 0)

    def counts(self, data: DatasetFields) -> tuple[int, int, int]:
        """For each part, how many groups of a dataset, and samples of unknown group, are in it."""
        ungrouped = np.unique(data.digests[data.groups < 0])
        counts = [int(np.isin(ungrouped, digests).sum()) for digests in self.digests]
        for source, numbers in data.groups_by_source().items():
            for part, groups in enumerate(self.groups):
                counts[part] += int(np.isin(numbers, groups.get(source, ())).sum())
        return counts[TRAIN], counts[VALID], counts[TEST]

    def split(self, data: DatasetFields) -> Split | None:
        """The samples of a dataset that are in each part; None if all parts are empty."""
        parts = self.parts_of(data)
        return Split.of(parts) if (parts <= TEST).any() else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON. Of each part: the groups of each source as ranges, and the digests, uint64, as base64."""
        values = {}
        for part, groups, digests in zip(_PARTS, self.groups, self.digests, strict=True):
            ranges = {source: _ranges(numbers) for source, numbers in groups.items()}
            values[part] = {"groups": ranges, "digests": base64.b64encode(digests.astype("<u8").tobytes()).decode()}
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SplitRecord":
        """From what `as_dict` gave. Raises ValueError, KeyError, TypeError or AttributeError for anything else."""
        groups, digests = [], []
        for part in _PARTS:
            groups.append({source: _numbers(ranges) for source, ranges in values[part]["groups"].items()})
            digests.append(np.sort(np.frombuffer(base64.b64decode(values[part]["digests"], validate=True), "<u8")))
        return cls(tuple(groups), tuple(digests))

    def with_data(self, data: DatasetFields, *, by: SplitUnit, valid: float, test: float, seed: int) -> "SplitRecord":
        """These parts with the samples of a further dataset: known ones stay in their part, others are drawn.

        The arguments and errors are those of `Dataset.split`. Copies of a sample of unknown group go to one part.
        """
        if not len(data):
            raise FastetlError(f"{data.name}: no samples to divide", do="give a dataset with some")
        if by != "sample" and (data.groups < 0).any():
            what, expected = "the groups of some samples are not known", "groups, which a split keeps together"
            do = "give `by` sample to divide these one by one; their writers may then be in both parts"
            raise FastetlError(f"{data.name}: {what}", expected=expected, do=do)
        is_next = any(map(len, self.groups + self.digests))
        ungrouped = np.unique(data.digests[data.groups < 0])
        max_count = max(data.group_count, len(ungrouped))

        def draw(count: int, unit: SplitUnit) -> NDArray[np.int8]:
            may_be_few = is_next or count < max_count  # one picture by nobody beside groups, or one group beside some
            return draw_parts(count, unit, data.name, valid=valid, test=test, seed=seed, may_be_few=may_be_few)

        # The digest of pictures without ink, which are in several groups, tells no sample.
        first_groups, first_source, _ = group_copies(data.groups, data.source, data.digests)
        ambiguous_digests = data.digests[(first_groups != data.groups) | (first_source != data.source)]
        is_of_one_group = ~np.isin(data.digests, ambiguous_digests)
        known_parts = self._parts_of_digests(data)
        groups = self._add_groups(data, np.where(is_of_one_group, known_parts, NEW), draw)
        new_digests = np.setdiff1d(ungrouped, data.digests[known_parts != NEW])
        record = replace(self, groups=groups)._with_digests(new_digests, draw(len(new_digests), "sample"))
        # Samples are recognized by their digests, too, in groups of any name; those in files by the group's lowest one.
        keys, order = _keys_in_files(data), np.argsort(data.digests, kind="stable")
        is_recorded = keys < 0
        is_recorded[order[np.unique(keys[order], return_index=True)[1]]] = True
        return record._with_digests(data.digests, np.where(is_recorded & is_of_one_group, record.parts_of(data), NEW))

    def _with_digests(self, digests: NDArray[np.uint64], parts: NDArray[np.int8]) -> "SplitRecord":
        """With further digests, (N,), each in its part; those of NEW and UNKNOWN are left out."""
        return replace(self, digests=tuple(np.union1d(old, digests[parts == k]) for k, old in enumerate(self.digests)))

    def _add_groups(
        self, data: DatasetFields, known_parts: NDArray[np.int8], draw: Callable[[int, SplitUnit], NDArray[np.int8]]
    ) -> tuple[dict[str, NDArray[np.int32]], ...]:
        """`groups` with those of a dataset: one with known samples joins them, those of TRAIN first; others are drawn.

        known_parts: (N,), the part of each known sample, NEW for others. draw: `draw_parts`, of a count and a unit.
        """
        new_groups = {}
        for source, source_groups in sorted(data.groups_by_source().items()):
            old_groups = [groups.get(source, source_groups[:0]) for groups in self.groups]
            new_groups[source] = np.setdiff1d(source_groups, np.concatenate(old_groups))
        counts = list(map(len, new_groups.values()))
        drawn_parts = np.split(draw(sum(counts), "group"), np.cumsum(counts)[:-1])
        all_groups = tuple(map(dict, self.groups))
        for (source, numbers), parts in zip(new_groups.items(), drawn_parts, strict=True):
            is_of_source = data.source == data.sources.index(source)
            for part in (TEST, VALID, TRAIN):  # TRAIN is written last, and so over the other parts
                parts[np.isin(numbers, data.groups[is_of_source & (known_parts == part)])] = part
            if is_of_source.any():
                all_groups[TRAIN].setdefault(source, numbers[:0])
            for part in np.unique(parts).tolist():
                all_groups[part][source] = np.union1d(all_groups[part].get(source, numbers[:0]), numbers[parts == part])
        return all_groups
