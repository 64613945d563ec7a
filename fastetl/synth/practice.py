"""What practice in pad and phone asks: each kana with its sound, a word where the sound is not enough, its strokes.

`python -m fastetl.synth.practice FILE.json` writes it as JSON:

source, license    of the strokes
box                side of the square in which strokes lie, y downwards
kana               a list in the order of the tables, each with
    character
    script         hiragana or katakana
    sound          Hepburn, as one would type it: "nu", "small tsu"
    word           a word with the character, where the sound alone leaves a choice (じ or ぢ, つ or っ), or ""
    romaji         the word in Hepburn, or ""
    meaning        what it means in English, or ""
    row, column    place in the table of its script, from 0, or null for what has none
    strokes        in writing order; each x0, y0, x1, y1, … in whole units of the box
"""

import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fastetl.data.charset import KANA
from fastetl.synth.strokes import load_strokes

BOX = 1000
SOURCE = "KanjiVG, © Ulrich Apel and contributors, https://kanjivg.tagaini.net"
LICENSE = "CC BY-SA 3.0"
_SPACING = 0.03  # of the box, between two points of a stroke

_ROWS = """
あ a い i う u え e お o
か ka き ki く ku け ke こ ko
さ sa し shi す su せ se そ so
た ta ち chi つ tsu て te と to
な na に ni ぬ nu ね ne の no
は ha ひ hi ふ fu へ he ほ ho
ま ma み mi む mu め me も mo
や ya - - ゆ yu - - よ yo
ら ra り ri る ru れ re ろ ro
わ wa - - - - - - を wo
ん n
が ga ぎ gi ぐ gu げ ge ご go
ざ za じ ji ず zu ぜ ze ぞ zo
だ da ぢ ji づ zu で de ど do
ば ba び bi ぶ bu べ be ぼ bo
ぱ pa ぴ pi ぷ pu ぺ pe ぽ po
ぁ small-a ぃ small-i ぅ small-u ぇ small-e ぉ small-o
ゃ small-ya - - ゅ small-yu - - ょ small-yo
っ small-tsu - - ゔ vu - - ー long
"""
_WORDS = """
つ つき tsuki moon / っ きって kitte stamp / を ほんを hon-o a book, as an object / じ じかん jikan time
ぢ はなぢ hanaji nosebleed / ず みず mizu water / づ つづき tsuzuki sequel / お おと oto sound / ゃ おちゃ ocha tea
や やま yama mountain / ゅ きゅうり kyūri cucumber / ゆ ゆき yuki snow / ょ きょう kyō today / よ よる yoru night
ぁ ふぁいと faito go for it / ぃ ふぃるむ firumu film / ぅ たとぅー tatū tattoo / ぇ かふぇ kafe café
ぉ ふぉと foto photo / あ あめ ame rain / い いぬ inu dog / う うみ umi sea / え えき eki station / ツ ツナ tsuna tuna
ッ コップ koppu cup / ヲ ヲタク otaku geek / ジ ラジオ rajio radio / ヂ チヂミ chijimi Korean pancake
ズ サイズ saizu size / ヅ カナヅチ kanazuchi hammer / オ オレンジ orenji orange / ャ キャベツ kyabetsu cabbage
ヤ タイヤ taiya tyre / ュ ニュース nyūsu news / ユ ユーロ yūro euro / ョ ショー shō show / ヨ ヨガ yoga yoga
ァ ソファ sofa sofa / ィ パーティー pātī party / ゥ タトゥー tatū tattoo / ェ カフェ kafe café / ォ フォーク fōku fork
ア アイス aisu ice cream / イ インク inku ink / ウ ウール ūru wool / エ エアコン eakon air conditioner
ー コーヒー kōhī coffee
"""
_TO_KATAKANA = ord("ア") - ord("あ")


@dataclass(frozen=True)
class Kana:
    """One character of the tables; the module says what the fields hold."""

    character: str
    script: str
    sound: str
    word: str
    romaji: str
    meaning: str
    row: int | None
    column: int | None


@cache
def kana() -> tuple[Kana, ...]:
    """Every character of charset `KANA`: hiragana, then katakana, in the order of their tables."""
    entries = (entry.split(maxsplit=3) for line in _WORDS.split("\n")[1:-1] for entry in line.split(" / "))
    words = {character: (word, romaji.replace("-", " "), meaning) for character, word, romaji, meaning in entries}
    listed = []
    for script, shift in (("hiragana", 0), ("katakana", _TO_KATAKANA)):
        for row, line in enumerate(_ROWS.split("\n")[1:-1]):
            cells = line.split()
            for column, (character, sound) in enumerate(zip(cells[::2], cells[1::2], strict=True)):
                if sound == "long":
                    character = character if script == "katakana" else "-"
                elif character != "-":
                    character = chr(ord(character) + shift)
                if character not in KANA.class_of:
                    continue
                sound = sound.replace("-", " ")
                listed.append(Kana(character, script, sound, *words.get(character, ("", "", "")), row, column))
    return tuple(listed)


def practice() -> dict[str, Any]:
    """The contents of the file. Raises FastetlError if the package kanjivg is missing."""
    listed = []
    for one in kana():
        strokes = [np.rint((s + 0.5) * BOX).astype(int).ravel().tolist() for s in load_strokes(one.character, _SPACING)]
        listed.append({**one.__dict__, "strokes": strokes})
    return {"source": SOURCE, "license": LICENSE, "box": BOX, "kana": listed}


def main() -> None:
    """Write the file named on the command line."""
    Path(sys.argv[1]).write_text(json.dumps(practice(), ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


if __name__ == "__main__":
    main()
