from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastetl.data.contact_sheet import write_sheet
from fastetl_cli.base import DatasetPath, WritingCommand
from fastetl_cli.options import Argument


@dataclass(frozen=True)
class Sheet(WritingCommand):
    """Draw a contact sheet: a labelled row for each character, with samples by different writers.

    fastetl sheet kana sheet.png --rows 46
    """

    dataset: DatasetPath
    png: Annotated[Path, Argument((), "PNG")]
    """The picture to write."""
    rows: int = 24
    """Number of characters, drawn at random."""
    columns: int = 16
    """Number of samples of each character."""
    seed: int = 0
    """Seeds the choice of characters and samples."""

    def execute(self) -> int:
        options = {"rows": self.rows, "columns": self.columns, "seed": self.seed}
        write_sheet(self.dataset, self.png, **options, overwrite=self.overwrite)
        return self.answer({"png": self.png}, str(self.png))
