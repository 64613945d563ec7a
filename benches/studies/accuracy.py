"""Accuracy of networks under all conditions of conditions.py: docs/data/accuracy.csv and the table of docs/accuracy.md.

    python -m benches.studies.accuracy NAME... --sets NPZ... [--files 4]
    python -m benches.studies.accuracy --photographs --sets NPZ...

NAME is a package. The test writers have a seed that no training uses. The latter writes docs/data/photographs.csv:
conditions are simulated, since no set of photographed characters is at hand. `limits` is for docs/pretrained.md.
"""

import argparse
import csv
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benches.studies.conditions import CONDITIONS, CURVES
from benches.studies.pages import insert, table
from benches.studies.scans import pictures_by
from export.recognizer import Recognizer, open_recognizer
from fastetl.data.charset import HIRAGANA, JAPANESE, KANA, KATAKANA, LARGE_FORM, Charset, is_kanji, one_shape, script_of
from fastetl.data.preprocessing import resize

SEED = 90_001  # seed of the test writers; trainings take others
SCAN_SIZE = "size and place of scans"  # the condition
WRITERS = {"synthetic writers on a canvas": 0.0, "synthetic writers on scanned sheets": 1.0}
PHOTOGRAPH_SEED, PHOTOGRAPHS = 7, 46  # pictures of each set
PLAIN = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PictureSet:
    """Pictures uint8 (N, H, W), ink high, and their characters."""

    name: str
    images: NDArray[np.uint8]
    characters: tuple[str, ...]
    conditions: tuple[str, ...] = tuple(CONDITIONS)

    def only(self, characters: Container[str]) -> Self:
        """The pictures of these characters."""
        kept = [k for k, c in enumerate(self.characters) if c in characters]
        return replace(self, images=self.images[kept], characters=tuple(self.characters[k] for k in kept))


def read_npz(path: Path) -> PictureSet:
    with np.load(path) as stored:
        return PictureSet(path.stem.replace("_", " "), stored["images"], tuple(stored["labels"].tolist()))


