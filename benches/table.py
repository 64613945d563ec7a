"""What pytest-benchmark stored, printed; with --docs, → docs/data/performance.csv, docs/performance.md and a picture.

    python -m benches.table [RESULTS.json] [--docs]

Rows that the results lack stay as they are; without results, table and picture are made again.
"""

import csv
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benches.studies.pages import insert, table

DOCS = Path(__file__).parent.parent / "docs"
ROWS = DOCS / "data" / "performance.csv"
HEAD = ("work", "images/s", "× baseline", "× best peer", "of the limit", "other forms and peers")
SHOWN = {
    "decode, ETL8G": False,
    "decode + resize, ETL8G to 32 × 32": True,
    "decode + resize, ETL8G to 64 × 64": True,
    "decode + resize, ETL8G to 126 × 126": False,
    "augment (affine), 32 × 32": True,
    "augment (everything), 64 × 64": False,
    "shuffled, augmented batches of 128, 32 × 32": True,
    "shuffled, augmented batches of 128, 64 × 64": False,
    "files → dataset: hiragana, 32 × 32": True,
    "files → dataset: all characters, 32 × 32": True,
    "files of all sets (0.49 GB) → dataset, all characters, 64 × 64": False,
}
"""Rows of the page, and whether the picture has a bar for them."""

_STYLE = """<style>
.page { fill: #ffffff; stroke: #d0d7de } .bar { fill: #3b6ea5 } text { fill: #1f2328 }
text { font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 14px }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117; stroke: #30363d } .bar { fill: #6ea8e6 } text { fill: #e6edf3 }
}
</style>"""


def raced(info: dict[str, Any]) -> list[str]:
    """A row, of what `benches.race` left."""
    contenders = info["contenders"]
    ours = next(c for c in contenders if c["kind"] == "ours")
    here = [c for c in contenders if c["ours_is"] is not None]
    times = {kind: [c["ours_is"] for c in here if c["kind"] == kind] for kind in ("baseline", "limit")}
    peers = sorted((c["ours_is"], c["name"]) for c in here if c["kind"] == "peer")
    others = [f"{c['name']} {1 / c['ours_is']:.2f} of ours" for c in here if c["kind"] == "form"]
    others += [f"{name} {x:.0f}×" for x, name in peers[1:]]
    others += [f"{c['name']}: not installed" for c in contenders if c["ours_is"] is None]
    best = f"{peers[0][0]:.0f} ({peers[0][1]})" if peers else ""
    limit = f"{times['limit'][0]:.2f}" if times["limit"] else ""
    rate = f"{ours['images_per_second']:.0f}"
    return [info["work"], rate, f"{times['baseline'][0]:.0f}", best, limit, ", ".join(others)]


def notes(info: dict[str, Any]) -> list[str]:
    """What else a benchmark left, in words."""
    lines = []
    if "fresh" in info:
        wall, processor = info["fresh"]["wall"], info["fresh"]["processor"]
        lines.append(f"fastetl build, hiragana, fresh process: {wall:.2f} s, of it {processor:.2f} s of processor")
    for p in info.get("scaling", []):
        took = f"{p['records']:,} records in {p['seconds']:.3f} s, at most {p['peak'] / 1e6:.0f} MB of memory"
        lines.append(f"everything of {p['files']} files: {took}")
    return lines


def picture(rows: list[list[str]]) -> str:
    """Bars: times as fast as the baseline."""
    high, most = 34, max(float(row[2]) for row in rows)
    bars = []
    for k, row in enumerate(rows):
        y, wide = 44 + high * k, 440 * float(row[2]) / most
        bars.append(
            f'<text x="350" y="{y + 17}" text-anchor="end">{row[0]}</text>'
            f'<rect class="bar" x="362" y="{y}" width="{wide:.0f}" height="24"/>'
            f'<text x="{370 + wide:.0f}" y="{y + 17}">{row[2]}×</text>'
        )
    height = 58 + high * len(rows)
    title, box = "Times as fast as struct and Pillow, or scipy, one thread", f"0 0 880 {height}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img">\n<title>{title}</title>\n{_STYLE}\n'
        f'<rect class="page" x="0.5" y="0.5" width="879" height="{height - 1}" rx="12"/>\n'
        f'<text x="20" y="28" font-weight="600">{title}</text>\n' + "\n".join(bars) + "\n</svg>\n"
    )


def printed(row: list[str]) -> str:
    """A row in 80 columns; a long name has a line of its own."""
    work, rate, baseline, _, limit, _ = row
    name = f"{work:<53}" if len(work) <= 53 else f"{work}\n{'':<53}"
    return f"{name}{int(rate):>12,}{baseline:>7}{limit:>7}"


def slower(rows: Iterable[list[str]], stored: Mapping[str, list[str]]) -> list[str]:
    """Lines about the rows that are more than a fifth below the stored ones, by × baseline."""
    return [
        f"{row[0]}: {row[2]}× instead of {stored[row[0]][2]}×"
        for row in rows
        if row[0] in stored and float(row[2]) < 0.8 * float(stored[row[0]][2])
    ]


def main(results: list[str], docs: bool) -> None:
    """Print what was measured, and what became slower; with `docs`, write the three instead of comparing."""
    with ROWS.open(encoding="utf-8", newline="") as file:
        stored = {row[0]: row for row in list(csv.reader(file))[1:]}
    measured: dict[str, list[str]] = {}
    lines = []
    for path in results:
        for benchmark in json.loads(Path(path).read_text(encoding="utf-8"))["benchmarks"]:
            info = benchmark["extra_info"]
            if "contenders" in info:
                measured[info["work"]] = raced(info)
            lines += notes(info)
    heading = f"{'':<53}{HEAD[1]:>12}{'× base':>7}{'limit':>7}"
    lines = [heading, *map(printed, measured.values()), *lines]
    if not docs:
        fallen = slower(measured.values(), stored)
        lines += ["", "More than a fifth below docs/performance.md:" if fallen else "Nothing became slower.", *fallen]
    sys.stdout.writelines(text + "\n" for text in lines)
    if docs:
        _write(stored | measured)


def _write(rows: dict[str, list[str]]) -> None:
    with ROWS.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEAD, *rows.values()])
    shown = [[work, f"{int(rows[work][1]):,}", *rows[work][2:5]] for work in SHOWN if work in rows]
    insert(DOCS / "performance.md", "rows", table(HEAD[:5], shown))
    bars = [rows[work] for work, bar in SHOWN.items() if bar and work in rows]
    (DOCS / "pictures" / "speed.svg").write_text(picture(bars), encoding="utf-8")


if __name__ == "__main__":
    main([word for word in sys.argv[1:] if word != "--docs"], "--docs" in sys.argv)
