"""docs/lines.md: how well lines are read, and how fast.

    python -m benches.studies.line_accuracy --sets FOLDER --fonts FONT.ttf... [--seeds 3] [--lines 40]

FOLDER holds touch_crowdsourced.npz and stroke_templates.npz, `images` (uint8, N × 128 × 128, ink high) and `labels`.
The fonts are written by hand. Neither is kept in the repository, and nothing is fitted to them.
"""

import argparse
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benches.studies.pages import conditions as circumstances
from benches.studies.pages import markdown, table
from export.recognizer import Recognizer, open_recognizer
from fastetl.data.charset import JAPANESE, LARGE_FORM
from fastetl.ink.drawings import Drawing
from fastetl.lines.layout import turned, unturned
from fastetl.synth.written_lines import LineConfig, write_line

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
WORDS = Path(__file__).with_name("lines.txt")
"""The page, but for its table."""
_LISTS = Path(__file__).with_name("line_texts.txt").read_text(encoding="utf-8").split("\n\n")
TEXTS, NUMBERS_AND_LETTERS = map(str.split, _LISTS)


@dataclass(frozen=True)
class Sample:
    """A line to be read (a picture, ink high, or a drawing), its text, and the boxes of its characters."""

    ink: Pixels | Drawing
    text: str
    boxes: Sequence[Box]
    down: bool = False


def errors(text: str, answer: str) -> int:
    """Edit distance between two texts without their spaces; へ and ヘ count as the same."""
    a, b = (t.translate(str.maketrans("ヘベペ", "へべぺ")).replace(" ", "") for t in (text, answer))
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def pasted(sets: Sequence[Path], count: int, seed: int, touching: float = 0.0) -> Iterable[Sample]:
    """Lines of 4 to 10 hiragana from the sets, side by side; a third of the lines is on a slope.

    touching: share of the gaps at which characters touch or overlap.
    """
    rng = np.random.default_rng([seed, 1])
    data = [dict(np.load(path, allow_pickle=False)) for path in sets]
    for k in range(count):
        drawn = data[k % len(data)]
        usable = np.flatnonzero([len(c) == 1 and "ぁ" <= c <= "ん" for c in drawn["labels"].tolist()])
        chosen = rng.choice(usable, rng.integers(4, 11))
        parts = [(drawn["images"][n], str(drawn["labels"][n])) for n in chosen]
        slope = rng.uniform(-0.06, 0.06) if k % 3 == 0 else 0.0
        yield _side_by_side(parts, slope, touching, rng)


def _side_by_side(parts: list[tuple[Pixels, str]], slope: float, touching: float, rng: np.random.Generator) -> Sample:
    line = np.zeros((400, 128 * len(parts) + 200), np.uint8)
    boxes: list[Box] = []
    x = 40.0
    for picture, label in parts:
        left, top, right, bottom = Image.fromarray(picture > 60).getbbox() or (0, 0, 1, 1)
        small = label in LARGE_FORM
        crop = picture[top:bottom, left:right]
        # A character keeps its height within its frame.
        y = 136 + top + slope * x
        if small and bottom - top > 75:
            factor = 75 / (bottom - top)
            crop = np.asarray(Image.fromarray(crop).resize((max(1, round(crop.shape[1] * factor)), 75)))
            y = 136 + 25 + slope * x
        gap = rng.uniform(-10, 0) if boxes and rng.random() < touching else rng.uniform(8, 30)
        x += gap if boxes else 0
        column, row = max(round(x), 0), round(y)
        region = line[row : row + crop.shape[0], column : column + crop.shape[1]]
        np.maximum(region, crop, out=region)
        boxes.append((column, row, column + crop.shape[1], row + crop.shape[0]))
        x = column + crop.shape[1]
    return Sample(line[:, : round(x) + 40], "".join(label for _, label in parts), boxes)


def typeset(fonts: Sequence[Path], texts: Sequence[str], down: bool, seed: int) -> Iterable[Sample]:
    """Each text in each font, every line with its own size, gaps and slope."""
    rng = np.random.default_rng([seed, 2])
    for path in fonts:
        for text in texts:
            size = int(rng.integers(40, 100))
            font = ImageFont.truetype(str(path), size)
            slope, gap = rng.uniform(-0.04, 0.04), rng.uniform(-0.03, 0.12) * size
            length, across = round(len(text) * (1.2 * size) + 120), 4 * size
            canvas = Image.new("L", (across, length) if down else (length, across))
            draw, along, boxes = ImageDraw.Draw(canvas), 40.0, []
            for c in text:
                offset = slope * along + rng.normal(0, 0.015) * size
                where = (1.5 * size + offset, along) if down else (along, 1.5 * size + offset)
                options = {"direction": "ttb"} if down else {}
                draw.text(where, c, 255, font=font, **options)  # type: ignore[arg-type]
                alone = Image.new("L", canvas.size)
                ImageDraw.Draw(alone).text(where, c, 255, font=font, **options)  # type: ignore[arg-type]
                boxes.append(alone.getbbox() or (0, 0, 1, 1))
                along += (size if down else font.getlength(c)) + gap
            yield Sample(np.asarray(canvas), text, boxes, down)


