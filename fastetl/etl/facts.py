"""What is known of each set besides its layout, with how sure it is: what the pages in docs/sets are made of.

A: AIST's page or INFO text and an independent reader or decoded genuine records agree. B: AIST alone, or two
independent readers. C: one source, or inferred. ?: disputed or not found. No genuine picture was looked at: the facts
come from format pages, INFO files, file sizes, lists that others decoded from genuine files, and the sources of public
readers.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FACTS", "TERMS", "Facts"]

TERMS = (
    "The data are AIST's. Their use is free; publishing or handing on the data themselves is not allowed (terms of "
    "2025-03-28). They are downloaded from AIST's site after accepting the terms, and cited as: Electrotechnical "
    "Laboratory, Japanese Technical Committee for Optical Character Recognition, ETL Character Database, 1973-1984."
)


@dataclass(frozen=True)
class Facts:
    """One set. Every text ends with a mark of how sure it is. group: what `group` means in a dataset."""

    what: str
    writers: str
    order: str
    classes: str
    codes: str
    group: str
    traps: tuple[str, ...]
    sources: str


_CODE_0201 = (
    "JIS X 0201: digits 30 to 39, capitals 41 to 5A, kana B1 to DD and ヲ A6 (A). A8 and AA, elsewhere small ィ and "
    "ェ, are {old} here: only big kana were collected (A)."
)
_GROUPS_ARE_SETS = (
    "The data set: {how}. AIST's overview counts {gross} writers for it (one a sheet), another page one a data set "
    "(?); a split by data set keeps writers apart under both. {twin} is the same writing and has the same groups."
)
_PAGES = "AIST's format page of type {kind}, its page of the set and its INFO file"

FACTS: dict[str, Facts] = {
    "ETL1": Facts(
        "Digits, capitals, symbols and katakana, written on sheets, 1973 (A).",
        "1,445 writers, one a sheet; 1,411 of them wrote the katakana (A).",
        "By class, and in a class by sheet. 13 files of 8 classes, the last of 3 (A).",
        "99 classes of 96 codes: イ, ウ and エ come twice (in the rows of ア and of ヤ and ワ). 1,445 records a class, "
        "1,411 a katakana; 141,319 in all (A).",
        _CODE_0201.format(old="ヰ and ヱ") + " Symbols: ¥ 5C (no backslash), ・ 2E, ’ 27 and a mark for a blank 20; "
        "the last three were inferred (C). The two letters are not to be stripped: `A ` is A, ` A` is ア (A).",
        "The sheet, the same number in all 13 files (A).",
        (
            "ナ of sheet 2672 and リ of sheet 2708 are missing (A).",
            "The data number begins again after every four classes, and does not count the missing records (B).",
            "The mark for a blank has no character in JIS X 0208: its records are left out, and counted.",
            "Y stands before X (A).",
        ),
        _PAGES.format(kind="M") + "; a public list of 71,959 decoded katakana",
    ),
    "ETL2": Facts(
        "Printed characters out of newspapers and patents, scanned with 64 levels (A).",
        "None: it is print.",
        "By class in the order of the code's table; serial numbers have gaps (A).",
        "2,184 codes, of which 2,167 distinct characters occur: 1,311 of them 20 times, 567 40 times, 286 12 times, "
        "滅 and 輪 60, 李 32; 52,796 records in all (A).",
        "CO-59 of six newspapers: two 6-bit units, 2,304 codes, 124 of them without a character (A). Latin letters and "
        "digits, full-width there, are ASCII's here.",
        "The style of print: A Mincho and B Gothic of newspapers, C Mincho and D Gothic of patents (B).",
        (
            "312 records have a code without a character (▲): left out, and counted (A).",
            "滅, 輪, 薄, 粉, 李, 微 and 慎 have two codes each, which are one class here (A).",
            "Records are 3,660 units of 6 bits: only words of 36 bits begin and end with a byte, two by two (A).",
            "There are few groups: a split by group holds out a style of print.",
        ),
        _PAGES.format(kind="K") + "; three copies of the table of CO-59",
    ),
    "ETL3": Facts(
        "Digits, capitals and symbols (A).",
        "200 writers, one a sheet (A).",
        "By class, and in a class by sheet; two files of 100 sheets, 4001 to 4100 (A) and 4101 to 4200 (C).",
        "48 classes of 200 records: 9,600 in all (A).",
        _CODE_0201.format(old="not used") + " Symbols as in ETL1 (C for three of them).",
        "The sheet (A).",
        (
            "The picture is 72 wide and 76 high: some readers transpose it.",
            "The blank mark (20), shown as an underscore on AIST's page, has no character here.",
            "Y stands before X (A).",
        ),
        _PAGES.format(kind="C"),
    ),
    "ETL4": Facts(
        "Hiragana (A).",
        "120 writers, one a sheet (A).",
        "By writer: record i is class i mod 51 of sheet 5001 + i // 51 (A).",
        "51 classes of 48 codes: い, う and え come twice. 120 records a class; 6,120 in all (A).",
        _CODE_0201.format(old="ゐ and ゑ") + " The codes are those of katakana, the writing is hiragana (A).",
        "The sheet (A).",
        ("The only hiragana set with ゐ and ゑ.", "No reading has to be stripped: `H  A` is あ, `H KA` か."),
        _PAGES.format(kind="C") + "; a strict reader's table",
    ),
    "ETL5": Facts(
        "Katakana (A).",
        "104 writers, two sheets each (A by AIST's count and 104 × 2 × 51 records).",
        "By class (A); in a class 208 sheets from 6001 on (B).",
        "51 classes of 48 codes: イ, ウ and エ come twice. 208 records a class; 10,608 in all (A).",
        _CODE_0201.format(old="ヰ and ヱ"),
        "The person, by sex, age, industry, occupation and date: which two sheets are one writer's is not documented. "
        "That joins at least all sheets of one person, and perhaps those of two people (B).",
        ("Every writer is in every class twice: a split by record or by sheet leaks.",),
        _PAGES.format(kind="C") + "; a strict reader's groups",
    ),
    "ETL6": Facts(
        "Katakana, ゛ and ゜, digits, capitals and symbols (A).",
        "1,383 writers (A).",
        "By class; 12 files of 10 classes, the last of 5 (A).",
        "114 classes in 115 places, since `+1` comes twice; 1,383 records a place: 159,045 in all (A; AIST's table "
        "says 157,662).",
        "JIS X 0201 for digits, capitals and kana, checked against the two letters, which must agree (A). Symbols are "
        "told by the two letters alone, by our reading of them (C); which bytes they have was not found (?).",
        "The sheet (B: how sheets are numbered was not seen).",
        (
            "`-6`, `++`, `=X`, `+1` and `/X` are not known: left out, and counted (?).",
            "Some records may have code 0.",
            "There is no genuine ガ, パ, ッ or ー in the whole database, but ゛ and ゜ as signs of their own.",
        ),
        _PAGES.format(kind="M") + "; a public table of decoded classes",
    ),
    "ETL7": Facts(
        "Hiragana, ゛ and ゜, in large (L) and small (S) writing (A).",
        "175 writers, each class twice in each size (A for 48 × 700 records, C for how they divide into files).",
        "Inside a file not verified (?).",
        "48 classes of 700 records: 33,600 in four files (A; AIST's Japanese page says 16,800 in all).",
        _CODE_0201.format(old="not used") + " The codes are those of katakana, the writing is hiragana (A).",
        "The person, by sex, age, industry, occupation and date, over all four files: L and S are probably the same "
        "people (C).",
        (
            "Large and small writing by the same people, and each class twice: a split by file or by record leaks.",
            "゛ and ゜ are signs of their own (U+309B, U+309C), not combining marks.",
        ),
        _PAGES.format(kind="M") + "; a strict reader's table",
    ),
    "ETL8B2": Facts(
        "Kanji and hiragana, with one bit a pixel: ETL8G by a threshold (A).",
        "160 data sets; see the groups.",
        "By class in JIS order, 160 records a class; file 3 ends in 956 model patterns (A).",
        "881 kanji of level 1 and 75 hiragana (71 and っ, ゃ, ゅ, ょ): 956 × 161 records with the model patterns, and "
        "three empty ones (A).",
        "JIS X 0208 (A). The four letters of the reading are cut, and select the wrong records.",
        _GROUPS_ARE_SETS.format(
            how="the n-th record of a class is the n-th data set's (C, by construction)", gross="1,600", twin="ETL8G"
        ),
        (
            "Record 0 of each file is empty: left out by rule, and told if it is not (A).",
            "Never have ETL8B2 in training and ETL8G in the test: it is the same writing.",
            "A lost record moves all behind it in its class to another data set: `inspect` tells it.",
        ),
        _PAGES.format(kind="B (ETL8B2)") + "; a decoded table of all classes",
    ),
    "ETL8G": Facts(
        "Kanji and hiragana, with 16 levels (A).",
        "160 data sets of ten sheets; see the groups.",
        "By data set: five in a file, 956 records each; file 33 is the model pattern (A). In a data set ten sheets of "
        "95 or 96 characters, in the order that a public list has (A).",
        "881 kanji of level 1 and 75 hiragana (71 and っ, ゃ, ゅ, ょ): 956 × 161 records with the model pattern (A).",
        "JIS X 0208 (A). `.HIRA` in the reading also stands at 平 and 開, and not at を: never select by it (A).",
        _GROUPS_ARE_SETS.format(how="five in a file, one after another (A)", gross="1,600", twin="ETL8B2"),
        (
            "Ink is dim, 1 to 9 of 15; the background is exactly 0 (A).",
            "The first record's date of scanning is 16880: no date to be validated (B).",
            "The model pattern is no writer's: left out unless asked for.",
        ),
        _PAGES.format(kind="G (ETL8G)") + "; a public list of decoded places",
    ),
    "ETL9B": Facts(
        "All kanji of JIS level 1 and hiragana, with one bit a pixel: ETL9G by a threshold (A).",
        "200 data sets; see the groups.",
        "By data set in JIS order, hiragana first; 40 in a file; file 5 ends in 3,036 model patterns (A).",
        "2,965 kanji and 71 hiragana: 3,036 × 201 records with the model patterns, and five empty ones (A).",
        "JIS X 0208 (A).",
        _GROUPS_ARE_SETS.format(how="40 in a file, one after another (A)", gross="4,000 (gross)", twin="ETL9G"),
        (
            "Record 0 of each file is empty: left out by rule, and told if it is not (A).",
            "576 bytes a record, of which the last 64 are not used (A).",
            "Never have ETL9B in training and ETL9G in the test: it is the same writing.",
        ),
        _PAGES.format(kind="B (ETL9B)"),
    ),
    "ETL9G": Facts(
        "All kanji of JIS level 1 and hiragana, with 16 levels (A).",
        "200 data sets of twenty sheets; see the groups. Nothing is told of the writers: those fields are 0 (B).",
        "By data set: four in a file, 3,036 records each; twenty sheets of 151 or 152 characters (A).",
        "2,965 kanji and 71 hiragana, 200 records each: 607,200 in all; no model pattern, no empty record (A).",
        "JIS X 0208 (A).",
        _GROUPS_ARE_SETS.format(how="four in a file, one after another (A)", gross="4,000 (gross)", twin="ETL9B"),
        (
            "The sheet number begins again in every file: as a writer's number it would join data sets and split them.",
            "The serial number counts a sheet in some files and a data set in others: neither checked nor used (B).",
            "The picture begins at byte 64, ETL8G's at 60 (A).",
            "No digest of a genuine file is known: only AIST's two 16-bit sums tell one.",
        ),
        _PAGES.format(kind="G (ETL9G)") + "; five samples on AIST's page, 14,200 public file names",
    ),
}
