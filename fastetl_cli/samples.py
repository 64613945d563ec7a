from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastetl.building.kept_drawings import SamplesConfig, samples_to_dataset
from fastetl_cli.base import MAX_LISTED, Out, WritingCommand, command_line, counted, note
from fastetl_cli.options import Argument


@dataclass(frozen=True)
class Samples(WritingCommand):
    """Make a dataset of corrections from the pad and the phone, for evaluate and for train --also.

    fastetl samples my-samples mine
    """

    source: Annotated[Path, Argument((), "DIR")]
    """The folder of samples (*.jsonl), or one such file."""
    out: Out
    """The dataset directory to write."""
    config: SamplesConfig = SamplesConfig()

    def execute(self) -> int:
        """Write the dataset and print what it contains. Damaged lines are reported, and the command exits with 1."""
        data = samples_to_dataset(self.source, self.out, self.config, overwrite=self.overwrite, command=command_line())
        for fault in data.faults:
            note(f"fastetl samples: {fault}")
        if data.left_out:
            counts = ", ".join(f"{label} {count}" for label, count in sorted(data.left_out.items())[:MAX_LISTED])
            note(f"Left out, not in the charset {self.config.charset}: {counts}")
        text = f"{data.out}: {counted(data.images, 'sample')} of {counted(data.classes, 'character')}"
        return self.answer(data, f"{text}, {data.right:,} recognized when drawn", exit_code=1 if data.faults else 0)
