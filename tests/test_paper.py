"""What is ink, what is paper and what is neither: on characters whose ink is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fastetl.ink.paper import separate_ink
from fastetl.synth.written_lines import LineConfig, write_line
from tests.kana import cropped

Light = NDArray[np.float64]
HIGH, WIDE = 300, 400


def strokes() -> NDArray[np.bool_]:
    """An upright, a bar across it and a dot, all of 10 pixels."""
    ink = np.zeros((HIGH, WIDE), bool)
    ink[90:210, 195:205] = ink[130:140, 150:250] = ink[100:110, 230:240] = True
    return ink


def sheet(light: Light | float, grain: float = 3) -> NDArray[np.uint8]:
    return with_noise(light * np.where(strokes(), 0.15, 0.9), grain)


def shadow(edge: float) -> Light:
    """× 0.4 to the left of a slanting edge."""
    return np.where(np.add.outer(np.arange(HIGH) / 3, np.arange(WIDE)) < edge * WIDE, 90.0, 225.0)


def on_table(margin: int) -> NDArray[np.uint8]:
    table = np.full((HIGH, WIDE), 40, np.uint8)
    table[margin:-margin, margin:-margin] = sheet(220)[margin:-margin, margin:-margin]
    return table


def ruled(level: float, squared: bool) -> NDArray[np.uint8]:
    paper = sheet(225).astype(float)
    paper[20::50, :] = np.minimum(paper[20::50, :], 225 * level)
    if squared:
        paper[:, 20::50] = np.minimum(paper[:, 20::50], 225 * level)
    return paper.astype(np.uint8)


def in_a_cell() -> NDArray[np.uint8]:
    """Printed as black as the ink: a frame, and a dashed cross."""
    paper, dashed = sheet(225), np.arange(WIDE) // 8 % 2 == 0
    for row in (10, 150, 286):
        paper[row : row + 3, 50:350][:, dashed[50:350] | (row != 150)] = 30
    for column in (50, 222, 347):
        paper[10:289, column : column + 3][dashed[10:289] | (column != 222)] = 30
    return paper


def with_noise(light: Light, grain: float) -> NDArray[np.uint8]:
    return np.clip(light + np.random.default_rng(0).normal(0, grain, light.shape), 0, 255).astype(np.uint8)


def corner() -> Light:
    return 225 - 165 / (1 + np.exp((np.add.outer(2 * np.arange(HIGH), np.arange(WIDE)) - 250) / 6.0))


def turned() -> NDArray[np.uint8]:
    """Faint ink on a sheet that lies aslant on a dark table."""
    x, y = np.arange(WIDE) - WIDE / 2, (np.arange(HIGH) - HIGH / 2)[:, None]
    on_sheet = (np.abs(x + 0.3 * y) < 150) & (np.abs(y - 0.3 * x) < 110)
    return with_noise(np.where(on_sheet, np.where(strokes(), 175.0, 220.0), 30.0), 3)


def darker_lines() -> NDArray[np.uint8]:
    paper = np.where(strokes(), 160, 255).astype(np.uint8)
    paper[20::50] = paper[21::50] = 0
    return paper


def barred(light: int) -> NDArray[np.uint8]:
    """Without grain, black to the right and below."""
    paper = np.where(strokes(), 40, light).astype(np.uint8)
    paper[240:] = paper[:, 340:] = 20
    return paper


PICTURES = {
    **{f"black bars beside {light}": barred(light) for light in (255, 235)},
    "fainter than its grain": with_noise(np.where(strokes(), 140.0, 200.0), 20),
    "a tenth of the light": with_noise(np.where(strokes(), 180.0, 200.0), 3),
    "a shadow over a corner": sheet(corner()),
    "faint in a black frame": np.pad(np.where(strokes(), 215, 255).astype(np.uint8)[10:-10, 10:-10], 10),
    "faint on a turned sheet": turned(),
    "lines darker than the ink": darker_lines(),
    "even": sheet(225),
    "dim": sheet(70, grain=1),
    "faint on white": np.where(strokes(), 220, 255).astype(np.uint8),
    "in a cell": in_a_cell(),
    "a blackboard": 255 - sheet(225),
    "uneven": sheet(np.linspace(90, 240, WIDE)[None].repeat(HIGH, 0)),
    **{f"a shadow to {edge}": sheet(shadow(edge)) for edge in (0.3, 0.6, 0.9, 1.2)},
    **{f"a table, {margin}": on_table(margin) for margin in (2, 8, 20, 60, 85)},
    **{f"ruled, {level}": ruled(level, False) for level in (0.7, 0.3, 0.15)},
    **{f"squared, {level}": ruled(level, True) for level in (0.7, 0.3, 0.15)},
}


@pytest.mark.parametrize("name", PICTURES)
def test_ink_is_told_from_everything_else(name: str) -> None:
    ink = separate_ink(PICTURES[name])
    far = np.ones((HIGH, WIDE), bool)
    far[85:215, 145:255] = False
    assert ink.plane[strokes()].mean() > (30 if name == "faint on white" else 180 if name == "in a cell" else 200)
    assert ink.plane[far].mean() < 3
    assert ink.box is not None
    assert np.abs(np.subtract(ink.box, (150, 90, 250, 210))).max() <= 5


def test_a_stroke_may_cross_what_is_beside_the_paper() -> None:
    paper = sheet(225)
    paper[130:140, 250:300] = 30  # the bar of the character goes on into a black band
    paper[:, 300:] = 5
    ink = separate_ink(paper)
    assert ink.plane[strokes()].mean() > 200
    assert ink.plane[:, 310:].max() == 0


@pytest.mark.parametrize(
    ("characters", "size", "pen", "side"),
    [("園臣", 53, 0.05, 64), ("固国", 40, 0.04, 64), ("因団固目画", 40, 0.01, 400), ("首直重車", 40, 0.05, 400)],
)
def test_a_crop_to_the_last_pixel_loses_nothing(characters: str, size: int, pen: float, side: int) -> None:
    """Strokes along its edges are no frame, many of them are no grain, and thick ones are no dark paper."""
    for character in characters:
        crop = cropped(character, size, pen, side)
        assert np.array_equal(separate_ink(255 - crop).plane, crop), character
        assert np.array_equal(separate_ink(crop).plane, crop), character


def test_on_white_paper_long_and_distant_strokes_stay() -> None:
    """As in す, whose bar is long and thinner than its loop, and in a small い."""
    drawing = np.full((128, 128), 255, np.uint8)
    drawing[40:42, 10:118] = 60
    drawing[30:100, 60:63] = drawing[70:90, 45:60] = 20
    assert np.array_equal(separate_ink(drawing).plane, 255 - drawing)
    drawing[:] = 255
    drawing[50:74, 30:33] = drawing[50:74, 80:83] = 20
    assert separate_ink(drawing).box == (30, 50, 83, 74)


def test_on_grey_paper_thin_strokes_stay() -> None:
    """A bar between two rows of pixels looks fainter than an upright."""
    drawing = np.full((104, 104), 180, np.uint8)
    drawing[20:80, 45], drawing[50:52, 15:80] = 30, 100
    for grey in (drawing, 255 - drawing):
        assert separate_ink(grey).box == (15, 20, 80, 80)


def test_specks_are_no_part_of_the_character() -> None:
    page = np.full((800, 800), 255, np.uint8)
    page[300:400, 340:350] = page[340:350, 300:400] = 20
    for step in range(7):
        page[300 + 40 * step :, 410 + 40 * step :][:4, :4] = 20
    assert separate_ink(page).box == (300, 300, 400, 400)


def test_thick_pens_are_ink_and_thinned() -> None:
    thick = np.zeros((128, 128), bool)
    thick[20:108, 36:56] = thick[20:108, 72:92] = thick[40:60, 36:92] = True
    ink = separate_ink(np.where(thick, 0, 255).astype(np.uint8))
    assert ((ink.plane > 128) == thick).all()
    cross = np.zeros((128, 128), bool)
    cross[20:108, 60:69] = cross[60:69, 20:108] = True
    assert (separate_ink(np.where(cross, 0, 255).astype(np.uint8)).square() > 128).sum() < 0.8 * cross.sum()
    square = ink.square()
    assert 0.2 < (square > 128).sum() / thick.sum() < 0.7
    assert (square[50, 42:86] > 128).all()
    for white in (np.pad(cropped(character, 30, 0.1, 200), ((0, 0), (0, 20))) for character in "十おす"):
        assert np.array_equal(separate_ink(white).plane, white), "a white character is no sheet beside a dark bar"


def test_thin_pens_of_large_pictures_are_seen() -> None:
    page = np.full((1600, 1600), 255, np.uint8)
    page[400:1200, 800] = 0
    assert separate_ink(page).picture(64)[20:44, 32].min() > 50
    small = np.pad(np.zeros((40, 4), np.uint8), ((80, 80), (98, 98)), constant_values=255)
    assert (separate_ink(small).picture(100) > 128).any(1).sum() > 50, "a fifth of the picture: cropped"


def test_small_writing_in_a_shadow_stays_sharp() -> None:
    """Smoothed in proportion to the picture, a page of it was grey bands."""
    character = write_line("面", 1, LineConfig(running=0, slope=0)).picture()
    small = np.asarray(Image.fromarray(character).resize((64, 64)))
    ink = np.tile(np.pad(small, 8), (20, 16))
    light = np.linspace(1, 0.6, ink.shape[1]) * np.linspace(1, 0.8, len(ink))[:, None]
    plane = separate_ink(((255 - ink) * light).astype(np.uint8), is_page=True).plane
    assert np.corrcoef(plane.ravel(), ink.ravel())[0, 1] > 0.7


def test_blank_paper_has_no_ink() -> None:
    for light in (np.full((HIGH, WIDE), 200.0), np.linspace(90, 240, WIDE)[None].repeat(HIGH, 0)):
        ink = separate_ink(with_noise(light, 3))
        assert (ink.box, ink.fault) == (None, "no ink stands out from the paper: look at the picture")
