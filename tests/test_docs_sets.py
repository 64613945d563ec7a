"""What docs/sets says of each set is what the code goes by."""

from pathlib import Path

import pytest

from fastetl.data.charset import NAMES, is_kanji, load_charset
from fastetl.etl.classes import classes
from fastetl.etl.jis import jis_to_char
from fastetl.etl.layouts import LAYOUTS, Layout, genuine_files

FOLDER = Path(__file__).parent.parent / "docs" / "sets"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
each_set = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)


def kinds(name: str) -> str:
    codes = {entry.jis for entry in classes(name)} - {0}
    letters = sum(code >> 8 == 0x23 and chr(code & 0xFF).isalpha() for code in codes)
    counts = {kind: sum(code >> 8 == row for code in codes) for kind, row in _ROWS.items()}
    kanji = sum(is_kanji(jis_to_char(code) or "") for code in codes)
    counts |= {"digits": counts["digits"] - letters, "capitals": letters, "kanji": kanji}
    counts["other signs"] = len(codes) - sum(counts.values())
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)


_ROWS = {"digits": 0x23, "hiragana": 0x24, "katakana": 0x25}


@each_set
def test_the_tables(layout: Layout) -> None:
    """The record, the files and the group of a set; its characters, and the charsets that it has whole."""
    files, bits = genuine_files(layout), f"{layout.bits} bit{'s' * (layout.bits > 1)}"
    group = {"sheet": "sheet", "person": "person", "style": "style of print"}.get(layout.grouped_by, "data set")
    row = [f"[{layout.name}](#{layout.name.lower()})", layout.kind, f"{layout.record_bytes:,}"]
    row += [f"{layout.width} × {layout.height}, {bits}", str(layout.image_offset), str(len(files))]
    assert "| " + " | ".join([*row, f"{sum(p.records for p in files):,}", group]) + " |" in PAGE.splitlines()
    characters = {jis_to_char(code) or "" for code in sorted({entry.jis for entry in classes(layout.name)} - {0})}
    names = [name for name in NAMES if name != "all" and (name != "kanji" or any(map(is_kanji, characters)))]
    complete = [f"`{n}`" for n in names if characters.issuperset(load_charset(n, characters).characters)]
    assert f"| {layout.name} | {kinds(layout.name)} | {', '.join(complete)} |" in PAGE.splitlines()
