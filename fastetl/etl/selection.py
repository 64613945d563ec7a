"""Which records of which files a charset takes, and of which writer each is.

In a sound file every writer writes the same characters in the same order. That order is learnt from the first
data set; then only the headers of wanted records are read, each one's code is checked when it is, and the first
that is not as expected (or a file of another length) leads back to reading every header. The result is the same,
with one exception that no sound file has: a second sample of a wanted character, by the same writer, in the place
of an unwanted one is not seen, unless every header is asked for (docs/decisions/0007-what-build-checks.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset, load_charset
from fastetl.etl.contents import Contents, by_layout, contents_of
from fastetl.etl.files import EtlFile
from fastetl.etl.groups import number_groups
from fastetl.etl.jis import class_of_code, codes_of, jis_to_char
from fastetl.etl.notices import Notice, misnamed
from fastetl.etl.reading import read_headers

_SHORTEST = 8  # in shorter data sets a fall in the order does not tell a new writer
_KANA = (0x24, 0x25)  # rows of JIS X 0208


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

    unknown_codes: how many codes of the headers looked at stand for no character. noticed: what is odd in them.
    without: records that are samples but have no character, as ▲ of ETL2. left_out: how many samples have a kana that
    the charset lacks, which has others of its script.
    """

    charset: Charset
    parts: tuple[Selection, ...]
    unknown_codes: int
    noticed: tuple[Notice, ...] = ()
    without: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)


def learn_order(files: list[EtlFile]) -> NDArray[np.uint16] | None:
    """The codes of one data set, uint16, if the first file begins with one and all files can be made of such.

    The last data set of all must agree: a damaged code in the first one would otherwise make a whole character
    unwanted, without a word. A code without a character is no order either.

    files: of one set; only ETL8G's and ETL9G's are sequences of data sets and nothing else.
    """
    layout = files[0].layout
    if layout.kind != "G":
        return None
    head = read_headers(files[0], end=layout.data_set + 1)["code"].astype(np.uint16)
    again = np.flatnonzero(head[1:] == head[0])
    order = head[: int(again[0]) + 1] if len(again) else head[: layout.data_set]
    if len(order) < _SHORTEST or len(set(order.tolist())) < len(order) or any(f.count % len(order) for f in files):
        return None
    last = read_headers(files[-1], files[-1].count - len(order))["code"]
    if (last != order).any() or None in map(jis_to_char, order.tolist()):
        return None
    return order


def _by_order(files: list[EtlFile], order: NDArray[np.uint16], charset: Charset) -> list[Selection]:
    """The wanted records of one set, whose order has all that the charset takes."""
    places = np.flatnonzero(class_of_code(charset)[order] >= 0)
    within = [np.arange(file.count // len(order), dtype=np.int32) for file in files]
    parts = []
    for file, writers in zip(files, number_groups(files, within), strict=True):
        index = (np.arange(len(writers))[:, None] * len(order) + places).ravel()
        codes = np.tile(order[places], len(writers))
        labels = class_of_code(charset)[codes].astype(np.uint16)
        parts.append(Selection(file, index, codes, labels, np.repeat(writers, len(places))))
    return parts


def _by_headers(content: Contents, charset: Charset, model_pattern: bool) -> Selection:
    classes = class_of_code(charset)[content.codes]
    index = np.flatnonzero((classes >= 0) & content.taken(model_pattern))
    labels = classes[index].astype(np.uint16)
    return Selection(content.file, index, content.codes[index], labels, content.groups[index])


def _same_writing(sets: Sequence[Sequence[EtlFile]]) -> Iterator[Notice]:
    """Sets of the same writing share groups by the numbers of their files: without those, a split may mix them."""
    what = "the same writing as in another set here, in files whose names do not tell which they are"
    families = [members[0].layout.family for members in sets]
    for members in sets:
        layout, nameless = members[0].layout, [file for file in members if file.number is None]
        if nameless and layout.group == "data set" and families.count(layout.family) > 1:
            file = nameless[0].path
            yield Notice(what, str(file), None, layout.file_name, file.name, "groups are counted")


def _left_out(samples: Mapping[int, int], wanted: set[int]) -> dict[str, int]:
    """Kana that are not wanted, though others of their script are. samples, wanted: by JIS code."""
    scripts = {code >> 8 for code in wanted}.intersection(_KANA)
    others = [code for code in sorted(samples) if code >> 8 in scripts and code not in wanted]
    return {character: samples[code] for code in others if (character := jis_to_char(code))}


def select(files: list[EtlFile], name: str, *, model_pattern: bool = False, by_order: bool = False) -> Plan:
    """The plan for files sorted by set. by_order: learn the order of sets that have one, instead of every header.

    Raises FastetlError for an unknown charset, or a file that cannot be read.
    """
    files = [file for file in files if file.count]
    sets = by_layout(files)
    orders = [learn_order(members) if by_order else None for members in sets]
    contents: dict[int, list[Contents]] = {}
    while True:
        for k, order in enumerate(orders):
            if order is None and k not in contents:
                contents[k] = contents_of(sets[k])
        seen = {code for order in orders if order is not None for code in order.tolist()}
        seen |= {code for of_set in contents.values() for c in of_set for code in np.unique(c.codes).tolist()}
        characters = [jis_to_char(code) for code in sorted(seen - {0})]
        charset = load_charset(name, filter(None, characters))
        wanted = set(codes_of(charset).tolist())
        # What the charset takes besides may still be somewhere in a set whose order lacks it.
        short = [k for k, order in enumerate(orders) if order is not None and not wanted <= set(order.tolist())]
        if not short:
            break
        orders = [None if k in short else order for k, order in enumerate(orders)]
    parts: list[Selection] = []
    samples = Counter[int]()
    for k, (members, order) in enumerate(zip(sets, orders, strict=True)):
        if order is not None:
            parts += _by_order(members, order, charset)
            samples.update(dict.fromkeys(order.tolist(), sum(file.count for file in members) // len(order)))
        for content in contents.get(k, ()):
            parts.append(_by_headers(content, charset, model_pattern))
            samples.update(content.samples(model_pattern))
    headers = [content for of_set in contents.values() for content in of_set]
    noticed = [notice for file in files for notice in misnamed(file)]
    noticed += [notice for content in headers for notice in content.noticed]
    return Plan(
        charset,
        tuple(part for part in parts if len(part.index)),
        characters.count(None),
        (*noticed, *_same_writing(sets)),
        sum(content.without for content in headers),
        _left_out(samples, wanted),
    )
