"""Charsets by name and from files, and the codes of their characters."""

import json
from pathlib import Path

import numpy as np
import pytest

import export
from fastetl import load_charset, open_dataset
from fastetl.data.charset import HIRAGANA, JAPANESE, NAMES, SHAPES, Charset, is_kanji, one_shape
from fastetl.errors import ArgumentError, FastetlError
from fastetl.etl.jis import assigned_codes, char_to_jis, class_of_code, codes_of, jis_to_char

_OTHERS = "hiragana-small", "katakana", "katakana-small", "kana", "digits", "latin", "etl9"
HIRAGANA_SMALL, KATAKANA, KATAKANA_SMALL, KANA, DIGITS, LATIN, ETL9 = map(load_charset, _OTHERS)


def test_the_named_charsets() -> None:
    assert (len(HIRAGANA), HIRAGANA[0], [*HIRAGANA][-1], "亜" in HIRAGANA) == (71, "あ", "ん", False)
    assert list(codes_of(HIRAGANA)) == sorted(codes_of(HIRAGANA))
    assert set(HIRAGANA_SMALL.characters) - set(HIRAGANA.characters) == set("っゃゅょ")
    assert not set("ぁぃぅぇぉゎゐゑ") & set(HIRAGANA_SMALL.characters)
    kana = {chr(code) for code in (*range(0x3041, 0x3094), *range(0x30A1, 0x30F7))}
    assert [chr(ord(c) + 0x60) for c in HIRAGANA.characters] == list(KATAKANA.characters)
    small = set("ぁぃぅぇぉッャュョァィゥェォヴー")
    assert {*HIRAGANA_SMALL.characters, *KATAKANA.characters} | small == set(KANA.characters)
    assert len(KANA) == 71 + 9 + 71 + 9 + 2
    assert set(KATAKANA_SMALL) == {c for c in KANA if c > "ん"} == {*KATAKANA, *"ァィゥェォッャュョヴー"}
    assert "".join(DIGITS.characters) == "0123456789"
    assert (len(LATIN), LATIN.characters[0], LATIN.characters[-1]) == (52, "A", "z")
    assert len(ETL9) == 71 + 2965
    assert kana | set("々〆ゝゞヽヾ〇ー、。「」『』?!〜…") < set(JAPANESE.characters)
    assert set(KANA.characters + DIGITS.characters + LATIN.characters + ETL9.characters) < set(JAPANESE.characters)
    assert sum(map(is_kanji, JAPANESE.characters)) == 2965 + 3390 + 1  # 仝 stands among the marks
    assert [load_charset(n).name for n in NAMES[:-2]] == list(NAMES[:-2])
    assert all(codes_of(load_charset(name)).all() for name in NAMES[:-2])


def test_shape_classes_are_apart_and_sizes_merge_further() -> None:
    assert "".join(map(one_shape, "へべぺヘベペはハ")) == "へべぺへべぺはハ"
    assert len(set("".join(SHAPES))) == len("".join(SHAPES))
    pairs = {"ヘ": "へ", "一": "ー", "力": "カ", "口": "ロ", "リ": "り", "0": "O", "〇": "0"}
    sized = {"っ": "つ", "ヵ": "カ", "o": "0", "x": "X", "×": "X", "。": "0", "ゎ": "わ"}
    for sizes, alike in ((False, pairs), (True, sized)):
        first = JAPANESE.shape_classes(sizes)
        assert (first <= range(len(JAPANESE))).all()
        assert (first[first] == first).all()
        for a, b in alike.items():
            assert first[JAPANESE.class_of[a]] == first[JAPANESE.class_of[b]]
        assert first[JAPANESE.class_of["は"]] == JAPANESE.class_of["は"]
    assert len(set(JAPANESE.shape_classes(True).tolist())) < len(set(JAPANESE.shape_classes().tolist())) < len(JAPANESE)
    assert JAPANESE.shape_classes()[JAPANESE.class_of["っ"]] != JAPANESE.shape_classes()[JAPANESE.class_of["つ"]]
    assert HIRAGANA.shape_classes(True).tolist() == list(range(71))


