"""fastetl recognize."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from export.lines import Text
from export.names import PRETRAINED
from export.recognizer import Recognizer, open_recognizer
from fastetl.checks import require_range
from fastetl.data.importing import SUFFIXES
from fastetl.errors import FastetlError
from fastetl.files.atomic import Kind, new_output
from fastetl.files.untrusted import is_clutter
from fastetl.ink.pictures import brightness_of
from fastetl_cli.base import Command, Paths, note, say, show_json, show_table

BOXES = Kind("a picture with boxes by fastetl", b"tEXtSoftware\0fastetl boxes")


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
    """The likeliest characters of each picture, light on dark or dark on light; with --lines, its text.

    fastetl recognize photo.jpg scans --charset hiragana --top 3
    fastetl recognize --lines note.jpg --boxes boxes.png
    """

    images: Paths
    """Pictures, or folders of them, with all folders below."""
    package: Path = Path(PRETRAINED)
    """A package directory; if not given, the bundled one, which recognizes 6,625 characters ("kana" is a small one)."""
    charset: str | None = None
    """Only these characters compete, and "no character": a name such as hiragana, or a text file of characters."""

    top: int = 5
    """How many characters to show of each picture."""
    lines: bool = False
    """Each picture shows a word, a line or several lines: print the text."""
    direction: Literal["auto", "across", "down"] = "auto"
    """With --lines: how they run; down is in columns from right to left."""
    plain: bool = False
    """With --lines: don't use which characters follow one another in Japanese; for codes, names, exercises."""
    boxes: Path | None = None
    """With --lines: write this PNG, the picture with a box around each character and the answer above; red where it is
    uncertain."""
    overwrite: bool = False
    """Replace BOXES if it exists."""

    def run(self) -> int:
        """Print a row for each picture. One that cannot be read is named, the others are answered, and it exits 1."""
        recognizer = open_recognizer(self.package, charset=self.charset)
        paths = _pictures(self.images)
        require_range("top", self.top, 1)
        if not self.lines and (self.plain or self.boxes is not None or self.direction != "auto"):
            raise FastetlError("`plain`, `boxes` and `direction` are for lines", do="give `lines`, too")
        if self.lines and self.top != type(self).top:
            raise FastetlError("`top` is for single characters", do="leave it out; `json` has all alternatives")
        if self.boxes is not None and len(paths) > 1:
            raise FastetlError("one picture at a time with `boxes`", found=f"{len(paths)} pictures", do="name one")
        described: list[dict[str, Any]] = []
        for path in paths:
            try:
                described.append({"image": path, **self._read(recognizer, path, len(paths) == 1)})
            except FastetlError as error:
                if len(paths) == 1:
                    raise
                described.append({"image": path, "error": str(error)})
                note(f"fastetl recognize: {error}")
        if self.json:
            show_json(described)
        elif not self.lines:
            columns = range(1, min(self.top, len(recognizer.labels)) + 1)
            rows = [
                [entry["image"], *(f"{a['label']} {a['probability']:.1%}" for a in entry["answers"])]
                for entry in described
                if "answers" in entry
            ]
            show_table(["picture", *map(str, columns)], rows)
        return 1 if any("error" in entry for entry in described) else 0

    def _read(self, recognizer: Recognizer, path: Path, alone: bool) -> dict[str, Any]:
        if not self.lines:
            answers = recognizer.read(path, self.top)
            if answers.fault:
                note(f"{path.name}: {answers.fault}")
            listed = [{"label": a.label, "probability": a.probability} for a in answers]
            return {"answers": listed, "box": answers.box, "fault": answers.fault}
        down = None if self.direction == "auto" else self.direction == "down"
        text = recognizer.read_line(path, down=down, plain=self.plain)
        if not self.json:
            say(text.text if alone else f"{path}\t{text.text}")
            uncertain = [c.label for c in text.characters if c.uncertain]
            if uncertain or not text.characters:
                doubts = f"{len(uncertain)} of {len(text.characters)} characters are uncertain: {' '.join(uncertain)}"
                note(f"{path}: {doubts if uncertain else 'no writing'}")
        if self.boxes is not None:
            _write_boxes(path, text, self.boxes, self.overwrite)
        return {"text": text.text, "lines": text.lines}


def _write_boxes(path: Path, text: Text, out: Path, overwrite: bool) -> None:
    """The picture, grey, with each character's box, and above it the answer, drawn with KanjiVG's strokes."""
    from fastetl.synth.strokes import has_strokes, load_strokes

    grey, times = brightness_of(path)
    shown = Image.fromarray(grey).convert("RGB")
    draw = ImageDraw.Draw(shown)
    for character in text.characters:
        left, top, right, bottom = (value / times for value in character.box)
        colour = (210, 30, 30) if character.uncertain else (20, 110, 200)
        width = max(1, round((bottom - top) / 40))
        draw.rectangle((left - width, top - width, right + width, bottom + width), outline=colour, width=width)
        size = max(14.0, 0.4 * (bottom - top))
        for stroke in load_strokes(character.label, 0.05) if has_strokes(character.label) else ():
            points = [(left + size * (x + 0.5), top + size * (y - 0.5) - 3 * width) for x, y in stroke.tolist()]
            draw.line(points, fill=colour, width=max(1, round(size / 16)))
    mark = PngInfo()
    mark.add_text("Software", "fastetl boxes")
    with new_output(out, BOXES, overwrite, [path]) as file:
        shown.save(file, "PNG", pnginfo=mark)
