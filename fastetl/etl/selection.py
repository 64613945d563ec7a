"""Which records of which files a charset takes, and of which group each is.

In a sound file of ETL8G or ETL9G every writer writes the same characters in the same order. This order is learnt from
the first data set. Then only the wanted records are read, and the code of each is checked. If a code is not the
expected one, or a file has another length, every header is read instead. The result is the same for every sound file
(docs/decisions/0007-what-build-checks.md names the exception).
"""

import itertools
from dataclasses import dataclass

import numpy as np

from fastetl.arrays import Ints, Uint16s
from fastetl.data.charset import CHARSETS_BY_NAME, Characters, Charset
from fastetl.data.store import load_charset
from fastetl.errors import FastetlError, Findings
from fastetl.etl.contents import Contents, contents_of, files_by_layout
from fastetl.etl.detection import EtlFile
from fastetl.etl.groups import number_groups
from fastetl.etl.jis import class_of_code, codes_of, jis_to_char
from fastetl.etl.notices import notices_of_name
from fastetl.etl.reading import PlanPart, read_headers

_MIN_CODES = 8  # fewest codes of a data set: in shorter ones a repeated code is no evidence of a new writer
_KANA_ROWS = (0x24, 0x25)  # rows of JIS X 0208


@dataclass(frozen=True)
class Plan:
    """What a build takes of all files."""

    charset: Charset
    parts: tuple[PlanPart, ...]
    findings: Findings


def learn_order(files: list[EtlFile]) -> Uint16s | None:
    """The codes of one data set, uint16, if all files of a set may be sequences of such data sets; otherwise None.

    The codes are those of the first data set, and the last one must agree: otherwise, a damaged code in the first one
    would make a whole character unwanted without a word. Every code must stand for a character. Only files of ETL8G
    and ETL9G are sequences of data sets and nothing else.
    """
    layout = files[0].layout
    if layout.kind != "G":
        return None
    first_codes = layout.column(read_headers(files[0], end=layout.data_set_records + 1), "code").astype(np.uint16)
    repeats = np.flatnonzero(first_codes[1:] == first_codes[0])
    order = first_codes[: int(repeats[0]) + 1] if len(repeats) else first_codes[: layout.data_set_records]
    are_whole = all(file.record_count % len(order) == 0 for file in files)
    if len(order) < _MIN_CODES or len(set(order.tolist())) < len(order) or not are_whole:
        return None
    last_codes = layout.column(read_headers(files[-1], files[-1].record_count - len(order)), "code")
    if (last_codes != order).any() or None in map(jis_to_char, order.tolist()):
        return None
    return order


def _contents_by_order(files: list[EtlFile]) -> list[Contents] | None:
    """What the headers of the files of one set say if they follow the order of its first data set; None if it has none.

    Codes that no header was read for are expectations, which reading the records checks.
    """
    order = learn_order(files)
    if order is None:
        return None
    data_sets = [np.arange(file.record_count // len(order), dtype=np.int32) for file in files]
    contents = []
    for file, groups in zip(files, number_groups(files, data_sets), strict=True):
        is_model = np.full(file.record_count, file.is_model_pattern)
        contents.append(Contents(file, np.tile(order, len(groups)), np.repeat(groups, len(order)), is_model, ()))
    return contents


def _left_out(counts: Ints, codes: set[int]) -> dict[str, int]:
    """Kana without those of `codes`, though others of their script are → number of samples. counts: of each code."""
    scripts = {code >> 8 for code in codes}.intersection(_KANA_ROWS)
    other_codes = [code for code in np.flatnonzero(counts).tolist() if code >> 8 in scripts and code not in codes]
    return {character: int(counts[code]) for code in other_codes if (character := jis_to_char(code))}


def _learn(sets: list[list[EtlFile]], wanted: Characters, by_order: bool) -> tuple[Charset, int, list[Contents]]:
    """The charset, how many codes stand for no character, and the contents of all files.

    A set whose order lacks a wanted character may have it somewhere: then all its headers are read. The charset may be
    what the data hold, so that more characters may be wanted after that.
    """
    expectations = [_contents_by_order(members) if by_order else None for members in sets]
    contents = [expected or contents_of(members) for expected, members in zip(expectations, sets, strict=True)]
    expected_sets = {index for index, expected in enumerate(expectations) if expected}
    while True:
        # `np.unique` would import a large part of numpy, which a build has no other use for.
        counts = [np.bincount(np.concatenate([content.codes for content in members])) for members in contents]
        codes = [set(np.flatnonzero(count).tolist()) for count in counts]
        characters = [jis_to_char(code) for code in sorted(set().union(*codes) - {0})]
        charset = load_charset(wanted, filter(None, characters))
        wanted_codes = set(codes_of(charset).tolist())
        gaps = {index for index in expected_sets if not wanted_codes <= codes[index]}
        if not gaps:
            return charset, characters.count(None), list(itertools.chain(*contents))
        for index in sorted(gaps):
            contents[index] = contents_of(sets[index])
        expected_sets -= gaps


def select(files: list[EtlFile], wanted: Characters, *, model_pattern: bool = False, by_order: bool = False) -> Plan:
    """The plan for files that are sorted by set.

    wanted: the charset, or what else `load_charset` takes. by_order: select by the order of sets that have one;
    otherwise by every header. Raises FastetlError for an unknown charset, a file that cannot be read, or if no record
    is wanted.
    """
    sets = files_by_layout([file for file in files if file.record_count])
    charset, unknown_codes, contents = _learn(sets, wanted, by_order)
    parts, usable_codes = [], [np.zeros(0, np.uint16)]
    for content in contents:
        is_usable = content.is_usable(model_pattern)
        usable_codes.append(content.codes[is_usable])
        numbers = np.flatnonzero(is_usable & (class_of_code(charset).take(content.codes) >= 0))
        if len(numbers):
            parts.append(PlanPart(content.file, numbers, content.codes[numbers], content.groups[numbers]))
    samples = np.bincount(np.concatenate(usable_codes), minlength=1 << 16)  # number of samples of each code
    if not parts:
        places = ", ".join(str(file.path) for file in files[:3]) + ", …" * (len(files) > 3)
        names = [other.name for other in CHARSETS_BY_NAME.values() if samples[codes_of(other)].all()]
        what, do = "no record has a character of the charset", f"choose `charset` {' or '.join([*names, 'all'])}"
        raise FastetlError(what, file=places, expected=charset.name, do=do)
    noticed = itertools.chain(*map(notices_of_name, files), *(content.noticed for content in contents))
    left_out = _left_out(samples, set(codes_of(charset).tolist()))
    characterless = sum(content.characterless for content in contents)
    return Plan(charset, tuple(parts), Findings(tuple(noticed), left_out, unknown_codes, characterless))
