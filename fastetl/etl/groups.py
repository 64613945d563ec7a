"""Which data set each record of an ETL8 or ETL9 file is of. The files do not say: their order does.

In a data set every character is written once, in the same order. The order is learnt from the file, and the file
is then cut into runs that follow it. A run is kept, or left aside as displaced; what is chosen has the fewest
records displaced, lost and doubled, so that a defect in one record moves no other record to another data set.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.files import EtlFile

_BACK = 40  # runs looked back at: so many defects may follow each other
_MANY = 5000  # runs; from here on the file has no order worth the time
_FEW = 5  # records that show where in the order a file begins
_MOVED = 4  # records lost before a data set that is taken for the pattern
_TRIED = 8  # data sets that may serve as the pattern of the others
# The genuine beginning is chosen even if it has so many faults more than another one: a single record that stands
# elsewhere counts as one that is lost and one that is doubled.
_TRUST = 2


@dataclass(frozen=True)
class Alignment:
    """How a file follows its order.

    order: uint16 (L,), the codes of one data set. groups: int32 (N,), data set of each record, from 0, not falling
    but at displaced records. rank: int64 (N,), place of each record's code in the order, −1 where it has none.
    aside: int64, records that do not follow the order. expected: int64 (N,), the rank that each place should have.
    """

    order: NDArray[np.uint16]
    groups: NDArray[np.int32]
    rank: NDArray[np.int64]
    aside: NDArray[np.int64]
    expected: NDArray[np.int64]

    def is_there(self) -> NDArray[np.bool_]:
        """bool (data sets × L,): the places, from the first to the last data set, that have a record."""
        groups, is_ranked = self.groups.astype(np.int64), self.rank >= 0
        places = np.zeros((int(groups.max()) + 1) * len(self.order), bool)
        places[(groups * len(self.order) + self.rank)[is_ranked]] = True
        return places

    def faults(self) -> int:
        """Records out of order or doubled, and places without a record."""
        places = self.is_there()
        doubled = np.count_nonzero(self.rank >= 0) - np.count_nonzero(places)
        return int(len(self.aside) + np.count_nonzero(~places) + doubled)


def align(codes: NDArray[np.uint16], natural: NDArray[np.uint16] | None = None) -> Alignment:
    """Learn the order of a file's codes, uint16 (N,), and follow it; a file may have any number of records.

    A data set begins where the file has the fewest faults, and of such places where `natural`, the codes of a genuine
    data set, does, or where the file itself does. Two faults alone do not speak against a genuine beginning.
    """
    if not len(codes):
        none = np.zeros(0, np.int64)
        return Alignment(codes, np.zeros(0, np.int32), none, none, none)
    order = _learn(codes)
    if len(codes) <= len(order):  # one data set begins where the file does
        return _followed(order, codes)
    genuine = [] if natural is None else _begun_as(natural, order)
    orders = [*genuine, _turned(order, codes), order]
    # In one or two data sets a defect at the beginning breaks the true order more often than it breaks a wrong one.
    if len(codes) < 3 * len(order):
        appeared = codes[np.sort(np.unique(codes, return_index=True)[1])]
        orders += [_turned(appeared, codes), appeared]
    alignments = [_followed(order, codes) for order in {order.tobytes(): order for order in orders}.values()]
    faults = [aligned.faults() for aligned in alignments] if len(alignments) > 1 else [0]
    if genuine and len(order) > 2 * _TRUST:
        faults[0] -= _TRUST
    return alignments[int(np.argmin(faults))]


def _begun_as(natural: NDArray[np.uint16], order: NDArray[np.uint16]) -> list[NDArray[np.uint16]]:
    """The order, begun where it begins in a genuine data set, if it has the genuine sequence but for its beginning."""
    rank = _ranks(natural, order)
    falls = np.flatnonzero(rank < np.roll(rank, 1))
    return [np.roll(order, -int(falls[0]))] if (rank >= 0).all() and len(falls) == 1 else []


def _followed(order: NDArray[np.uint16], codes: NDArray[np.uint16]) -> Alignment:
    """The codes aligned to an order that begins where data sets begin."""
    length = len(order)
    rank = _ranks(order, codes)
    begins = np.concatenate([[0], np.flatnonzero(_breaks(rank, length)) + 1])
    lengths = np.diff(np.append(begins, len(codes)))
    runs, sets = _choose(rank[begins], lengths, length)
    # Absolute place (data set × length + rank) of the first record of each kept run; all others count on from there.
    place = np.full(len(codes), -1, np.int64)
    for run, number in zip(runs, sets, strict=True):
        first = int(begins[run])
        place[first : first + lengths[run]] = number * length + int(rank[first]) + np.arange(lengths[run])
    followed = place >= 0
    aside = np.flatnonzero(~followed)
    _place_aside(place, followed, length)
    groups = (place // length).astype(np.int32)
    return Alignment(order, groups, rank, aside, place % length)


def _place_aside(place: NDArray[np.int64], followed: NDArray[np.bool_], length: int) -> None:
    """Give each record that is set aside the place after the one before it, but none past the next kept record."""
    count = np.arange(len(place))
    if not followed.any():
        place[:] = count
        return
    previous = np.maximum.accumulate(np.where(followed, count, -1))
    following = np.minimum.accumulate(np.where(followed, count, len(place))[::-1])[::-1]
    end = (int(place[followed].max()) // length + 1) * length
    limit = np.append(place, end)[following] - 1
    at = np.where(previous < 0, following, previous)
    place[:] = np.where(followed, place, np.clip(place[at] + count - at, 0, np.maximum(limit, 0)))


def _ranks(order: NDArray[np.uint16], codes: NDArray[np.uint16]) -> NDArray[np.int64]:
    table = np.full(65536, -1, np.int64)
    table[order[::-1]] = np.arange(len(order))[::-1]
    return table[codes]


def _breaks(rank: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """bool (N − 1,): whether a record does not follow the one before it."""
    follows = (rank[1:] - rank[:-1] == 1) | ((rank[1:] == 0) & (rank[:-1] == length - 1))
    return np.asarray(~follows | (rank[1:] < 0) | (rank[:-1] < 0))


def _learn(codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The codes of one data set, each once: those of the data set that most of the file follows."""
    count = len(codes)
    is_first = np.zeros(count, bool)
    is_first[np.unique(codes, return_index=True)[1]] = True
    comes_again = np.flatnonzero(~is_first & ~np.append(is_first[1:], False))
    lengths = [int(comes_again[0]) if len(comes_again) else count]
    sorted_ = np.argsort(codes, kind="stable")
    repeated = codes[sorted_[1:]] == codes[sorted_[:-1]]
    if repeated.any():
        # The distance at which most characters come again.
        lengths.append(int(np.bincount(np.diff(sorted_)[repeated]).argmax()))
        # The characters that are not rare; and all, for a record that comes many times makes the others rare.
        often = np.bincount(codes)
        lengths += [int((2 * often >= often.max()).sum()), int(np.count_nonzero(often))]
    best, fewest = codes, count + 1
    for length in dict.fromkeys(lengths):
        tried = [k * length for k in range(min(_TRIED, max(1, count // length)))]
        # From the end too: what is lost from the first of two data sets is in the second. What is lost before a data
        # set moves its beginning.
        ends = [count - length - begin for begin in tried if count > length + begin]
        for begin in (max(0, place - moved) for moved in range(_MOVED) for place in [*tried, *ends]):
            order = codes[begin : begin + length]
            order = order[np.sort(np.unique(order, return_index=True)[1])]
            broken = int(_breaks(_ranks(order, codes), len(order)).sum())
            if broken < fewest:
                best, fewest = order, broken
            if not fewest:
                return best.copy()
    return best.copy()


def _turned(order: NDArray[np.uint16], codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The order, begun where most of the first few records say that data sets begin."""
    head = codes[:_FEW]
    rank = _ranks(order, head[np.append(True, head[1:] != head[:-1])])  # a doubled record is no turn
    turns = (rank - np.arange(len(rank)))[rank >= 0] % len(order)
    return np.roll(order, -int(np.bincount(turns).argmax())) if len(turns) else order


def _choose(starts: NDArray[np.int64], lengths: NDArray[np.int64], length: int) -> tuple[list[int], list[int]]:
    """The runs to keep, and the data set in which each begins: the least costly chain (dynamic programming).

    starts: rank of each run's first record, −1 for a code without one. lengths: records in each run.

    The chain that ends with run b costs cost(b) = min over a of cost(a) + step(a, b), or what it costs to begin with b:
    the records before it, and the places before its rank. In step(a, b) each record between them that is set aside
    costs 1, as does a place without a record; either b goes on behind a, some data sets later, or it goes back, and
    then each place that is filled again costs 2.
    """
    start, size = starts.tolist(), lengths.tolist()
    before = np.concatenate([[0], np.cumsum(lengths)]).tolist()  # records before each run
    back = _BACK if len(start) <= _MANY else 4
    costs: list[float] = []
    chosen: list[tuple[int, int]] = []  # previous kept run, and data sets begun on the way
    for b, rank in enumerate(start):
        cost, best = float(before[b] + rank) if rank >= 0 else float("inf"), (-1, 0)
        for a in range(max(0, b - back), b) if rank >= 0 else ():
            if start[a] < 0:
                continue
            end = start[a] + size[a]  # the rank that comes next, data sets gone through counted on
            aside = before[b] - before[a + 1]
            forward = (rank - end) % length
            step, move = abs(forward - aside) + aside, (end + forward) // length
            earlier = (end - 1 - rank) // length
            doubled = 2 * (end - earlier * length - rank) + aside
            if earlier >= 0 and doubled < step:
                step, move = doubled, earlier
            if costs[a] + step < cost:
                cost, best = costs[a] + step, (a, move)
        costs.append(cost)
        chosen.append(best)
    # What is left of the file after the last kept run is set aside.
    total = before[-1]
    ends = [cost + total - before[k + 1] for k, cost in enumerate(costs)]
    run = min(range(len(ends)), key=ends.__getitem__)
    runs, moves = [], []
    while run >= 0 and ends[run] < float("inf"):
        runs.append(run)
        run, move = chosen[run]
        moves.append(move)
    # The first kept run begins in data set 0; `moves` count from the beginning of the run before.
    return runs[::-1], np.cumsum(moves[::-1]).astype(int).tolist()


def number_groups(files: list[EtlFile], within: list[NDArray[np.int32]]) -> list[NDArray[np.int32]]:
    """Group of each record of each file, from the data sets `within` each file.

    All are of one set. Genuine numbering (5 × (file − 1) + data set for ETL8G) where the numbers of a source's files
    allow it, otherwise counted through, so that no two files of a source share a group.
    """
    layout = files[0].layout
    each, counts = layout.data_sets_per_file, [int(sets[-1]) + 1 if len(sets) else 0 for sets in within]
    starts = [0] * len(files)
    for source in dict.fromkeys(file.source for file in files):
        members = [k for k, file in enumerate(files) if file.source == source]
        genuine = all(
            files[k].is_numbered and counts[k] <= max(layout.data_sets(files[k].number or 1), each) for k in members
        )
        for number, k in enumerate(members):
            starts[k] = each * ((files[k].number or 1) - 1) if genuine else sum(counts[j] for j in members[:number])
    return [(w + np.int32(start + layout.group_base)).astype(np.int32) for w, start in zip(within, starts, strict=True)]
