"""What tells a sample again, whatever the size and the format it is built in, and what a run was trained on.

A sample has the digest of its source data (the packed picture, the file, the strokes), and a group with a meaning
within its source only: a genuine set (sets of the same writing are one source), synthetic writers of one seed, a
folder of samples, or a name that was given. What has a known group is told by source and group, the rest by digest.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xxhash
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.errors import FastetlError

if TYPE_CHECKING:
    from fastetl.data.dataset import Dataset

By = Literal["group", "sample"]
TRAIN, VALID, TEST, NEW, UNKNOWN = range(5)
"""Where a sample was in a training: in one of its parts, in none, or nothing tells."""
_PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Sample indices of three parts, each int64, sorted, disjoint."""

    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]

    @classmethod
    def of(cls, place: NDArray[np.int8]) -> Split:
        """By the part of each sample: TRAIN, VALID or TEST."""
        return cls(*(np.flatnonzero(place == part) for part in (TRAIN, VALID, TEST)))

    def __repr__(self) -> str:
        return f"Split(train {len(self.train):,}, valid {len(self.valid):,}, test {len(self.test):,} samples)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Split):
            return NotImplemented
        pairs = ((self.train, other.train), (self.valid, other.valid), (self.test, other.test))
        return all(np.array_equal(a, b) for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]  # as its arrays


def draw_parts(
    count: int, by: By, name: str, *, valid: float, test: float, seed: int, begun: bool = False
) -> NDArray[np.int8]:
    """int8 (count,): TRAIN, VALID or TEST for each of so many groups or samples, drawn by `seed`.

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
    return part


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

    The first whose group is known, if one is: so no split has a copy on either side. blank: digests of pictures
    without ink, which are no copies.
    """
    order = np.argsort(groups < 0, kind="stable")
    _, begins, number = np.unique(digests[order], return_index=True, return_inverse=True)
    first = np.empty(len(digests), np.int64)
    first[order] = order[begins[number]]
    differs = (groups[first] != groups) | (source[first] != source)
    copied = np.flatnonzero(differs & (groups[first] >= 0))
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


Identities = Mapping[str | None, NDArray[Any]]
"""The groups of each source, and for None the digests of samples whose group is not known, each sorted."""


def _identities(data: Dataset) -> Identities:
    known: dict[str | None, NDArray[Any]] = dict(sorted(data.groups_by_source().items()))
    known[None] = np.unique(data.digests[data.groups < 0])
    return {name: numbers for name, numbers in known.items() if len(numbers)}


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training did with the samples it was given.

    parts: those that it trained on, validated on, and left for the test.
    """

    parts: tuple[Identities, ...] = ({}, {}, {})

    def __eq__(self, other: object) -> bool:
        return self.as_dict() == other.as_dict() if isinstance(other, Trained) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as its arrays

    def where(self, data: Dataset) -> NDArray[np.int8]:
        """int8 (N,): TRAIN, VALID or TEST; NEW for what is in none of them; UNKNOWN where nothing tells.

        Nothing tells of a sample without source or without group, if what was trained on is known by its groups.
        """
        sources = {name for part in self.parts for name in part if name is not None}
        nameless = np.array([not name for name in data.sources], np.bool_)[data.source]
        in_known = np.array([name in sources for name in data.sources], np.bool_)[data.source]
        place = np.where(bool(sources) & (nameless | (in_known & (data.groups < 0))), UNKNOWN, NEW).astype(np.int8)
        # What was trained on by its digest was trained on, whatever is said of its group.
        for number in (TEST, VALID, TRAIN):
            for name, members in self.parts[number].items():
                mine = is_among(data.digests if name is None else data.groups, members)
                if name is not None:
                    mine &= np.array([source == name for source in data.sources], np.bool_)[data.source]
                place[mine] = number
        return place

    def counts(self, data: Dataset) -> list[int]:
        """How many groups of a dataset, and samples without one, are in each part."""
        known = _identities(data)
        return [sum(int(is_among(known[n], part[n]).sum()) for n in known.keys() & part.keys()) for part in self.parts]

    def split(self, data: Dataset) -> Split | None:
        """The samples of a dataset that are in each of its parts; None if none is in any."""
        place = self.where(data)
        return Split.of(place) if (place <= TEST).any() else None

    def as_dict(self) -> dict[str, Any]:
        described = {}
        for key, part in zip(_PARTS, self.parts, strict=True):
            digests = part.get(None, np.zeros(0)).astype("<u8").tobytes()
            groups = {name: _ranges(numbers) for name, numbers in part.items() if name is not None}
            described[key] = {"groups": groups, "digests": base64.b64encode(digests).decode()}
        return described

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Trained:
        """Raises ValueError, KeyError, TypeError or AttributeError for anything but what `as_dict` gave."""
        parts = []
        for key in _PARTS:
            digests = np.frombuffer(base64.b64decode(values[key]["digests"], validate=True), "<u8").astype(np.uint64)
            part: dict[str | None, NDArray[Any]] = {n: _numbers(r) for n, r in values[key]["groups"].items()}
            parts.append({name: numbers for name, numbers in {**part, None: np.sort(digests)}.items() if len(numbers)})
        return cls(tuple(parts))

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
        rest = {}
        for name, numbers in _identities(data).items():
            known = np.concatenate([numbers[:0], *(part[name] for part in self.parts if name in part)])
            rest[name] = np.setdiff1d(numbers, known, assume_unique=True)
        options: dict[str, Any] = {"valid": valid, "test": test, "seed": seed, "begun": any(self.parts)}
        loose = len(rest.get(None, ()))
        of_groups = draw_parts(sum(map(len, rest.values())) - loose, "group", data.name, **options)
        drawn = np.concatenate([of_groups, draw_parts(loose, "sample", data.name, **options)])
        parts = [dict(part) for part in self.parts]
        for name, numbers in rest.items():
            for part, members in enumerate(parts):
                mine = numbers[drawn[: len(numbers)] == part]
                if len(mine):
                    members[name] = np.union1d(members.get(name, mine), mine)
            drawn = drawn[len(numbers) :]
        return Trained(tuple(parts))
