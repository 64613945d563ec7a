"""The one label table: an ordered tuple of characters, keyed by code point.

A class is an index into it. Everything that carries labels (dataset, run, package, app) carries this
tuple, and nothing else in the project lists characters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError, message

__all__ = ["HIRAGANA", "HIRAGANA_SMALL", "NAMES", "Charset", "char_to_jis", "jis_to_char", "named_or_file"]

NAMES = ("hiragana", "hiragana-small", "kanji", "all")
_SMALL = "っゃゅょ"
_ABSENT = "ぁぃぅぇぉゎゐゑ"  # in row 4 of JIS X 0208, but not collected by ETL8 and ETL9


@cache
def jis_to_char(code: int) -> str | None:
    """The character of a JIS X 0208 code (two bytes, 0x2121–0x7e7e), or None where the table has a hole.

    The code plus 0x8080 is EUC-JP.
    """
    high, low = code >> 8, code & 0xFF
    if not (0x21 <= high <= 0x7E and 0x21 <= low <= 0x7E):
        return None
    try:
        return bytes((high | 0x80, low | 0x80)).decode("euc_jp")
    except UnicodeDecodeError:
        return None


@cache
def char_to_jis(character: str) -> int | None:
    """The JIS X 0208 code of one character, or None if it is not in JIS X 0208."""
    try:
        raw = character.encode("euc_jp")
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
            raise FastetlError(f"charset {self.name!r} is empty. Give at least two characters")
        if len(set(self.characters)) != len(self.characters):
            twice = sorted({c for c in self.characters if self.characters.count(c) > 1})
            raise FastetlError(f"charset {self.name!r} lists {''.join(twice)!r} more than once. List each once")
        if any(len(c) != 1 for c in self.characters):
            raise FastetlError(f"charset {self.name!r}: every entry must be a single character")

    def __len__(self) -> int:
        return len(self.characters)

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


def _hiragana(without: str) -> tuple[str, ...]:
    row = (jis_to_char(code) for code in range(0x2421, 0x2474))
    return tuple(c for c in row if c is not None and c not in without)


HIRAGANA = Charset("hiragana", _hiragana(_ABSENT + _SMALL))
HIRAGANA_SMALL = Charset("hiragana-small", _hiragana(_ABSENT))


def is_kanji(code: int) -> bool:
    """Whether a JIS X 0208 code lies in the kanji rows (0x30–0x74)."""
    return 0x30 <= code >> 8 <= 0x74


def named_or_file(name: str, found: Iterable[int] = ()) -> Charset:
    """A charset by name, or read from a UTF-8 text file of characters (white space ignored).

    `kanji` and `all` mean what the data hold: `found` gives the JIS codes seen there.

    Raises FastetlError for an unknown name, an unreadable file, a character that appears twice or is not in
    JIS X 0208.
    """
    if name == "hiragana":
        return HIRAGANA
    if name == "hiragana-small":
        return HIRAGANA_SMALL
    if name in ("kanji", "all"):
        codes = sorted({c for c in found if name == "all" or is_kanji(c)})
        characters = tuple(c for c in map(jis_to_char, codes) if c is not None)
        if not characters:
            raise FastetlError(f"charset {name!r}: the data hold no such characters. Choose another --charset")
        return Charset(name, characters)
    path = Path(name)
    if not path.is_file():
        raise FastetlError(
            message(
                f"no charset {name!r}",
                expected=f"one of {', '.join(NAMES)}, or a text file of characters",
                do="check --charset",
            )
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FastetlError(
            message("cannot read the charset", file=path, expected="UTF-8 text", found=error, do="save it as UTF-8")
        ) from error
    characters = tuple("".join(text.split()))
    if not characters:
        raise FastetlError(message("the charset file is empty", file=path, expected="characters", do="list some"))
    outside = [c for c in characters if char_to_jis(c) is None]
    if outside:
        raise FastetlError(
            message(
                "the charset has a character that no record can have",
                file=path,
                offset=text.index(outside[0]),
                expected="characters of JIS X 0208",
                found=f"{outside[0]!r} (U+{ord(outside[0]):04X})",
                do="remove it",
            )
        )
    return Charset(path.stem, characters)
