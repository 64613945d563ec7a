from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastetl.errors import FastetlError
from fastetl.ink.paper import whiten_paper
from fastetl.ink.pictures import LARGEST, read_picture

INK = np.zeros((40, 40), bool)
INK[5:35, 8:12] = True  # left of the middle, upright


def grey(value: float, dtype: type, paper: float) -> Image.Image:
    return Image.fromarray(np.where(INK, value, paper).astype(dtype))


@pytest.mark.parametrize(
    ("picture", "name"),
    [
        (grey(0, np.uint8, 255), "a.png"),
        (grey(0, np.uint16, 65535), "a.png"),
        (grey(0, np.uint16, 65535), "a.tif"),
        (grey(0, np.int32, 65535), "a.tif"),
        (grey(0, np.float32, 1), "a.tif"),
        (grey(0, np.float32, 255), "a.tif"),
        (Image.fromarray(~INK), "a.png"),
        (Image.fromarray(~INK).convert("P"), "a.gif"),
        (grey(0, np.uint8, 255).convert("RGB"), "a.bmp"),
        (grey(0, np.uint8, 255).convert("RGB"), "a.webp"),
        (grey(0, np.uint8, 255).convert("CMYK"), "a.jpg"),
        (Image.fromarray(np.dstack([INK * 0, INK * 0, INK * 0, INK * 255]).astype(np.uint8)), "a.png"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.mode,
)
def test_every_kind_of_picture_gives_the_same(picture: Image.Image, name: str, tmp_path: Path) -> None:
    picture.save(tmp_path / name, lossless=name.endswith("webp"))
    read = read_picture(tmp_path / name)
    assert np.abs(read.astype(int) - np.where(INK, 0, 255)).max() <= (24 if name.endswith("jpg") else 0)


def test_even_grey_paper_and_a_blackboard_become_white_paper(tmp_path: Path) -> None:
    for name, paper, ink in (("grey.png", 200, 60), ("board.png", 60, 180)):
        Image.fromarray(np.where(INK, ink, paper).astype(np.uint8)).save(tmp_path / name)
        read = read_picture(tmp_path / name)
        assert np.abs(read.astype(int) - np.where(INK, 0, 255)).max() <= 1


def shaded(clean: np.ndarray) -> np.ndarray:
    """Ruled, grainy paper, half of it in a shadow. clean: uint8 (128, 128), ink high."""
    random, across = np.random.default_rng(0), np.add.outer(np.arange(128), np.arange(128)) / 128
    light = 225 * (0.6 + 0.4 / (1 + np.exp((across - 1) * 24)))
    light[::16] *= 0.85
    return np.clip(light * (1 - 0.75 * clean / 255) + random.normal(0, 4, clean.shape), 0, 255).astype(np.uint8)


def test_shadows_ruled_lines_and_grain_are_no_ink() -> None:
    clean = np.zeros((128, 128), np.uint8)
    clean[30:100, 60:66] = clean[60:66, 30:100] = 255
    white = whiten_paper(shaded(clean))
    assert white[clean > 0].mean() < 40
    assert white[clean == 0].mean() > 250


def test_drawings_on_white_or_black_stay_as_they_are() -> None:
    drawn = (INK * np.arange(INK.shape[1]) * 255 // INK.shape[1]).astype(np.uint8)
    for picture in (drawn, 255 - drawn):
        assert (whiten_paper(picture) == picture).all()


def test_a_picture_is_made_square_with_its_edge(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    drawn = np.zeros((40, 20, 4), np.uint8)
    drawn[10:30, 8:12] = (0, 0, 0, 255)  # black ink on transparent paper
    Image.fromarray(drawn).save(path)
    read = read_picture(path, 64)
    assert (read.shape, int(read[0, 0]), int(read[32, 32])) == ((64, 64), 255, 0)


def test_the_rotation_of_the_camera_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    turned = Image.fromarray(np.rot90(np.where(INK, 0, 255).astype(np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90° clockwise
    turned.save(path, exif=exif)
    assert ((read_picture(path) == 0) == INK).all()


def strip(path: Path) -> None:
    Image.new("L", (1, 6000)).save(path)


def huge(path: Path) -> None:
    Image.new("1", (LARGEST + 1, LARGEST)).save(path)


def postscript(path: Path) -> None:
    Image.new("L", (9, 9)).save(path, format="EPS")


def not_finite(path: Path) -> None:
    Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(path, format="TIFF")


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no picture": (lambda path: path.write_bytes(b"no picture"), "no such picture"),
    "empty": (lambda path: path.write_bytes(b""), "no such picture"),
    "a strip": (strip, "16 times the other; found 1 × 6,000"),
    "huge": (huge, "up to 9,000 pixels"),
    "PostScript": (postscript, "no such picture"),
    "not a number": (not_finite, "a pixel that is not a number"),
    "a FIFO": (os.mkfifo, "a FIFO"),
    "a folder": (Path.mkdir, "a folder"),
    "nothing": (lambda path: None, "No such file"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_picture_is_named_in_one_line(kind: str, tmp_path: Path) -> None:
    make, told = BAD[kind]
    make(tmp_path / "a.png")
    with pytest.raises(FastetlError, match=told) as caught:
        read_picture(tmp_path / "a.png")
    assert "a.png" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_damaged_pictures_are_read_or_named(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (24, 24), np.uint8)).save(whole, format=kind)
    path, named = tmp_path / "a", 0
    for _ in range(150):
        damaged = bytearray(whole.getvalue())
        for _ in range(int(rng.integers(1, 4))):
            damaged[rng.integers(0, len(damaged))] = rng.integers(0, 256)
        path.write_bytes(damaged[: rng.integers(1, len(damaged))] if rng.random() < 0.3 else damaged)
        try:
            assert read_picture(path, 32).shape == (32, 32)
        except FastetlError as error:
            named += "\n" not in str(error)
    assert named > 5
