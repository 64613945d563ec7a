"""Charts as SVG within a page: light, sharp at any size, and in the page's colours by day and night."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

Series = tuple[str, Sequence[tuple[float, float]]]
"""What a curve is called, and its points."""

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 440, 230, 44, 34, 10, 14


def _ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Round numbers from `low` to `high`, whole ones if asked to."""
    span = (high - low) / most
    power = 10 ** math.floor(math.log10(span))
    step = max(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span), int(whole))
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def chart(
    series: Sequence[Series],
    x: str,
    y: str,
    *,
    ranges: tuple[float, float, float, float] | None = None,
    mark: float | None = None,
    diagonal: bool = False,
) -> str:
    """Curves of points, coloured by the page's classes c0, c1 …; a curve of one point is a dot.

    x, y: what the axes show. ranges: least and greatest x, least and greatest y; of the points, and y from 0, if not
    given. mark: an x to mark by a dotted line. diagonal: a line from corner to corner.
    """
    points = [point for _, curve in series for point in curve]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    left, right, low, high = ranges or (min(xs), max(xs), 0.0, max(ys))
    right, high = right if right > left else left + 1, high if high > low else low + 1

    def across(value: float) -> float:
        return _LEFT + (value - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _BOTTOM - _TOP)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(f"{y} by {x}")}">']
    for value in _ticks(low, high, 6):
        place = f"{up(value):.1f}"
        parts.append(f'<path class="grid" d="M{_LEFT} {place}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{place}" dy=".35em" text-anchor="end">{value:g}</text>')
    parts += [
        f'<text x="{across(value):.1f}" y="{_HEIGHT - 18}" text-anchor="middle">{value:g}</text>'
        for value in _ticks(left, right, 8, all(float(value).is_integer() for value in xs))
    ]
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end">{escape(x)}</text>')
    parts.append(f'<text x="2" y="{_HEIGHT - 4}">{escape(y)}</text>')
    if mark is not None:
        parts.append(f'<path class="mark" d="M{across(mark):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
    if diagonal:
        parts.append(f'<path class="mark" d="M{across(left)} {up(low)}L{across(right)} {up(high)}"/>')
    for k, (name, curve) in enumerate(series):
        places = [f"{across(a):.1f} {up(b):.1f}" for a, b in curve]
        line = f'<path class="line" d="M{"L".join(places)}"/>'
        dots = "".join(f'<circle cx="{p.split()[0]}" cy="{p.split()[1]}" r="2.5"/>' for p in places)
        parts.append(f'<g class="c{k}"><title>{escape(name)}</title>{line}{dots if len(places) <= 60 else ""}</g>')
    legend = "".join(f'<span class="c{k}">● {escape(name)}</span> ' for k, (name, _) in enumerate(series) if name)
    return f'<div class="chart">{"".join(parts)}</svg><p class="legend">{legend}</p></div>'


def page(title: str, body: str) -> str:
    """A page of HTML that needs nothing beside it. body: HTML."""
    style, script = (Path(__file__).with_name(f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!doctype html><html lang="en">{head}<title>{escape(title)}</title><style>{style}</style>'
        f"<body><h1>{escape(title)}</h1>{body}<script>{script}</script></html>\n"
    )
