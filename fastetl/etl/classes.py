"""The classes of each set, in the order of its files: what stands in a record for which character.

A class is what a record calls it by: a code, and in ETL1 and ETL3 to ETL7 a code of letters beside it, which tells
the second イ, ウ and エ from the first. Several classes may be one character.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from fastetl.data.charset import ETL9
from fastetl.etl.data import co59
from fastetl.etl.data.orders import ETL8B2_ORDER, ETL8G_ORDER, ETL9G_ORDER
from fastetl.etl.jis import char_to_jis, jis_to_char

__all__ = ["ETL6_SYMBOLS", "KANA_CODES", "LETTERS", "EtlClass", "classes", "ebcdic", "files_of_classes"]


@dataclass(frozen=True)
class EtlClass:
    """letters: the two (ETL1, 6, 7) or four letters, or none. character: None for what has no character."""

    code: int
    letters: str
    character: str | None


LETTERS = dict(
    zip(
        "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン",
        [
            *(" A", " I", " U", " E", " O"),
            *(c + v for c in "KSTNHM" for v in "AIUEO"),
            *("YA", "YU", "YO", "RA", "RI", "RU", "RE", "RO", "WA", "WO", " N"),
        ],
        strict=True,
    )
)
"""Two letters of each kana. Source: AIST's pages of ETL1 to ETL7."""

_AGAIN = {"イ": "YI", "エ": "YE", "ウ": "WU"}
_OLD = {"ヰ": "WI", "ヱ": "WE"}
_MARKS = {"゛": ",,", "゜": ",0"}

_PLAIN = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
KANA_CODES: dict[str, int] = {
    **{c: 0xB1 + k for k, c in enumerate(_PLAIN)},
    "ヲ": 0xA6,
    "ヰ": 0xA8,
    "ヱ": 0xAA,
    "゛": 0xDE,
    "゜": 0xDF,
}
"""JIS X 0201 as the sets use it: A8 and AA, elsewhere small ィ and ェ, are ヰ and ヱ there."""

ETL1_SYMBOLS = {"¥": 0x5C, "・": 0x2E, "’": 0x27, "␣": 0x20} | {c: ord(c) for c in "+-*/=(),"}
"""The twelve symbols of ETL1 and ETL3. 0x2E, 0x27 and 0x20 (a mark for a blank) were inferred from a public list."""

_ETL1_FILES = (
    *("01234567", "89ABCDEF", "GHIJKLMN", "OPQRSTUV", "WXYZ¥+-*", "/=()・,␣’"),
    *(
        "アイウエオカキク",
        "ケコサシスセソタ",
        "チツテトナニヌネ",
        "ノハヒフヘホマミ",
        "ムメモヤイユエヨ",
        "ラリルレロワヰウ",
        "ヱヲン",
    ),
)
_ETL4 = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤイユエヨラリルレロワヰウヱヲン"
_ETL3_SYMBOLS = {"¥": "S  $", "・": "S  .", "␣": "S   ", "’": "S  '"}

