"""Tables of data beside modules: lines of cells separated by tabs, after comment lines that begin with `# `."""

from pathlib import Path


def table_rows(path: Path) -> list[list[str]]:
    """The cells of each line of a table, without comment lines."""
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("# ")]
