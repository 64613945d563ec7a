"""In which order the characters of a data set follow one another in ETL8G, ETL9G and ETL9B.

Sources: AIST's pages and INFO files give the sheets; the places were read off public lists of decoded genuine files.
Both orders are the kanji in JIS order, dealt to the sheets, with the hiragana put in between at given places.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastetl.data.charset import ETL9, HIRAGANA, HIRAGANA_SMALL

__all__ = ["ETL8B2_ORDER", "ETL8G_ORDER", "ETL8G_SHEETS", "ETL8_KANJI", "ETL9G_ORDER", "ETL9G_SHEETS"]

ETL8G_SHEETS = (96, 96, 96, 96, 95, 96, 95, 95, 95, 96)
"""Characters on each of the ten sheets of a data set."""
ETL9G_SHEETS = (*[152] * 16, *[151] * 4)
"""Characters on each of the twenty sheets of a data set."""

_EVERY = (0, 15, 30, 45, 60, 75, 90)
_MORE = {1: (1,), 2: (46,), 3: (89,), 5: (16,), 9: (95,)}  # beside every fifteenth place of the sheet
_ETL8_HIRAGANA = (
    "あいうえおかがきゃぎくぐけげこごさざしゅじすずせぜそぞただちょぢつづてでとどなにっぬねのはばぱひびぴふぶぷ"
    "へべぺほぼぽまみむめもやゆよらりるれろわをん"
)

# The 881 kanji of ETL8 in JIS order, as two public tables of decoded genuine files have them: the kyōiku kanji of
# 1948 with 依 and 幅 where that list has 衣 and 副.
ETL8_KANJI = (
    "愛悪圧安暗案以位依囲委意易異移胃遺医育一壱印員因引飲院右雨運雲営栄永泳英衛液益駅円園延演遠塩央往応横王黄億屋恩温音下化仮何価加可夏家科果歌河火花荷課貨過我画芽賀会解回快改械海界絵開"
    "階貝外害各拡格確覚角革学楽額活株寒刊勧完官幹感慣歓漢管観間関館岸眼岩顔願喜器基寄希旗期機帰気汽季紀規記貴起技疑義議客逆久休宮急救求球究級給旧牛去居挙許漁魚京供競共協境強教橋興鏡業局"
    "曲極玉勤均禁近金銀九句区苦具空君訓群軍郡係兄型形敬景系経計軽芸欠決潔結血月件健兼券建憲検権犬研絹県見険験元原厳減現言限個古固己庫戸故湖五午後語誤護交候光公功効厚口向后孝工幸広康校構"
    "港皇耕考航行講鉱高号合告国穀黒今根混左差査再最妻才採済災祭細菜際在材罪財坂作昨策刷察殺雑三参山散産算蚕賛酸残仕使司史四士始姉子市師志思指支止死氏私糸紙至視詞詩試資歯事似児字寺持時次"
    "治示耳自辞式識七失室質実舎写社者謝車借釈弱主取守手種酒首受授需収周宗就州修拾秋終習衆週集住十従重宿祝出術述春準純順処初所暑書諸助女序除勝商唱小少承招昭消焼照省称章証象賞上乗場常情条"
    "状植織職色食信心新森深申真神臣親身進人仁図推水数世是制勢性成政整星晴正清生精聖声製西誠青静税席石積績責赤切接折設節説雪絶舌先千宣専川戦浅線船選銭前善然全祖素組創倉想早争相総草走送像"
    "増蔵造側則息測足速俗属族続卒存孫尊損村他多太打体対帯待態貸退隊代台大第題達谷単炭短団断男談知地池置築竹茶着中忠昼柱注虫著貯丁帳張朝町腸調長鳥直賃追通低停定底庭弟提程敵的適鉄典天展店"
    "転点伝田電徒登都努度土党冬刀島投東湯燈当等答統討頭働動同堂導童道銅得徳特毒独読届内南難二弐肉日入任認熱年念燃納能農波派破馬拝敗配倍買売博白麦畑八発判半反板版犯飯番否悲比皮肥費非飛備"
    "美鼻必筆百俵標氷票表評病秒品貧不付夫婦富布府父負武部風復幅服福複仏物分奮粉文聞兵平陛米別変編辺返便勉弁保歩補墓母包報放方法豊暴望貿防北牧本妹毎末万満味未脈民務無名命明盟迷鳴綿面毛木"
    "目問門夜野役約薬訳油輸勇友有由遊夕予余預容曜様洋用葉要陽養欲浴来落利理里陸律率立略流留旅両料良量領力緑林臨輪類令例冷礼歴列練連路労老六録論和話"
)


def _dealt(sheets: list[list[str]], between: str, places: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """The characters of all sheets, with those of `between` put in at `places` of each sheet."""
    rest = iter(between)
    for sheet, at in zip(sheets, places, strict=True):
        for place in at:
            sheet.insert(place, next(rest))
    return tuple(c for sheet in sheets for c in sheet)


def _etl8g() -> tuple[str, ...]:
    # Ten kanji that follow one another in JIS order are on ten sheets.
    sheets = [list(ETL8_KANJI[k::10]) for k in range(10)]
    places = [tuple(sorted((*_EVERY, *_MORE.get(k, ())))) for k in range(10)]
    return _dealt(sheets, _ETL8_HIRAGANA, places)


def _etl9g() -> tuple[str, ...]:
    places = [(15, 31, 47, 63) if 5 <= k < 16 else (15, 31, 47) for k in range(20)]
    kanji = list(ETL9.characters[len(HIRAGANA) :])
    sheets = []
    for size, at in zip(ETL9G_SHEETS, places, strict=True):
        take = size - len(at)
        sheets.append(kanji[:take])
        del kanji[:take]
    return _dealt(sheets, "".join(HIRAGANA.characters), places)


ETL8G_ORDER = _etl8g()
ETL9G_ORDER = _etl9g()
ETL8B2_ORDER = (*HIRAGANA_SMALL.characters, *ETL8_KANJI)
"""The order of the classes; ETL9B's is the charset `etl9`."""
