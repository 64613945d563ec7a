"""The classes of each set, in the order of its files: what stands in a record for which character.

A class is what a record calls it by: a code, and in ETL1 and ETL3 to ETL7 a code of letters beside it, which tells
the second イ, ウ and エ from the first. Several classes may be one character. Each set has a table of its own in
`tables/`, which says where it comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.jis import char_to_jis, jis_to_char
from fastetl.etl.layouts import TABLES, Layout
from fastetl.files.tables import table_rows


@dataclass(frozen=True)
class EtlClass:
    """letters: the two (ETL1, 6, 7) or four letters, or none. character: None for what has no character.

    is_sure: whether the code is known; otherwise the letters alone tell the class.
    """

    code: int
    letters: str
    character: str | None
    ebcdic: int = 0
    is_sure: bool = True

    @property
    def jis(self) -> int:
        """The JIS X 0208 code of its character, or 0."""
        return 0 if self.character is None else char_to_jis(self.character) or 0


@cache
def classes_by_file(name: str) -> tuple[tuple[EtlClass, ...], ...]:
    """The classes of a set by its name, in order, file by file where files are divided by class.

    Of ETL8G and ETL9G sheet by sheet; of all others in one part.
    """
    parts: list[list[EtlClass]] = [[]]
    for row in table_rows(TABLES / f"{name}.tsv"):
        if len(row) > 1:
            code, ebcdic, letters, character = row
            numbers = int(code.rstrip("?"), 16), int(ebcdic or "0", 16)
            parts[-1].append(EtlClass(numbers[0], letters, character or None, numbers[1], not code.endswith("?")))
        else:  # characters that have their JIS code, or the end of a part
            parts[-1] += [EtlClass(char_to_jis(c) or 0, "", c) for c in row[0]]
            parts.append([])
    return tuple(tuple(part) for part in parts if part)


@cache
def classes(name: str) -> tuple[EtlClass, ...]:
    """The classes of a set by its name, in the order in which its files (or its data sets) have them."""
    return tuple(entry for part in classes_by_file(name) for entry in part)


def is_of(layout: Layout, records: NDArray[Any], entries: Sequence[EtlClass]) -> tuple[NDArray[np.bool_], ...]:
    """bool (N,) each: whether records or headers have the code and the letters of one of some classes of their set.

    The code of a class that is not sure is whatever stands beside its letters. Without letters they are as the codes.
    """
    codes = np.isin(layout.column(records, "code"), [entry.code for entry in entries if entry.is_sure])
    if "letters" not in layout.by_name:
        return codes, codes
    letters = layout.column(records, "letters")
    alone = np.isin(letters, [entry.letters.encode() for entry in entries if not entry.is_sure])
    return codes | alone, np.isin(letters, [entry.letters.encode() for entry in entries])


@cache
def _jis_by_code(layout: Layout) -> NDArray[np.uint16]:
    """uint16 (65536,): JIS X 0208 of each code, 0 for one without a character."""
    jis_codes = np.zeros(65536, np.uint16)
    if layout.codes == "jis":
        codes = range(0x2121, 0x7E7F)
        jis_codes[0x2121:0x7E7F] = [code if jis_to_char(code) is not None else 0 for code in codes]
    for entry in classes(layout.name):
        if entry.is_sure:
            jis_codes[entry.code] = entry.jis
    return jis_codes


def character_codes(layout: Layout, records: NDArray[Any]) -> NDArray[np.uint16]:
    """uint16 (N,): JIS X 0208 of the character of each of the records or headers.

    0 for a record without a character: an empty one, a sign that is not known, ▲ in ETL2. In a set with classes that
    are not sure (ETL6) letters and code must tell the same, or the letters a class of those.
    """
    by_code: NDArray[np.uint16] = _jis_by_code(layout)[layout.column(records, "code")]
    if layout.codes == "jis" or all(entry.is_sure for entry in classes(layout.name)):
        return by_code
    letters, position = np.unique(layout.column(records, "letters"), return_inverse=True)
    entries = {entry.letters.encode(): entry for entry in classes(layout.name)}
    known = [entries.get(text, EtlClass(0, "", None)) for text in letters.tolist()]
    by_letters = np.array([entry.jis for entry in known], np.uint16)[position]
    alone = np.array([not entry.is_sure for entry in known])[position]
    return np.where(alone | (by_letters == by_code), by_letters, np.uint16(0))
