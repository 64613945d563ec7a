"""A writer's style: what stays the same in everything that one person writes, drawn once a writer.

Lengths are in units of the character's box, angles in radians, logarithms natural.
"""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class WriterStyle:
    """Habits of one writer; the defaults are the model pattern's, which has none."""

    ways: float = 0.0
    """How readily the writer takes another way than the textbook's, as a factor of the population's share."""
    joined: float = -50.0
    """Log odds of joining two strokes that meet; the farther apart, the less likely."""
    link: float = 1.0
    """Width of the line between joined strokes, as a share of the pen's."""
    plain: float = -50.0
    """Log odds of leaving off a hook."""
    lengths: tuple[float, ...] = (0.0,) * 4
    """How much longer (a logarithm) a leg is drawn by its direction: its cosine, its sine, and those of twice it."""
    turns: tuple[float, ...] = (0.0,) * 4
    """How far a leg is turned by its direction, likewise."""
    last: tuple[float, float] = (0.0, 0.0)
    """Logarithm of the length of strokes' last legs, and their turn."""
    legs: float = 0.0
    """How much the legs of strokes differ one by one, as a factor."""
    components: float = 0.0
    """How far the components of kanji move and grow by themselves, as a factor."""
    sloppiness: float = 0.0
    """How much one character differs from the next: the factor of every variation within the writer."""
    size: float = 0.8
    """Side of the character's box as a fraction of the frame's width."""
    aspect: float = 0.0
    """Logarithm of width over height."""
    slant: float = 0.0
    """Lean of verticals: x gains this much for each unit upwards."""
    rise: float = 0.0
    """Rise of horizontals to the right."""
    place: tuple[float, float] = (0.0, 0.0)
    """Centre of the characters from the frame's centre, as fractions of the frame."""
    bow: tuple[float, ...] = (0.0,) * 10
    """The writer's own warp of the plane: coefficients of x², xy, y², x³, y³ for both axes."""
    bend: float = 0.0
    """Curvature added to every stroke, to one side."""
    angular: float = 0.0
    """0 draws curves, 1 draws straight pieces between corners."""
    round: float = 0.0
    """How far corners are rounded off, 0–1."""
    loop: tuple[float, float] = (0.0, 0.0)
    """Logarithms of the width and height of loops."""
    mark_size: float = 0.0
    """Logarithm of the size of dakuten and handakuten."""
    mark_gap: float = 0.0
    """Logarithm of the distance between the strokes of a dakuten."""
    mark_joined: float = -50.0
    """Log odds of joining the strokes of a dakuten."""
    ring: float = 0.0
    """Logarithm of the size of handakuten, besides."""
    ring_open: float = 0.0
    """Share of handakuten that are not closed."""
    mark_place: tuple[float, float] = (0.0, 0.0)
    """Displacement of the marks."""
    mark_corner: float = 0.0
    """How far the marks stand at the character's upper right corner: 0 is KanjiVG's place for them, 1 the corner."""
    ends: tuple[float, float] = (0.0, 0.0)
    """Lengthening of strokes at the start and at the end (negative: shortened)."""
    curt: float = 0.0
    """Share of strokes that begin late, and of those that end early."""
    reach: float = 0.0
    """Share of strokes that begin or end much farther out or in."""
    tremor: float = 0.0
    """Amplitude of the pen's trembling."""
    tremor_rate: float = 10.0
    """Trembles per unit of length."""
    pen: float = 3.6
    """Width of the pen in pixels of the 128 × 127 frame."""
    taper: tuple[float, float] = (0.0, 0.0)
    """How much thinner strokes begin and end, 0–1."""
    pressure: float = 0.0
    """Swelling and thinning along the stroke, as a share of the width."""
    nib: tuple[float, float] = (0.0, 0.0)
    """A felt pen's or brush's difference of width by direction, as a share, and the direction of the widest strokes."""
    press: float = 0.0
    """How much wider a brush is where it is set down and lifted, as a share."""
    dry: float = 0.0
    """How much the ink fails along the stroke, 0–1."""
    level: float = 9.0
    """Level (0–15) of full ink."""
    blur: float = 0.15
    """Outer tap of the scanner's three-tap blur."""
    grain: float = 0.0
    """Spread of the ink's level from pixel to pixel, as a share."""
    specks: float = 0.0
    """Share of characters that have a speck beside them; some have two."""
    wander: float = 0.35
    """How much the place differs from one character to the next, as a share of the room around the box."""
    small: float = 1.0
    """Size of small kana, as a factor of KanjiVG's small forms."""
    shrink: float = 0.0
    """How much smaller kana that have a small form are drawn at most, as a share: size alone must not tell."""
    fragments: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Share of pictures with a fragment of a neighbouring character at the left, right, upper and lower edge."""


def draw_style(rng: np.random.Generator, scan: bool = False) -> WriterStyle:
    """Draw a writer from the population: mostly neat, a few sloppy; thin and thick pens, small and large writing.

    scan: on a sheet of the ETL Character Database as it was scanned: size, place, pen, level and fragments of the
    neighbouring characters as measured on real scans (the figures stand in docs/scans.md). Otherwise as on a canvas.
    """
    style = _draw_canvas_style(rng)
    return _on_a_sheet(style, rng) if scan else style


def _on_a_sheet(style: WriterStyle, rng: np.random.Generator) -> WriterStyle:
    """The same habits on a sheet with small cells, whose scans show what stands in the cells beside."""
    size = float(np.clip(rng.normal(0.53, 0.07), 0.36, 0.8))
    chances = np.array([0.76, 0.09, 0.11, 0.045])
    # A writer who fills the cells leaves more at the edges of the neighbours' pictures than one who does not.
    odds = chances / (1 - chances) * np.exp(6 * (size - 0.53) + rng.normal(0, 0.6))
    return replace(
        style,
        size=size,
        aspect=float(np.clip(style.aspect - 0.15, -0.55, 0.4)),
        place=(float(rng.normal(0.02, 0.02)), float(rng.normal(0.045, 0.03))),
        wander=0.12,
        sloppiness=0.85 * style.sloppiness,
        pen=float(np.exp(rng.normal(np.log(4.4), 0.12))),
        taper=(0.5 * style.taper[0], 0.5 * style.taper[1]),
        level=float(np.clip(rng.normal(6.5, 1.3), 4.5, 12)),
        blur=float(rng.uniform(0.06, 0.18)),
        grain=float(rng.uniform(0.02, 0.1)),
        fragments=tuple((odds / (1 + odds)).tolist()),
    )


def _draw_canvas_style(rng: np.random.Generator) -> WriterStyle:

    def around(centre: float, spread: float, low: float = -np.inf, high: float = np.inf) -> float:
        return float(np.clip(rng.normal(centre, spread), low, high))

    def share(chance: float, low: float, high: float) -> float:
        # Both numbers are always drawn, so that one trait does not move the next.
        take, value = rng.random(), rng.uniform(low, high)
        return float(value) if take < chance else 0.0

    sloppiness = float(np.exp(around(-0.15, 0.35, -1.0, 0.6)))
    size = share(0.12, 0.92, 1.2) or around(0.66, 0.16, 0.36, 0.98)  # some fill the canvas to its edges
    pen = float(np.exp(around(np.log(3.1), 0.45, np.log(1.1), np.log(8.0))))
    marker = share(0.12, 0.065, 0.11)  # a thick pen, as a share of the box
    brush = share(0.1, 0.3, 1.0)
    return WriterStyle(
        ways=float(rng.uniform(0.3, 1.7)),
        joined=around(-1.8, 1.0, -4, 1) + share(0.08, 1.5, 3),  # some write a running hand
        link=float(rng.uniform(0.5, 1)),
        plain=around(0.2, 1.5),
        lengths=tuple(rng.normal(0, (0.08, 0.06, 0.08, 0.05)).tolist()),
        turns=tuple(rng.normal(0, (0.04, 0.04, 0.05, 0.04)).tolist()),
        last=(around(0.03, 0.22, -0.5, 0.6), around(0, 0.12, -0.3, 0.3)),
        legs=float(np.exp(around(-0.2, 0.4, -1.2, 0.6))),
        components=float(np.exp(around(0, 0.4, -1, 0.7))),
        sloppiness=sloppiness,
        size=size,
        aspect=around(0, 0.2, -0.45, 0.5),
        slant=around(0.03, 0.11, -0.3, 0.35),
        rise=around(0.04, 0.06, -0.12, 0.22),
        place=(around(0, 0.02), around(0, 0.02)),
        bow=tuple(rng.normal(0, np.repeat([[0.17, 0.17, 0.17, 0.3, 0.3]], 2, 0).ravel()).tolist()),
        bend=around(0, 0.035),
        angular=share(0.5, 0.1, 1.0),
        round=share(0.4, 0.2, 0.9),
        loop=(around(-0.05, 0.35), around(-0.05, 0.45)),
        mark_size=around(0.1, 0.23, -0.35, 0.6),
        mark_gap=around(-0.06, 0.2, -0.5, 0.4),
        mark_joined=around(-5.0, 1.5),
        ring=around(-0.02, 0.18, -0.5, 0.3),
        ring_open=share(0.3, 0.1, 0.6),
        mark_place=(around(-0.01, 0.035), around(0.005, 0.035)),
        # Half way the marks would cross the bar of で.
        mark_corner=share(0.6, 0.85, 1.2),
        ends=(around(0, 0.02), around(0, 0.025)),
        curt=float(rng.uniform(0, 0.3)),
        reach=share(0.6, 0.05, 0.2),
        tremor=share(0.5, 0.001, 0.006),
        tremor_rate=float(rng.uniform(4, 14)),
        # A thick pen would fill the loops of a small style and hide a sloppy one's shapes: people take a finer one.
        pen=max(
            min(pen, 0.065 * 128 * size, 0.06 * 128 * size / sloppiness), marker * 128 * size, 8.5 * size * (brush > 0)
        ),
        taper=(share(0.35, 0.1, 0.6), share(0.5, 0.1, 0.8)),
        pressure=share(0.6, 0.02, 0.25),
        nib=(share(0.25, 0.05, 0.3) + 0.25 * brush, float(rng.uniform(0, np.pi))),
        press=0.6 * brush,
        specks=share(0.25, 0.02, 0.12),
        dry=share(0.12, 0.2, 0.7),
        level=around(8.6, 1.4, 5.0, 13.0),
        blur=float(rng.uniform(0.06, 0.24)),
        grain=float(rng.uniform(0.03, 0.16)),
        small=float(rng.uniform(0.6, 0.95)),
        shrink=float(rng.uniform(0, 0.3)),
    )
