"""Contact sheets: pictures of a dataset side by side."""

import unicodedata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from fastetl.checks import require_range, unsuitable
from fastetl.data.dataset import Dataset
from fastetl.data.store import open_dataset
from fastetl.errors import StrPath
from fastetl.files.atomic import Inputs, OutputKind, new_output

SHEET_KIND = OutputKind("a contact sheet by fastetl", b"tEXtSoftware\0fastetl sheet", suffix=".png")
NOT_FOR_PUBLICATION = "Pictures of the ETL Character Database: its terms forbid publishing them."
_LINE_BRIGHTNESS = 216  # brightness of the line between pictures
_LABEL_WIDTH, _BANNER_HEIGHT = 116, 18  # pixels


def as_paper(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures uint8 (N, S, S), ink high → black ink on white paper, uint8 (N, S, S). Pale ink becomes black, too."""
    maxima = np.maximum(images.max((1, 2), keepdims=True), 1).astype(np.float32)
    return np.asarray(255 - images / maxima * 255, np.uint8)


def _label(character: str) -> str:
    """The name or codes of a character in ASCII, for which Pillow always has a font."""
    if len(character) > 1 and character.isascii():
        return character[:18]
    name = unicodedata.name(character, "") if len(character) == 1 else ""
    short_name = name.replace("LETTER ", "").lower()
    codes = [f"U+{ord(c):04X}" for c in character[:6]]
    code = "\n".join(" ".join(codes[k : k + 2]) for k in range(0, len(codes), 2))
    return code if not short_name or "ideograph" in short_name else f"{short_name[:18]}\n{code}"


def _contact_sheet(data: Dataset, rows: int, columns: int, seed: int) -> Image.Image:
    """A row of `columns` random samples for each of `rows` random classes, with the class's name before it."""
    rng = np.random.default_rng(seed)
    classes = np.sort(rng.permutation(np.unique(data.labels))[:rows]).tolist()
    indices = [np.flatnonzero(data.labels == k) for k in classes]
    picks = np.concatenate([rng.choice(samples, columns, replace=len(samples) < columns) for samples in indices])
    side, top = data.images.shape[1] + 1, _BANNER_HEIGHT * data.is_etl
    sheet = Image.new("L", (_LABEL_WIDTH + columns * side + 1, top + len(classes) * side + 1), 255)
    sheet.paste(_LINE_BRIGHTNESS, (_LABEL_WIDTH, top, *sheet.size))
    for number, picture in enumerate(as_paper(data.images[picks])):
        row, column = divmod(number, columns)
        sheet.paste(Image.fromarray(picture), (_LABEL_WIDTH + column * side + 1, top + row * side + 1))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for row, k in enumerate(classes):
        draw.multiline_text((4, top + row * side + side // 2), _label(data.charset.characters[k]), 0, font, anchor="lm")
    if data.is_etl:
        draw.text((4, 2), NOT_FOR_PUBLICATION, 0, font)
    return sheet


def write_png(picture: Image.Image, out: StrPath, kind: OutputKind, overwrite: bool, inputs: Inputs) -> None:
    """Write a PNG whose text "Software" is the mark of `kind`: b"tEXtSoftware", 0, and what wrote it."""
    assert isinstance(kind.marks, bytes)
    text = PngInfo()
    text.add_text("Software", kind.marks.partition(b"\0")[2])
    with new_output(out, kind, overwrite, inputs) as temporary:
        picture.save(temporary, "PNG", pnginfo=text)


def write_sheet(
    data: Dataset | StrPath, out: StrPath, *, rows: int = 24, columns: int = 16, seed: int = 0, overwrite: bool = False
) -> Path:
    """Write a contact sheet (PNG) and return its path: a labelled row of random samples for each of some classes.

    Args:
        data: A dataset, or the path of one.
        out: The file to write; it must end in .png.
        rows: How many random classes to show, 1 to 4,096.
        columns: How many samples to show of each, 1 to 4,096.
        seed: Decides which ones are shown.
        overwrite: Replace an earlier contact sheet.
    Raises:
        FastetlError: If there is no picture, or `out` exists (without `overwrite`) or cannot be written.
    """
    require_range("rows", rows, 1, 4096)
    require_range("columns", columns, 1, 4096)
    require_range("seed", seed, 0, 2**64 - 1)
    data = open_dataset(data)
    if not len(data):
        raise unsuitable("data", "a picture", "none")
    write_png(_contact_sheet(data, rows, columns, seed), out, SHEET_KIND, overwrite, [data.path])
    return Path(out)
