"""The tables of docs/sets are what the code goes by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from fastetl.data.charset import NAMES, is_kanji, named_or_file
from fastetl.etl.classes import classes
from fastetl.etl.codes import jis_code
from fastetl.etl.data.fingerprints import FINGERPRINTS
from fastetl.etl.jis import jis_to_char
from fastetl.etl.layouts import LAYOUTS, Field, Layout

FOLDER = Path(__file__).parent.parent / "docs" / "sets"
each_set = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)


def page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def table(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, without its head."""
    lines = text[text.index(heading) :].split("\n\n| ", 1)[1].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def place_and_size(field: Field, layout: Layout) -> list[str]:
    word = f" (word {field.at // 36}" + (f" from bit {field.at % 36})" if field.at % 36 else ")")
    place = f"bit {field.at}{word}" if layout.kind in "KC" else f"byte {field.at // 8}"
    if field.text:
        unit, alphabet = (8, "ASCII") if field.text == "ascii" else (6, "T56")
        return [place, f"{field.bits // unit} × {unit} bits, {alphabet}"]
    whole = {8: "1 byte", 16: "2 bytes", 32: "4 bytes"}
    return [place, whole.get(field.bits, f"{field.bits} bits")]


def kinds(name: str) -> str:
    codes = {jis_code(entry) for entry in classes(name)} - {0}
    letters = sum(code >> 8 == 0x23 and chr(code & 0xFF).isalpha() for code in codes)
    rows = {"digits": 0x23, "hiragana": 0x24, "katakana": 0x25}
    counts = {kind: sum(code >> 8 == row for code in codes) for kind, row in rows.items()}
    kanji = sum(is_kanji(jis_to_char(code) or "") for code in codes)
    counts |= {"digits": counts["digits"] - letters, "capitals": letters, "kanji": kanji}
    counts["other signs"] = len(codes) - sum(counts.values())
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)


@each_set
def test_the_record_and_its_picture(layout: Layout) -> None:
    text = page(layout.name)
    assert f"## A record: {layout.record_bytes:,} bytes" in text
    fields = [[field.name, *place_and_size(field, layout)] for field in layout.fields]
    assert table(text, "## A record") == fields
    bits = f"{layout.bits} bit{'s' * (layout.bits > 1)} per pixel"
    assert f"byte {layout.image_offset}: {layout.width} wide, {layout.height} high, {bits}," in text
    assert f"ink high (0 to {layout.top})" in text


@each_set
def test_files_counts_and_classes(layout: Layout) -> None:
    text = page(layout.name)
    known = [print_ for print_ in FINGERPRINTS.values() if layout.number(print_.name) is not None]
    digests = [f"`{print_.digest[:12]}…`" if print_.digest else "not known" for print_ in known]
    sizes = [[f"{p.records:,}", f"{p.records * layout.record_bytes:,}", str(p.bsd), str(p.sysv)] for p in known]
    rows = [[p.name, *size, digest] for p, size, digest in zip(known, sizes, digests, strict=True)]
    assert table(text, "## Files") == rows
    records = sum(print_.records for print_ in known)
    assert f"{len(known)} file{'s' * (len(known) > 1)}, {records:,} records of type {layout.kind}." in text
    entries = classes(layout.name)
    listed = [entry.character or f"({entry.letters.strip() or 'none'})" for entry in entries[:60]]
    more = f" … {len(entries):,} in all" if len(entries) > 60 else ""
    assert f"## Classes in the order of the files\n\n{' '.join(listed)}{more}\n" in text
    assert f"Characters here: {kinds(layout.name)}." in text
    group = {"sheet": "sheet", "person": "person", "style": "style of print"}.get(layout.group, "data set")
    picture = f"{layout.width} × {layout.height}, {layout.bits} bit{'s' * (layout.bits > 1)}"
    name = f"[{layout.name}]({layout.name}.md)"
    row = [name, layout.kind, picture, str(len(known)), f"{records:,}", kinds(layout.name), group]
    assert row in table(page("README"), "# The sets")


@each_set
def test_charsets_that_a_set_has_complete(layout: Layout) -> None:
    codes = {jis_code(entry) for entry in classes(layout.name)} - {0}
    characters = {jis_to_char(code) or "" for code in sorted(codes)}
    names = [name for name in NAMES if name != "kanji" or any(map(is_kanji, characters))]
    complete = [name for name in names if characters.issuperset(named_or_file(name, characters).characters)]
    listed = re.search(r"Complete in this set: (.*)\.\n", page(layout.name))
    assert listed
    assert re.findall("`(.*?)`", listed[1]) == complete


@each_set
def test_sheets_are_of_the_sets_size(layout: Layout) -> None:
    with Image.open(FOLDER / f"{layout.name}.png") as sheet:
        assert (sheet.size[0] % layout.width, sheet.size[1]) == (0, 6 * layout.height)
