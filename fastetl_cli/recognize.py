"""fastetl recognize."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.names import PRETRAINED
from export.recognizer import open_recognizer
from fastetl.checks import require_range
from fastetl.data.importing import SUFFIXES
from fastetl.errors import FastetlError
from fastetl.files.clutter import is_clutter
from fastetl.ink.pictures import read_picture
from fastetl_cli.base import Command, Paths, note, show_json, show_table


def _pictures(paths: tuple[Path, ...]) -> list[Path]:
    """The pictures among `paths`, and in folders and all folders below."""
    pictures: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            pictured = (p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            inside = sorted(p for p in pictured if not any(map(is_clutter, p.relative_to(path).parts)))
        if not inside:
            raise FastetlError("no pictures in the folder", file=path, expected=", ".join(sorted(SUFFIXES)))
        pictures += inside
    return pictures


@dataclass(frozen=True)
class Recognize(Command):
    """The likeliest characters of each picture: one character a picture, light on dark or dark on light.

    fastetl recognize photo.jpg scans --charset hiragana --top 3
    """

    images: Paths
    """Pictures, or folders of them, with all folders below."""
    package: Path = Path(PRETRAINED)
    """A package directory; if not given, the bundled one, which recognizes 6,625 characters ("kana" is a small one)."""
    charset: str | None = None
    """Only these characters compete, and "no character": a name such as hiragana, or a text file of characters."""

    top: int = 5
    """How many characters to show of each picture."""

    def run(self) -> int:
        """Print a row for each picture. One that cannot be read is named, the others are answered, and it exits 1."""
        recognizer = open_recognizer(self.package, charset=self.charset)
        paths = _pictures(self.images)
        require_range("top", self.top, 1)
        pictures, readable, faults = [], [], []
        for path in paths:
            try:
                pictures.append(read_picture(path, recognizer.side))
                readable.append(path)
            except FastetlError as error:
                if len(paths) == 1:
                    raise
                faults.append({"image": path, "error": str(error)})
        answers = recognizer.read(np.stack(pictures), self.top) if pictures else []
        described = [
            {"image": path, "answers": [{"label": a.label, "probability": a.probability} for a in best]}
            for path, best in zip(readable, answers, strict=True)
        ]
        if self.json:
            show_json([*described, *faults])
        else:
            rows = [[path, *map(repr, best)] for path, best in zip(readable, answers, strict=True)]
            show_table(["picture", *map(str, range(1, min(self.top, len(recognizer.labels)) + 1))], rows)
        for fault in faults:
            note(f"fastetl recognize: {fault['error']}")
        return 1 if faults else 0
