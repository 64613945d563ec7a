"""Reads pictures of characters, from scanners, phones and drawing programs, and finds the ink in them."""

import importlib
import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fastetl.checks import as_path, require_instance, unsuitable
from fastetl.errors import ArgumentError, FastetlError, StrPath, no_warnings, reason_of
from fastetl.files.untrusted import open_regular
from fastetl.ink.blocks import quantile
from fastetl.ink.paper import MAX_PLANE, Ink, separate_ink

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
"""Formats that are opened, by their content. Others of Pillow's are not: some start other programs, as EPS does."""
MAX_PICTURE_SIDE = 12_000
"""Largest side of a picture that is read, in pixels: a phone's 108 megapixels are 12,000 × 9,000."""
MAX_ASPECT = 100
"""Largest ratio of a picture's sides: 24 for a crop of ー, more for a line of text."""
_WRONG_SIZE = "a picture of this size is not read"
_SIZES = f"sides up to {MAX_PICTURE_SIDE:,} pixels, one at most {MAX_ASPECT} times the other"
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")
_MIN_SHEET_CONTRAST = 64  # of levels in a picture's opaque part, if that is a sheet with ink; chosen by eye

Picture = StrPath | bytes | IO[bytes] | Image.Image | NDArray[np.uint8]
"""A picture file, one opened for reading, its bytes, a PIL image, or uint8 or bool (H, W) or (H, W, 1, 3 or 4)."""


def _flatten(grey: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A partly transparent picture as dark ink on white, whatever the brightness of what is drawn.

    grey: its brightness over white. If the opaque part fills its box and has contrast, it is a sheet with ink on it:
    then what is around it becomes as bright as the sheet.
    """
    is_visible = alpha >= 128
    if not is_visible.any() and int(np.ptp(grey)) < min(32, int(np.ptp(alpha))):  # whitish ink shows in its alpha alone
        return 255 - alpha
    if is_visible.all() or not is_visible.any():
        return grey
    rows, columns = np.flatnonzero(is_visible.any(1)), np.flatnonzero(is_visible.any(0))
    area = int(rows[-1] - rows[0] + 1) * int(columns[-1] - columns[0] + 1)
    levels = grey[is_visible]
    if 10 * len(levels) < 7 * area or quantile(levels, 95) - quantile(levels, 5) < _MIN_SHEET_CONTRAST:
        return 255 - alpha
    shade = (255 - alpha.astype(np.int32)) * (255 - quantile(levels, 50)) // 255  # than white, where it is transparent
    return grey - shade.clip(0, grey).astype(np.uint8)


def _brightness(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 (H, W): the brightness of a picture; transparent parts become paper (`_flatten`)."""
    if image.mode == "F" or image.mode.startswith("I"):
        # Pillow would clip these levels at 255, and leave a white page.
        levels = np.asarray(image, np.float64)
        if not np.isfinite(levels).all():
            raise ValueError("a pixel that is not a number")
        max_level = float(levels.max())
        white_level = 255.0 if max_level <= 255 else 65535.0
        if image.mode == "F" and max_level <= 1:
            white_level = 1.0
        return np.asarray(np.clip(levels / white_level, 0, 1) * 255 + 0.5, np.uint8)
    if not image.has_transparency_data:
        return np.asarray(image.getchannel("L") if image.mode == "LAB" else image.convert("L"))
    rgba = image.convert("RGBA")
    grey = np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("L"))
    return _flatten(grey, np.asarray(rgba.getchannel("A")))


def _reduce(image: Image.Image, reduction: int) -> Image.Image:
    """A picture of any mode with the mean of each times × times pixels. `_brightness` takes up to 32 bytes for each."""
    if reduction <= 1:
        return image
    if image.mode.startswith("I;"):
        image = image.convert("I")
    elif image.mode in ("1", "P", "PA"):  # whose values have no mean
        image = image.convert("RGBA" if image.has_transparency_data else "L")
    return image.reduce(reduction)


def _image_of(array: NDArray[np.uint8]) -> Image.Image:
    has_shape = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if array.dtype not in (np.uint8, np.bool_) or not has_shape or not array.size:
        expected, do = "uint8 (H, W) or (H, W, 1, 3 or 4 colours)", "convert it; give several one by one"
        raise unsuitable("picture", expected, array, do)
    levels = array.astype(np.uint8) * 255 if array.dtype == np.bool_ else array
    return Image.fromarray(np.ascontiguousarray(levels[..., 0] if levels.shape[2:] == (1,) else levels))


def _file_of(source: StrPath | bytes | IO[bytes]) -> IO[bytes]:
    """A file to read from its beginning. One that the caller has opened stays open, and is read whole."""
    if isinstance(source, str | PathLike):
        as_path("picture", source)
        return open_regular(source)  # an address as it was given
    if not isinstance(source, bytes):
        if source.seekable():
            source.seek(0)
        source = source.read()
    return io.BytesIO(source)


