"""Which records of which files a charset takes, and of which writer each is.

In a sound file every writer writes the same characters in the same order. That order is learnt from the first
data set; then only the headers of wanted records are read, each one's code is checked when it is, and the first
that is not as expected (or a file of another length) leads back to reading every header. The result is the same,
with one exception that no sound file has: a second sample of a wanted character, by the same writer, in the place
of an unwanted one is not seen, unless every header is asked for (docs/decisions/0007-what-build-checks.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastetl.charset import Charset, named_or_file
from fastetl.etl.files import EtlFile
from fastetl.etl.groups import align, number_groups
from fastetl.etl.notices import Notice, notices_of_order
from fastetl.etl.reading import read_headers

__all__ = ["Plan", "Selection", "learn_order", "select", "select_by_order"]

_SHORTEST = 8  # in shorter data sets a fall in the order does not tell a new writer


@dataclass(frozen=True)
class Selection:
    """The wanted records of one file, in file order.

    index: int64 (N,). codes: uint16 (N,), the code expected in each. labels: uint16 (N,), classes of the charset.
    groups: int32 (N,).
    """

    file: EtlFile
    index: NDArray[np.int64]
    codes: NDArray[np.uint16]
    labels: NDArray[np.uint16]
    groups: NDArray[np.int32]


@dataclass(frozen=True)
class Plan:
    """What to take of all files. seen: the codes that the headers looked at hold. noticed: what is odd in them."""

    charset: Charset
    parts: tuple[Selection, ...]
    seen: tuple[int, ...]
    noticed: tuple[Notice, ...] = ()

    @property
    def groups(self) -> int:
        """How many groups the selected records are of."""
        # np.unique would do, but it loads numpy.ma, which a command that is done in half a second feels.
        return int((np.bincount(np.concatenate([p.groups for p in self.parts])) > 0).sum())


def learn_order(files: list[EtlFile]) -> NDArray[np.uint16] | None:
    """The codes of one data set, uint16, if the first file begins with one and all files can be made of such."""
    layout = files[0].layout
    head = read_headers(files[0], layout.data_set + 1)["code"].astype(np.uint16)
    again = np.flatnonzero(head[1:] == head[0])
    order = head[: int(again[0]) + 1] if len(again) else head[: layout.data_set]
    if len(order) < _SHORTEST or len(set(order.tolist())) < len(order) or any(f.count % len(order) for f in files):
        return None
    return order


def select_by_order(files: list[EtlFile], name: str) -> Plan | None:
    """The plan by the learnt order, or None where the order does not tell what the charset takes."""
    order = learn_order(files)
    if order is None:
        return None
    charset = named_or_file(name, order.tolist())
    if not set(charset.codes.tolist()) <= set(order.tolist()):
        return None
    places = np.flatnonzero(charset.class_of_code[order] >= 0)
    within = [np.arange(file.count // len(order), dtype=np.int32) for file in files]
    parts = []
    for file, writers in zip(files, number_groups(files, within), strict=True):
        index = (np.arange(len(writers))[:, None] * len(order) + places).ravel()
        codes = np.tile(order[places], len(writers))
        labels = charset.class_of_code[codes].astype(np.uint16)
        parts.append(Selection(file, index, codes, labels, np.repeat(writers, len(places))))
    return Plan(charset, tuple(parts), tuple(sorted(order.tolist())))


def select(files: list[EtlFile], name: str) -> Plan:
    """The plan by every header of every file.

    Raises FastetlError for an unknown charset.
    """
    codes = [read_headers(file)["code"].astype(np.uint16) for file in files]
    seen = np.unique(np.concatenate(codes)).tolist()
    charset = named_or_file(name, seen)
    alignments = [align(code) for code in codes]
    groups = number_groups(files, [aligned.groups for aligned in alignments])
    noticed = notices_of_order(files, codes, alignments, groups)
    parts = []
    for file, code, writer in zip(files, codes, groups, strict=True):
        classes = charset.class_of_code[code]
        index = np.flatnonzero(classes >= 0)
        if len(index):
            parts.append(Selection(file, index, code[index], classes[index].astype(np.uint16), writer[index]))
    return Plan(charset, tuple(parts), tuple(seen), tuple(notice for found in noticed for notice in found))