def synthetic_sets(charset: Charset, files: int) -> list[PictureSet]:
    """Characters by synthetic writers of each kind in WRITERS, `files` times five writers each.

    Scanned sheets have fragments already, so they get no condition. Of many kanji about 500 are written.
    """
    kanji = [c for c in charset.characters if is_kanji(c)]
    characters = (*(c for c in charset.characters if not is_kanji(c)), *kanji[:: 1 + len(kanji) // 500])
    sets = []
    for name, scans in WRITERS.items():
        images = pictures_by(SEED, range(5 * files), characters, scans) * np.uint8(17)
        sets.append(PictureSet(name, images, characters * (5 * files), tuple(CONDITIONS)[: None if not scans else 1]))
    return sets


def _answers(reader: Recognizer, part: PictureSet, canvas: bool = False, without: float | Floats = 0.0) -> list[str]:
    pictures = resize(part.images, reader.side)
    scores = reader.probabilities(pictures, canvas)[:, :-1] if canvas else reader.predict(pictures) - without
    return [reader.charset.characters[k] for k in scores.argmax(1).tolist()]


def share(answers: Sequence[str], characters: Sequence[str], sizes: bool = False) -> float:
    """Percent of the answers that equal the characters; characters of one shape (へ/ヘ) count as equal."""
    pairs = zip(answers, characters, strict=True)
    return 100 * float(np.mean([one_shape(a, sizes) == one_shape(c, sizes) for a, c in pairs]))


def measure(reader: Recognizer, part: PictureSet) -> list[float]:
    """Percent of right answers, under each condition of the set."""
    under = (replace(part, images=CONDITIONS[name](part.images, SEED)) for name in part.conditions)
    return [share(_answers(reader, pictures), part.characters) for pictures in under]


def script(part: PictureSet) -> Charset | None:
    """Hiragana or katakana, if all characters of a set are, otherwise None."""
    of_all = (charset for charset in (HIRAGANA, KATAKANA) if set(part.characters) <= set(charset.characters))
    return next(of_all, None)


def rows(name: str, reader: Recognizer, parts: Sequence[PictureSet], own_script: bool) -> list[list[str]]:
    """A row for each set, a column for each condition. own_script: only sets of one script, which alone competes."""
    rows = []
    for part in parts:
        known = part.only(reader.charset.class_of)
        own = script(known) if own_script else reader.charset
        if not known.characters or own is None or (own_script and own.characters == reader.charset.characters):
            continue
        cells = [f"{share:.2f}" for share in measure(reader.restricted(own), known)]
        cells += ["–"] * (len(CONDITIONS) - len(cells))
        compete = "one script" if own_script else "all"
        rows.append([part.name, name, compete, f"{len(known.characters):,}", *cells])
        sys.stderr.write(" | ".join(rows[-1]) + "\n")
    return rows


def summary(row: list[str]) -> list[str]:
    """A row of the page: accuracy of the unchanged pictures, mean of the other conditions, worst condition."""
    values = [(float(cell), name) for cell, name in zip(row[4:], CONDITIONS, strict=True) if cell != "–"]
    (plain, _), *others = values
    if not others:
        return [*row[:4], f"{plain:.1f}", "–", "–"]
    worst, name = min(others)
    return [*row[:4], f"{plain:.1f}", f"{np.mean([value for value, _ in others]):.1f}", f"{worst:.1f}, {name}"]


def _taken(reader: Recognizer, part: PictureSet, partner: Mapping[str, str], canvas: bool = False) -> float:
    """Percent of the characters that are taken for their partners. canvas: as of `Recognizer.probabilities`."""
    asked = part.only({c for c, other in partner.items() if {c, other} <= reader.charset.class_of.keys()})
    return share(_answers(reader, asked, canvas), [partner[c] for c in asked.characters])


def limits(reader: Recognizer, prior: Floats, sets: Sequence[PictureSet], files: int = 4) -> list[list[str]]:
    """Rows of what is measured, on what, in percent. prior: float32 (characters,), which the logits contain."""
    signs = (c for c in JAPANESE.characters if script_of(c) != "kanji" and c in reader.charset.class_of)
    canvas, sheets = synthetic_sets(Charset("signs", tuple(signs)), files)
    written = [part for part in sets if script(part) is HIRAGANA]
    rows = [*_sizes_mistaken(reader.restricted(KANA), canvas, sheets, written)]
    resized = [replace(part, conditions=(SCAN_SIZE, "as on scans")) for part in written]
    lost = [without - among for without, among in (measure(reader.restricted(HIRAGANA), part) for part in resized)]
    what = "lost to fragments at scans' size, hiragana compete"
    rows.append([what, f"mean of {len(lost)} sets", f"{np.mean(lost):.1f}"])
    return rows + (_by_script(reader, prior, canvas) if prior.any() else [])


def _sizes_mistaken(
    kana: Recognizer, canvas: PictureSet, sheets: PictureSet, written: Sequence[PictureSet]
) -> Iterator[list[str]]:
    """How often large kana are taken for small ones, or the reverse: on scans and, told by their place, on canvases."""
    small = {large: little for little, large in LARGE_FORM.items()}
    what = "large kana taken for small, kana compete"
    yield [what, sheets.name, f"{_taken(kana, sheets, small):.1f}"]
    for part in written:
        resized = replace(part, images=CONDITIONS[SCAN_SIZE](part.images, SEED))
        yield [what, f"{part.name}, {SCAN_SIZE}", f"{_taken(kana, resized, small):.1f}"]
    for what, partner in (("small kana taken for large", LARGE_FORM), ("large kana taken for small", small)):
        before, now = (_taken(kana, canvas, partner, placed) for placed in (False, True))
        yield [f"{what}, kana compete", canvas.name, f"{now:.1f} ({now - before:+.1f})"]


def _by_script(reader: Recognizer, prior: Floats, canvas: PictureSet) -> list[list[str]]:
    """The accuracy of each script, and what it gained by the prior."""
    rows = []
    for name in sorted({script_of(c) for c in canvas.characters}):
        part = canvas.only({c for c in canvas.characters if script_of(c) == name})
        answers, plain_answers = _answers(reader, part), _answers(reader, part, without=prior)
        now, before = (share(given, part.characters, True) for given in (answers, plain_answers))
        rows.append([f"{name} right, all compete", canvas.name, f"{now:.1f} ({now - before:+.1f})"])
    return rows


def photographed(sets: Sequence[PictureSet]) -> list[list[str]]:
    """Condition, set, percent right at each level: unvoiced hiragana as cameras and programs give them, by `kana`."""
    recognizer, parts, rows = open_recognizer("kana", charset=HIRAGANA.name), list[PictureSet](), list[list[str]]()
    for part in (part.only(PLAIN) for part in (*sets, synthetic_sets(HIRAGANA, 1)[0])):
        chosen = np.random.default_rng(PHOTOGRAPH_SEED).permutation(len(part.characters))[:PHOTOGRAPHS]
        parts.append(replace(part, images=part.images[chosen], characters=tuple(part.characters[k] for k in chosen)))
    for curve, (levels, show) in CURVES.items():
        for part in parts:
            cells = []
            for level in levels:
                rngs = (np.random.default_rng([PHOTOGRAPH_SEED, k]) for k in range(len(part.images)))
                shown = [show(picture, level, rng) for picture, rng in zip(part.images, rngs, strict=True)]
                answers = [reading.label for reading in recognizer.read_all(shown, top=1)]
                cells.append(f"{level:g}: {share(answers, part.characters):.0f}")
            rows.append([curve, part.name, " · ".join(cells)])
            sys.stderr.write(" | ".join(rows[-1]) + "\n")
    return rows


def _write(name: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with Path("docs/data", name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


def main() -> None:
    """Read the arguments, measure, write table and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", type=Path, metavar="NAME", help="packages")
    parser.add_argument("--photographs", action="store_true", help="measure photographs, by the network kana")
    parser.add_argument("--sets", nargs="*", type=Path, default=[], help="npz files of labelled handwriting")
    parser.add_argument("--files", type=int, default=4, help="of test writers of each kind: five writers a file")
    given = parser.parse_args()
    sets, measured = [read_npz(p) for p in given.sets], list[list[str]]()
    if given.photographs:
        _write("photographs.csv", ["condition", "set", "level: per cent correct"], photographed(sets))
        return
    for path in given.readers:
        reader = open_recognizer(path)
        measured += rows(path.name, reader, [*sets, *synthetic_sets(reader.charset, given.files)], own_script=False)
        measured += rows(path.name, reader, sets, own_script=True)
    _write("accuracy.csv", ["set", "network", "compete", "pictures", *CONDITIONS], measured)
    head = ["set", "network", "compete", "pictures", "as they are", "mean of the conditions", "worst condition"]
    insert(Path("docs/accuracy.md"), "accuracy", table(head, map(summary, measured), 3))


if __name__ == "__main__":
    main()
