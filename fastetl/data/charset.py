"""The one label table: an ordered tuple of characters, each a string of one code point or several.

A class is an index into it. Everything that carries labels (dataset, run, package, app) carries this
tuple. Text is compared in Unicode's normal form C.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError
from fastetl.files.untrusted import read_bytes

LONGEST = 32
"""Code points of one entry at most."""
LARGE_FORM = dict(
    zip("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ", "あいうえおつやゆよわアイウエオツヤユヨワカケ", strict=True)
)
"""The kana that each small kana is the small form of."""
SHAPES = (
    *("へヘ", "べベ", "ぺペ", "りリ", "ー一-", "ニ二=", "カ力", "ロ口囗", "タ夕", "エ工", "ハ八", "ト卜", "オ才"),
    *("ヒ匕", "ム厶", "ヨ彐", "ノ丿/", "0O〇", "1lI丨", "X×", "十+", "、,丶", "ゝヽ", "ゞヾ", "・."),
)
"""Characters that are written alike: nothing but the text around them tells them apart. The first stands for all."""
SMALL_LETTERS = dict(zip("ckopsuvwxyz", "CKOPSUVWXYZ", strict=True)) | {"。": "O"}
"""What is told from a capital letter by its size and place alone, and that letter."""
_ONE_SHAPE = {ord(c): group[0] for group in SHAPES for c in group}
_ONE_SIZE = {ord(small): large for small, large in (LARGE_FORM | SMALL_LETTERS).items()}
_FILE_BYTES = 1 << 20  # of a file that lists characters; JIS X 0208 has 6,879
_JOINERS = "\u200c\u200d"  # inside of clusters


def nfc(text: str) -> str:
    """Text in Unicode's normal form C: が is one code point, however it was typed or a file system stored it."""
    return unicodedata.normalize("NFC", text)


def is_character(text: str) -> bool:
    """Whether text can be an entry of a charset: visible, without white space, of at most `LONGEST` code points."""
    visible = "".join(c for c in text if c not in _JOINERS)
    return 0 < len(text) <= LONGEST and visible != "" and is_visible(visible)


def is_visible(text: str) -> bool:
    """Whether there is neither white space nor anything that cannot be seen in a text."""
    return text.isprintable() and " " not in text


def is_kanji(character: str) -> bool:
    """Whether a character is one of Unicode's CJK ideographs (of its first block, as all of JIS X 0208's are)."""
    return len(character) == 1 and "一" <= character <= "鿿"


def script_of(character: str) -> str:
    """hiragana, katakana, kanji, latin, digit, sign, or another script as Unicode's names begin: hangul, devanagari."""
    kind, name = unicodedata.category(character[0]), unicodedata.name(character[0], "sign")
    script = name.partition(" ")[0].partition("-")[0].lower()  # ー is both kana's, and katakana's first
    return {"cjk": "kanji", "ideographic": "kanji"}.get(script, script) if kind[0] in "LN" else "sign"


