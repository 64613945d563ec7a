"""Between characters and the codes of JIS X 0208, by which records are selected."""

from functools import cache, lru_cache

import numpy as np

from fastetl.arrays import Int32s, Uint16s
from fastetl.data.charset import Charset, in_a_line
from fastetl.errors import ArgumentError

# JIS X 0208 → as people type: ASCII for full-width forms, ¥, the hyphen for the minus sign, Å for the ångström sign.
_TYPED = {0xFEE0 + code: code for code in range(0x21, 0x7F)} | {0xFFE5: 0xA5, 0x2212: ord("-"), 0x212B: 0xC5}
_FULL_WIDTH = {code: full for full, code in _TYPED.items()} | {ord("-"): 0x2212}


@cache
def jis_to_char(code: int) -> str | None:
    """The character of a JIS X 0208 code (two bytes, 0x2121–0x7e7e) in NFC, or None for a code without one.

    The code plus 0x8080 is EUC-JP. A full-width form of an ASCII character becomes ASCII; the yen sign is ¥ (U+00A5),
    never a backslash.
    """
    high, low = code >> 8, code & 0xFF
    if not (0x21 <= high <= 0x7E and 0x21 <= low <= 0x7E):
        return None
    try:
        character = bytes((high | 0x80, low | 0x80)).decode("euc_jp")
    except UnicodeDecodeError:
        return None
    return character.translate(_TYPED)


def assigned_codes() -> Uint16s:
    """uint16 (6879,), ascending: the codes of JIS X 0208 that `jis_to_char` knows. All are decoded at once."""
    cells = np.arange(0x21, 0x7F, dtype=np.uint16)
    codes = (cells[:, None] << 8 | cells).ravel()
    lines = np.stack([codes >> 8 | 0x80, codes & 0xFF | 0x80, np.full_like(codes, ord("\n"))], 1).astype(np.uint8)
    texts = lines.tobytes().decode("euc_jp", "replace").splitlines()
    return np.asarray(codes[[len(text) == 1 and text != "\ufffd" for text in texts]], np.uint16)


@cache
def char_to_jis(character: str) -> int | None:
    """The JIS X 0208 code of one character (full-width forms may be ASCII), or None if it is not in JIS X 0208."""
    try:
        data = character.translate(_FULL_WIDTH).encode("euc_jp")
    except UnicodeEncodeError:
        return None
    is_single = len(character) == 1 and len(data) == 2 and data[0] != 0x8E
    return ((data[0] & 0x7F) << 8 | (data[1] & 0x7F)) if is_single else None


def codes_of(charset: Charset) -> Uint16s:
    """uint16 (classes,): the JIS X 0208 code of each class, 0 for a character that is not in JIS X 0208.

    Raises FastetlError if two characters have one code, as A and its full-width form have.
    """
    codes = np.array([char_to_jis(c) or 0 for c in charset.characters], np.uint16)
    values, counts = np.unique(codes[codes > 0], return_counts=True)
    if len(values) < counts.sum():
        forms = [charset[k] for k in np.flatnonzero(np.isin(codes, values[counts > 1])).tolist()]
        what, expected = f"charset {charset.name!r} has several forms of one character", "one for each JIS code"
        raise ArgumentError(what, expected=expected, found=in_a_line(forms, 10), do="leave the others out")
    return codes


@lru_cache(8)
def class_of_code(charset: Charset) -> Int32s:
    """int32 (65536,): the class of each JIS X 0208 code, −1 for a code that is not in the charset."""
    classes = np.full(65536, -1, np.int32)
    codes = codes_of(charset)
    classes[codes[codes > 0]] = np.flatnonzero(codes)
    return classes
