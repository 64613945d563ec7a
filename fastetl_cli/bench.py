"""fastetl bench."""

from __future__ import annotations

from dataclasses import dataclass

from fastetl.etl.speed import measure
from fastetl.kernels._vector import best
from fastetl_cli.base import Command, Paths, note, show_json, show_table


@dataclass(frozen=True)
class Bench(Command):
    """How fast this machine reads your files: kernels in memory, and whole builds of warm files."""

    paths: Paths
    """ETL files or folders of them."""
    rounds: int = 5
    """Measurements of each kind of work; the median is shown."""

    def run(self) -> int:
        """Print one row for each kind of work."""
        results = measure(self.paths, rounds=max(1, self.rounds))
        if self.json:
            show_json(results)
            return 0
        rows = [
            (r.work, f"{r.images:,}", f"{r.images_per_second:,.0f}", f"{r.against:,.0f}×" if r.against else "")
            for r in results
        ]
        show_table("Warm, one thread", ["work", "pictures", "pictures/s", "against struct + Pillow"], rows)
        note(f"Vector form of the kernels: {best()}")
        return 0
