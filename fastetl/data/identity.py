"""What tells a sample again, whatever the size and the format it is built in, and what a run was trained on.

A sample has the digest of its source data (the packed picture, the file, the strokes), and a group with a meaning
within its source only: a genuine set (sets of the same writing are one source), synthetic writers of one seed, a
folder of samples, or a name that was given. What has a known group is told by source and group, the rest by digest.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xxhash
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.errors import FastetlError

if TYPE_CHECKING:
    from fastetl.data.dataset import Dataset

__all__ = ["NEW", "TEST", "TRAIN", "UNKNOWN", "VALID", "By", "Part", "Split", "Trained"]
__all__ += ["digest_of", "digest_rows", "is_among", "joined", "parts_of"]

By = Literal["group", "sample"]
TRAIN, VALID, TEST, NEW, UNKNOWN = range(5)
"""Where a sample was in a training: in one of its parts, in none, or nothing tells."""


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Sample indices of three parts, each int64, sorted, disjoint."""

    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]

    def __repr__(self) -> str:
        return f"Split(train {len(self.train):,}, valid {len(self.valid):,}, test {len(self.test):,} samples)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Split):
            return NotImplemented
        pairs = ((self.train, other.train), (self.valid, other.valid), (self.test, other.test))
        return all(np.array_equal(a, b) for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]  # as its arrays


def parts_of(
    count: int, by: By, name: str, *, valid: float, test: float, seed: int, begun: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which of `count` groups or samples are for training, for validation and for the test, each sorted.

    The fractions are of their number: at least one, if the fraction is over 0. by: what they are; name: of the
    dataset; both for messages. begun: there are parts already, so that a few more need not be in each: they are
    trained on. Raises FastetlError for fractions that do not fit, or too few of them.
    """
    if not (0 <= valid < 1 and 0 <= test < 1 and valid + test < 1):
        raise FastetlError(
            "the parts of a split do not fit",
            expected="fractions of at least 0 that sum to less than 1",
            found=f"valid {valid}, test {test}",
            do="check `valid` and `test`",
            also=ValueError,
        )
    require_range("seed", seed, 0)
    n_valid, n_test = (max(1, round(f * count)) if f else 0 for f in (valid, test))
    part = np.zeros(count, np.int8)
    if n_valid + n_test < count:
        order = np.random.default_rng([seed, count]).permutation(count)
        part[order[:n_test]] = TEST
        part[order[n_test : n_test + n_valid]] = VALID
    elif count and not begun:
        raise FastetlError(f"{name}: too few {by}s for valid {valid} and test {test}", found=count, do=f"add {by}s")
    return np.flatnonzero(part == TRAIN), np.flatnonzero(part == VALID), np.flatnonzero(part == TEST)


def is_among(values: NDArray[Any], chosen: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each value is among `chosen`, which is sorted; fast for few values and many chosen."""
    if not len(chosen):
        return np.zeros(len(values), np.bool_)
    place = np.minimum(np.searchsorted(chosen, values), len(chosen) - 1)
    return np.asarray(chosen[place] == values)


def digest_of(data: bytes) -> int:
    """XXH64 of some bytes."""
    return xxhash.xxh64_intdigest(data)


def digest_rows(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """uint8 (N, B), the bytes of a row next to each other, rows of any stride → uint64 (N,): XXH64 of each row."""
    return np.fromiter(map(xxhash.xxh64_intdigest, rows), np.uint64, len(rows))


def joined(
    groups: NDArray[np.int32], source: NDArray[np.uint16], digests: NDArray[np.uint64], blank: Sequence[int] = ()
) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.int64]]:
    """Groups and sources, in which every copy has those of the first sample with its digest, and which these are.

    So no split has a copy on either side. blank: digests of pictures without ink, which are no copies.
    """
    _, begins, number = np.unique(digests, return_index=True, return_inverse=True)
    first = begins[number]
    differs = (groups[first] != groups) | (source[first] != source)
    copied = np.flatnonzero(differs & (groups >= 0) & (groups[first] >= 0))
    copied = copied[~is_among(digests[copied], np.array(sorted(blank), np.uint64))]
    groups, source = groups.copy(), source.copy()
    groups[copied], source[copied] = groups[first[copied]], source[first[copied]]
    return groups, source, copied


def _ranges(values: NDArray[np.int32]) -> list[int]:
    """Sorted numbers as first, last, first, last …"""
    breaks = np.flatnonzero(np.diff(values) != 1)
    ends = np.stack([values[np.append(0, breaks + 1)], values[np.append(breaks, len(values) - 1)]], 1)
    listed: list[int] = ends.ravel().tolist()
    return listed


