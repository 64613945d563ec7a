"""Codes of records → JIS X 0208 (`fastetl.data.charset`): one table for each code that the sets use.

A record without a character (an empty one, a sign that is not known, ▲ in ETL2) has code 0 here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.classes import ETL6_SYMBOLS, EtlClass, classes
from fastetl.etl.jis import char_to_jis, jis_to_char
from fastetl.etl.layouts import Codes, Layout

__all__ = ["character_codes", "jis_code", "table"]

_SET_OF: dict[Codes, tuple[str, ...]] = {
    "kana": ("ETL1", "ETL3", "ETL5"),
    "hiragana": ("ETL4", "ETL7"),
    "co59": ("ETL2",),
}


def jis_code(entry: EtlClass) -> int:
    """The JIS X 0208 code of a class, or 0."""
    return 0 if entry.character is None else char_to_jis(entry.character) or 0


@cache
def table(codes: Codes) -> NDArray[np.uint16]:
    """uint16 (65536,): JIS X 0208 of each code, 0 for a code without a character."""
    jis_codes = np.zeros(65536, np.uint16)
    if codes == "jis":
        for code in range(0x2121, 0x7E7F):
            jis_codes[code] = code if jis_to_char(code) is not None else 0
        return jis_codes
    if codes == "etl6":
        # What the letters and the code must agree on; the codes of symbols are not known.
        for entry in classes("ETL6"):
            if entry.letters not in ETL6_SYMBOLS:
                jis_codes[entry.code] = jis_code(entry)
        return jis_codes
    for name in _SET_OF[codes]:
        for entry in classes(name):
            jis_codes[entry.code] = jis_code(entry)
    return jis_codes


def _letters(text: str) -> int:
    return int.from_bytes(text.encode(), "big")


@cache
def _letters_table() -> NDArray[np.uint16]:
    """uint16 (65536,): JIS X 0208 of ETL6's two letters."""
    jis_codes = np.zeros(65536, np.uint16)
    for entry in classes("ETL6"):
        jis_codes[_letters(entry.letters)] = jis_code(entry)
    return jis_codes


@cache
def _letters_are_enough() -> NDArray[np.bool_]:
    symbols = np.zeros(65536, bool)
    symbols[[_letters(name) for name in ETL6_SYMBOLS]] = True
    return symbols


def character_codes(layout: Layout, records: NDArray[Any]) -> NDArray[np.uint16]:
    """uint16 (N,): JIS X 0208 of the character of each of the records or headers, 0 where there is none."""
    by_code: NDArray[np.uint16] = table(layout.codes)[layout.column(records, "code")]
    if layout.codes != "etl6":
        return by_code
    letters = np.ascontiguousarray(records["letters"]).view(">u2").astype(np.uint16)
    by_letters = _letters_table()[letters]
    # Letters and code must tell the same; a symbol has its letters alone.
    sure = _letters_are_enough()[letters] | (by_letters == by_code)
    return np.where(sure, by_letters, np.uint16(0))
