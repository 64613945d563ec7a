"""The one label table: an ordered tuple of characters, keyed by code point.

A class is an index into it. Everything that carries labels (dataset, run, package, app) carries this
tuple, and nothing else in the project lists characters.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError
from fastetl.files.untrusted import read_bytes

__all__ = [
    "CAPITALS",
    "DIGITS",
    "ETL9",
    "HIRAGANA",
    "HIRAGANA46",
    "HIRAGANA_SMALL",
    "JAPANESE",
    "KANA",
    "KATAKANA",
    "KATAKANA46",
    "LARGE_FORM",
    "LATIN",
    "NAMES",
    "SHAPES",
    "SMALL_LETTERS",
    "Charset",
    "char_to_jis",
    "jis_to_char",
    "named_or_file",
    "one_shape",
]

_SMALL = "っゃゅょ"
_ABSENT = "ぁぃぅぇぉゎゐゑ"  # in row 4 of JIS X 0208, but not collected by ETL8 and ETL9
_SMALL_KATAKANA = "ァィゥェォッャュョ"
_RARE = "ヮヰヱヴヵヶ"  # of row 5
LARGE_FORM = dict(
    zip("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ", "あいうえおつやゆよわアイウエオツヤユヨワカケ", strict=True)
)
"""The kana that each small kana is the small form of."""
SHAPES = (
    *(
        "へヘ",
        "べベ",
        "ぺペ",
        "りリ",
        "ー一-",
        "ニ二=",
        "カ力",
        "ロ口囗",
        "タ夕",
        "エ工",
        "ハ八",
        "ト卜",
        "オ才",
        "ヒ匕",
    ),
    *("ム厶", "ヨ彐", "ノ丿/", "0O〇", "1lI丨", "X×", "十+", "、,丶", "ゝヽ", "ゞヾ", "・."),
)
"""Characters that are written alike: nothing but the text around them tells them apart. The first stands for all."""
SMALL_LETTERS = dict(zip("ckopsuvwxyz", "CKOPSUVWXYZ", strict=True)) | {"。": "O"}
"""What is told from a capital letter by its size and place alone, and that letter."""
_ONE_SHAPE = {ord(c): alike[0] for alike in SHAPES for c in alike}
_ONE_SIZE = {ord(small): large for small, large in (LARGE_FORM | SMALL_LETTERS).items()}
_FILE_BYTES = 1 << 20  # of a file that lists characters; JIS X 0208 has 6,879
# Full-width forms, the yen sign and the minus sign, which JIS X 0208 has instead of a hyphen.
_TYPED = {0xFEE0 + code: code for code in range(0x21, 0x7F)} | {0xFFE5: 0xA5, 0x2212: ord("-")}
_FULL_WIDTH = {code: full for full, code in _TYPED.items()} | {ord("-"): 0x2212}


@cache
def jis_to_char(code: int) -> str | None:
    """The character of a JIS X 0208 code (two bytes, 0x2121–0x7e7e), or None where the table has a hole.

    The code plus 0x8080 is EUC-JP. What ASCII has is ASCII's, as people type it, and not full-width; the yen sign
    is ¥ (U+00A5), never a backslash.
    """
    high, low = code >> 8, code & 0xFF
    if not (0x21 <= high <= 0x7E and 0x21 <= low <= 0x7E):
        return None
    try:
        found = bytes((high | 0x80, low | 0x80)).decode("euc_jp")
    except UnicodeDecodeError:
        return None
    return found.translate(_TYPED)


@cache
def char_to_jis(character: str) -> int | None:
    """The JIS X 0208 code of one character, or None if it is not in JIS X 0208; what ASCII has may be either form."""
    try:
        raw = character.translate(_FULL_WIDTH).encode("euc_jp")
    except UnicodeEncodeError:
        return None
    return ((raw[0] & 0x7F) << 8 | (raw[1] & 0x7F)) if len(raw) == 2 and raw[0] != 0x8E else None


@dataclass(frozen=True)
class Charset:
    """An ordered tuple of distinct characters; class k is `characters[k]`."""

    name: str
    characters: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.characters:
            raise FastetlError(f"charset {self.name!r} is empty", expected="characters", do="list some")
        if len(set(self.characters)) != len(self.characters):
            twice = sorted(c for c, count in Counter(self.characters).items() if count > 1)
            raise FastetlError(f"charset {self.name!r} lists {''.join(twice)!r} more than once", do="list each once")
        if any(len(c) != 1 for c in self.characters):
            raise FastetlError(f"charset {self.name!r}: every entry must be a single character", do="split the others")
        unseen = [c for c in self.characters if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
        if unseen:
            raise FastetlError(f"charset {self.name!r} has U+{ord(unseen[0]):04X}, which nobody writes", do="remove it")

    def __len__(self) -> int:
        return len(self.characters)

    def __repr__(self) -> str:
        shown = "".join(self.characters[:12]) + ("…" if len(self) > 12 else "")
        return f"Charset({self.name!r}, {len(self):,} characters: {shown})"

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {"name": self.name, "characters": "".join(self.characters)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Charset:
        """From what `as_dict` gave. Raises KeyError, TypeError or FastetlError for anything else."""
        name, characters = values["name"], values["characters"]
        if not (isinstance(name, str) and isinstance(characters, str)):
            raise TypeError("a charset is a name and its characters")
        return cls(name, tuple(characters))

    @cached_property
    def codes(self) -> NDArray[np.uint16]:
        """uint16 (len,): the JIS X 0208 code of each class; 0 for a character outside JIS X 0208."""
        return np.array([char_to_jis(c) or 0 for c in self.characters], np.uint16)

    @cached_property
    def class_of_code(self) -> NDArray[np.int32]:
        """int32 (65536,): class of each JIS code, -1 for a code that is not in the charset."""
        table = np.full(65536, -1, np.int32)
        for k, code in enumerate(self.codes.tolist()):
            if code:
                table[code] = k
        return table

    @cached_property
    def class_of(self) -> dict[str, int]:
        """Class of each character."""
        return {c: k for k, c in enumerate(self.characters)}

    def merged(self, sizes: bool = False) -> NDArray[np.int64]:
        """int64 (len,): for each class the first class that is written alike; with `sizes`, in whatever size."""
        first: dict[str, int] = {}
        return np.array([first.setdefault(one_shape(c, sizes), k) for k, c in enumerate(self.characters)], np.int64)


def _row(first: int, last: int, without: str = "") -> tuple[str, ...]:
    found = (jis_to_char(code) for code in range(first, last + 1))
    return tuple(c for c in found if c is not None and c not in without)


def is_kanji(code: int) -> bool:
    """Whether a JIS X 0208 code lies in the kanji rows (0x30–0x74)."""
    return 0x30 <= code >> 8 <= 0x74


HIRAGANA = Charset("hiragana", _row(0x2421, 0x2473, _ABSENT + _SMALL))
"""The 71 hiragana that ETL8 and ETL9 hold, without small ones."""
HIRAGANA_SMALL = Charset("hiragana-small", _row(0x2421, 0x2473, _ABSENT))
"""The 75 hiragana that ETL8 holds: `HIRAGANA` with っゃゅょ."""
KATAKANA = Charset("katakana", _row(0x2521, 0x2576, _SMALL_KATAKANA + _RARE))
"""The 71 katakana that answer to `HIRAGANA`."""
KANA = Charset("kana", (*_row(0x2421, 0x2473, "ゎゐゑ"), *_row(0x2521, 0x2576, "ヮヰヱヵヶ"), "ー"))
"""What kana words are written with today: hiragana and katakana with their small ones, ヴ and ー, 162 in all."""
_MARKED = "がぎぐげござじずぜぞだぢづでどばびぶべぼぱぴぷぺぽ"
HIRAGANA46 = Charset("hiragana46", tuple(c for c in HIRAGANA.characters if c not in _MARKED))
"""The 46 plain hiragana, あ to ん: what ETL4 and ETL7 hold of `HIRAGANA`."""
KATAKANA46 = Charset("katakana46", tuple(chr(ord(c) + 0x60) for c in HIRAGANA46.characters))
"""The 46 plain katakana, ア to ン: what ETL1, ETL5 and ETL6 hold of `KATAKANA`."""
DIGITS = Charset("digits", _row(0x2330, 0x2339))
LATIN = Charset("latin", _row(0x2341, 0x237A))
"""Capital and small letters, 52."""
CAPITALS = Charset("capitals", _row(0x2341, 0x235A))
"""Capital letters, 26: no set of the database has small ones."""
ETL9 = Charset("etl9", (*HIRAGANA.characters, *_row(0x3021, 0x4F53)))
"""What ETL9 holds: `HIRAGANA` and the 2,965 kanji of JIS level 1."""
_ITERATIONS = "々〆ゝゞヽヾ仝〇ー"
_PUNCTUATION = "、。・,.:;?!〜…()「」『』+-×÷=/%&@#*¥$"
JAPANESE = Charset(
    "japanese",
    (
        *(*_row(0x2421, 0x2473), *_row(0x2521, 0x2576), *_ITERATIONS),
        *(*DIGITS.characters, *LATIN.characters, *_PUNCTUATION),
        *(*_row(0x3021, 0x4F53), *_row(0x5021, 0x7426)),
    ),
)
"""What Japanese is written with: all kana, marks of repetition, digits, Latin letters, common punctuation, and the
6,355 kanji of JIS levels 1 and 2."""

_NAMED = {
    c.name: c
    for c in (HIRAGANA, HIRAGANA46, HIRAGANA_SMALL, KATAKANA, KATAKANA46, KANA, DIGITS, CAPITALS, LATIN, ETL9, JAPANESE)
}
_FOUND = ("kanji", "all")
NAMES = (*_NAMED, *_FOUND)


def one_shape(character: str, sizes: bool = False) -> str:
    """The character that stands for all of its shape (`SHAPES`): へ for ヘ; with `sizes` also つ for っ, X for x."""
    shape = character.translate(_ONE_SHAPE)
    return shape.translate(_ONE_SIZE).translate(_ONE_SHAPE) if sizes else shape


def named_or_file(name: str, found: Iterable[int] = ()) -> Charset:
    """A charset by name, or read from a UTF-8 text file of characters (white space ignored).

    `kanji` and `all` mean what the data hold: `found` gives the JIS codes seen there.

    Raises FastetlError for an unknown name, an unreadable file, a character that appears twice or is not in
    JIS X 0208.
    """
    if name in _NAMED:
        return _NAMED[name]
    if name in _FOUND:
        codes = sorted({c for c in found if name == "all" or is_kanji(c)})
        characters = tuple(c for c in map(jis_to_char, codes) if c is not None)
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
    try:
        text = read_bytes(path, _FILE_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FastetlError(
            "cannot read the charset", file=path, expected="UTF-8 text", found=error, do="save it as UTF-8"
        ) from error
    characters = tuple("".join(text.split()))
    if not characters:
        raise FastetlError("the charset file is empty", file=path, expected="characters", do="list some")
    outside = [c for c in characters if char_to_jis(c) is None]
    if outside:
        raise FastetlError(
            "the charset has a character that no record can have",
            file=path,
            offset=text.index(outside[0]),
            expected="characters of JIS X 0208",
            found=f"{outside[0]!r} (U+{ord(outside[0]):04X})",
            do="remove it",
        )
    return Charset(path.stem, characters)
