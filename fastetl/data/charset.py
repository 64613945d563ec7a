"""Charsets: ordered tuples of characters, each a string of one or several code points.

A class is an index into such a tuple. Dataset, run, package and app all have the same one. Text is compared in
Unicode's normal form C.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import require_instance, suggestion, unsuitable
from fastetl.errors import ArgumentError, FastetlError, StrPath, errors_about, expecting
from fastetl.files.untrusted import TEXT_BYTES, read_bytes

MAX_CODE_POINTS = 32  # most code points of one character
_MAX_CHARACTERS = 1 << 16  # labels of datasets are uint16
_SMALL_KANA = "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ"
LARGE_FORM = dict(zip(_SMALL_KANA, "あいうえおつやゆよわアイウエオツヤユヨワカケ", strict=True))
"""For each small kana, the large one of the same shape."""
SHAPES = (
    *("へヘ", "べベ", "ぺペ", "りリ", "ー一-", "ニ二=", "カ力", "ロ口囗", "タ夕", "エ工", "ハ八", "ト卜", "オ才"),
    *("ヒ匕", "ム厶", "ヨ彐", "ノ丿/", "0O〇", "1lI丨", "X×", "十+", "、,丶", "ゝヽ", "ゞヾ", "・."),
)
"""Groups of characters of one shape, which only the text around them distinguishes. The first represents the group."""
SMALL_LETTERS = dict(zip("ckopsuvwxyz", "CKOPSUVWXYZ", strict=True)) | {"。": "O"}
"""Signs that differ from a capital letter only by size and position, each with that letter."""
_TO_ONE_SHAPE = {ord(c): group[0] for group in SHAPES for c in group}
_TO_ONE_SIZE = {ord(small): large for small, large in (LARGE_FORM | SMALL_LETTERS).items()}
Characters = StrPath | Sequence[str]
"""What `load_charset` takes: a name, a path, or characters."""
_CODE_POINTS = re.compile(r"U\+[0-9A-Fa-f]{4,6}(-U\+[0-9A-Fa-f]{4,6})*")
_JOINERS = "\u200c\u200d"  # invisible, but allowed within a character
_PRIVATE_USE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")  # of fonts of invented scripts


def nfc(text: str) -> str:
    """Text in Unicode's normal form C, in which が is always one code point."""
    return unicodedata.normalize("NFC", text)


def is_character(text: str) -> bool:
    """Whether a charset may contain `text`: 1 to `MAX_CODE_POINTS` code points, visible, without white space."""
    bare_text = "".join(c for c in text if c not in _JOINERS)
    return 0 < len(text) <= MAX_CODE_POINTS and bare_text != "" and is_visible(bare_text)


def is_visible(text: str) -> bool:
    """Whether a text has neither white space nor invisible code points."""
    return _PRIVATE_USE.sub("", text).isprintable() and " " not in text


def is_kanji(character: str) -> bool:
    """Whether a character is in Unicode's first block of CJK ideographs, as all kanji of JIS X 0208 are."""
    return len(character) == 1 and "一" <= character <= "鿿"


def script_of(character: str) -> str:
    """hiragana, katakana, kanji, latin, digit, sign, or the first word of the Unicode name: hangul, devanagari."""
    category, name = unicodedata.category(character[0]), unicodedata.name(character[0], "sign")
    script = name.partition(" ")[0].partition("-")[0].lower()  # ー is KATAKANA-HIRAGANA PROLONGED SOUND MARK
    return {"cjk": "kanji", "ideographic": "kanji"}.get(script, script) if category[0] in "LN" else "sign"


SCRIPTS = ("hiragana", "katakana", "kanji", "digit", "latin", "sign")
"""The scripts of charset `japanese`, as `script_of` names them."""


