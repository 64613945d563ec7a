"""Connected pieces of ink, and which of them are one character."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Piece", "character", "pieces", "stands_apart"]

_MOST = 60
"""Pieces that are looked at for the character, largest first."""


class Piece(NamedTuple):
    """Left, top, right, bottom (the last two are the first outside), and how many pixels it has."""

    left: int
    top: int
    right: int
    bottom: int
    size: int

    @property
    def longest(self) -> int:
        return max(self.right - self.left, self.bottom - self.top)

    def joined(self, other: Piece) -> Piece:
        return Piece(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
            self.size + other.size,
        )

    def gap(self, other: Piece) -> int:
        """Pixels between the boxes; 0 or less where they touch."""
        across = max(other.left - self.right, self.left - other.right)
        return max(across, other.top - self.bottom, self.top - other.bottom)


def pieces(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], list[Piece]]:
    """Of a mask (H, W): each pixel's piece (8 neighbours count; −1 is paper), and the pieces, from the top."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = (axis.tolist() for axis in np.nonzero(edges == 1))
    ends = np.nonzero(edges == -1)[1].tolist()
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    above = 0
    for run, row in enumerate(rows):
        while rows[above] < row - 1 or (rows[above] == row - 1 and ends[above] < starts[run]):
            above += 1
        at = above
        while rows[at] == row - 1 and starts[at] <= ends[run]:
            one, other = root(at), root(run)
            parent[max(one, other)] = min(one, other)
            at += 1
    numbers = np.full(mask.shape, -1, np.intp)
    order: dict[int, int] = {}
    listed: list[Piece] = []
    for run, (row, start, end) in enumerate(zip(rows, starts, ends, strict=True)):
        part = Piece(start, row, end, row + 1, end - start)
        number = order.setdefault(root(run), len(listed))
        if number == len(listed):
            listed.append(part)
        else:
            listed[number] = listed[number].joined(part)
        numbers[row, start:end] = number
    return numbers, listed


def _belong_together(one: Piece, other: Piece) -> bool:
    """Strokes of a character are no farther apart than they are long; dirt is smaller, and has to be nearer."""
    longest = max(one.longest, other.longest)
    alike = 10 * min(one.size, other.size) >= max(one.size, other.size)
    return one.gap(other) <= (longest if alike else longest * 2 // 5)


def character(mask: NDArray[np.bool_]) -> Piece | None:
    """The group of pieces with the most ink; None where there is no ink."""
    groups = sorted(pieces(mask)[1], key=lambda piece: -piece.size)[:_MOST]
    pairs = True
    while pairs:
        pairs = False
        for first in range(len(groups)):
            near = [k for k in range(first + 1, len(groups)) if _belong_together(groups[first], groups[k])]
            if near:
                groups[first] = groups[first].joined(groups.pop(near[0]))
                pairs = True
                break
    return max(groups, key=lambda group: group.size, default=None)


def stands_apart(mask: NDArray[np.bool_]) -> bool:
    """Whether ink cropped to its box is two characters or more: longer than high, with a gap between broad parts."""
    for line in (mask, mask.T):
        height, width = line.shape
        part = height * 9 // 20
        gaps = np.flatnonzero(~line.any(0)) if 2 * width >= 3 * height else np.zeros(0, np.intp)
        if ((gaps >= part) & (gaps < width - part)).sum() * 16 >= max(height, 1):
            return True
    return False
