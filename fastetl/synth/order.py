"""What stands where in an ETL8G data set: 956 characters in their order, and their misleading readings.

The order is the genuine one where it is known: ten sheets of 96, the hiragana in JIS order at every fifteenth
place of a sheet, small kana in the places given in `_SMALL`, を and ん near the end, 平 at 82 and 開 at 869. Which
of the other kanji stands in which place was not to be had: here they follow each other in JIS order.
"""

from __future__ import annotations

from functools import cache

from fastetl.charset import HIRAGANA, char_to_jis

__all__ = ["KANJI", "ORDER", "SHEET", "readings"]

SHEET = 96
"""Characters on a sheet; a writer fills ten, the last one not wholly."""

# The kanji of ETL8 are the 881 kyōiku kanji of 1948 (当用漢字別表; the list of the school years of 1958 has the same
# characters). Source: Japanese Wikipedia, 学年別漢字配当表 (1958-1967), through the package kanji-lists 0.2.0;
# checked: 46 + 105 + 187 + 205 + 194 + 144 characters, and the list of 1977 is this one with 115 more and 灯 for 燈.
KANJI = (
    "愛悪圧安暗案以位囲委意易異移胃衣遺医育一壱印員因引飲院右雨運雲営栄永泳英衛液益駅円園延演遠塩央往応横王黄億屋恩温音下化仮何価加可夏家科果歌河火花荷課貨過我画芽賀会解回快改械海界絵開"
    "階貝外害各拡格確覚角革学楽額活株寒刊勧完官幹感慣歓漢管観間関館岸眼岩顔願喜器基寄希旗期機帰気汽季紀規記貴起技疑義議客逆久休宮急救求球究級給旧牛去居挙許漁魚京供競共協境強教橋興鏡業局"
    "曲極玉勤均禁近金銀九句区苦具空君訓群軍郡係兄型形敬景系経計軽芸欠決潔結血月件健兼券建憲検権犬研絹県見険験元原厳減現言限個古固己庫戸故湖五午後語誤護交候光公功効厚口向后孝工幸広康校構"
    "港皇耕考航行講鉱高号合告国穀黒今根混左差査再最妻才採済災祭細菜際在材罪財坂作昨策刷察殺雑三参山散産算蚕賛酸残仕使司史四士始姉子市師志思指支止死氏私糸紙至視詞詩試資歯事似児字寺持時次"
    "治示耳自辞式識七失室質実舎写社者謝車借釈弱主取守手種酒首受授需収周宗就州修拾秋終習衆週集住十従重宿祝出術述春準純順処初所暑書諸助女序除勝商唱小少承招昭消焼照省称章証象賞上乗場常情条"
    "状植織職色食信心新森深申真神臣親身進人仁図推水数世是制勢性成政整星晴正清生精聖声製西誠青静税席石積績責赤切接折設節説雪絶舌先千宣専川戦浅線船選銭前善然全祖素組創倉想早争相総草走送像"
    "増蔵造側則息測足速俗属族続卒存孫尊損村他多太打体対帯待態貸退隊代台大第題達谷単炭短団断男談知地池置築竹茶着中忠昼柱注虫著貯丁帳張朝町腸調長鳥直賃追通低停定底庭弟提程敵的適鉄典天展店"
    "転点伝田電徒登都努度土党冬刀島投東湯燈当等答統討頭働動同堂導童道銅得徳特毒独読届内南難二弐肉日入任認熱年念燃納能農波派破馬拝敗配倍買売博白麦畑八発判半反板版犯飯番否悲比皮肥費非飛備"
    "美鼻必筆百俵標氷票表評病秒品貧不付夫婦富布府父負武部風副復服福複仏物分奮粉文聞兵平陛米別変編辺返便勉弁保歩補墓母包報放方法豊暴望貿防北牧本妹毎末万満味未脈民務無名命明盟迷鳴綿面毛木"
    "目問門夜野役約薬訳油輸勇友有由遊夕予余預容曜様洋用葉要陽養欲浴来落利理里陸律率立略流留旅両料良量領力緑林臨輪類令例冷礼歴列練連路労老六録論和話"
)

_SMALL = {"ゃ": 97, "ゅ": 238, "ょ": 378, "っ": 495}
_KANJI_AT = {"平": 82, "開": 869}
_LAST = {"を": 950, "ん": 955}

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


def _order() -> tuple[str, ...]:
    places = {place: c for c, place in {**_SMALL, **_KANJI_AT, **_LAST}.items()}
    for k, c in enumerate(HIRAGANA.characters[: -len(_LAST)]):
        place = SHEET * (k // 7) + 15 * (k % 7)
        # ょ and っ stand where the regular place of ち and に would be; those move aside by one.
        places[place - 1 if place in places else place] = c
    rest = iter(c for c in KANJI if c not in _KANJI_AT)
    return tuple(places[k] if k in places else next(rest) for k in range(len(KANJI) + len(HIRAGANA) + len(_SMALL)))


ORDER = _order()


@cache
def readings() -> tuple[bytes, ...]:
    """The eight bytes of reading of each record, padded with blanks; they select the wrong records, as real ones do.

    KanjiVG knows no readings, so that the other kanji carry their JIS code ("KAN.3026").
    """
    made = (_MISLEADING.get(c) or (f"{_READ[c]}.HIRA" if c in _READ else f"KAN.{char_to_jis(c):04X}") for c in ORDER)
    return tuple(r.encode("ascii").ljust(8) for r in made)
