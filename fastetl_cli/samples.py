"""fastetl samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fastetl.ink.samples import SamplesConfig, samples_to_dataset
from fastetl_cli.base import Command, Out, command_line, note, say, show_json


@dataclass(frozen=True)
class Samples(Command):
    """Corrections from the pad and the phone → dataset, for evaluate and for train --also."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """The folder of samples (*.jsonl), or one such file."""
    out: Out
    """The dataset directory to write."""
    config: SamplesConfig = SamplesConfig()
    overwrite: bool = False
    """Replace OUT if it exists."""

    def run(self) -> int:
        """Write the dataset and say what went in. Damaged lines are named, the others are taken, and it exits 1."""
        made = samples_to_dataset(self.source, self.out, self.config, overwrite=self.overwrite, command=command_line())
        if self.json:
            show_json(made)
        else:
            say(
                f"{made.out}: {made.images:,} samples of {made.classes} characters; "
                f"{made.right:,} had been read right when they were drawn"
            )
        for fault in made.faults:
            note(f"fastetl samples: {fault}")
        if made.left_out:
            listed = ", ".join(f"{label} {count}" for label, count in sorted(made.left_out.items())[:20])
            note(f"Left out, not in the charset {self.config.charset}: {listed}")
        return 1 if made.faults else 0
