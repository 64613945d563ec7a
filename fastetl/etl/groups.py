"""Who wrote which record. ETL files do not say: a new writer begins where a new data set begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.files import EtlFile

__all__ = ["data_sets", "number_groups"]


def data_sets(codes: NDArray[np.uint16]) -> NDArray[np.int32]:
    """int32 (N,): which data set each record of one file belongs to, from 0.

    In a data set every character is written once, in the same order. The order is learnt up to where characters
    begin to come again, and a new data set begins where the records fall back in it by more than half its length
    and stay there: a missing, doubled or displaced record does not split a writer, and files of any length work.
    """
    count = len(codes)
    if not count:
        return np.zeros(0, np.int32)
    is_first = np.zeros(count, bool)
    is_first[np.unique(codes, return_index=True)[1]] = True
    comes_again = np.flatnonzero(~is_first & ~np.append(is_first[1:], False))
    length = int(comes_again[0]) if len(comes_again) else count
    rank_of = np.full(65536, -1, np.int64)
    rank_of[codes[:length][::-1]] = np.arange(length)[::-1]
    rank = rank_of[codes]
    # A code that the learnt order lacks stands where its predecessor stands.
    known = np.maximum.accumulate(np.where(rank >= 0, np.arange(count), 0))
    rank = np.maximum(rank[known], 0)
    # The median of three neighbours passes over one displaced record.
    padded = np.pad(rank, 1, mode="edge")
    steady = np.median([padded[:-2], rank, padded[2:]], axis=0)
    falls = np.diff(steady) < -(length / 2)
    return np.concatenate([[0], np.cumsum(falls)]).astype(np.int32)


def number_groups(files: list[EtlFile], within: list[NDArray[np.int32]]) -> list[NDArray[np.int32]]:
    """Group of each record of each file, from the data sets `within` each file.

    Genuine numbering (5 × (file − 1) + data set for ETL8G) where the files' numbers allow it, otherwise counted
    through, so that no two files share a group.
    """
    counts = [int(w[-1]) + 1 if len(w) else 0 for w in within]
    numbers = [file.number for file in files]
    layout = files[0].layout
    genuine = len(set(numbers)) == len(numbers) and all(
        n is not None and 1 <= n <= layout.files and c <= layout.data_sets_per_file
        for n, c in zip(numbers, counts, strict=True)
    )
    if genuine:
        starts = [layout.data_sets_per_file * ((n or 1) - 1) for n in numbers]
    else:
        starts = np.concatenate([[0], np.cumsum(counts[:-1])]).astype(int).tolist()
    return [(w + np.int32(s)).astype(np.int32) for w, s in zip(within, starts, strict=True)]
