"""Which data set each record of an ETL8 or ETL9 file belongs to. No field says so: the order of the records does.

A data set has every character once, always in the same order. This order is learnt from the file, and the file is cut
into runs that follow it. Each run is kept, or set aside as displaced, so that the fewest records are displaced, lost
or doubled. So a defect in one record moves no other record to another data set.

An example: from あいうえおあいえおあいうえお the order あいうえお is learnt. The runs are あいうえおあい and
えおあいうえお; both are kept, and う of data set 1 is lost between them.

A slot is a position in a file without defects: data set × L + rank, where L characters make a data set and the rank is
a character's position in the order.
"""

from itertools import accumulate
from typing import NamedTuple

import numpy as np

from fastetl.arrays import Int32s, Ints, Mask, Uint16s
from fastetl.etl.detection import EtlFile

# Chosen by trial, as is what `align` tries, on files of 40 to 2,000 records with up to 30 defects.
_REACH = 40  # a run may follow one of so many before it, to skip a series of defects
_FIRST_RECORDS = 5  # the first records, which show where in the order a file begins
_MAX_MOVED = 4  # a data set may begin so many records early, because some before it are lost
_TRIED_DATA_SETS = 8  # data sets that are tried as the pattern of the others
# An order that begins as in genuine files is preferred even if it has so many faults more.
# For one displaced record, which is no evidence against it, counts as two: lost at one place, doubled at another.
_GENUINE_ADVANTAGE = 2


class Alignment(NamedTuple):
    """How the N records of a file follow its order."""

    order: Uint16s  # uint16 (L,), the codes of one data set
    groups: Int32s  # int32 (N,), the data set of each record, from 0; it falls at displaced records alone
    ranks: Ints  # int64 (N,), the rank of each record's code; −1 for a code that is not in the order
    strays: Ints  # int64, the numbers of the displaced records
    expected_ranks: Ints  # int64 (N,), the rank that each record should have

    def filled_slots(self) -> Mask:
        """bool (data sets × L,): whether a record has the data set and the rank of each slot."""
        groups, is_ranked = self.groups.astype(np.int64), self.ranks >= 0
        is_filled = np.zeros((int(groups.max()) + 1) * len(self.order), bool)
        is_filled[(groups * len(self.order) + self.ranks)[is_ranked]] = True
        return is_filled

    def faults(self) -> int:
        """How many records are displaced or doubled, and how many slots are empty."""
        is_filled = self.filled_slots()
        repeats = np.count_nonzero(self.ranks >= 0) - np.count_nonzero(is_filled)
        return int(len(self.strays) + np.count_nonzero(~is_filled) + repeats)


def align(codes: Uint16s, genuine_codes: Uint16s | None = None) -> Alignment:
    """Learn the order of a file's codes, uint16 (N,), N over 0, and align the file to it.

    The order begins where this gives the fewest faults. If several beginnings are as good, it is that of
    `genuine_codes`, those of a genuine data set, or that of the file. A genuine beginning may have two faults more.
    """
    order = _most_followed_order(codes)
    if len(codes) <= len(order):  # one data set begins where the file does
        return _align_to(order, codes)
    genuine_order = None if genuine_codes is None else _begin_as_genuine(order, genuine_codes)
    # Where a defect breaks every data set tried, or most of one or two, the codes are in order as they first appear.
    orders = [genuine_order, _begin_as_file(order, codes), order, _distinct(codes)]
    candidates = {order.tobytes(): order for order in orders if order is not None}
    alignments = [_align_to(order, codes) for order in candidates.values()]
    faults = [alignment.faults() for alignment in alignments]
    if genuine_order is not None and len(order) > 2 * _GENUINE_ADVANTAGE:
        faults[0] -= _GENUINE_ADVANTAGE  # the first order begins as genuine files do
    return alignments[int(np.argmin(faults))]


def _begin_as_genuine(order: Uint16s, genuine_codes: Uint16s) -> Uint16s | None:
    """The order rotated to the beginning of a genuine data set, if it is such a sequence apart from its beginning."""
    ranks = _ranks(genuine_codes, order)
    falls = np.flatnonzero(ranks < np.roll(ranks, 1))
    return np.roll(order, -int(falls[0])) if (ranks >= 0).all() and len(falls) == 1 else None


