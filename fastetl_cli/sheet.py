"""fastetl sheet."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastetl.data.sheet import write_sheet
from fastetl.data.store import open_dataset
from fastetl_cli.base import Arg, Command, DatasetPath


@dataclass(frozen=True)
class Sheet(Command):
    """A contact sheet: a labelled row for each character, columns by different writers.

    fastetl sheet kana sheet.png --rows 46
    """

    dataset: DatasetPath
    """A dataset directory."""
    png: Annotated[Path, Arg((), "PNG")]
    """The picture to write."""
    rows: int = 24
    """Characters, drawn at random."""
    columns: int = 16
    """Samples of each."""
    seed: int = 0
    """Another seed shows others."""
    overwrite: bool = False
    """Replace PNG if it exists."""

    def run(self) -> int:
        """Write the picture."""
        data = open_dataset(self.dataset)
        write_sheet(data, self.png, rows=self.rows, columns=self.columns, seed=self.seed, overwrite=self.overwrite)
        return self.answer({"png": self.png}, str(self.png))
