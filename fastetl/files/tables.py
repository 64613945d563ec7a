"""Tables of data beside modules: cells between tabs, below a head of lines that begin with `# `."""

from pathlib import Path


def table_rows(path: Path) -> list[list[str]]:
    """The cells of each line of a table but its head."""
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("# ")]
