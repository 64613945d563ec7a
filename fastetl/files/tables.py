"""Tables of data beside modules: lines of cells separated by tabs, after comment lines that begin with `# `."""

from pathlib import Path


def table_rows(name: str) -> list[list[str]]:
    """The cells of a table's lines, without comment lines. name: its path in the package, as "etl/tables/sets.tsv"."""
    text = (Path(__file__).parents[1] / name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("# ")]
