"""Parts of synthetic lines, where neighbours touch: those that are a character as a dataset, the others as outliers.

    python -m benches.studies.line_parts OUT train DATASET RUN --also OUT=0.5...

It writes the dataset OUT, then runs the command with the outliers (docs/decisions/0014).
"""

import sys
from collections.abc import Iterator, Sequence
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import HIRAGANA, JAPANESE, KATAKANA
from fastetl.data.dataset import Dataset, Samples
from fastetl.data.preprocessing import resize
from fastetl.lines.segmentation import lines_of_picture
from fastetl.synth.lines import LineConfig, random_text, write_line
from fastetl_cli.main import main as fastetl
from model.config import TrainConfig
from model.outliers import outlier_samples

LINES = {31: 1500, 32: 2500}
"""How many lines are written with each seed."""
OUTLIERS = 0.08
"""Weight of the outliers relative to all datasets' together."""


def line_parts(seed: int, count: int) -> Iterator[tuple[NDArray[np.uint8], str, int]]:
    """Pictures uint8 (128, 128) of parts of `count` lines, the character of each, or "" for none, and its line.

    What overlaps a character by 0.6 is this character. What shows two, or pieces of two, is none; some are kept.
    """
    rng = np.random.default_rng(seed)
    for number in range(count):
        length, share = int(rng.integers(4, 10)), rng.random()
        charset = HIRAGANA if share < 0.55 else KATAKANA if share < 0.65 else JAPANESE
        text = "".join(rng.choice(charset.characters, length)) if share < 0.8 else random_text(rng, length)
        is_down, touching = bool(rng.random() < 0.25), float(rng.choice([0.15, 0.4, 0.7]))
        spacing, uneven = float(rng.uniform(0, 0.3)), float(rng.choice([0.03, 0.08, 0.14]))
        config = LineConfig(down=is_down, touching=touching, spacing=spacing, uneven=uneven)
        written = write_line(text, [seed, number], config)
        if len(found := list(lines_of_picture(written.picture(), is_down))) != 1:
            continue
        boxes, true = found[0].to_original(found[0].spans.boxes), np.array(written.boxes)
        areas = np.prod(true[:, 2:] - true[:, :2], 1)
        for box, picture in zip(boxes, found[0].pictures(), strict=False):  # which are followed by turned ones
            sides = np.minimum(box[2:], true[:, 2:]) - np.maximum(box[:2], true[:, :2])
            common = np.prod(np.maximum(sides, 0), 1)
            overlap, shown = common / (np.prod(box[2:] - box[:2]) + areas - common), common / areas
            is_character = overlap.max() >= 0.6
            are_two = (shown > 0.55).sum() >= 2 and not is_character and rng.random() < 0.35
            are_pieces = (shown > 0.3).sum() == 2 and overlap.max() < 0.5 and not are_two and rng.random() < 0.5
            if is_character or are_two or are_pieces:
                yield picture, written.text.replace(" ", "")[overlap.argmax()] if is_character else "", number


def main(out: str, *command: str) -> None:
    """Write the dataset, and run a command of `fastetl` with the outliers."""
    parts = [(*part[:2], 10_000 * k + part[2]) for k, one in enumerate(LINES.items()) for part in line_parts(*one)]
    pictures, characters, lines = (np.array(values) for values in zip(*parts, strict=True))
    pictures = resize(pictures, 64)
    kept, others = characters != "", np.ascontiguousarray(pictures[characters == ""])
    data = Dataset.create(pictures[kept], characters[kept], lines[kept], source="synthetic lines", charset="japanese")
    data.write(out)

    def outliers(sources: Sequence[Samples], classes: int, config: TrainConfig) -> list[Samples]:
        labels, weight = np.full(len(others), classes), OUTLIERS * sum(source.weight for source in sources)
        return [*outlier_samples(sources, classes, config), Samples(others, labels, np.arange(len(others)), weight)]

    with patch("model.loop.outlier_samples", outliers):
        fastetl(command)


if __name__ == "__main__":
    main(*sys.argv[1:])
