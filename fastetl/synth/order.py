"""The readings that stand in ETL8G's records beside the codes; they mislead, as the genuine ones do."""

from __future__ import annotations

from functools import cache

from fastetl.charset import char_to_jis
from fastetl.etl.data.orders import ETL8G_ORDER as ORDER

__all__ = ["ORDER", "readings"]

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
def readings() -> tuple[bytes, ...]:
    """The eight bytes of reading of each record, padded with blanks; they select the wrong records, as real ones do.

    KanjiVG knows no readings, so that the other kanji carry their JIS code ("KAN.3026").
    """
    made = (_MISLEADING.get(c) or (f"{_READ[c]}.HIRA" if c in _READ else f"KAN.{char_to_jis(c):04X}") for c in ORDER)
    return tuple(r.encode("ascii").ljust(8) for r in made)
