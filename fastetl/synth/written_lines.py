"""Lines of handwriting by synthetic writers: strokes in the order of writing, pictures, and each character's box."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image

from fastetl.arrays import Bytes, Reals
from fastetl.checks import Options, Range, Share, as_progress, config_of, require_instance, require_range, unsuitable
from fastetl.data.charset import JAPANESE, nfc
from fastetl.errors import ShowProgress, StrPath
from fastetl.files.atomic import OutputKind, new_output
from fastetl.ink.drawings import Drawing, Stroke, paint, segments_of
from fastetl.lines.bigrams import load_bigrams
from fastetl.lines.shapes import CORNER, LYING
from fastetl.synth.handwriting import PenStroke, choose_glyphs, extent_of, pen_strokes
from fastetl.synth.records import ATTRIBUTION
from fastetl.synth.style import HEIGHT, WIDTH, WriterStyle, draw_style

LINES_KIND = OutputKind("a folder of synthetic lines", ("lines.jsonl",), ("lines.jsonl", "ATTRIBUTION.txt", "*.png"))
_STEP_MILLISECONDS = 8.0  # milliseconds between two points
_PAUSE_MILLISECONDS = 150  # milliseconds between two strokes


@dataclass(frozen=True)
class LineConfig(Options):
    """How a line is written. Lengths in boxes of a character."""

    down: bool = False
    """Write downwards instead of across."""
    spacing: Annotated[float, Range(0, 2)] = 0.12
    """Mean gap between two characters, 0–2; wider beside narrow ones."""
    touching: Share = 0.0
    """Share of the gaps (0–1) at which characters touch or overlap."""
    slope: Annotated[float, Range(0, 0.3)] = 0.03
    """Standard deviation of the line's slope, 0–0.3."""
    uneven: Annotated[float, Range(0, 0.4)] = 0.05
    """Standard deviation of the characters' sizes, 0–0.4."""
    running: Share = 0.15
    """Share of the lines (0–1) in running style, which joins a character's strokes."""
    delayed: Share = 0.1
    """Share of the lines (0–1) whose dakuten are written when the line is done."""


@dataclass(frozen=True)
class WrittenLine:
    """A written line."""

    text: str
    drawing: Drawing
    """Its strokes in the order of writing."""
    boxes: tuple[tuple[float, float, float, float], ...]
    """Left, top, right and bottom of each character except spaces, in the drawing's units."""

    def picture(self) -> Bytes:
        """uint8 (height, width): the drawing as a picture, ink high."""
        shape = round(self.drawing.height), round(self.drawing.width)
        return paint(segments_of(self.drawing, shape), shape)


def _in_boxes(strokes: list[PenStroke], character: str, size: float, side: float, down: bool) -> Iterator[PenStroke]:
    """A character's strokes from its box's middle, in boxes of `side` pixels. size: factor of the character's."""
    corner_shift = CORNER.get(character, 0.0)
    for stroke in strokes:
        points = (stroke.points - np.array([WIDTH - 1, HEIGHT - 1]) / 2) * size / side
        if down:
            turned_points = np.stack([-points[:, 1], points[:, 0]], 1)
            points = turned_points if character in LYING else points + corner_shift * np.array([1, -1])
        yield stroke._replace(points=points, radii=stroke.radii / side)


def write_line(text: str, seed: int | Sequence[int], config: LineConfig = LineConfig()) -> WrittenLine:
    """Write a line in a synthetic writer's hand. The same seed writes the same line. Spaces leave a gap.

    Raises FastetlError for a character without strokes, or if KanjiVG's strokes are not installed.
    """
    require_instance("text", text, str, "a text")
    text = nfc(text)
    rng = np.random.default_rng(seed)  # another order of what is drawn from it would write other lines
    style = line_style(draw_style(rng), config, rng)
    letters = [c for c in text if not c.isspace()]
    if not 0 < len(letters) <= 1000:  # with several thousands the canvas would be too wide
        raise unsuitable("text", "1 to 1,000 characters to write in a line", repr(text))
    side = WIDTH * style.size  # pixels
    writing = pen_strokes(choose_glyphs(style, rng, letters), style, rng)
    sizes = np.exp(rng.spawn(1)[0].normal(0, config.uneven, len(letters)))
    shapes = [list(_in_boxes(*arguments, side, config.down)) for arguments in zip(writing, letters, sizes, strict=True)]
    inks = [np.stack(extent_of(shape)) for shape in shapes]
    places = list(_places(text, inks, config, rng))
    strokes: list[PenStroke] = []
    for shape, place in zip(shapes, places, strict=True):
        strokes += [s._replace(points=(s.points + place) * side, radii=s.radii * side) for s in shape]
    boxes = np.array([((ink + place) * side).ravel() for ink, place in zip(inks, places, strict=True)])
    if rng.random() < config.delayed:
        strokes.sort(key=lambda stroke: stroke.is_mark)  # all dakuten at the end
    return _on_canvas(text, strokes, boxes, style)


