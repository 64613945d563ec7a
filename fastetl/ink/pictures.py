"""Picture files of single characters, from scanners, phones and drawing programs, as the arrays that are recognized."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fastetl.data.preprocessing import Preprocessing, border_sum, resize
from fastetl.errors import FastetlError
from fastetl.files.untrusted import open_regular
from fastetl.ink.paper import whiten_paper

__all__ = ["FORMATS", "LARGEST", "LONGEST", "read_grey", "read_ink", "read_picture"]

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
"""What is opened, by its content. Pillow knows more, some of which start other programs (EPS: Ghostscript)."""
LARGEST = 9000
"""Most pixels along a side: a phone's 48 megapixels are 8,064 × 6,048."""
LONGEST = 16
"""Most widths to a height, or heights to a width: a picture of one character is not a strip."""


def _bounded(path: str | PathLike[str], size: tuple[int, int], longest: int = LONGEST) -> None:
    short, long = sorted(size)
    if not short >= 1 or long > LARGEST or long > longest * short:
        raise FastetlError(
            "a picture of this size is not read",
            file=path,
            expected=f"sides up to {LARGEST:,} pixels, one at most {longest} times the other",
            found=f"{size[0]:,} × {size[1]:,}",
            do="crop it to one character",
            also=ValueError,
        )


def _grey(opened: Image.Image) -> NDArray[np.uint8]:
    """uint8 (H, W): brightness, on white paper where the picture is transparent."""
    if opened.mode == "F" or opened.mode.startswith("I"):
        # Pillow would clip these at 255, which leaves a white page.
        levels = np.asarray(opened, np.float64)
        if not np.isfinite(levels).all():
            raise ValueError("a pixel that is not a number")
        top = float(levels.max())
        full = 1.0 if opened.mode == "F" and top <= 1 else 255.0 if opened.mode == "F" and top <= 255 else 65535.0
        return np.asarray(np.clip(levels / full, 0, 1) * 255 + 0.5, np.uint8)
    layered = opened.convert("RGBA")
    paper = Image.new("RGBA", layered.size, "white")
    return np.asarray(Image.alpha_composite(paper, layered).convert("L"))


def _square(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Made square with the median of its outermost pixels."""
    height, width = grey.shape
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    longest = max(height, width)
    square = np.full((longest, longest), np.uint8(np.median(edge)))
    top, left = (longest - height) // 2, (longest - width) // 2
    square[top : top + height, left : left + width] = grey
    return square


@contextmanager
def _opened(source: str | PathLike[str] | bytes | Image.Image) -> Iterator[Image.Image]:
    if isinstance(source, Image.Image):
        yield source
        return
    file = io.BytesIO(source) if isinstance(source, bytes) else open_regular(source)
    with file, Image.open(file, formats=FORMATS) as opened:
        yield opened


def read_grey(source: str | PathLike[str] | bytes | Image.Image, longest: int = LONGEST) -> NDArray[np.uint8]:
    """uint8 (H, W): a picture's brightness, upright. Errors and formats as of `read_picture`."""
    path = source if isinstance(source, str | PathLike) else "the picture"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with _opened(source) as opened:
                _bounded(path, opened.size, longest)
                return _grey(ImageOps.exif_transpose(opened))
        except FastetlError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise FastetlError("the picture is too large", file=path, found=error, do="crop it") from error
        except Exception as error:  # Pillow's readers raise what comes: struct.error, SyntaxError, KeyError …
            unknown = isinstance(error, UnidentifiedImageError)
            reason = "no such picture" if unknown else f"{type(error).__name__} {error}".strip()
            raise FastetlError(
                "cannot read the picture", file=path, expected=", ".join(FORMATS), found=reason, do="check it"
            ) from error


def read_picture(source: str | PathLike[str] | bytes | Image.Image, side: int | None = None) -> NDArray[np.uint8]:
    """uint8 (side, side), 0–255: a picture file, its bytes or a PIL image: grey, upright, its edge's colour around.

    Without `side` it keeps its own size. Formats: `FORMATS`; 8 and 16 bits, floating point (0–1, 0–255 or 0–65,535),
    colour, palette; transparent parts are white paper; the camera's rotation (EXIF) is applied; of several frames the
    first. Ink may be dark or light: the network's preprocessing tells. Grey, shaded, ruled or grainy paper, as in
    photographs, becomes white (`fastetl.ink.paper`).

    Raises FastetlError if the file cannot be read, is not such a picture, or exceeds `LARGEST` or `LONGEST`.
    """
    square = _square(whiten_paper(read_grey(source)))
    return square if side is None else np.asarray(resize(square[None], side)[0])


def read_ink(path: str | PathLike[str], side: int) -> NDArray[np.uint8]:
    """uint8 (side, side), ink high: as `read_picture`, and turned where the paper is light, as the networks do it."""
    picture, spec = read_picture(path, side), Preprocessing(size=side)
    light = border_sum(picture[None].astype(np.float32), spec).item() > spec.darkest_paper
    return 255 - picture if light else picture
