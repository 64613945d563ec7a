"""Which records of which files a charset takes, and of which group each is.

In a sound file of ETL8G or ETL9G every writer writes the same characters in the same order. This order is learnt from
the first data set. Then only the wanted records are read, and the code of each is checked. If a code is not the
expected one, or a file has another length, every header is read instead. The result is the same for every sound file
(docs/decisions/0007-what-build-checks.md names the exception).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import NAMED, Characters, Charset, load_charset
from fastetl.errors import FastetlError, Findings
from fastetl.etl.contents import Contents, by_layout, contents_of
from fastetl.etl.detection import EtlFile
from fastetl.etl.groups import number_groups
from fastetl.etl.jis import class_of_code, codes_of, jis_to_char
from fastetl.etl.notices import notices_of_name
from fastetl.etl.reading import Selection, read_headers

_MIN_CODES = 8  # of a data set; in shorter data sets a repeated code is no evidence of a new writer
_KANA_ROWS = (0x24, 0x25)  # rows of JIS X 0208


@dataclass(frozen=True)
class Plan:
    """What a build takes of all files."""

    charset: Charset
    parts: tuple[Selection, ...]
    findings: Findings


def learn_order(files: list[EtlFile]) -> NDArray[np.uint16] | None:
    """The codes of one data set, uint16, if all files of a set may be sequences of such data sets; otherwise None.

    The codes are those of the first data set, and the last one must agree: otherwise, a damaged code in the first one
    would make a whole character unwanted without a word. Every code must stand for a character. Only files of ETL8G
    and ETL9G are sequences of data sets and nothing else.
    """
    layout = files[0].layout
    if layout.kind != "G":
        return None
    head = read_headers(files[0], end=layout.data_set_records + 1)["code"].astype(np.uint16)
    repeats = np.flatnonzero(head[1:] == head[0])
    order = head[: int(repeats[0]) + 1] if len(repeats) else head[: layout.data_set_records]
    are_whole = all(file.record_count % len(order) == 0 for file in files)
    if len(order) < _MIN_CODES or len(set(order.tolist())) < len(order) or not are_whole:
        return None
    last = read_headers(files[-1], files[-1].record_count - len(order))["code"]
    if (last != order).any() or None in map(jis_to_char, order.tolist()):
        return None
    return order


def _select_by_order(files: list[EtlFile], order: NDArray[np.uint16], charset: Charset) -> list[Selection]:
    """The wanted records of one set, if its order has every character that the charset takes."""
    ranks = np.flatnonzero(class_of_code(charset)[order] >= 0)
    within = [np.arange(file.record_count // len(order), dtype=np.int32) for file in files]
    parts = []
    for file, writers in zip(files, number_groups(files, within), strict=True):
        index = (np.arange(len(writers))[:, None] * len(order) + ranks).ravel()
        parts.append(Selection(file, index, np.tile(order[ranks], len(writers)), np.repeat(writers, len(ranks))))
    return parts


def _select_by_header(content: Contents, charset: Charset, model_pattern: bool) -> Selection:
    """The records of one file whose characters the charset takes, by its headers."""
    is_wanted = (class_of_code(charset)[content.codes] >= 0) & content.usable(model_pattern)
    index = np.flatnonzero(is_wanted)
    return Selection(content.file, index, content.codes[index], content.groups[index])


def _left_out(samples: Mapping[int, int], wanted: set[int]) -> dict[str, int]:
    """Kana that are not wanted, though others of their script are → number of samples. samples, wanted: by code."""
    scripts = {code >> 8 for code in wanted}.intersection(_KANA_ROWS)
    others = [code for code in sorted(samples) if code >> 8 in scripts and code not in wanted]
    return {character: samples[code] for code in others if (character := jis_to_char(code))}


SelectionBasis = NDArray[np.uint16] | list[Contents]
"""What the records of a set are selected by: the order of its files, or every header."""


def _codes_in(basis: SelectionBasis) -> set[int]:
    """The codes of a set's records."""
    arrays = [basis] if isinstance(basis, np.ndarray) else [content.codes for content in basis]
    # `np.unique` would import a large part of numpy, which a build has no other use for.
    return set(np.flatnonzero(np.bincount(np.concatenate(arrays))).tolist())


def _learn(sets: list[list[EtlFile]], name: Characters, by_order: bool) -> tuple[Charset, int, list[SelectionBasis]]:
    """The charset, how many codes stand for no character, and by what the records of each set are selected.

    The charset may be what the data hold: then more characters may be wanted after headers have been read.
    """
    orders = [learn_order(members) if by_order else None for members in sets]
    bases: list[SelectionBasis] = [contents_of(sets[k]) if order is None else order for k, order in enumerate(orders)]
    while True:
        codes = list(map(_codes_in, bases))
        characters = [jis_to_char(code) for code in sorted(set().union(*codes) - {0})]
        charset = load_charset(name, filter(None, characters))
        wanted = set(codes_of(charset).tolist())
        lacking = [k for k, basis in enumerate(bases) if isinstance(basis, np.ndarray) and not wanted <= codes[k]]
        if not lacking:
            return charset, characters.count(None), bases
        for k in lacking:  # a wanted character may be somewhere in a set whose order lacks it
            bases[k] = contents_of(sets[k])


def select(files: list[EtlFile], name: Characters, *, model_pattern: bool = False, by_order: bool = False) -> Plan:
    """The plan for files that are sorted by set.

    name: of the charset, or what else `load_charset` takes. by_order: select by the order of sets that have one;
    otherwise by every header. Raises FastetlError for an unknown charset, a file that cannot be read, or if no record
    is wanted.
    """
    sets = by_layout([file for file in files if file.record_count])
    charset, unknown_codes, bases = _learn(sets, name, by_order)
    parts: list[Selection] = []
    contents: list[Contents] = []  # of the sets that are selected by header
    samples = Counter[int]()
    for members, basis in zip(sets, bases, strict=True):
        if isinstance(basis, np.ndarray):
            parts += _select_by_order(members, basis, charset)
            samples.update(dict.fromkeys(basis.tolist(), sum(file.record_count for file in members) // len(basis)))
            continue
        contents += basis
        for content in basis:
            parts.append(_select_by_header(content, charset, model_pattern))
            samples.update(content.codes[content.usable(model_pattern)].tolist())
    if not any(len(part.index) for part in parts):
        where = ", ".join(str(file.path) for file in files[:3]) + ", …" * (len(files) > 3)
        whole = [name for name, charset in NAMED.items() if samples.keys() >= set(codes_of(charset).tolist())]
        what, do = "no record has a character of the charset", f"choose `charset` {' or '.join([*whole, 'all'])}"
        raise FastetlError(what, file=where, expected=charset.name, do=do)
    noticed = [notice for file in files for notice in notices_of_name(file)]
    noticed += [notice for content in contents for notice in content.noticed]
    left_out = _left_out(samples, set(codes_of(charset).tolist()))
    characterless = sum(content.characterless for content in contents)
    findings = Findings(tuple(noticed), left_out, unknown_codes, characterless)
    return Plan(charset, tuple(part for part in parts if len(part.index)), findings)
