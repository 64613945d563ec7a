"""A contact sheet: pictures side by side, to look at what is in a dataset."""

from __future__ import annotations

import base64
import io
import unicodedata
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from fastetl.checks import require_range
from fastetl.files.atomic import Kind, check_output, new_output

if TYPE_CHECKING:
    from fastetl.data.dataset import Dataset

PNG = Kind("a contact sheet by fastetl", b"tEXtSoftware\0fastetl sheet")
NOT_FOR_PUBLICATION = "Pictures of the ETL Character Database: its terms forbid publishing them."
_LINE = 216  # brightness of the line between pictures
_LABEL, _BANNER = 116, 18  # pixels


def as_paper(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (N, S, S), ink high → the same as black ink on white paper; pale ink is shown at full contrast."""
    top = np.maximum(images.max((1, 2), keepdims=True), 1).astype(np.float32)
    return np.asarray(255 - images / top * 255, np.uint8)


def contact_sheet(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """uint8 (N, S, S), ink high → uint8 (rows × (S + 1) + 1, columns × (S + 1) + 1): black on white, row by row."""
    side = images.shape[1] + 1
    rows = -(-len(images) // columns)
    sheet = np.full((rows * side + 1, columns * side + 1), _LINE, np.uint8)
    for k, image in enumerate(as_paper(images)):
        y, x = divmod(k, columns)
        sheet[y * side + 1 : (y + 1) * side, x * side + 1 : (x + 1) * side] = image
    return sheet


def html(data: Dataset, rows: int = 4, columns: int = 16) -> str:
    """A line, and a row of pictures for each of the first characters, for a notebook."""
    classes = list(dict.fromkeys(data.labels.tolist()))[:rows]
    lines = []
    for k in classes:
        file, character = io.BytesIO(), escape(data.charset.characters[k])
        pictures = data.images[np.flatnonzero(data.labels == k)[:columns]]
        Image.fromarray(contact_sheet(pictures, len(pictures))).save(file, format="PNG")
        picture = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
        lines.append(f'<tr><th>{character}</th><td><img alt="{character}" src="{picture}"></td></tr>')
    banner = f"<br><strong>{NOT_FOR_PUBLICATION}</strong>" if data.is_etl else ""
    return f"<div>{escape(repr(data))}{banner}<table>{''.join(lines)}</table></div>"


def _label(character: str) -> str:
    """What names a character in Latin letters, which every installation of Pillow can draw."""
    name = unicodedata.name(character, "") if len(character) == 1 else ""
    short = name.replace("LETTER ", "").lower()
    code = " ".join(f"U+{ord(c):04X}" for c in character)
    return code if not short or "ideograph" in short else f"{short[:18]}\n{code}"


def write_sheet(
    data: Dataset, out: str | Path, *, rows: int = 24, columns: int = 16, seed: int = 0, overwrite: bool = False
) -> None:
    """Write a PNG with a labelled row for each of `rows` classes drawn at random, a random writer in each column.

    Raises FastetlError if `out` exists or cannot be written.
    """
    require_range("rows", rows, 1, 4096)
    require_range("columns", columns, 1, 4096)
    require_range("seed", seed, 0, 2**64 - 1)
    out, inputs = Path(out), [] if data.path is None else [data.path]
    check_output(out, PNG, overwrite, inputs)
    rng = np.random.default_rng(seed)
    classes = np.sort(rng.permutation(np.unique(data.labels))[:rows]).tolist()
    indices = [np.flatnonzero(data.labels == k) for k in classes]
    picks = [rng.choice(mine, columns, replace=len(mine) < columns) for mine in indices]
    pictures = contact_sheet(data.images[np.concatenate(picks)], columns)
    top = _BANNER * data.is_etl
    sheet = Image.new("L", (pictures.shape[1] + _LABEL, pictures.shape[0] + top), 255)
    sheet.paste(Image.fromarray(pictures), (_LABEL, top))
    draw, font, side = ImageDraw.Draw(sheet), ImageFont.load_default(11), (pictures.shape[0] - 1) // len(classes)
    for row, k in enumerate(classes):
        centre = top + row * side + side // 2
        draw.multiline_text((4, centre), _label(data.charset.characters[k]), 0, font, anchor="lm")
    if data.is_etl:
        draw.text((4, 2), NOT_FOR_PUBLICATION, 0, font)
    with new_output(out, PNG, overwrite, inputs) as temporary:
        text = PngInfo()
        text.add_text("Software", "fastetl sheet")  # the mark of `PNG`
        sheet.save(temporary, format="PNG", pnginfo=text)