def written(texts: Sequence[str], config: LineConfig, seed: int, strokes: bool) -> Iterable[Sample]:
    """Lines by synthetic writers, as strokes or as pictures."""
    for k, text in enumerate(texts):
        line = write_line(text, [9000 + seed, k], config)
        yield Sample(line.drawing if strokes else line.picture(), text, line.boxes, config.down)


def pages(lines: Sequence[Sample], seed: int, light: bool = True) -> Iterable[Sample]:
    """Pages of six lines or columns of one size, tilted by up to 6°. light: else in a shadow, with grain."""
    rng = np.random.default_rng([seed, 5])
    for first in range(0, len(lines) - 5, 6):
        page = _page(lines[first : first + 6], rng.uniform(-6, 6))
        if not light:
            ink = np.asarray(page.ink)
            shadow = np.linspace(1, 0.5, ink.shape[1]) * np.linspace(1, 0.8, len(ink))[:, None]
            paper = (255 - ink) * shadow + rng.normal(0, 8, ink.shape)
            page = replace(page, ink=255 - paper.clip(0, 255).astype(np.uint8))
        yield page


def _page(lines: Sequence[Sample], degrees: float) -> Sample:
    """Lines of 60 pixels' height, 100 pixels apart; columns are turned to lines, and the page is turned back."""
    pitch, bands, boxes = 100, [], []
    for k, line in enumerate(lines):
        ink, across = np.asarray(line.ink), np.array(line.boxes)
        if line.down:
            ink, across = np.rot90(ink), turned(across) + np.tile([0, ink.shape[1]], 2)
        factor = 240 / len(ink)
        bands.append(np.asarray(Image.fromarray(ink).resize((round(factor * ink.shape[1]), 240))))
        boxes.append(across * factor + [0, k * pitch, 0, k * pitch])
    page = np.zeros((pitch * (len(lines) - 1) + 240, max(band.shape[1] for band in bands)), np.uint8)
    for k, band in enumerate(bands):
        region = page[k * pitch : k * pitch + 240, : band.shape[1]]
        np.maximum(region, band, out=region)
    together = np.concatenate(boxes)
    if lines[0].down:
        together, page = unturned(together) + np.tile([len(page), 0], 2), np.rot90(page, -1)
    tilted = Image.fromarray(page).rotate(degrees, Image.Resampling.BILINEAR, expand=True)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    middle = np.array(page.shape[::-1]) / 2
    corners = np.stack([together[:, [a, b]] for a in (0, 2) for b in (1, 3)], 1) - middle
    corners = corners @ np.array([[cos, -sin], [sin, cos]]) + np.array(tilted.size) / 2
    tilted_boxes = [tuple(box) for box in np.concatenate([corners.min(1), corners.max(1)], 1).tolist()]
    return Sample(np.asarray(tilted), "".join(line.text for line in lines), tilted_boxes, lines[0].down)


@dataclass
class Tally:
    """What was counted over some lines. boxes: how many were found. seconds: the time that reading took."""

    characters: int = 0
    wrong: int = 0
    boxes: int = 0
    seconds: float = 0.0

    def row(self) -> list[str]:
        share = self.boxes / max(self.characters, 1)
        ms = 10_000 * self.seconds / max(self.characters, 1)
        return [f"{self.characters:,}", f"{self.wrong / max(self.characters, 1):.2%}", f"{share:.1%}", f"{ms:.0f}"]


def tallied(recognizer: Recognizer, samples: Iterable[Sample], plain: bool = False, directed: bool = True) -> Tally:
    """Read all samples. directed: whether the reader is told the direction."""
    tally = Tally()
    for sample in samples:
        down = sample.down if directed else None
        source = sample.ink if isinstance(sample.ink, Drawing) else 255 - sample.ink
        begin = time.perf_counter()
        text = recognizer.read_line(source, down=down, plain=plain)
        tally.seconds += time.perf_counter() - begin
        answers = [c.box for c in text.characters]
        tally.characters += len(sample.text)
        tally.wrong += errors(sample.text, text.text.replace("\n", ""))
        tally.boxes += sum(any(overlap(box, answer) >= 0.7 for answer in answers) for box in sample.boxes)
    return tally


