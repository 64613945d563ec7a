"""A writer's style: what stays the same in everything that one person writes. It is drawn once for each writer.

Lengths are in units of the character's box, angles in radians, logarithms natural.
"""

from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from fastetl.data.scans import FRAGMENT_SHARES
from fastetl.etl.layouts import ETL8G
from fastetl.files.tables import table_rows

WIDTH, HEIGHT = ETL8G.width, ETL8G.height  # of the frame: synthetic writers fill the pictures of ETL8G, in pixels
_POPULATION = table_rows("synth/tables/population.tsv")  # trait, distribution, numbers


@dataclass(frozen=True)
class WriterStyle:
    """Habits of one writer. The defaults are those of the model pattern: the textbook's forms without any habit."""

    ways: float = 0.0  # how readily another way than the textbook's is taken: multiple of the population's share
    joined: float = -50.0  # log odds of joining two strokes that meet; less for those farther apart
    link: float = 1.0  # width of the line between joined strokes, as a share of the pen's
    hookless: float = -50.0  # log odds of leaving off a hook
    lengths: tuple[float, ...] = (0.0,) * 4  # log length of a leg by its direction a: of cos a, sin a, cos 2a, sin 2a
    turns: tuple[float, ...] = (0.0,) * 4  # the angle by which a leg is turned, by its direction in the same way
    last_leg: tuple[float, float] = (0.0, 0.0)  # log length of each stroke's last leg, and by which angle it is turned
    leg_spread: float = 0.0  # how much each leg differs from the writer's own, as a factor
    component_spread: float = 0.0  # how far each component of a kanji moves and grows on its own, as a factor
    sloppiness: float = 0.0  # how much one character differs from the next: a factor on all variation within a writer
    size: float = 0.8  # side of the character's box as a fraction of the frame's width
    aspect: float = 0.0  # logarithm of width over height
    slant: float = 0.0  # lean of verticals: x gains this much for each unit upwards
    rise: float = 0.0  # rise of horizontals to the right
    centre: tuple[float, float] = (0.0, 0.0)  # of the characters, from the frame's: x, y in fractions of the frame
    bow: tuple[float, ...] = (0.0,) * 10  # warp of the plane: factors of x², xy, y², x³, y³ for x, then for y
    bend: float = 0.0  # curvature added to every stroke, to one side
    angular: float = 0.0  # 0 draws curves, 1 draws straight pieces between corners
    corner_rounding: float = 0.0  # how far corners are rounded off, 0–1
    loop: tuple[float, float] = (0.0, 0.0)  # logarithms of the width and height of loops
    mark_size: float = 0.0  # logarithm of the size of dakuten and handakuten
    mark_gap: float = 0.0  # logarithm of the distance between the strokes of a dakuten
    mark_joined: float = -50.0  # log odds of joining the strokes of a dakuten
    ring: float = 0.0  # logarithm of the size of handakuten, in addition to that of all marks
    ring_open: float = 0.0  # share of handakuten that are not closed
    mark_offset: tuple[float, float] = (0.0, 0.0)  # displacement (x, y) of the marks
    mark_corner: float = 0.0  # marks' place from KanjiVG's position (0) to the character's upper right corner (1)
    ends: tuple[float, float] = (0.0, 0.0)  # how much strokes are longer at the start and at the end; below 0: shorter
    cut_short: float = 0.0  # share of strokes that begin late, and share of strokes that end early
    reach: float = 0.0  # share of strokes that begin or end much farther out or in
    tremor: float = 0.0  # amplitude of the pen's trembling
    tremor_rate: float = 10.0  # trembles per unit of length
    pen: float = 3.6  # width of the pen in pixels of the 128 × 127 frame
    taper: tuple[float, float] = (0.0, 0.0)  # how much thinner strokes begin and end, 0–1
    pressure: float = 0.0  # swelling and thinning along the stroke, as a share of the width
    nib: tuple[float, float] = (0.0, 0.0)  # how much the width depends on the direction, as a share; where it is widest
    brush_swell: float = 0.0  # how much wider a brush is where it is set down and lifted, as a share
    dry: float = 0.0  # how much the ink fails along the stroke, 0–1
    level: float = 9.0  # level (0–15) of full ink
    blur: float = 0.15  # outer tap of the scanner's three-tap blur
    grain: float = 0.0  # spread of the ink's level from pixel to pixel, as a share
    specks: float = 0.0  # share of characters that have a speck beside them; some have two
    wander: float = 0.35  # how far characters wander from the writer's centre, as a share of the room around the box
    small: float = 1.0  # size of small kana, as a factor of KanjiVG's small forms
    shrink: float = 0.0  # most shrinking of kana with a small form, as a share: size alone must not tell them apart
    fragments: tuple[float, ...] = (0.0,) * 4  # share of pictures with a neighbour's at the left, right, top, bottom


