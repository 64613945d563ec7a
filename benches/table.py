"""Print the results of pytest-benchmark; with --docs, write docs/data/performance.csv and docs/performance.md.

    python -m benches.table RESULTS.json [--docs]

Rows of work that was not measured stay as they are.
"""

import csv
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from benches.studies.pages import insert, table

DOCS = Path(__file__).parent.parent / "docs"
ROWS = DOCS / "data" / "performance.csv"
HEAD = ("work", "images/s", "× baseline", "× best peer", "of the limit", "other forms and peers")


def printed(row: list[str]) -> str:
    """A row in 80 columns of text."""
    work, rate, baseline, _, limit, _ = row
    return f"{work:<53}{int(rate):>12,}{baseline:>7}{limit:>7}"


def slower(rows: Iterable[list[str]], stored: Mapping[str, list[str]]) -> list[str]:
    """A line for each row whose ratio to the baseline fell by more than a fifth."""
    return [
        f"{row[0]}: {row[2]}× instead of {stored[row[0]][2]}×"
        for row in rows
        if row[0] in stored and float(row[2]) < 0.8 * float(stored[row[0]][2])
    ]


def main(results: Path, docs: bool) -> None:
    """Print what was measured and what became slower; with `docs`, write both files instead of comparing."""
    with ROWS.open(encoding="utf-8", newline="") as file:
        stored = {row[0]: row for row in list(csv.reader(file))[1:]}
    measured = [entry["extra_info"] for entry in json.loads(results.read_text(encoding="utf-8"))["benchmarks"]]
    rows = [info["row"] for info in measured if "row" in info]
    lines = [f"{'':<53}{HEAD[1]:>12}{'× base':>7}{'limit':>7}", *map(printed, rows)]
    lines += [line for info in measured for line in info.get("lines", [])]
    if not docs:
        fallen = slower(rows, stored)
        lines += ["", "More than a fifth below docs/performance.md:" if fallen else "Nothing became slower.", *fallen]
    sys.stdout.writelines(text + "\n" for text in lines)
    if docs:
        stored |= {row[0]: row for row in rows}
        with ROWS.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEAD, *stored.values()])
        rows = [[row[0], f"{int(row[1]):,}", row[2], row[3].partition(" ")[0], row[4]] for row in stored.values()]
        insert(DOCS / "performance.md", "rows", table(HEAD[:5], rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--docs" in sys.argv)
