"""The readings that stand in ETL8G's records beside the codes; they mislead, as the genuine ones do."""

from __future__ import annotations

from functools import cache

from fastetl.data.charset import HIRAGANA, is_kanji
from fastetl.etl.classes import classes
from fastetl.etl.jis import char_to_jis
from fastetl.synth.practice import kana

__all__ = ["ORDER", "readings"]

ORDER = tuple(entry.character or "" for entry in classes("ETL8G"))
"""The characters of a data set in the order of ETL8G."""
_BY_ROW = {"ぢ": "DI", "づ": "DU"}
_MISLEADING = {
    "を": "O.WO.HIR",
    "ゃ": "YA.SHIRA",
    "ゅ": "YU.SHIRA",
    "ょ": "YO.SHIRA",
    "っ": "TSU.SHIR",
    "平": "HEI.HIRA",
    "開": "KAI.HIRA",
    "査": "SA.SHIRA",
}


@cache
def readings(characters: tuple[str, ...] = ORDER) -> tuple[bytes, ...]:
    """The eight bytes of reading of each record, padded with blanks; they select the wrong records, as real ones do.

    KanjiVG knows no readings, so that characters other than hiragana carry their JIS code ("KAN.3026").
    """
    return tuple(_reading(c).encode("ascii").ljust(8) for c in characters)


def _reading(character: str) -> str:
    if character in HIRAGANA.class_of:
        (sound,) = (one.sound.upper() for one in kana() if one.character == character)
        known = f"{_BY_ROW.get(character, sound)}.HIRA"
    else:
        known = f"{'KAN' if is_kanji(character) else 'SYM'}.{char_to_jis(character) or 0:04X}"
    return _MISLEADING.get(character, known)
