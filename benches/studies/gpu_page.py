"""docs/gpu.md: the words of gpu.txt with the figures of gpu.json, a results.json of `benches.studies.gpu`.

python -m benches.studies.gpu_page
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STORED = Path(__file__).with_name("gpu.json")
WORDS = Path(__file__).with_name("gpu.txt")
PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"


def page(rows: Mapping[str, list[dict[str, Any]]]) -> str:
    """The page as Markdown. A line of the words that begins with a name of rows is written for each of them."""
    lines = ["# Training on a GPU", ""]
    for line in WORDS.read_text(encoding="utf-8").splitlines():
        repeated = re.fullmatch(r"(\w+) (\|.*)", line)
        try:
            lines += [repeated[2].format_map(row) for row in rows[repeated[1]]] if repeated else [line.format_map(rows)]
        except (KeyError, IndexError):
            lines.append("Not measured.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(STORED.read_text(encoding="utf-8"))), encoding="utf-8")
