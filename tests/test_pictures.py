"""Pictures of every kind, and what is none."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastetl.errors import FastetlError
from fastetl.ink.pictures import MAX_PICTURE_SIDE, Picture, brightness_of, find_ink, read_picture
from tests.conftest import one_line

INK = np.zeros((40, 40), bool)
INK[5:35, 8:12] = True  # left of the middle, upright


def paper_of(source: Picture) -> np.ndarray:
    """Its ink in black on white."""
    return np.asarray(255 - find_ink(source).plane)


def grey(value: float, dtype: type, paper: float) -> Image.Image:
    return Image.fromarray(np.where(INK, value, paper).astype(dtype))


@pytest.mark.parametrize(
    ("picture", "name"),
    [
        (grey(0, np.uint8, 255), "a.png"),
        (grey(0, np.uint16, 65535), "a.png"),
        (grey(0, np.uint16, 65535), "a.tif"),
        (grey(0, np.int32, 65535), "a.tif"),
        (grey(0, np.int32, 255), "a.tif"),
        (grey(0, np.float32, 1), "a.tif"),
        (grey(0, np.float32, 255), "a.tif"),
        (Image.fromarray(~INK), "a.png"),
        (Image.fromarray(~INK).convert("P"), "a.gif"),
        (grey(0, np.uint8, 255).convert("RGB"), "a.bmp"),
        (grey(0, np.uint8, 255).convert("RGB"), "a.webp"),
        (grey(0, np.uint8, 255).convert("CMYK"), "a.jpg"),
        (Image.merge("LAB", (grey(0, np.uint8, 255), *[Image.new("L", INK.shape[::-1], 128)] * 2)), "a.tif"),
        (Image.fromarray(np.dstack([INK * 0, INK * 0, INK * 0, INK * 255]).astype(np.uint8)), "a.png"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.mode,
)
def test_every_kind_of_picture_gives_the_same(picture: Image.Image, name: str, tmp_path: Path) -> None:
    picture.save(tmp_path / name, lossless=name.endswith("webp"))
    read = paper_of(tmp_path / name)
    assert np.abs(read.astype(int) - np.where(INK, 0, 255)).max() <= (24 if name.endswith("jpg") else 0)
    with (tmp_path / name).open("rb") as file:
        for source in (file, file, io.BytesIO(file.read())):  # read from its beginning each time
            assert np.array_equal(paper_of(source), read)


@pytest.mark.parametrize("alpha", [255, 100])
@pytest.mark.parametrize("level", [0, 60, 128, 200, 255])
def test_what_is_drawn_on_nothing_is_ink_in_any_brightness(level: int, alpha: int) -> None:
    drawn = np.where(INK[..., None], (level, level, level, alpha), 0).astype(np.uint8)
    assert ((paper_of(Image.fromarray(drawn)) <= 230) == INK).all()


def test_a_sheet_on_nothing_is_a_sheet() -> None:
    sheet = np.zeros((60, 60, 4), np.uint8)
    sheet[10:50, 10:50] = np.where(INK[..., None], (30, 30, 30, 255), (220, 220, 220, 255))
    ink = find_ink(sheet).plane
    assert ((ink[10:50, 10:50] > 200) == INK).all()
    assert not ink[:10].any()
    faded = np.dstack([np.where(INK, 0, 255)] * 3 + [np.full(INK.shape, 25)]).astype(np.uint8)
    assert ((find_ink(faded).plane > 0) == INK).all(), "a sheet that is translucent as a whole"


def test_a_crop_of_one_stroke_is_a_stroke() -> None:
    assert (read_picture(np.zeros((10, 240), np.uint8))[118:122] == 255).all()


def test_why_it_may_not_be_recognized() -> None:
    canvas = np.full((1000, 1000), 255, np.uint8)
    canvas[480:520, 480:520][INK] = 0
    assert "the character is small: crop the picture" in find_ink(canvas).fault
    two = np.full((100, 200), 255, np.uint8)
    for left in (10, 110):
        two[10:90, left + 36 : left + 44] = two[46:54, left : left + 80] = 0
    page = 255 - np.kron(np.ones((5, 5)), np.pad(np.full((12, 12), 255), 5)).astype(np.uint8)
    for several in (two, page):
        assert find_ink(several).fault == "perhaps several characters: read them as a line"
    dotted = np.full((90, 60), 255, np.uint8)
    dotted[8:14, 26:36] = dotted[40:46, 10:50] = dotted[46:84, 44:50] = 0
    assert not find_ink(dotted).fault, "a tall う"


def test_addresses_and_heic_say_what_they_need(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(FastetlError, match=r"^https://a/b\.png: there is no such file or folder\. Download it"):
        paper_of("https://a/b.png")
    with pytest.raises(FastetlError, match=r"HEIC.*pillow-heif|cannot read the picture"):
        paper_of(tmp_path / "a.heic")


def test_a_picture_is_made_square_with_its_edge() -> None:
    drawn = np.zeros((40, 20, 4), np.uint8)
    drawn[10:30, 8:12] = (0, 0, 0, 255)  # black ink on transparent paper
    read = read_picture(drawn, 64)
    assert (read.shape, int(read[0, 0]), int(read[32, 32])) == ((64, 64), 0, 255)
    read[:] = 0  # the caller's own


def test_the_rotation_of_the_camera_is_applied(tmp_path: Path) -> None:
    turned = Image.fromarray(np.rot90(np.where(INK, 0, 255).astype(np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90° clockwise
    turned.save(tmp_path / "a.png", exif=exif)
    assert ((paper_of(tmp_path / "a.png") == 0) == INK).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "I", "I;16", "F"])
def test_a_large_picture_of_any_mode_is_reduced(mode: str) -> None:
    board = (np.indices((3200, 3200)).sum(0) % 2 * 255).astype(np.uint8)
    read, times = brightness_of(Image.fromarray(board).convert(mode))
    assert (read.shape, times) == ((1600, 1600), 2)
    assert np.abs(read.astype(int) - 128).max() <= 1


NAN = np.full((9, 9), np.nan, np.float32)
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no picture": (lambda path: path.write_bytes(b"no picture"), "found no picture"),
    "a strip": (lambda path: Image.new("L", (1, 6000), 255).save(path), "100 times the other; found 1 × 6,000"),
    "huge": (lambda path: Image.new("1", (MAX_PICTURE_SIDE + 1, MAX_PICTURE_SIDE)).save(path), "up to 12,000 pixels"),
    "gigabytes": (lambda path: path.write_bytes(b"GIF89a\xff\xff\xff\xff\0\0\0," + bytes(20)), "found more. Crop it"),
    "PostScript": (lambda path: Image.new("L", (9, 9)).save(path, format="EPS"), "found no picture"),
    "not a number": (lambda path: Image.fromarray(NAN).save(path, format="TIFF"), "a pixel that is not a number"),
    "two pages": (
        lambda path: Image.new("L", (9, 9)).save(path, "TIFF", save_all=True, append_images=[Image.new("L", (9, 9))]),
        "a file of several pages; expected one page; found 2. Save each page",
    ),
    "a FIFO": (os.mkfifo, "a FIFO"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_picture_is_named_in_one_line(kind: str, tmp_path: Path) -> None:
    write, message = BAD[kind]
    write(tmp_path / "a.png")
    with one_line(f"a.png: …{message}"):
        paper_of(tmp_path / "a.png")
