"""Which records of which files a charset takes, and of which writer each is.

In a sound file every writer writes the same characters in the same order. That order is learnt from the first
data set; then only the headers of wanted records are read, each one's code is checked when it is, and the first
that is not as expected (or a file of another length) leads back to reading every header. The result is the same,
with one exception that no sound file has: a second sample of a wanted character, by the same writer, in the place
of an unwanted one is not seen, unless every header is asked for (docs/decisions/0007-what-build-checks.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset, named_or_file
from fastetl.etl.contents import Contents, by_layout, contents_of
from fastetl.etl.files import EtlFile
from fastetl.etl.groups import number_groups
from fastetl.etl.jis import class_of_code, codes_of, jis_to_char
from fastetl.etl.notices import Notice, misnamed
from fastetl.etl.reading import read_headers

__all__ = ["Plan", "Selection", "learn_order", "select"]

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

    def cut(self, part: slice) -> Selection:
        """Some of them."""
        return Selection(self.file, self.index[part], self.codes[part], self.labels[part], self.groups[part])


@dataclass(frozen=True)
class Plan:
    """What to take of all files.

    seen: the codes that the headers looked at hold, 0 for none. noticed: what is odd in them. without: records that
    are samples but have no character, as ▲ of ETL2.
    """

    charset: Charset
    parts: tuple[Selection, ...]
    seen: tuple[int, ...]
    noticed: tuple[Notice, ...] = ()
    without: int = 0


def learn_order(files: list[EtlFile]) -> NDArray[np.uint16] | None:
    """The codes of one data set, uint16, if the first file begins with one and all files can be made of such.

    The last data set of all must agree: a damaged code in the first one would otherwise make a whole character
    unwanted, without a word. A code without a character is no order either.

    files: of one set; only ETL8G's and ETL9G's are sequences of data sets and nothing else.
    """
    layout = files[0].layout
    if layout.kind != "G":
        return None
    head = read_headers(files[0], layout.data_set + 1)["code"].astype(np.uint16)
    again = np.flatnonzero(head[1:] == head[0])
    order = head[: int(again[0]) + 1] if len(again) else head[: layout.data_set]
    if len(order) < _SHORTEST or len(set(order.tolist())) < len(order) or any(f.count % len(order) for f in files):
        return None
    last = read_headers(files[-1], begin=files[-1].count - len(order))["code"]
    if (last != order).any() or None in map(jis_to_char, order.tolist()):
        return None
    return order


def _by_order(files: list[EtlFile], order: NDArray[np.uint16], charset: Charset) -> list[Selection] | None:
    """The wanted records of one set, or None where the order does not tell what the charset takes."""
    if not set(codes_of(charset).tolist()) <= set(order.tolist()):
        return None
    places = np.flatnonzero(class_of_code(charset)[order] >= 0)
    within = [np.arange(file.count // len(order), dtype=np.int32) for file in files]
    parts = []
    for file, writers in zip(files, number_groups(files, within), strict=True):
        index = (np.arange(len(writers))[:, None] * len(order) + places).ravel()
        codes = np.tile(order[places], len(writers))
        labels = class_of_code(charset)[codes].astype(np.uint16)
        parts.append(Selection(file, index, codes, labels, np.repeat(writers, len(places))))
    return parts


def _by_headers(contents: Sequence[Contents], charset: Charset, model_pattern: bool) -> list[Selection]:
    parts = []
    for content in contents:
        classes = class_of_code(charset)[content.codes]
        index = np.flatnonzero((classes >= 0) & content.taken(model_pattern))
        codes, labels = content.codes[index], classes[index].astype(np.uint16)
        parts.append(Selection(content.file, index, codes, labels, content.groups[index]))
    return parts


def _same_writing(files: Sequence[EtlFile]) -> list[Notice]:
    """Sets of the same writing share groups by the numbers of their files: without those, a split may mix them."""
    notices = []
    for layout in {file.layout.name: file.layout for file in files}.values():
        members = [file for file in files if file.layout is layout]
        shared = layout.data_sets_per_file and any(
            f.layout.family == layout.family and f.layout is not layout for f in files
        )
        if shared and layout.group == "data set" and any(file.number is None for file in members):
            what = "the same writing as in another set here, in files whose names do not tell which they are"
            file = next(file for file in members if file.number is None)
            notices.append(Notice(what, str(file.path), None, layout.file_name, file.path.name, "groups are counted"))
    return notices


def select(files: list[EtlFile], name: str, *, model_pattern: bool = False, by_order: bool = False) -> Plan:
    """The plan for files sorted by set. by_order: learn the order of sets that have one, instead of every header.

    Raises FastetlError for an unknown charset, or a file that cannot be read.
    """
    files = [file for file in files if file.count]
    groups = by_layout(files)
    orders = [learn_order(group) if by_order else None for group in groups]
    contents = [contents_of(group) if order is None else None for group, order in zip(groups, orders, strict=True)]
    while True:
        seen = {int(code) for order in orders if order is not None for code in order}
        seen |= {int(code) for of_set in contents if of_set for content in of_set for code in np.unique(content.codes)}
        charset = named_or_file(name, (c for c in map(jis_to_char, sorted(seen)) if c))
        parts: list[list[Selection] | None] = []
        for k, (group, order) in enumerate(zip(groups, orders, strict=True)):
            selections = None if order is None else _by_order(group, order, charset)
            if selections is None and contents[k] is None:
                orders[k], contents[k] = None, contents_of(group)
                break
            parts.append(selections or _by_headers(contents[k] or [], charset, model_pattern))
        else:
            break
    headers = [content for of_set in contents if of_set for content in of_set]
    noticed = [notice for content in headers for notice in content.noticed]
    selected = tuple(part for group in parts for part in group or [] if len(part.index))
    without = sum(int(((content.codes == 0) & (content.groups >= 0)).sum()) for content in headers)
    noticed = [*(notice for file in files for notice in misnamed(file)), *noticed, *_same_writing(files)]
    return Plan(charset, selected, tuple(sorted(seen)), tuple(noticed), without)