def _places(text: str, inks: list[Reals], config: LineConfig, rng: np.random.Generator) -> Iterator[Reals]:
    """The middle of each character's box, x and y in boxes. inks: seen from there, left and top, right and bottom."""
    slope, bulge = rng.normal(0, config.slope), rng.normal(0, 0.02)
    tightness = rng.uniform(0.5, 1)  # 1: characters advance by their ink, 0: by their boxes
    gap_deviation = rng.uniform(0.02, 0.08)
    next_inks = iter(inks)
    end = 0.0  # end of what is written so far
    for character in text:
        if character.isspace():
            end += rng.uniform(0.7, 1.1)
            continue
        low, high = next(next_inks)[:, int(config.down)]
        gap = max(config.spacing + rng.normal(0, gap_deviation), 0.02)
        if rng.random() < config.touching:
            gap = rng.uniform(-0.12, 0)
        begin_offset = tightness * low + (1 - tightness) * min(-0.42, low)
        end_offset = tightness * high + (1 - tightness) * max(0.42, high)
        middle = end + (gap if end else 0) - begin_offset
        end = middle + end_offset
        deviation = slope * middle + bulge * np.sin(middle / 3) + rng.normal(0, 0.5 * gap_deviation)
        yield np.array([deviation, middle] if config.down else [middle, deviation])


def random_text(rng: np.random.Generator, length: int) -> str:
    """Draw characters from the bigrams, one after another: like Japanese text, but most make no words."""
    table, classes, text = load_bigrams(), np.arange(len(JAPANESE)), [-1]
    for _ in range(length):
        log_odds = table.shares[:-1] if text == [-1] else table.log_probability(np.array(text[-1]), classes)
        odds = np.exp(log_odds - log_odds.max())
        text.append(int(rng.choice(classes, p=odds / odds.sum())))
    return "".join(JAPANESE.characters[k] for k in text[1:])


def write_lines(
    out: StrPath,
    texts: list[str] | tuple[str, ...],
    config: LineConfig | None = None,
    *,
    seed: int = 0,
    overwrite: bool = False,
    progress: ShowProgress | None = None,
    **options: object,
) -> Path:
    """Write a directory of lines by as many synthetic writers. Returns its path.

    It has 00000.png … with dark ink, lines.jsonl with text (in NFC), boxes and drawings, and the licence. The other
    parameters, and the errors, are those of `synthesize`.

    Args:
        texts: What to write, a line each; spaces leave a gap.
        config: How to write it; `LineConfig()` if None.
        seed: Another seed, 0 or more, gives other writers.
    """
    config, rows = config_of(LineConfig, config, options), []
    progress = as_progress(progress)
    require_instance("texts", texts, list | tuple, "a list of texts")
    require_range("seed", seed, 0)
    with new_output(out, LINES_KIND, overwrite) as folder:
        for k, text in enumerate(texts):
            line, name = write_line(text, [seed, k], config), f"{k:05}.png"
            Image.fromarray(255 - line.picture()).save(folder / name)
            row = {"file": name, "text": line.text, "boxes": line.boxes, "drawing": line.drawing.as_dict()}
            rows.append(json.dumps(row, ensure_ascii=False) + "\n")
            progress(len(rows), len(texts))
        (folder / "lines.jsonl").write_text("".join(rows), encoding="utf-8")
        (folder / "ATTRIBUTION.txt").write_text(ATTRIBUTION, encoding="utf-8")
    return Path(out)


def line_style(style: WriterStyle, config: LineConfig, rng: np.random.Generator) -> WriterStyle:
    """Adapt a writer's style to lines: boxes of one size and position, and a pen that does not fill the gaps."""
    joined = rng.uniform(0, 2.5) if rng.random() < config.running else min(style.joined, -1.5)
    size = min(style.size, 0.8)
    pen = min(style.pen, 0.09 * WIDTH * size)
    return replace(style, joined=joined, size=size, centre=(0.0, 0.0), wander=0.1, specks=0.0, pen=pen)


def _on_canvas(text: str, strokes: list[PenStroke], boxes: Reals, style: WriterStyle) -> WrittenLine:
    """Put the strokes on a canvas just large enough, one after the other."""
    margin = 0.3 * WIDTH * style.size
    low = boxes[:, :2].min(0) - margin
    width, height = map(float, np.ceil(boxes[:, 2:].max(0) + margin - low))
    timed_strokes: list[Stroke] = []
    begin = 0.0  # begin of the next stroke, in milliseconds
    for stroke in strokes:
        timed_strokes.append(_timed(stroke, low, style.pen, begin))
        begin += _STEP_MILLISECONDS * (len(timed_strokes[-1]) - 1) + _PAUSE_MILLISECONDS
    drawing = Drawing(width, height, tuple(timed_strokes), style.pen / max(width, height))
    corners = np.round(boxes - np.concatenate([low, low]), 2).tolist()
    return WrittenLine(text, drawing, tuple((left, top, right, bottom) for left, top, right, bottom in corners))


def _timed(stroke: PenStroke, corner: Reals, pen: float, begin: float) -> Stroke:
    """Every second point of a stroke and its last one; the pressure is the line's thickness in pens less a half."""
    indices = np.unique([*range(0, len(stroke.points), 2), len(stroke.points) - 1])
    x, y = np.round(stroke.points[indices], 3).T.tolist()
    left, top = corner.tolist()
    pressure = np.round(np.clip(stroke.radii[indices] / pen - 0.5, 0, 1), 3)
    time = begin + _STEP_MILLISECONDS * np.arange(len(indices))
    columns = tuple(round(value - left, 2) for value in x), tuple(round(value - top, 2) for value in y)
    return Stroke(*columns, tuple(pressure.tolist()), tuple(time.tolist()))