ETL6_SYMBOLS = dict(
    zip(
        (
            *("(K", ")K", "+ ", "- ", "= ", "* ", "=(", "=)", "( ", ") ", "((", "))", ". ", ", ", "..", ".,"),
            *("' ", "''", ".7", "$Y", "$S", "/0", "# ", "@ ", "/ ", "-6", "++", "=X", "+1", "/X"),
        ),
        [*"「」+-=*<>()[].,:;’”?¥$%#@/", *[None] * 5],
        strict=True,
    )
)
"""Two letters → symbol, as we read them (no source says so); five are not known."""
_ETL6_FILES = (
    *LETTERS,
    *("゛", "゜", "(K", ")K", *"0123456789", "+ ", "- ", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    *("= ", "* ", "=(", "=)", "( ", ") ", "((", "))", ". ", ", ", "..", ".,", "' ", "''", ".7", "$Y", "$S"),
    *("/0", "# ", "@ ", "-6", "++", "=X", "+1", "+1", "/X", "/ "),
)
_ETL6_IN_A_FILE = 10

_HIRAGANA = {k: chr(ord(k) - 0x60) for k in (*_PLAIN, *"ヲヰヱ")}


def _kana(character: str, before: str, letters: str, hiragana: bool) -> EtlClass:
    symbol = _HIRAGANA.get(character, character) if hiragana else character
    return EtlClass(KANA_CODES[character], before + letters, symbol)


def _in_order(characters: str, before: str = "", hiragana: bool = False) -> list[EtlClass]:
    """Kana; what comes a second time has the letters of the row of ヤ or ワ."""
    entries: list[EtlClass] = []
    for c in characters:
        again = any(KANA_CODES[c] == entry.code for entry in entries)
        letters = _AGAIN[c] if again else {**LETTERS, **_OLD, **_MARKS}[c]
        entries.append(_kana(c, before, letters, hiragana))
    return entries


def _etl1() -> list[EtlClass]:
    kana = iter(_in_order("".join(_ETL1_FILES[6:])))
    entries = [
        EtlClass(ETL1_SYMBOLS.get(c, ord(c)), f"{chr(ETL1_SYMBOLS.get(c, ord(c)))} ", c if c != "␣" else None)
        for c in "".join(_ETL1_FILES[:6])
    ]
    return [*entries, *kana]


def _etl3() -> list[EtlClass]:
    entries = [EtlClass(ord(c), f"N  {c}", c) for c in "0123456789"]
    entries += [EtlClass(ord(c), f"A  {c}", c) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    for c in "¥+-*/=()・,␣’":
        entries.append(EtlClass(ETL1_SYMBOLS[c], _ETL3_SYMBOLS.get(c, f"S  {c}"), c if c != "␣" else None))
    return entries


def _etl6() -> list[EtlClass]:
    entries = []
    for name in _ETL6_FILES:
        if name in ETL6_SYMBOLS:
            symbol = ETL6_SYMBOLS[name]
            # Which byte the symbols have is not known: 0 where ASCII has none.
            entries.append(EtlClass(ord(symbol) if symbol and symbol.isascii() else 0, name, symbol))
        elif name in KANA_CODES:
            entries.append(_kana(name, "", {**LETTERS, **_MARKS}[name], False))
        else:
            entries.append(EtlClass(ord(name), f"{name} ", name))
    return entries


def _etl2() -> list[EtlClass]:
    """In the order of AIST's table: each unit goes 4, 8, 12 …, or 4, 6, 5, 7, 8 …"""
    turn = (0, 2, 1, 3)
    half = len(co59.UNITS) // 2
    second = sorted(co59.UNITS, key=lambda unit: (unit // 4, turn.index(unit % 4)))
    entries = []
    for part in (co59.UNITS[:half], co59.UNITS[half:]):
        first = sorted(part, key=lambda unit: (turn.index(unit % 4), unit))
        for b, a in ((b, a) for b in second for a in first):
            c = co59.CHARACTERS[co59.UNITS.index(a)][co59.UNITS.index(b)]
            entries.append(EtlClass(a << 6 | b, "", None if c == co59.NONE else jis_to_char(char_to_jis(c) or 0)))
    return entries


def _jis(characters: tuple[str, ...]) -> list[EtlClass]:
    return [EtlClass(char_to_jis(c) or 0, "", c) for c in characters]


@cache
def classes(name: str) -> tuple[EtlClass, ...]:
    """The classes of a set by its name, in the order in which its files (or its data sets) have them."""
    builders: dict[str, Callable[[], list[EtlClass]]] = {
        "ETL1": _etl1,
        "ETL2": _etl2,
        "ETL3": _etl3,
        "ETL4": lambda: _in_order(_ETL4, "H ", True),
        "ETL5": lambda: _in_order(_ETL4, "K "),
        "ETL6": _etl6,
        "ETL7": lambda: _in_order("".join([*LETTERS, *_MARKS]), "", True),
        "ETL8B2": lambda: _jis(ETL8B2_ORDER),
        "ETL8G": lambda: _jis(ETL8G_ORDER),
        "ETL9B": lambda: _jis(ETL9.characters),
        "ETL9G": lambda: _jis(ETL9G_ORDER),
    }
    return tuple(builders[name]())


@cache
def files_of_classes(name: str) -> tuple[tuple[EtlClass, ...], ...]:
    """Which classes each file has, for the sets whose files are divided by class; for others, all classes once."""
    entries = classes(name)
    if name == "ETL1":
        sizes = [len(line) for line in _ETL1_FILES]
    elif name == "ETL6":
        sizes = [_ETL6_IN_A_FILE] * 11 + [len(entries) - 11 * _ETL6_IN_A_FILE]
    elif name == "ETL8B2":
        sizes = [320, 320, 316]
    else:
        sizes = [len(entries)]
    ends = [sum(sizes[: k + 1]) for k in range(len(sizes))]
    return tuple(entries[end - size : end] for size, end in zip(sizes, ends, strict=True))


def ebcdic(code: int) -> int:
    """The EBCDIC byte beside a JIS X 0201 code. Kana's (EBCDIK) are from memory; only ア = 81 was seen."""
    kana = {
        **{c: 0x81 + k for k, c in enumerate("アイウエオカキクケコ")},
        **{c: 0x8C + k for k, c in enumerate("サシスセソ")},
        **{c: 0x91 + k for k, c in enumerate("タチツテトナニヌネノ")},
        **{c: 0x9D + k for k, c in enumerate("ハヒフ")},
        **{c: 0xA2 + k for k, c in enumerate("ヘホマミムメモヤユ")},
        **{c: 0xAC + k for k, c in enumerate("ヨラリル")},
        **{c: 0xBA + k for k, c in enumerate("レロワン゛゜")},
    }
    by_code = {KANA_CODES[c]: byte for c, byte in kana.items()}
    if code in by_code:
        return by_code[code]
    return chr(code).encode("cp037")[0] if chr(code).isprintable() and code < 0x7F else 0