@dataclass(frozen=True)
class Charset(Sequence[str]):
    """An ordered tuple of distinct characters in NFC, and a sequence of them; class k is `characters[k]`."""

    name: str
    characters: tuple[str, ...]

    def __post_init__(self) -> None:
        characters = tuple(self.characters) if isinstance(self.characters, Sequence) else (self.characters,)
        if not all(isinstance(text, str) for text in (self.name, *characters)):
            raise unsuitable("charset", "a name and a sequence of texts", (self.name, *characters[:3]))
        object.__setattr__(self, "characters", characters)
        if not 0 < len(characters) <= _MAX_CHARACTERS:
            what, expected = f"charset {self.name!r} has an unsuitable length", f"1 to {_MAX_CHARACTERS:,} characters"
            raise ArgumentError(what, expected=expected, found=f"{len(characters):,}", do="list those that you need")
        text = "".join(self.characters)
        if tuple(text) == self.characters and len(set(text)) == len(text) and is_visible(text) and nfc(text) == text:
            return  # thousands of single characters, checked together at each start
        object.__setattr__(self, "characters", tuple(map(nfc, self.characters)))
        if len(set(self.characters)) != len(self.characters):
            texts = sorted(c for c, count in Counter(self.characters).items() if count > 1)
            raise ArgumentError(f"charset {self.name!r} lists {' '.join(texts)!r} more than once", do="list each once")
        for number, character in enumerate(self.characters):
            if not is_character(character):
                expected = f"1 to {MAX_CODE_POINTS} code points without white space and control codes"
                found = f"{character[:40]!r} {' '.join(f'U+{ord(c):04X}' for c in character[:8])}".strip()
                what = f"charset {self.name!r}: entry {number + 1} is not a character"
                raise ArgumentError(what, expected=expected, found=found, do="correct it")

    def __len__(self) -> int:
        return len(self.characters)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self.characters[index]

    def __repr__(self) -> str:
        return f"Charset({self.name!r}, {len(self):,} characters: {in_a_line(self.characters, 12)})"

    def as_dict(self) -> dict[str, Any]:
        """The name and the characters, for JSON."""
        return {"name": self.name, "characters": list(self.characters)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The charset that `as_dict` described. Raises KeyError, TypeError or FastetlError for other values."""
        return cls(values["name"], values["characters"])

    @cached_property
    def class_of(self) -> dict[str, int]:
        """The class of each character. Keys are in NFC."""
        return {c: k for k, c in enumerate(self.characters)}

    @cache  # noqa: B019 - charsets are few, and of 6,625 characters it takes as long as to read a picture
    def shape_classes(self, sizes: bool = False) -> NDArray[np.int64]:
        """int64 (characters,), read-only: the first class that looks like each (ヘ like へ; with `sizes` also つ)."""
        first: dict[str, int] = {}
        classes = np.array([first.setdefault(one_shape(c, sizes), k) for k, c in enumerate(self.characters)], np.int64)
        classes.setflags(write=False)
        return classes

    def columns_of(self, charset: "Charset", file: Path) -> list[int]:
        """The class here of each character of `charset`. Raises an ArgumentError about `file` if one is missing."""
        unknowns = [c for c in charset.characters if c not in self.class_of]
        if unknowns:
            what, do = "the network does not know these characters", "choose another `charset`"
            expected, found = f"some of its {len(self):,}", in_a_line(unknowns, 20)
            raise ArgumentError(what, file=file, expected=expected, found=found, do=do)
        return [self.class_of[c] for c in charset.characters]


def in_a_line(characters: Iterable[str], limit: int | None = None) -> str:
    """Characters as one text, with spaces if one has several code points; cut after `limit`, with the count."""
    texts = list(characters)
    line = ("" if all(len(text) == 1 for text in texts) else " ").join(texts[:limit])
    return line if limit is None or len(texts) <= limit else f"{line} … ({len(texts):,})"


_HIRAGANA = (
    "あいうえおかがきぎくぐけげこごさざしじすずせぜそぞただちぢつづてでとど"
    "なにぬねのはばぱひびぴふぶぷへべぺほぼぽまみむめもやゆよらりるれろわをん"
)
_KATAKANA = "".join(chr(ord(c) + 0x60) for c in _HIRAGANA)
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HIRAGANA_WITH_MARKS = "がぎぐげござじずぜぞだぢづでどばびぶべぼぱぴぷぺぽ"


def _kanji(first: int, last: int) -> str:
    codes = (code for code in range(first, last + 1) if 0xA1 <= code & 0xFF <= 0xFE)
    return b"".join(code.to_bytes(2, "big") for code in codes).decode("euc_jp")


LEVEL_1, LEVEL_2 = _kanji(0xB0A1, 0xCFD3), _kanji(0xD0A1, 0xF4A6)
"""The kanji of JIS X 0208: 2,965 of level 1, ordered by reading, and 3,390 of level 2, ordered by radical."""
HIRAGANA = Charset("hiragana", tuple(_HIRAGANA))
"""The 71 hiragana that ETL8 and ETL9 hold, without small ones."""
HIRAGANA_SMALL = Charset("hiragana-small", tuple(sorted(_HIRAGANA + "っゃゅょ")))
"""The 75 hiragana that ETL8 holds: `HIRAGANA` with っゃゅょ."""
KATAKANA = Charset("katakana", tuple(_KATAKANA))
"""The 71 katakana of the same sounds as `HIRAGANA`."""
KATAKANA_SMALL = Charset("katakana-small", (*sorted(_KATAKANA + "ァィゥェォッャュョ"), "ヴ", "ー"))
"""The 82 katakana of `KANA`."""
KANA = Charset("kana", (*sorted(_HIRAGANA + "ぁぃぅぇぉっゃゅょ"), *KATAKANA_SMALL.characters))
"""The 162 kana of today's Japanese: hiragana and katakana with their small forms, ヴ and ー."""
HIRAGANA46 = Charset("hiragana46", tuple(c for c in _HIRAGANA if c not in _HIRAGANA_WITH_MARKS))
"""The 46 hiragana without marks, あ to ん, which ETL4 and ETL7 hold."""
KATAKANA46 = Charset("katakana46", tuple(chr(ord(c) + 0x60) for c in HIRAGANA46.characters))
"""The 46 katakana without marks, ア to ン, which ETL1, ETL5 and ETL6 hold."""
DIGITS = Charset("digits", tuple("0123456789"))
LATIN = Charset("latin", tuple(_CAPITALS + _CAPITALS.lower()))
"""The 26 capital and 26 small Latin letters."""
CAPITALS = Charset("capitals", tuple(_CAPITALS))
"""The 26 capital Latin letters. The ETL database has no small ones."""
ETL9 = Charset("etl9", tuple(_HIRAGANA + LEVEL_1))
"""The characters of ETL9: `HIRAGANA` and the 2,965 kanji of JIS level 1."""
_EVERY_KANA = *map(chr, range(ord("ぁ"), ord("ん") + 1)), *map(chr, range(ord("ァ"), ord("ヶ") + 1))
_ITERATION_MARKS = "々〆ゝゞヽヾ仝〇ー"
_PUNCTUATION = "、。・,.:;?!〜…()「」『』+-×÷=/%&@#*¥$"
_ALPHANUMERIC = *DIGITS.characters, *LATIN.characters
JAPANESE = Charset("japanese", (*_EVERY_KANA, *_ITERATION_MARKS, *_ALPHANUMERIC, *_PUNCTUATION, *LEVEL_1, *LEVEL_2))
"""The 6,625 characters of Japanese text: all kana, iteration marks, digits, Latin letters, common punctuation, and the
6,355 kanji of JIS levels 1 and 2."""

_KANA_CHARSETS = HIRAGANA, HIRAGANA46, HIRAGANA_SMALL, KATAKANA, KATAKANA46, KATAKANA_SMALL, KANA
CHARSETS_BY_NAME = {c.name: c for c in (*_KANA_CHARSETS, DIGITS, CAPITALS, LATIN, ETL9, JAPANESE)}
"""The charsets that have a name and do not depend on data."""
_NAMES_BY_DATA = ("kanji", "all")
NAMES = (*CHARSETS_BY_NAME, *_NAMES_BY_DATA)
PRETRAINED = "pretrained"
"""Stands for the network that comes with fastetl, and for its charset, `JAPANESE`."""


def one_shape(character: str, sizes: bool = False) -> str:
    """The character that represents a character's shape (`SHAPES`): へ for ヘ; with `sizes` also つ for っ, X for x."""
    if len(character) > 1:
        return character
    shape = character.translate(_TO_ONE_SHAPE)
    return shape.translate(_TO_ONE_SIZE).translate(_TO_ONE_SHAPE) if sizes else shape


def named_charset(name: Characters, present: Iterable[str] = (), others: str = "") -> Charset:
    """A charset by its name, of a text file or of characters, as `fastetl.load_charset` gives it.

    others: what else the caller takes, for the error.
    """
    expected = f"one of {', '.join(NAMES)}, a text file{others}; in Python also a list"
    require_instance("charset", name, str | os.PathLike | Sequence, expected)  # a set has no order
    if not isinstance(name, str | os.PathLike):
        return name if isinstance(name, Charset) else Charset("own", tuple(name))
    name = JAPANESE.name if os.fspath(name) == PRETRAINED else os.fspath(name)
    if name in CHARSETS_BY_NAME:
        return CHARSETS_BY_NAME[name]
    if name in _NAMES_BY_DATA:
        present = tuple(dict.fromkeys(map(nfc, present)))
        characters = present if name == "all" else tuple(filter(is_kanji, present))
        if not characters:
            what, found = f"charset {name!r} has none of the data's characters", in_a_line(present, 10) or "no data"
            raise ArgumentError(what, found=found, do="choose another `charset`, or other data")
        return Charset(name, characters)
    path = Path(name)
    if os.path.isfile(path):  # noqa: PTH113 - `Path.is_file` raises OSError for a text that is no path
        with errors_about(path):
            return Charset(path.stem, read_entries(path))
    raise ArgumentError(f"no charset {name[:40]!r}", expected=expected, do=suggestion(name, NAMES) or "write a file")


def spelled_by_codes(text: str) -> str:
    """The character that code points such as U+3042 or U+0915-U+094D spell, "" where there is none; or the text."""
    if not _CODE_POINTS.fullmatch(text):
        return text
    code_points = [int(code[2:], 16) for code in text.split("-")]
    return "".join(map(chr, code_points)) if max(code_points) < 0x110000 else ""


def read_entries(path: Path, *, are_labels: bool = False) -> tuple[str, ...]:
    """The lines of a text file, characters or their code points; or the code points of its only line.

    Raises FastetlError if it has none, or, where its lines are the names of labels 0, 1, …, if one is empty.
    """
    with expecting("UTF-8 text", path, "cannot read the charset", do="save it as UTF-8, or name a dataset or run"):
        text = nfc(read_bytes(path, TEXT_BYTES).decode("utf-8-sig"))
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if are_labels and "" in lines:
        expected, found = "a character on each line", f"none on line {lines.index('') + 1}"
        raise FastetlError("a label without a name", file=path, expected=expected, found=found, do="write one there")
    lines = list(filter(None, lines))
    if not lines:
        raise FastetlError("the charset file is empty", file=path, expected="characters", do="list some")
    if len(lines) > 1 or _CODE_POINTS.fullmatch(lines[0]):
        return tuple(map(spelled_by_codes, lines))
    marks = [c for c in lines[0] if unicodedata.category(c)[0] == "M" or c in _JOINERS]
    if marks:
        what, do = "a character of several code points in a line of characters", "put each entry on a line of its own"
        found = f"U+{ord(marks[0]):04X}, which belongs to the character before it"
        raise FastetlError(what, file=path, expected="one entry a line", found=found, do=do)
    return tuple("".join(lines[0].split()))
