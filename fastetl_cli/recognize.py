import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal

from PIL import Image, ImageDraw

from export.answers import Answer, Text
from export.graph import NO_CHARACTER
from export.recognizer import Recognizer, open_recognizer
from fastetl.checks import require_range
from fastetl.data.charset import PRETRAINED, in_a_line
from fastetl.data.contact_sheet import write_png
from fastetl.data.labelled_files import PICTURE_SUFFIXES
from fastetl.errors import FastetlError
from fastetl.files.atomic import OutputKind, check_output
from fastetl.files.untrusted import files_below
from fastetl.ink.pictures import brightness_of
from fastetl.synth.strokes import has_strokes, load_strokes
from fastetl_cli.base import MAX_LISTED, Command, Only, Paths, bar, counted, note, say, show_json, table, width_of
from fastetl_cli.options import Argument

BOXES = OutputKind("a picture with boxes by fastetl", b"tEXtSoftware\0fastetl boxes", suffix=".png")
_ALONE, _LINES = Argument(without=("lines",)), Argument(needs="lines")


def find_pictures(paths: Iterable[Path]) -> list[Path]:
    """All files of `paths`, and the pictures in its folders and below. Raises FastetlError for a folder without any."""
    pictures: list[Path] = []
    for path in paths:
        files = [*files_below(path)] if (is_folder := os.path.isdir(path)) else []  # noqa: PTH112 - `is_dir` may raise
        picture_files = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
        if is_folder and not picture_files:
            expected, do = ", ".join(PICTURE_SUFFIXES), "name a picture, or another folder"
            raise FastetlError("no pictures in the folder", file=path, expected=expected, do=do)
        if other_files := set(files) - set(picture_files):
            count = counted(len(other_files), "file")
            note(f"{path}: passed over {count} not named as pictures (first: {min(other_files)})")
        pictures += picture_files or [path]
    return pictures


