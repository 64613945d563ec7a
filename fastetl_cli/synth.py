"""fastetl synth."""

from __future__ import annotations

from dataclasses import dataclass

from fastetl.synth import SynthConfig, synthesize
from fastetl_cli.base import Command, Out, bar, out, show_json


@dataclass(frozen=True)
class Synth(Command):
    """Write files of the ETL sets in their exact formats, by synthetic writers (strokes: KanjiVG, CC BY-SA 3.0)."""

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
            sets, made = " + ".join(self.config.set), self.config
            writers = 5 * made.files if made.set == ("ETL8G",) else made.writers
            out.print(f"{self.out}: {len(list(self.out.glob('ETL*')))} files of {sets} by {writers} synthetic writers")
        return 0
