"""fastetl synth."""

from __future__ import annotations

from dataclasses import dataclass

from fastetl.synth import SynthConfig, synthesize
from fastetl_cli.base import Command, Out, bar, out, show_json


@dataclass(frozen=True)
class Synth(Command):
    """Write ETL8G files in the exact format, by synthetic writers (strokes: KanjiVG, CC BY-SA 3.0)."""

    out: Out
    """The folder to write."""
    config: SynthConfig = SynthConfig()
    overwrite: bool = False
    """Replace OUT if it exists."""

    def run(self) -> int:
        """Write the files."""
        with bar("synth") as progress:
            synthesize(self.out, self.config, overwrite=self.overwrite, progress=progress)
        if self.json:
            show_json({"out": self.out, "config": self.config})
        else:
            out.print(f"{self.out}: {self.config.files} files by {5 * self.config.files} synthetic writers")
        return 0
