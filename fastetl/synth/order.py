"""The readings that stand in ETL8G's records beside the codes; they mislead, as the genuine ones do."""

from __future__ import annotations

from functools import cache

from fastetl.data.charset import is_kanji
from fastetl.etl.classes import classes
from fastetl.etl.jis import char_to_jis

__all__ = ["ORDER", "readings"]

ORDER = tuple(entry.character or "" for entry in classes("ETL8G"))
"""The characters of a data set in the order of ETL8G."""
_VOWELS = "AIUEO"
_CONSONANTS = {
    "": "あいうえお",
    "K": "かきくけこ",
    "G": "がぎぐげご",
    "S": "さしすせそ",
    "Z": "ざじずぜぞ",
    "T": "たちつてと",
    "D": "だぢづでど",
    "N": "なにぬねの",
    "H": "はひふへほ",
    "B": "ばびぶべぼ",
    "P": "ぱぴぷぺぽ",
    "M": "まみむめも",
    "R": "らりるれろ",
}
_READ = {
    **{kana: c + v for c, row in _CONSONANTS.items() for kana, v in zip(row, _VOWELS, strict=True)},
    "し": "SHI",
    "じ": "JI",
    "ち": "CHI",
    "つ": "TSU",
    "ふ": "FU",
    "や": "YA",
    "ゆ": "YU",
    "よ": "YO",
    "わ": "WA",
    "ん": "N",
}
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
    code = char_to_jis(character) or 0
    known = (
        f"{_READ[character]}.HIRA" if character in _READ else f"{'KAN' if is_kanji(character) else 'SYM'}.{code:04X}"
    )
    return _MISLEADING.get(character, known)