@contextmanager
def _open_image(source: Picture, name: StrPath) -> Iterator[Image.Image]:
    if isinstance(source, Image.Image | np.ndarray):
        yield _image_of(source) if isinstance(source, np.ndarray) else source
        return
    with _file_of(source) as file:
        formats: tuple[str, ...] = FORMATS
        head = file.read(12)
        file.seek(0)
        if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
            try:
                importlib.import_module("pillow_heif").register_heif_opener()
            except ImportError as error:
                message = "HEIC, as iPhones store it, needs another package"
                raise FastetlError(message, file=name, do="install pillow-heif (by pip), or save it as JPEG") from error
            formats = ("HEIF",)
        with Image.open(file, formats=formats) as image:
            yield image


def _require_fitting(image: Image.Image, path: StrPath, *, is_file: bool) -> None:
    """Raise FastetlError for a picture that is empty, too large or too long, or is not the only one of its file."""
    (width, height), (min_side, max_side) = image.size, sorted(image.size)
    if not min_side >= 1 or max_side > MAX_PICTURE_SIDE or max_side > MAX_ASPECT * min_side:
        raise ArgumentError(_WRONG_SIZE, file=path, expected=_SIZES, found=f"{width:,} × {height:,}", do="crop it")
    pages = getattr(image, "n_frames", 1) if image.format == "TIFF" and is_file else 1
    if pages > 1:
        what, do = "a file of several pages", "save each page as a file of its own"
        raise FastetlError(what, file=path, expected="one page", found=pages, do=do)


def brightness_of(source: Picture) -> tuple[NDArray[np.uint8], float]:
    """The brightness of a picture, uint8 (H, W), and how many times smaller it is than the picture."""
    path = source if isinstance(source, str | PathLike) else "the picture"
    with no_warnings:
        try:
            with _open_image(source, path) as image:
                size, max_side = image.size, max(image.size)
                _require_fitting(image, path, is_file=image is not source)
                if image is not source:  # only for JPEG: it decodes fewer pixels
                    image.draft("L", (size[0] * MAX_PLANE // max_side, size[1] * MAX_PLANE // max_side))
                grey = _brightness(ImageOps.exif_transpose(_reduce(image, max(image.size) // MAX_PLANE)))
                return grey, max_side / max(grey.shape)
        except FastetlError:
            raise
        except Image.DecompressionBombError as error:  # before the size is told
            raise ArgumentError(_WRONG_SIZE, file=path, expected=_SIZES, found="more", do="crop it") from error
        except Exception as error:  # Pillow's readers raise anything: struct.error, SyntaxError, KeyError …
            found = "no picture" if isinstance(error, UnidentifiedImageError) else reason_of(error)
            expected = None if isinstance(source, Image.Image) else f"{', '.join(FORMATS)}, HEIC"
            what, do = "cannot read the picture", "open it in another program, and save it as PNG"
            raise FastetlError(what, file=path, expected=expected, found=found, do=do) from error


def find_ink(source: Picture, *, is_page: bool = False) -> Ink:
    """Find the ink of a picture of any kind, the character in it, and reasons why it may be recognized wrongly.

    Formats are `FORMATS`, and HEIC if `pillow-heif` is installed, with 8 or 16 bits or floating point (0–1, 0–255 or
    0–65,535), in colour or with a palette. Transparent parts are paper. The camera's rotation (EXIF) is applied. Of an
    animation the first frame is read. Ink may be dark or light, on paper in any light (`fastetl.ink.paper`). Raises
    FastetlError if a file cannot be read, is not such a picture, is a TIFF of several pages or exceeds
    `MAX_PICTURE_SIDE` or `MAX_ASPECT`, and for what is no `Picture`. is_page: see `separate_ink`.
    """
    if not hasattr(source, "read"):
        expected = "a file, its bytes, a PIL image or an array"
        do = "give several one by one" if isinstance(source, list | tuple) else "draw strokes by `rasterize`"
        require_instance("picture", source, str | PathLike | bytes | Image.Image | np.ndarray, expected, do)
    grey, reduction = brightness_of(source)
    ink = separate_ink(grey, is_page=is_page)
    return replace(ink, scale=ink.scale * reduction)


def read_picture(source: Picture, side: int | None = None) -> NDArray[np.uint8]:
    """The character in a picture, as in a dataset: uint8 (side, side), ink high.

    Args:
        source: A file, its path or bytes, a PIL image, or uint8 (H, W) or (H, W, 1, 3 or 4); see `find_ink`.
        side: Side in pixels, 1 to 4,096. If None: as many as the character has in the picture, up to 1,600.
    Raises:
        FastetlError: If the side is outside, or `source` cannot be read as a picture.
    """
    ink = find_ink(source)
    return ink.square() if side is None else ink.picture(side)


def png_file(picture: NDArray[np.uint8]) -> bytes:
    """The bytes of a PNG file of a picture, uint8 (H, W): without Pillow, which takes three times as long."""
    height, width = picture.shape
    rows = np.zeros((height, 1 + width), np.uint8)  # 0: no filter, which suits ink on paper
    rows[:, 1:] = picture
    runs = zlib.compressobj(1, strategy=zlib.Z_RLE)  # as small as Pillow's, since paper is runs of one value
    header = b"IHDR" + struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    chunks = (header, b"IDAT" + runs.compress(rows.tobytes()) + runs.flush(), b"IEND")
    frames = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(frames)