@dataclass(frozen=True)
class Recognize(Command):
    """Recognize the character in each picture (none: no character; ?: below the threshold) or, with --lines, its text.

    fastetl recognize photo.jpg scans --charset hiragana --top 3
    fastetl recognize --lines note.jpg --boxes boxes.png
    """

    images: Paths
    """Pictures, or folders with pictures at any depth."""
    package: Path = Path(PRETRAINED)
    """A package, or an ONNX model alone; of the bundled ones "pretrained" knows 6,625 characters, "kana" 162."""
    charset: Only = None
    top: Annotated[int, _ALONE] = 5
    """Number of characters to show for each picture."""
    by_shape: Annotated[bool, _ALONE] = False
    """Take characters that are written alike, as へ and ヘ are, for one answer."""
    lines: bool = False
    """Read words, lines or pages, and print their text."""
    direction: Annotated[Literal["auto", "across", "down"], _LINES] = "auto"
    """With --lines: the direction of writing; down is in columns from right to left."""
    plain: Annotated[bool, _LINES] = False
    """With --lines: ignore which characters follow one another in Japanese, as for codes, names and exercises."""
    boxes: Annotated[Path | None, _LINES] = None
    """With --lines: write the picture as this PNG, with boxes and answers, red if uncertain. Needs the extra synth."""
    overwrite: Annotated[bool, Argument(needs="boxes")] = False
    """With --boxes: replace that PNG if it exists."""

    def execute(self) -> int:
        """Print the answers to each picture. One that cannot be read is reported, and the command exits with 1."""
        require_range("top", self.top, 1)
        recognizer = open_recognizer(self.package, charset=self.charset)
        if recognizer.threshold < 1.2 / max(3, len(recognizer.model_charset)):  # of two, a good one may be as unsure
            note(f"{self.package}: this network hardly does more than guess: train it further")
        if self.package != Path(PRETRAINED):  # which may be sure of an answer to a character that it does not know
            note(f"{self.package} knows {in_a_line(recognizer.model_charset.characters, MAX_LISTED)}")
        paths = find_pictures(self.images)
        if self.boxes is not None:  # what could fail after the reading, first
            if len(paths) > 1:
                raise FastetlError("one picture at a time with `boxes`", found=f"{len(paths)} pictures", do="name one")
            has_strokes("一")  # raises where no strokes are installed
            check_output(self.boxes, BOXES, self.overwrite, paths)
        results, print_answers = [], self._row_printer(recognizer, paths)
        for entry in self._results(recognizer, paths):
            results.append(entry)
            if not (self.json or self.lines or "error" in entry):
                print_answers(entry)
            if entry.get("fault"):
                note(f"{entry['image']}: {entry['fault'].replace('as a line', 'with --lines')}")
        if self.json:
            show_json(results)
        return 1 if any("error" in entry for entry in results) else 0

    def _row_printer(self, recognizer: Recognizer, paths: Sequence[Path]) -> Callable[[dict[str, Any]], None]:
        """What prints the answers to a picture as a row, the headings before the first.

        Rows are printed as they come, so each is aligned with a row of the greatest widths; a single one is not.
        """
        ranks = range(1, 1 + min(self.top, len(recognizer.labels)))
        width = max(map(width_of, ["none", *recognizer.charset])) + len(" 49.9%")
        widths = [max(map(width_of, ["picture", *map(str, paths)])), width + len(" ?"), *(width for _ in ranks[1:])]
        rows: list[list[object]] = [[" " * n for n in widths if len(paths) > 1], ["picture", *ranks]]

        def print_answers(entry: dict[str, Any]) -> None:
            likeliest, *rivals = (str(Answer(**a)).replace(NO_CHARACTER, "none") for a in entry["answers"])
            rows.append([entry["image"], likeliest + " ?" * entry["uncertain"], *rivals])
            say(table((), rows).split("\n", 2)[2], is_all=True)
            del rows[1:]

        return print_answers

    def _results(self, recognizer: Recognizer, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
        """What is read in each picture, or its error. The error of a single picture is raised."""
        with bar("recognize") as progress:
            for number, path in enumerate(paths):
                progress(number, len(paths))
                try:
                    if self.lines:
                        yield {"image": path, **self._read_lines(recognizer, path, len(paths) == 1).as_dict()}
                    else:
                        yield {"image": path, **recognizer.read(path, self.top, self.by_shape).as_dict()}
                except FastetlError as error:
                    picture_error = error.replace(file=error.file or str(path))
                    if len(paths) == 1:
                        raise picture_error from error
                    note(f"fastetl recognize: {picture_error}")
                    yield {"image": path, "error": str(picture_error)}

    def _read_lines(self, recognizer: Recognizer, path: Path, is_alone: bool) -> Text:
        """The text of a picture, printed under the picture's name unless it is alone."""
        down = None if self.direction == "auto" else self.direction == "down"
        text = recognizer.read_line(path, down=down, plain=self.plain)
        if not self.json:
            for line in str(text).split("\n"):
                say(line if is_alone else f"{path}\t{line}", is_all=self.boxes is None)
            if uncertain_labels := [c.label for c in text.characters if c.uncertain]:
                summary = f"{len(uncertain_labels)} of {len(text.characters)} characters are uncertain"
                note(f"{path}: {summary}: {in_a_line(uncertain_labels, MAX_LISTED)}")
        if self.boxes is not None:
            _write_boxes(path, text, self.boxes, self.overwrite)
        return text


def _write_boxes(path: Path, text: Text, out: Path, overwrite: bool) -> None:
    """Write the picture in grey with a box around each character, and above it the answer in KanjiVG's strokes."""
    grey, reduction = brightness_of(path)
    picture = Image.fromarray(grey).convert("RGB")
    draw = ImageDraw.Draw(picture)
    height = median([c.box[3] - c.box[1] for c in text.characters] or [0]) / reduction
    frame, size = max(1, round(height / 40)), max(14.0, 0.4 * height)  # widths of lines, sides of letters
    for character in text.characters:
        left, top, right, bottom = (edge / reduction for edge in character.box)
        colour = (210, 30, 30) if character.uncertain else (20, 110, 200)
        draw.rectangle((left - frame, top - frame, right + frame, bottom + frame), outline=colour, width=frame)
        for stroke in load_strokes(character.label, 0.05) if has_strokes(character.label) else ():
            points = [(left + size * (x + 0.5), top - 3 * frame + size * (y - 0.5)) for x, y in stroke.tolist()]
            draw.line(points, fill=colour, width=max(1, round(size / 16)))
    write_png(picture, out, BOXES, overwrite, [path])
