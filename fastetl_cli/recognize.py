"""fastetl recognize."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.names import PRETRAINED
from export.recognizer import open_recognizer
from fastetl.data.importing import SUFFIXES
from fastetl.errors import FastetlError
from fastetl.ink.pictures import read_picture
from fastetl_cli.base import Command, Paths, note, show_json, show_table


def _pictures(paths: tuple[Path, ...]) -> list[Path]:
    pictures: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise FastetlError("no pictures in the folder", file=path, expected=", ".join(sorted(SUFFIXES)))
        pictures += inside
    return pictures


@dataclass(frozen=True)
class Recognize(Command):
    """The five likeliest characters of each picture: one character a picture, light on dark or dark on light."""

    images: Paths
    """Pictures, or folders of them."""
    package: Path = Path(PRETRAINED)
    """A package directory; if not given, the bundled one, which recognizes 6,625 characters ("kana" is a small one)."""
    charset: str | None = None
    """Only these characters compete, and "no character": a name such as hiragana, or a text file of characters."""

    def run(self) -> int:
        """Print one row a picture. A picture that cannot be read is named, the others are answered, and it exits 1."""
        recognizer = open_recognizer(self.package, charset=self.charset)
        paths = _pictures(self.images)
        if not paths:
            raise FastetlError("no picture given", do="name a picture or a folder of pictures")
        pictures, readable, faults = [], [], []
        for path in paths:
            try:
                pictures.append(read_picture(path, recognizer.side))
                readable.append(path)
            except FastetlError as error:
                if len(paths) == 1:
                    raise
                faults.append({"image": path, "error": str(error)})
        answers = recognizer.read(np.stack(pictures)) if pictures else []
        described = [
            {"image": path, "answers": [{"label": a.label, "probability": a.probability} for a in five]}
            for path, five in zip(readable, answers, strict=True)
        ]
        if self.json:
            show_json([*described, *faults])
        else:
            rows = [[path.name, *map(repr, five)] for path, five in zip(readable, answers, strict=True)]
            places = map(str, range(1, min(5, len(recognizer.labels)) + 1))
            show_table(f"{len(rows)} pictures", ["picture", *places], rows)
        for fault in faults:
            note(f"fastetl recognize: {fault['error']}")
        return 1 if faults else 0