def _numbers(ranges: Sequence[int]) -> NDArray[np.int32]:
    """The reverse of `_ranges`. Raises ValueError for anything else."""
    if len(ranges) % 2 or not all(type(n) is int and 0 <= n < 2**31 for n in ranges):
        raise ValueError("groups are no ranges")
    if any(after < before for before, after in itertools.pairwise(ranges)):
        raise ValueError("groups are out of order")
    parts = [np.arange(first, last + 1) for first, last in zip(ranges[::2], ranges[1::2], strict=True)]
    return np.concatenate([np.zeros(0, np.int32), *parts]).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Part:
    """Samples, by what tells them again.

    groups: int32, sorted, for each source. digests: uint64, sorted, of samples whose group is not known.
    """

    groups: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    digests: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))

    def __len__(self) -> int:
        """Groups, and samples without one."""
        return sum(map(len, self.groups.values())) + len(self.digests)

    def __or__(self, other: Part) -> Part:
        names = dict.fromkeys([*self.groups, *other.groups])
        none = np.zeros(0, np.int32)
        groups = {n: np.union1d(self.groups.get(n, none), other.groups.get(n, none)) for n in names}
        return Part(groups, np.union1d(self.digests, other.digests))

    def holds(self, data: Dataset) -> NDArray[np.bool_]:
        """bool (N,): which samples of a dataset are in it."""
        members = is_among(data.digests, self.digests)
        for number, name in enumerate(data.sources):
            if name in self.groups:
                members |= (data.source == number) & is_among(data.groups, self.groups[name])
        return members

    def count(self, data: Dataset) -> int:
        """How many groups of a dataset, and samples without one, are in it."""
        by_source = data.groups_by_source()
        groups = sum(
            int(is_among(by_source[name], mine).sum()) for name, mine in self.groups.items() if name in by_source
        )
        if not len(self.digests) or not data.has_unknown_groups():
            return groups
        return groups + int(is_among(np.unique(data.digests[data.groups < 0]), self.digests).sum())

    def as_dict(self) -> dict[str, Any]:
        groups = {name: _ranges(values) for name, values in self.groups.items() if len(values)}
        return {"groups": groups, "digests": base64.b64encode(self.digests.astype("<u8").tobytes()).decode()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Part:
        """Raises ValueError, KeyError, TypeError or AttributeError for anything but what `as_dict` gave."""
        digests = np.frombuffer(base64.b64decode(values["digests"], validate=True), "<u8").astype(np.uint64)
        return cls({name: _numbers(ranges) for name, ranges in values["groups"].items()}, digests)


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training did with the samples it was given: trained on them, validated on them, left them for the test."""

    train: Part = Part()
    valid: Part = Part()
    test: Part = Part()

    def parts(self) -> tuple[Part, Part, Part]:
        return self.train, self.valid, self.test

    def __or__(self, other: Trained) -> Trained:
        return Trained(*(mine | others for mine, others in zip(self.parts(), other.parts(), strict=True)))

    def __eq__(self, other: object) -> bool:
        return self.as_dict() == other.as_dict() if isinstance(other, Trained) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as its arrays

    def where(self, data: Dataset) -> NDArray[np.int8]:
        """int8 (N,): TRAIN, VALID or TEST; NEW for what is in none of them; UNKNOWN where nothing tells.

        Nothing tells of a sample without source or without group, if what was trained on is known by its groups.
        """
        names = [name for part in self.parts() for name, groups in part.groups.items() if len(groups)]
        nameless = np.array([not name for name in data.sources], np.bool_)[data.source]
        in_known = np.array([name in names for name in data.sources], np.bool_)[data.source]
        place = np.where(bool(names) & (nameless | (in_known & (data.groups < 0))), UNKNOWN, NEW).astype(np.int8)
        for number, part in reversed(tuple(enumerate(self.parts()))):
            place[part.holds(data)] = number
        return place

    def split(self, data: Dataset) -> Split | None:
        """The samples of a dataset that are in each of its parts; None if none is in any."""
        place = self.where(data)
        if not (place <= TEST).any():
            return None
        return Split(*(np.flatnonzero(place == part) for part in (TRAIN, VALID, TEST)))

    def as_dict(self) -> dict[str, Any]:
        return {"train": self.train.as_dict(), "valid": self.valid.as_dict(), "test": self.test.as_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Trained:
        """Raises ValueError, KeyError, TypeError or AttributeError for anything but what `as_dict` gave."""
        return cls(*(Part.from_dict(values[part]) for part in ("train", "valid", "test")))

    def divided(self, data: Dataset, *, by: By, valid: float, test: float, seed: int) -> Trained:
        """With the samples of another dataset: what is in a part already stays there, the rest is divided anew.

        by: "sample" divides samples whose group is not known one by one, copies of one picture together; otherwise
        such samples are an error. Groups stay together in any case.

        Raises FastetlError for fractions that do not fit, or too few groups.
        """
        if by != "sample" and data.has_unknown_groups():
            raise FastetlError(
                f"{data.name}: the groups of some samples are not known",
                expected="groups, which a split keeps together",
                do="give `by` sample to divide these one by one; their writers may then be in both parts",
            )
        assigned, none = self.train | self.valid | self.test, np.zeros(0, np.int32)
        remaining = {
            name: np.setdiff1d(known, assigned.groups.get(name, none))
            for name, known in sorted(data.groups_by_source().items())
        }
        owner = np.repeat(np.arange(len(remaining)), list(map(len, remaining.values())))
        groups = np.concatenate([none, *remaining.values()])
        loose = np.setdiff1d(data.digests[data.groups < 0], assigned.digests)
        options: dict[str, Any] = {"valid": valid, "test": test, "seed": seed, "begun": bool(len(assigned))}
        of_groups = parts_of(len(groups), "group", data.name, **options)
        of_samples = parts_of(len(loose), "sample", data.name, **options)
        return self | Trained(
            *(
                Part({name: groups[some[owner[some] == k]] for k, name in enumerate(remaining)}, loose[others])
                for some, others in zip(of_groups, of_samples, strict=True)
            )
        )