@dataclass(frozen=True)
class Condition:
    """A row of the table. directed: whether the reader is told the direction."""

    name: str
    competing: str
    samples: Iterable[Sample]
    plain: bool = False
    directed: bool = True


def conditions(sets: Sequence[Path], fonts: Sequence[Path], seed: int, count: int) -> Iterable[Condition]:
    """The rows that can be measured with the sets and fonts given."""
    rng = np.random.default_rng([seed, 4])
    texts = rng.permutation(TEXTS).tolist()[:count]
    if sets:
        yield Condition("real hiragana, side by side", "hiragana", pasted(sets, count, seed))
        yield Condition("… a third of the gaps touching or overlapping", "hiragana", pasted(sets, count, seed, 1 / 3))
    if fonts:
        few = texts[: max(1, count // len(fonts))]
        yield Condition("words and sentences, fonts", "japanese", typeset(fonts, few, False, seed))
        yield Condition("… downwards", "japanese", typeset(fonts, few, True, seed))
        yield Condition("… downwards, direction detected", "japanese", typeset(fonts, few, True, seed), directed=False)
        rows, columns = (list(typeset(fonts, few, down, seed)) for down in (False, True))
        for name, page in (
            ("pages of six lines, fonts, tilted, direction detected", pages(rows, seed)),
            ("… in a shadow, with grain", pages(rows, seed, light=False)),
            ("… in columns", pages(columns, seed)),
        ):
            yield Condition(name, "japanese", page, directed=False)
        numbers = rng.permutation(NUMBERS_AND_LETTERS).tolist()[: len(few)]
        yield Condition("dates, numbers and Latin letters, fonts", "japanese", typeset(fonts, numbers, False, seed))
    across, downwards = LineConfig(), LineConfig(down=True)
    yield Condition("synthetic writers' words and sentences, strokes", "japanese", written(texts, across, seed, True))
    yield Condition("… pictures", "japanese", written(texts, across, seed, False))
    yield Condition("… strokes, downwards", "japanese", written(texts, downwards, seed, True))
    numbers = rng.permutation(NUMBERS_AND_LETTERS).tolist()[:count]
    yield Condition("… strokes of dates, numbers and Latin letters", "japanese", written(numbers, across, seed, True))
    characters = JAPANESE.characters[:169] + JAPANESE.characters[260:1300]
    rng = np.random.default_rng([seed, 3])
    no_words = ["".join(rng.choice(characters, rng.integers(4, 11))) for _ in range(count)]
    anything = list(written(no_words, across, seed, True))
    yield Condition("… strokes, random kana and kanji", "japanese", anything)
    yield Condition("… without the table of bigrams", "japanese", anything, plain=True)


def main() -> None:
    """Measure all conditions, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=Path)
    parser.add_argument("--fonts", type=Path, nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lines", type=int, default=40)
    options = parser.parse_args()
    sets = [options.sets / f"{n}.npz" for n in ("touch_crowdsourced", "stroke_templates")] if options.sets else []
    whole = open_recognizer("japanese")
    recognizers = {"japanese": whole, "hiragana": whole.restricted("hiragana")}
    tallies: dict[str, list[Tally]] = {}
    for seed in range(options.seeds):
        for c in conditions(sets, options.fonts, seed, options.lines):
            tally = tallied(recognizers[c.competing], c.samples, c.plain, c.directed)
            tallies.setdefault(c.name, []).append(tally)
    rows = []
    for name, each in tallies.items():
        rates = [100 * t.wrong / max(t.characters, 1) for t in each]
        total = Tally(*(sum(getattr(t, f.name) for t in each) for f in fields(Tally)))
        rows.append([name, *total.row(), f"{min(rates):.1f}–{max(rates):.1f}"])
    head = ("lines", "characters", "wrong", "boxes", "ms for ten", "by seed, %")
    command = f"python -m benches.studies.line_accuracy --sets FOLDER --fonts FONT.ttf… --lines {options.lines}"
    words = WORDS.read_text(encoding="utf-8").replace("{table}", table(head, rows))
    text = markdown("Words and lines", command, [words], circumstances("onnxruntime", "numpy"))
    Path("docs/lines.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
