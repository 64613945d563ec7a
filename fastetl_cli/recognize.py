"""fastetl recognize."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.recognizer import open_recognizer
from fastetl.errors import FastetlError
from fastetl.preprocessing import resize
from fastetl_cli.base import Command, Out, Paths, show_json, show_table

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def read_picture(path: Path, side: int) -> NDArray[np.uint8]:
    """uint8 (side, side): any picture in grey, on paper where it is transparent, made square with its edge's colour.

    Raises FastetlError if it cannot be read.
    """
    try:
        with Image.open(path) as opened:
            layered = opened.convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise FastetlError("cannot read the picture", file=path, found=error, do="check it") from error
    paper = Image.new("RGBA", layered.size, "white")
    grey = np.asarray(Image.alpha_composite(paper, layered).convert("L"))
    height, width = grey.shape
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    longest = max(height, width)
    square = np.full((longest, longest), np.uint8(np.median(edge)))
    top, left = (longest - height) // 2, (longest - width) // 2
    square[top : top + height, left : left + width] = grey
    return np.asarray(resize(square[None], side)[0])


def _pictures(paths: tuple[Path, ...]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise FastetlError("no pictures in the folder", file=path, expected=", ".join(sorted(SUFFIXES)))
        found += inside
    return found


@dataclass(frozen=True)
class Recognize(Command):
    """The five likeliest characters of each picture: one character a picture, light on dark or dark on light."""

    out: Out
    """A package directory."""
    images: Paths
    """Pictures, or folders of them."""

    def run(self) -> int:
        """Print one row a picture."""
        recognizer = open_recognizer(self.out)
        paths = _pictures(self.images)
        if not paths:
            raise FastetlError("no picture given. Name a picture or a folder of pictures")
        answers = recognizer.read(np.stack([read_picture(path, recognizer.side) for path in paths]))
        if self.json:
            described = [
                {"image": path, "answers": [{"label": a.label, "probability": a.probability} for a in five]}
                for path, five in zip(paths, answers, strict=True)
            ]
            show_json(described)
            return 0
        rows = [
            [path.name, *(f"{a.label} {a.probability:.1%}" for a in five)]
            for path, five in zip(paths, answers, strict=True)
        ]
        show_table(f"{len(rows)} pictures", ["picture", "1", "2", "3", "4", "5"], rows)
        return 0
