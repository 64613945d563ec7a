"""What practice asks."""

import numpy as np

from fastetl.data.charset import KANA
from fastetl.synth.practice import BOX, kana, practice_data


def test_every_kana_is_asked_for_once_and_by_a_prompt_of_its_own() -> None:
    listed = kana()
    assert sorted(k.character for k in listed) == sorted(KANA.characters)
    prompts = {(k.script, k.sound, k.word) for k in listed}
    assert len(prompts) == len(listed)
    assert len({(k.script, k.row, k.column) for k in listed}) == len(listed)
    by_sound = {k.character: k.sound for k in listed}
    assert [by_sound[c] for c in "しチヌっーヴ"] == ["shi", "chi", "nu", "small tsu", "long", "vu"]
    assert all(k.character in k.word and k.meaning for k in listed if k.word)


def test_the_strokes_lie_in_the_box() -> None:
    read = practice_data()
    assert "KanjiVG" in read["source"]
    counts = {k["character"]: len(k["strokes"]) for k in read["kana"]}
    assert [counts[c] for c in "あぬほシー"] == [3, 2, 4, 3, 1]
    every = np.concatenate([stroke for k in read["kana"] for stroke in k["strokes"]])
    assert every.min() > 0
    assert every.max() < BOX
    assert all(len(stroke) % 2 == 0 for k in read["kana"] for stroke in k["strokes"])