@dataclass(frozen=True)
class Charset:
    """An ordered tuple of distinct characters in NFC; class k is `characters[k]`."""

    name: str
    characters: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.characters:
            raise FastetlError(f"charset {self.name!r} is empty", expected="characters", do="list some")
        text = "".join(self.characters)
        if tuple(text) == self.characters and len(set(text)) == len(text) and is_visible(text) and nfc(text) == text:
            return  # thousands of single characters, checked together at each start
        object.__setattr__(self, "characters", tuple(map(nfc, self.characters)))
        if len(set(self.characters)) != len(self.characters):
            twice = sorted(c for c, count in Counter(self.characters).items() if count > 1)
            raise FastetlError(f"charset {self.name!r} lists {' '.join(twice)!r} more than once", do="list each once")
        for k, character in enumerate(self.characters):
            if not is_character(character):
                raise FastetlError(
                    f"charset {self.name!r}: not a character",
                    record=k,
                    expected=f"1 to {LONGEST} code points without white space and control codes",
                    found=f"{character[:40]!r} ({' '.join(f'U+{ord(c):04X}' for c in character[:8])})",
                    do="correct it; where an entry has several code points, list one entry a line",
                )

    def __len__(self) -> int:
        return len(self.characters)

    def __repr__(self) -> str:
        return f"Charset({self.name!r}, {len(self):,} characters: {in_a_line(self.characters, 12)})"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"name": self.name, "characters": list(self.characters)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Charset:
        """From what `as_dict` gave, or a text of code points. Raises KeyError, TypeError or FastetlError else."""
        name, characters = values["name"], values["characters"]
        listed = isinstance(characters, str | list) and all(isinstance(c, str) for c in characters)
        if not (isinstance(name, str) and listed):
            raise TypeError("a charset is a name and its characters")
        return cls(name, tuple(characters))

    @cached_property
    def class_of(self) -> dict[str, int]:
        """Class of each character, which is in NFC."""
        return {c: k for k, c in enumerate(self.characters)}

    def merged(self, sizes: bool = False) -> NDArray[np.int64]:
        """int64 (len,): for each class the first class that is written alike; with `sizes`, in whatever size."""
        first: dict[str, int] = {}
        return np.array([first.setdefault(one_shape(c, sizes), k) for k, c in enumerate(self.characters)], np.int64)

    def columns_of(self, charset: Charset, file: Path) -> list[int]:
        """Classes of the characters of another charset, which compete alone.

        Raises FastetlError naming those that are not in this one, the charset of the network in `file`.
        """
        unknown = [c for c in charset.characters if c not in self.class_of]
        if unknown:
            raise FastetlError(
                "the network does not know these characters",
                file=file,
                expected=f"some of its {len(self):,}",
                found=in_a_line(unknown[:20]) + ("…" if len(unknown) > 20 else ""),
                do="choose another `charset`",
                also=ValueError,
            )
        return [self.class_of[c] for c in charset.characters]


def in_a_line(characters: Iterable[str], most: int | None = None) -> str:
    """Characters in a line to read, apart where one of them has several code points; the first `most` and how many."""
    listed = list(characters)
    shown = ("" if all(len(c) == 1 for c in listed) else " ").join(listed[:most])
    return shown if most is None or len(listed) <= most else f"{shown} … ({len(listed):,})"


_HIRAGANA = (
    "あいうえおかがきぎくぐけげこごさざしじすずせぜそぞただちぢつづてでとど"
    "なにぬねのはばぱひびぴふぶぷへべぺほぼぽまみむめもやゆよらりるれろわをん"
)
_KATAKANA = "".join(chr(ord(c) + 0x60) for c in _HIRAGANA)
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARKED = "がぎぐげござじずぜぞだぢづでどばびぶべぼぱぴぷぺぽ"


def _kanji(first: int, last: int) -> str:
    codes = (code for code in range(first, last + 1) if 0xA1 <= code & 0xFF <= 0xFE)
    return b"".join(code.to_bytes(2, "big") for code in codes).decode("euc_jp")