def _align_to(order: Uint16s, codes: Uint16s) -> Alignment:
    """The codes aligned to an order that begins where data sets begin."""
    length = len(order)
    ranks = _ranks(order, codes)
    begins = np.concatenate([[0], np.flatnonzero(_breaks(ranks, length)) + 1])
    ends = np.append(begins[1:], len(codes))
    runs = list(map(_Run, begins.tolist(), ends.tolist(), ranks[begins].tolist()))
    slots = np.full(len(codes), -1, np.int64)
    for run, data_set in _runs_to_keep(runs, length):
        slots[run.begin : run.end] = data_set * length + run.rank + np.arange(run.end - run.begin)
    is_kept = slots >= 0
    _fill_gaps(slots, is_kept, length)
    return Alignment(order, (slots // length).astype(np.int32), ranks, np.flatnonzero(~is_kept), slots % length)


def _fill_gaps(slots: Ints, is_kept: Mask, length: int) -> None:
    """Give each record set aside the slot after that of the record before it, but none past the next kept record's.

    An example, of the order あいうえお with two records aside, いうXXお: slots 1, 2, −1, −1, 4 become 1, 2, 3, 3, 4.
    """
    numbers = np.arange(len(slots))
    kept_before = np.maximum.accumulate(np.where(is_kept, numbers, -1))
    kept_after = np.minimum.accumulate(np.where(is_kept, numbers, len(slots))[::-1])[::-1]
    end_of_last_set = (int(slots[is_kept].max()) // length + 1) * length
    limits = np.append(slots, end_of_last_set)[kept_after] - 1
    anchors = np.where(kept_before < 0, kept_after, kept_before)
    targets = slots[anchors] + numbers - anchors
    slots[:] = np.where(is_kept, slots, np.clip(targets, 0, np.maximum(limits, 0)))


def _ranks(order: Uint16s, codes: Uint16s) -> Ints:
    """int64 (N,): rank of each code in the order, −1 for one that is not there."""
    rank_of_code = np.full(65536, -1, np.int64)
    rank_of_code[order[::-1]] = np.arange(len(order))[::-1]
    return rank_of_code[codes]


def _breaks(ranks: Ints, length: int) -> Mask:
    """bool (N − 1,): whether a record does not follow the one before it."""
    is_next = (ranks[1:] - ranks[:-1] == 1) | ((ranks[1:] == 0) & (ranks[:-1] == length - 1))
    return np.asarray(~is_next | (ranks[1:] < 0) | (ranks[:-1] < 0))


def _most_followed_order(codes: Uint16s) -> Uint16s:
    """The codes of one data set, each once: of the one that most of the file follows."""
    best_order, min_breaks = codes, len(codes)
    for length in _likely_lengths(codes):
        begins = list(range(0, min(_TRIED_DATA_SETS * length, len(codes)), length))
        # From the end too: what is lost from the first of two data sets is in the second.
        begins += [len(codes) - length - begin for begin in begins if len(codes) > length + begin]
        for begin in (max(0, begin - shift) for shift in range(_MAX_MOVED) for begin in begins):
            order = _distinct(codes[begin : begin + length])
            breaks = int(_breaks(_ranks(order, codes), len(order)).sum())
            if not breaks:
                return order
            if breaks < min_breaks:
                best_order, min_breaks = order, breaks
    return best_order


def _distinct(codes: Uint16s) -> Uint16s:
    """Each code once, in the order in which they first appear."""
    return codes[np.sort(np.unique(codes, return_index=True)[1])]


def _likely_lengths(codes: Uint16s) -> list[int]:
    """How many characters a data set may have: the distance at which most come again, those that are not rare, all."""
    by_code, counts = np.argsort(codes, kind="stable"), np.bincount(codes)
    is_repeated = codes[by_code[1:]] == codes[by_code[:-1]]
    distances = np.diff(by_code)[is_repeated]
    length = int(np.bincount(distances).argmax()) if len(distances) else len(codes)
    return list(dict.fromkeys([length, int((2 * counts >= counts.max()).sum()), int(np.count_nonzero(counts))]))


def _begin_as_file(order: Uint16s, codes: Uint16s) -> Uint16s:
    """The order rotated so that it begins where most of the first few records say that data sets begin."""
    head = codes[:_FIRST_RECORDS]
    ranks = _ranks(order, head[np.append(True, head[1:] != head[:-1])])  # a doubled record is no new beginning
    begins = (ranks - np.arange(len(ranks)))[ranks >= 0] % len(order)
    return np.roll(order, -int(np.bincount(begins).argmax())) if len(begins) else order


class _Run(NamedTuple):
    """Records `begin` to `end` − 1, which follow the order. rank: of the first, −1 if its code is not in the order."""

    begin: int
    end: int
    rank: int


class _Chain(NamedTuple):
    """The least costly chain of kept runs that ends with `run`. sets_begun: data sets begun after `predecessor`."""

    run: _Run
    cost: int
    predecessor: "_Chain | None" = None
    sets_begun: int = 0


def _runs_to_keep(runs: list[_Run], length: int) -> list[tuple[_Run, int]]:
    """The runs to keep, each with the data set in which it begins: the least costly chain, by dynamic programming."""
    chains: list[_Chain | None] = []
    for run in runs:  # one whose code is not in the order is never kept
        chains.append(_best_chain(run, chains[-_REACH:], length) if run.rank >= 0 else None)
    # What is left of the file after the last kept run is set aside.
    count = runs[-1].end
    chain = min(filter(None, chains), key=lambda chain: chain.cost + count - chain.run.end, default=None)
    links: list[_Chain] = []
    while chain is not None:
        links.append(chain)
        chain = chain.predecessor
    links.reverse()
    data_sets = accumulate(link.sets_begun for link in links)  # the first kept run begins in data set 0
    return [(link.run, data_set) for link, data_set in zip(links, data_sets, strict=True)]


def _best_chain(run: _Run, predecessors: list[_Chain | None], length: int) -> _Chain:
    """The least costly chain that ends with `run`, behind one of those before it or alone.

    Alone, it costs the records before it and the slots before its rank.
    """
    best_chain = _Chain(run, run.begin + run.rank)
    for chain in filter(None, predecessors):
        end_rank = chain.run.rank + chain.run.end - chain.run.begin
        step_cost, sets_begun = _step(end_rank, run.rank, run.begin - chain.run.end, length)
        if chain.cost + step_cost < best_chain.cost:
            best_chain = _Chain(run, chain.cost + step_cost, chain, sets_begun)
    return best_chain


def _step(end: int, rank: int, strays: int, length: int) -> tuple[int, int]:
    """The least cost of keeping a run next to another one, and how many data sets begin between them.

    end: rank of the slot after the first run, counted on over data sets. rank: where the second one begins. strays:
    how many records between them are. Each costs 1, and so does an empty slot, unless such a record may belong there.
    If the second run goes back instead of on, each slot that is filled again costs 2.

    An example, of the order あいうえお: from あい (end 2) over one record aside to おあ (rank 4) two slots are empty,
    and the record may belong to one. So the cost is 1 for it and 1 for the other slot, and no data set begins.
    """
    gap = (rank - end) % length
    forward_cost = abs(gap - strays) + strays
    sets_back = (end - 1 - rank) // length  # to the last data set whose slot `rank` is filled
    refills = end - sets_back * length - rank
    backward_cost = 2 * refills + strays
    if sets_back >= 0 and backward_cost < forward_cost:
        return backward_cost, sets_back
    return forward_cost, (end + gap) // length


def number_groups(files: list[EtlFile], data_sets: list[Int32s]) -> list[Int32s]:
    """Group of each record of each file of a set, from the number of its data set in the file, of `data_sets`.

    Groups are numbered as in genuine files (for ETL8G 5 × (file − 1) + data set) if the numbers of a source's files
    allow it. Otherwise they are counted from file to file, so that no two files of a source share a group.
    """
    layout = files[0].layout
    data_set_counts = [int(sets[-1]) + 1 if len(sets) else 0 for sets in data_sets]
    starts = np.full(len(files), layout.group_base)
    for source in dict.fromkeys(file.source for file in files):
        members = [k for k, file in enumerate(files) if file.source == source]
        numbers = [files[k].file_number or 1 for k in members]
        # A genuine file of this number has at most so many data sets.
        limits = [max(layout.data_sets(number), layout.data_sets_per_file) for number in numbers]
        if all(files[k].is_numbered and data_set_counts[k] <= limit for k, limit in zip(members, limits, strict=True)):
            starts[members] += [layout.data_sets_per_file * (number - 1) for number in numbers]
        else:
            starts[members] += np.cumsum([0, *(data_set_counts[k] for k in members[:-1])])
    return [(sets + start).astype(np.int32) for sets, start in zip(data_sets, starts, strict=True)]