def test_jis_and_back_for_the_whole_table() -> None:
    codes = [high << 8 | low for high in range(0x21, 0x7F) for low in range(0x21, 0x7F)]
    characters = {code: jis_to_char(code) for code in codes}
    known = {code: c for code, c in characters.items() if c is not None}
    assert len(known) == 6879  # JIS X 0208 has so many
    assert assigned_codes().tolist() == list(known)
    assert all(char_to_jis(c) == code for code, c in known.items())
    assert jis_to_char(0x2422) == "あ"
    assert jis_to_char(0x2021) is None
    assert char_to_jis("ｱ") is None  # half-width katakana is another table
    assert char_to_jis("😀") is None
    assert (jis_to_char(0x2337), char_to_jis("7"), char_to_jis("７")) == ("7", 0x2337, 0x2337)
    # 平 and 開 have `.HIRA` in their readings, を has not: only the code tells.
    classes = class_of_code(HIRAGANA)
    assert [int(classes[char_to_jis(c) or 0]) for c in "平開を"] == [-1, -1, HIRAGANA.class_of["を"]]


def test_kanji_and_all_are_what_is_found() -> None:
    present = ["あ", "亜", "愛", "あ"]
    assert load_charset("kanji", present).characters == ("亜", "愛")
    assert load_charset("all", present).characters == ("あ", "亜", "愛")
    assert load_charset(Path("pretrained")) == export.open_recognizer("pretrained").model_charset
    with pytest.raises(ArgumentError, match="charset 'kanji' has none of the data's characters; found あ"):
        load_charset("kanji", ["あ"])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("あいあ".encode(), "more than once"),
        ("あ\n亜 唖\n".encode(), "without white space"),
        ("が\nか\u3099\n".encode(), "more than once"),
        ("कक्ष".encode(), "one entry a line; found U\\+094D"),
        (b"a\na\x00b", "control codes"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b" \n", "empty"),
    ],
)
def test_bad_charset_files(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(FastetlError, match=f"^{path}.*{expected}"):
        load_charset(str(path))


def test_files_of_characters_and_unknown_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "vowels.txt"
    path.write_text("あ いう\n", encoding="utf-8")
    assert load_charset(str(path)) == Charset("vowels", ("あ", "い", "う"))
    assert load_charset(Path(export.__file__).with_name("pretrained") / "kana") == KANA
    np.savez(tmp_path / "few.npz", images=np.zeros((2, 8, 8), np.uint8), labels=["い", "あ"])
    assert load_charset(tmp_path / "few.npz") == Charset("few", ("あ", "い"))
    open_dataset(tmp_path / "few.npz").write(tmp_path / "kana")
    monkeypatch.chdir(tmp_path)
    assert [load_charset(name).characters for name in ("kana", "./kana")] == [KANA.characters, ("あ", "い")]
    assert load_charset(["う", "い", "あ"]) == Charset("own", ("う", "い", "あ"))
    for name in ("hirgana", "xyz" * 100, ""):
        with pytest.raises(FastetlError, match="expected one of hiragana.* the path of a dataset"):
            load_charset(name)
    path = path.with_name("mine.txt")
    path.write_text("क्ष\n\nU+D55C\n  spiral-left\nか\u3099\n", encoding="utf-8")
    charset = load_charset(str(path))
    assert charset == Charset("mine", ("क्ष", "한", "spiral-left", "が"))
    assert codes_of(charset).tolist() == [0, 0, 0, 0x242C]
    assert class_of_code(charset).max() == 3
    assert Charset.from_dict(json.loads(json.dumps(charset.as_dict()))) == charset
    assert repr(charset) == "Charset('mine', 4 characters: क्ष 한 spiral-left が)"
