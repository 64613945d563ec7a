"""Strokes of characters from KanjiVG's files, as polylines in a box of side 1 around the origin."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError, NotInstalledError
from fastetl.files.tables import table_rows
from fastetl.lazy import INSTALL

Polyline = NDArray[np.float32]
"""float32 (n, 2), n ≥ 2: x to the right and y down, evenly spaced along the stroke, in units of the box's side."""

UNKNOWN_SIGN = "□"  # what writers write for a class whose sign is not known
_BOX = 109.0
_COMMAND = re.compile(r"([A-DF-Za-df-z])([^A-DF-Za-df-z]*)")  # E is in numbers
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?")
_PATH = re.compile(r"<path[^>]*?\sd=\"([^\"]+)\"")
_NESTING = re.compile(r"<(/?g|path)\b")
_COMPONENT_DEPTH = 3  # depth of a component's group: inside of the group of all strokes, and of the character's


def bezier_shares(t: NDArray[np.floating]) -> tuple[NDArray[np.floating], ...]:
    """The shares of the four points of a cubic Bézier curve at its parameter t, 0–1: each of t's shape."""
    return (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3


_BEZIER = np.concatenate(bezier_shares(np.linspace(0, 1, 13)[1:, None]), 1)


def _outline(path: str) -> NDArray[np.float64]:
    """float64 (n, 2): points on one SVG path of the commands M, L, C and S, absolute or relative."""
    position = reflection = np.zeros(2)
    pieces: list[NDArray[np.float64]] = []
    for command, numbers in _COMMAND.findall(path):
        count = {"m": 1, "l": 1, "c": 3, "s": 2}[command.lower()]  # points each time that the command is carried out
        for points in np.array(_NUMBER.findall(numbers), float).reshape(-1, count, 2):
            if command.islower():
                points += position
            if count == 1:
                pieces.append(points)
                reflection = points[-1]
            else:
                first = points[0] if count == 3 else reflection
                pieces.append(_BEZIER @ np.stack([position, first, points[-2], points[-1]]))
                reflection = 2 * points[-1] - points[-2]
            position = points[-1]
    return np.concatenate(pieces)


def resample(points: NDArray[np.floating], spacing: float) -> Polyline:
    """A line through points, with points about `spacing` apart instead, at least three."""
    step = np.hypot(*np.diff(points, axis=0).T)
    points = points[np.concatenate([[True], step > 0])]
    lengths = np.concatenate([[0.0], np.cumsum(step[step > 0])])
    count = max(3, int(np.ceil(lengths[-1] / spacing)) + 1)
    positions = np.linspace(0, lengths[-1], count)
    return np.stack([np.interp(positions, lengths, points[:, k]) for k in range(2)], 1).astype(np.float32)


@cache
def _folder() -> Path:
    """The folder of the package `kanjivg`, which installs its files under the name `kanji`, without a module."""
    for location in getattr(find_spec("kanji"), "submodule_search_locations", None) or ():
        if (Path(location) / f"{ord('あ'):05x}.svg").is_file():
            return Path(location)
    raise NotInstalledError("the package kanjivg is not installed", do=INSTALL.format("synth"))


def _piece(text: str) -> NDArray[np.float64]:
    x, y, *circle = map(float, text.split(","))
    if not circle:
        return np.array([[x, y]])
    radius, first, last, *count = circle
    angle = np.radians(np.linspace(first, last, int(*count) or max(5, int(abs(last - first) / 12))))
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], 1)


_SIGNS = {
    sign: [np.concatenate([_piece(text) for text in stroke.split()]) for stroke in strokes.split(";")]
    for sign, strokes in table_rows("synth/tables/signs.tsv")
}
"""The strokes of the signs that KanjiVG does not have."""


def _file(character: str) -> Path:
    return _folder() / ("-".join(f"{ord(c):05x}" for c in character) + ".svg")


def has_strokes(character: str) -> bool:
    """Whether KanjiVG or `tables/signs.tsv` has the character. Raises FastetlError if KanjiVG is not installed."""
    return character in _SIGNS or _file(character).is_file()


def _drawing(character: str) -> str:
    if not has_strokes(character):
        raise FastetlError(f"no strokes of {character!r}", expected="a character of KanjiVG", do="leave it out")
    return _file(character).read_text(encoding="utf-8")


@cache
def load_components(character: str) -> tuple[int, ...]:
    """The component (偏, 旁 …) of each stroke of a character, from 0. Signs of `tables/signs.tsv` are one component."""
    components: list[int] = []
    depth = count = 0
    for tag in _NESTING.findall("" if character in _SIGNS else _drawing(character).partition("<svg")[2]):
        depth += {"g": 1, "/g": -1, "path": 0}[tag]
        if tag == "g" and depth == _COMPONENT_DEPTH:
            count += 1
        elif tag == "path":
            components.append(max(count - 1, 0))
        elif depth == 0:
            break  # what follows are the numbers beside the strokes
    return tuple(components) or (0,) * len(_SIGNS.get(character, ()))


@cache
def load_strokes(character: str, spacing: float) -> tuple[Polyline, ...]:
    """A character's strokes in order, points `spacing` apart. Raises FastetlError if it or KanjiVG is missing."""
    if character in _SIGNS:
        return tuple(resample(line, spacing) for line in _SIGNS[character])
    return tuple(resample((_outline(p) - _BOX / 2) / _BOX, spacing) for p in _PATH.findall(_drawing(character)))
