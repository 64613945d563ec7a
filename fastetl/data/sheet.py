"""A contact sheet: pictures side by side, to look at what is in a dataset."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fastetl.checks import require_range
from fastetl.files.atomic import Kind, check_output, new_file

if TYPE_CHECKING:
    from fastetl.data.dataset import Dataset

__all__ = ["contact_sheet", "html", "write_sheet"]

PNG = Kind("a contact sheet by fastetl", b"tEXtSoftware\0fastetl sheet")
_LINE = 48  # brightness of the line between pictures


def contact_sheet(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """uint8 (N, S, S) → uint8 (rows × (S + 1) + 1, columns × (S + 1) + 1): row by row, a thin line between."""
    side = images.shape[1] + 1
    rows = -(-len(images) // columns)
    sheet = np.full((rows * side + 1, columns * side + 1), _LINE, np.uint8)
    for k, image in enumerate(images):
        y, x = divmod(k, columns)
        sheet[y * side + 1 : (y + 1) * side, x * side + 1 : (x + 1) * side] = image
    return sheet


def html(data: Dataset) -> str:
    """A line and the first pictures, for a notebook."""
    sheet = contact_sheet(data.images[:48], 16) if len(data) else np.zeros((1, 1), np.uint8)
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, format="PNG")
    picture = base64.b64encode(file.getvalue()).decode()
    title = escape(repr(data))
    return f'<div>{title}<br><img alt="{title}" src="data:image/png;base64,{picture}"></div>'


def write_sheet(
    data: Dataset, out: str | Path, *, rows: int = 24, columns: int = 16, seed: int = 0, overwrite: bool = False
) -> None:
    """Write a PNG with one row for each of the first `rows` classes drawn at random, a random writer in each column.

    Raises FastetlError if `out` exists or cannot be written.
    """
    require_range("rows", rows, 1, 4096)
    require_range("columns", columns, 1, 4096)
    require_range("seed", seed, 0, 2**64 - 1)
    out, inputs = Path(out), [] if data.path is None else [data.path]
    check_output(out, PNG, overwrite, inputs)
    rng = np.random.default_rng(seed)
    present = np.unique(data.labels)
    classes = np.sort(rng.permutation(present)[:rows])
    picks: list[NDArray[Any]] = []
    for k in classes.tolist():
        indices = np.flatnonzero(data.labels == k)
        picks.append(rng.choice(indices, columns, replace=len(indices) < columns))
    sheet = contact_sheet(data.images[np.concatenate(picks)], columns)
    with new_file(out, PNG, overwrite, inputs) as temporary:
        text = PngInfo()
        text.add_text("Software", "fastetl sheet")  # the mark of `PNG`
        Image.fromarray(sheet).save(temporary, format="PNG", pnginfo=text)
