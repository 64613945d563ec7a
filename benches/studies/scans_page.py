"""docs/scans.md: what real scans look like, in figures, beside what `fastetl synth` draws.

python -m benches.studies.scans_page --out docs/scans.md
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benches.studies.pages import Table, conditions, evidence, save, table
from fastetl.etl.statistics import PERCENTILES, statistics
from fastetl.synth import SynthConfig, synthesize

# Of 2,500 hiragana by 160 real writers (ETL9G scans in the record layout of ETL8G), measured on 2026-11-22 by the
# maintainers; figures alone were kept. Mean, then the percentiles that are known.
REAL: dict[str, tuple[str, str]] = {
    "fragment left": ("77 %", ""),
    "fragment right": ("11 %", ""),
    "fragment top": ("15 %", ""),
    "fragment bottom": ("6 %", ""),
    "fragment anywhere": ("80 %", ""),
    "depth of the left fragment": ("", "1 · 4 · 8 · 13 · –"),
    "height of the left fragment": ("37", "3 · 8 · 37 · 54 · 94"),
    "gap behind the left fragment": ("", "– · 30 · 37 · 43 · 50"),
    "share of fragments in the ink": ("0.10", "0 · 0 · 0.06 · 0.15 · 0.32"),
    "character's width": ("48", "28 · 39 · 47 · 54 · 80"),
    "character's height": ("57", "38 · 48 · 55 · 63 · 88"),
    "centre of gravity, x": ("67.3", "60 · 64 · 67 · 70 · 74"),
    "centre of gravity, y": ("68.6", "58 · 65 · 69 · 73 · 79"),
    "deviation": ("18.1", "13.7 · 16.2 · 17.9 · 19.9 · 23.3"),
    "pen width": ("7.4", "6.2 · 6.9 · 7.3 · 7.9 · 8.8"),
    "darkest level": ("6 here, 9 in other samples", ""),
    "median level of ink over the darkest": ("0.77", "0.5 · 0.67 · 0.83 · 0.83 · 1"),
    "paper pixels that are not 0": ("0", ""),
}
FILES = 16


def measured(scans: float, folder: Path) -> dict[str, tuple[str, str]]:
    synthesize(folder, SynthConfig(files=FILES, charset="hiragana", scans=scans, seed=11))
    figures = {}
    for figure in statistics(folder):
        share = figure.unit == "share of pictures"
        mean = f"{figure.mean:.0%}".replace("%", " %") if share else f"{figure.mean:.3g}"
        figures[figure.name] = mean, " · ".join(f"{v:.3g}" for v in figure.percentiles)
    return figures


def blocks() -> list[str | Table]:
    with tempfile.TemporaryDirectory() as folder:
        scans, canvas = measured(1, Path(folder) / "scans"), measured(0, Path(folder) / "canvas")
    means = [
        f"{kind}: {column}" for kind in ("real", "synthetic scans", "synthetic canvas") for column in ("mean", "%")
    ]
    return [
        "The sheets of the ETL sets are grids, and the scanner's window is wider than a cell: four real pictures in"
        " five hold a fragment of a neighbouring character. `fastetl synth --scans 0.5` (the default) lets half of its"
        " writers write on such sheets; the others draw on a canvas. `fastetl inspect PATH --statistics` measures the"
        " same figures of your own files.",
        "The frame has 128 × 127 pixels. Ink is everything from 15 % of a picture's darkest level up; a fragment is a"
        " connected piece of ink that touches the frame's edge (two pixels); the character is the rest. Deviation is"
        " the root of the summed variances; pen width is four times the mean distance from ink to paper. Percentiles"
        f" (%) are {', '.join(map(str, PERCENTILES))}; lengths are pixels.",
        f"Real: 2,500 hiragana by 160 writers. Synthetic: 2,500 hiragana of {5 * FILES} writers each.",
        table(["", *means], [[name, *real, *scans[name], *canvas[name]] for name, real in REAL.items()], 7),
        "Not matched: synthetic fragments hold a little more of the ink than real ones, and synthetic characters are"
        " a little less compact (deviation) at the same width and height.",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    page = evidence(
        "What scans look like, in figures", "python -m benches.studies.scans_page", blocks(), conditions("fastetl")
    )
    save(page, parser.parse_args().out)