def draw_style(rng: np.random.Generator, is_scanned: bool = False) -> WriterStyle:
    """Draw a writer from the population: mostly neat, a few sloppy; thin and thick pens, small and large writing.

    is_scanned: on a sheet of the ETL Character Database; otherwise on a canvas. `tables/population.tsv` has
    most of the numbers, and says where all come from.
    """
    sloppiness = _trait(rng, "lognormal", -0.15, 0.35, -1.0, 0.6)
    # Some fill the canvas to its edges.
    size = _trait(rng, "sometimes", 0.12, 0.92, 1.2) or _trait(rng, "normal", 0.66, 0.16, 0.36, 0.98)
    pen = _trait(rng, "lognormal", np.log(3.1), 0.45, np.log(1.1), np.log(8.0))
    marker = _trait(rng, "sometimes", 0.12, 0.065, 0.11)  # a thick pen, as a share of the box
    brush = _trait(rng, "sometimes", 0.1, 0.3, 1.0)
    # A thick pen would fill the loops of a small style and hide a sloppy one's shapes: people take a finer one.
    pen = min(pen, 0.065 * WIDTH * size, 0.06 * WIDTH * size / sloppiness)
    pen = max(pen, marker * WIDTH * size, 8.5 * size * (brush > 0))
    style = WriterStyle(sloppiness=sloppiness, size=size, pen=pen, brush_swell=0.6 * brush)
    for name, rows in groupby(_POPULATION, key=itemgetter(0)):
        values = [_trait(rng, kind, *map(float, numbers)) for _, kind, *numbers in rows]
        value: Any = tuple(values) if isinstance(getattr(style, name), tuple) else sum(values)
        style = replace(style, **{name: value})
    style = replace(style, nib=(style.nib[0] + 0.25 * brush, style.nib[1]))
    return _on_a_sheet(style, rng) if is_scanned else style


def _on_a_sheet(style: WriterStyle, rng: np.random.Generator) -> WriterStyle:
    """A canvas style on a sheet with small cells, whose scans show parts of the neighbouring cells.

    The values are fitted until pictures measure as real scans do: docs/scans.md has both, and a test compares them.
    """
    size = float(np.clip(rng.normal(0.53, 0.07), 0.36, 0.8))
    # Characters touch the edge by themselves in these shares of pictures: what is added is so much less.
    chances = np.round(np.subtract(FRAGMENT_SHARES, (0.01, 0.02, 0.04, 0.015)), 3)
    # A writer who fills the cells leaves more at the edges of the neighbours' pictures than one who does not.
    odds = chances / (1 - chances) * np.exp(6 * (size - 0.53) + rng.normal(0, 0.6))
    return replace(
        style,
        size=size,
        aspect=float(np.clip(style.aspect - 0.15, -0.55, 0.4)),
        centre=(float(rng.normal(0.02, 0.02)), float(rng.normal(0.045, 0.03))),
        wander=0.12,
        sloppiness=0.85 * style.sloppiness,
        pen=float(np.exp(rng.normal(np.log(4.4), 0.12))),
        taper=(0.5 * style.taper[0], 0.5 * style.taper[1]),
        level=float(np.clip(rng.normal(6.5, 1.3), 4.5, 12)),
        blur=float(rng.uniform(0.06, 0.18)),
        grain=float(rng.uniform(0.02, 0.1)),
        fragments=tuple((odds / (1 + odds)).tolist()),
    )


def _trait(rng: np.random.Generator, kind: str, *numbers: float) -> float:
    """One value of a distribution, as `tables/population.tsv` explains them."""
    if kind == "between":
        low, high = numbers
        return float(rng.uniform(low, high))
    if kind == "sometimes":
        chance, low, high = numbers
        # Both numbers are always drawn, so that one trait does not move the next.
        is_drawn, value = rng.random() < chance, float(rng.uniform(low, high))
        return value if is_drawn else 0.0
    mean, deviation, *limits = numbers
    value = float(np.clip(rng.normal(mean, deviation), *limits or (-np.inf, np.inf)))
    return float(np.exp(value)) if kind == "lognormal" else value