LEVEL_1, LEVEL_2 = _kanji(0xB0A1, 0xCFD3), _kanji(0xD0A1, 0xF4A6)
"""The kanji of JIS X 0208: 2,965 of level 1 by their readings, 3,390 of level 2 by their radicals."""
HIRAGANA = Charset("hiragana", tuple(_HIRAGANA))
"""The 71 hiragana that ETL8 and ETL9 hold, without small ones."""
HIRAGANA_SMALL = Charset("hiragana-small", tuple(sorted(_HIRAGANA + "っゃゅょ")))
"""The 75 hiragana that ETL8 holds: `HIRAGANA` with っゃゅょ."""
KATAKANA = Charset("katakana", tuple(_KATAKANA))
"""The 71 katakana that answer to `HIRAGANA`."""
KANA = Charset(
    "kana", (*sorted(_HIRAGANA + "ぁぃぅぇぉっゃゅょ"), *sorted(_KATAKANA + "ァィゥェォッャュョ"), "ヴ", "ー")
)
"""What kana words are written with today: hiragana and katakana with their small ones, ヴ and ー, 162 in all."""
HIRAGANA46 = Charset("hiragana46", tuple(c for c in _HIRAGANA if c not in _MARKED))
"""The 46 plain hiragana, あ to ん: what ETL4 and ETL7 hold of `HIRAGANA`."""
KATAKANA46 = Charset("katakana46", tuple(chr(ord(c) + 0x60) for c in HIRAGANA46.characters))
"""The 46 plain katakana, ア to ン: what ETL1, ETL5 and ETL6 hold of `KATAKANA`."""
DIGITS = Charset("digits", tuple("0123456789"))
LATIN = Charset("latin", tuple(_CAPITALS + _CAPITALS.lower()))
"""Capital and small letters, 52."""
CAPITALS = Charset("capitals", tuple(_CAPITALS))
"""Capital letters, 26: no set of the database has small ones."""
ETL9 = Charset("etl9", tuple(_HIRAGANA + LEVEL_1))
"""What ETL9 holds: `HIRAGANA` and the 2,965 kanji of JIS level 1."""
_EVERY_KANA = *map(chr, range(ord("ぁ"), ord("ん") + 1)), *map(chr, range(ord("ァ"), ord("ヶ") + 1))
_ITERATIONS = "々〆ゝゞヽヾ仝〇ー"
_PUNCTUATION = "、。・,.:;?!〜…()「」『』+-×÷=/%&@#*¥$"
JAPANESE = Charset(
    "japanese",
    (*_EVERY_KANA, *_ITERATIONS, *DIGITS.characters, *LATIN.characters, *_PUNCTUATION, *LEVEL_1, *LEVEL_2),
)
"""What Japanese is written with: all kana, marks of repetition, digits, Latin letters, common punctuation, and the
6,355 kanji of JIS levels 1 and 2."""

_NAMED = {
    c.name: c
    for c in (HIRAGANA, HIRAGANA46, HIRAGANA_SMALL, KATAKANA, KATAKANA46, KANA, DIGITS, CAPITALS, LATIN, ETL9, JAPANESE)
}
_OF_THE_DATA = ("kanji", "all")
NAMES = (*_NAMED, *_OF_THE_DATA)


def one_shape(character: str, sizes: bool = False) -> str:
    """The character that stands for all of its shape (`SHAPES`): へ for ヘ; with `sizes` also つ for っ, X for x."""
    if len(character) > 1:
        return character
    shape = character.translate(_ONE_SHAPE)
    return shape.translate(_ONE_SIZE).translate(_ONE_SHAPE) if sizes else shape


def named_or_file(name: str, present: Iterable[str] = ()) -> Charset:
    """A charset by name, or read from a UTF-8 text file: one entry a line, or single code points in one line.

    `kanji` and `all` mean what the data hold: the characters `present`, in their order.

    Raises FastetlError for an unknown name, an unreadable file, a character that appears twice or is none.
    """
    if name in _NAMED:
        return _NAMED[name]
    if name in _OF_THE_DATA:
        characters = tuple(c for c in dict.fromkeys(map(nfc, present)) if name == "all" or is_kanji(c))
        if not characters:
            raise FastetlError(f"charset {name!r}: the data hold no such characters", do="choose another `charset`")
        return Charset(name, characters)
    path = Path(name)
    if not path.is_file():
        raise FastetlError(
            f"no charset {name!r}",
            expected=f"one of {', '.join(NAMES)}, or a text file of characters",
            do="check `charset`",
        )
    return Charset(path.stem, read_entries(path))


def read_entries(path: Path) -> tuple[str, ...]:
    """The entries of a text file: one a line, or the code points of its only line. Raises FastetlError for none."""
    try:
        text = nfc(read_bytes(path, _FILE_BYTES).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FastetlError(
            "cannot read the charset", file=path, expected="UTF-8 text", found=error, do="save it as UTF-8"
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise FastetlError("the charset file is empty", file=path, expected="characters", do="list some")
    if len(lines) > 1:
        return tuple(lines)
    marks = [c for c in lines[0] if unicodedata.category(c)[0] == "M" or c in _JOINERS]
    if marks:
        raise FastetlError(
            "a character of several code points in a line of characters",
            file=path,
            expected="one entry a line",
            found=f"U+{ord(marks[0]):04X}, which belongs to the character before it",
            do="put each entry on a line of its own",
        )
    return tuple("".join(lines[0].split()))
