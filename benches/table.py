"""Print the results of pytest-benchmark, and what became slower since earlier results or docs/performance.md.

    python -m benches.table RESULTS.json [EARLIER.json]
    python -m benches.table RESULTS.json --docs   # write docs/data/performance.csv and docs/performance.md

Rows of work that was not measured stay as they are.
"""

import csv
import json
import sys
from pathlib import Path

from benches.studies.pages import insert, table

DOCS = Path(__file__).parent.parent / "docs"
ROWS = DOCS / "data" / "performance.csv"
HEAD = ("work", "images/s", "× baseline", "× best peer", "of the limit", "other forms and peers")


def measured(results: Path) -> tuple[list[list[str]], list[str]]:
    """The rows and the further lines of a file of results."""
    entries = [entry["extra_info"] for entry in json.loads(results.read_text(encoding="utf-8"))["benchmarks"]]
    rows = [info["row"] for info in entries if "row" in info]
    return rows, [line for info in entries for line in info.get("lines", [])]


def main(results: Path, earlier: Path = ROWS, *, docs: bool = False) -> None:
    """Print what was measured and what became slower since `earlier`; with `docs`, write both pages instead."""
    rows, further = measured(results)
    if earlier == ROWS:
        with ROWS.open(encoding="utf-8", newline="") as file:
            stored = {row[0]: row for row in list(csv.reader(file))[1:]}
    else:
        stored = {row[0]: row for row in measured(earlier)[0]}
    lines = [f"{'':<53}{HEAD[1]:>12}{'× base':>7}{'limit':>7}"]
    lines += [f"{work:<53}{int(rate):>12,}{base:>7}{limit:>7}" for work, rate, base, _, limit, _ in rows] + further
    if not docs:
        common = [(row, stored[row[0]]) for row in rows if row[0] in stored]
        fallen = [f"{new[0]}: {new[2]}× instead of {old[2]}×" for new, old in common if int(new[2]) < 0.8 * int(old[2])]
        lines += ["", f"{'More than a fifth below' if fallen else 'Nothing is a fifth below'} {earlier.name}", *fallen]
    sys.stdout.writelines(text + "\n" for text in lines)
    if docs:
        stored |= {row[0]: row for row in rows}
        with ROWS.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEAD, *stored.values()])
        rows = [[row[0], f"{int(row[1]):,}", row[2], row[3].partition(" ")[0], row[4]] for row in stored.values()]
        insert(DOCS / "performance.md", "rows", table(HEAD[:5], rows))


if __name__ == "__main__":
    main(*(Path(path) for path in sys.argv[1:] if path != "--docs"), docs="--docs" in sys.argv)
