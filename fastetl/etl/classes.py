"""The classes of each set, in the order of its files: which code in a record stands for which character.

A class is a code, and in ETL1 and ETL3 to ETL7 also the letters beside it, which tell the second イ, ウ and エ from the
first. Several classes may be one character. The table of each set in `tables/` names its source.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from fastetl.arrays import Bytes, Mask, Uint16s
from fastetl.etl.jis import assigned_codes, char_to_jis
from fastetl.etl.layouts import Layout
from fastetl.files.tables import table_rows


class EtlClass(NamedTuple):
    """One class of a set."""

    code: int
    letters: str  # two (ETL1, 6, 7) or four (ETL3 to 5), or none
    character: str | None  # None for a sign that is no character
    ebcdic: int = 0
    has_known_code: bool = True  # if not, the letters alone tell the class

    @property
    def jis(self) -> int:
        """The JIS X 0208 code of its character, or 0."""
        return 0 if self.character is None else char_to_jis(self.character) or 0


@cache
def classes_by_file(name: str) -> tuple[tuple[EtlClass, ...], ...]:
    """The classes of a set by its name, in order and in parts.

    A part is a file where each file has its own classes, a sheet in ETL8G and ETL9G, and otherwise the whole set.
    """
    parts: list[list[EtlClass]] = [[]]
    for row in table_rows(f"etl/tables/{name}.tsv"):
        if len(row) > 1:
            code, ebcdic, letters, character = row
            code_number, ebcdic_number = int(code.rstrip("?"), 16), int(ebcdic or "0", 16)
            parts[-1].append(EtlClass(code_number, letters, character or None, ebcdic_number, not code.endswith("?")))
        else:  # characters that have their JIS code, or the end of a part
            parts[-1] += [EtlClass(char_to_jis(c) or 0, "", c) for c in row[0]]
            parts.append([])
    return tuple(tuple(part) for part in parts if part)


@cache
def classes(name: str) -> tuple[EtlClass, ...]:
    """The classes of a set by its name, in the order in which its files (or its data sets) have them."""
    return tuple(entry for part in classes_by_file(name) for entry in part)


def match_classes(layout: Layout, records: Bytes, entries: Sequence[EtlClass]) -> tuple[Mask, Mask]:
    """Whether the code of each record or header is that of one of the classes, and whether its letters are: bool (N,).

    If a class's code is not known, any code matches beside its letters. In a set without letters the codes decide both.
    """
    code_matches = np.isin(layout.column(records, "code"), [entry.code for entry in entries if entry.has_known_code])
    if "letters" not in layout.by_name:
        return code_matches, code_matches
    letters = layout.column(records, "letters")
    letter_matches = np.isin(letters, [entry.letters.encode() for entry in entries if not entry.has_known_code])
    return code_matches | letter_matches, np.isin(letters, [entry.letters.encode() for entry in entries])


@cache
def _jis_by_code(layout: Layout) -> Uint16s:
    """uint16 (65536,): the JIS X 0208 code of each of the set's codes, 0 for one without a character."""
    jis_codes = np.zeros(65536, np.uint16)
    if layout.code_table == "jis":
        codes = assigned_codes()
        jis_codes[codes] = codes
    for entry in classes(layout.name):
        if entry.has_known_code:
            jis_codes[entry.code] = entry.jis
    return jis_codes


def character_codes(layout: Layout, records: Bytes) -> Uint16s:
    """uint16 (N,): the JIS X 0208 code of the character of each record or header.

    0 for a record without a character: an empty one, an unknown sign, ▲ in ETL2. In ETL6, where some codes are not
    known, letters and code must agree, unless the letters are those of a class without a known code.
    """
    codes_by_code: Uint16s = _jis_by_code(layout)[layout.column(records, "code")]
    if layout.code_table == "jis" or all(entry.has_known_code for entry in classes(layout.name)):
        return codes_by_code
    letters, position = np.unique(layout.column(records, "letters"), return_inverse=True)
    entries = {entry.letters.encode(): entry for entry in classes(layout.name)}
    matches = [entries.get(text, EtlClass(0, "", None)) for text in letters.tolist()]
    codes_by_letters = np.array([entry.jis for entry in matches], np.uint16)[position]
    is_by_letters = np.array([not entry.has_known_code for entry in matches])[position]
    return np.where(is_by_letters | (codes_by_letters == codes_by_code), codes_by_letters, np.uint16(0))
