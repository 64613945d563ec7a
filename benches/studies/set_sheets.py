"""docs/sets/*.png: six writers and about twelve classes of each set, and the same writing in grey and in binary.

python -m benches.studies.set_sheets
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastetl.etl.classes import EtlClass, classes
from fastetl.etl.layouts import BY_NAME, LAYOUTS, Layout
from fastetl.kernels.decode import decode
from fastetl.kernels.resize import resize_records
from fastetl.synth.reduction import drawn

FOLDER = Path(__file__).parent.parent.parent / "docs" / "sets"
SHOWN = "あきぬねゆ亜愛右円和話論"


def _few(layout: Layout) -> list[EtlClass]:
    """Evenly over the classes; binary and grey sets show the same."""
    known = [entry for entry in classes(layout.name) if entry.character]
    if layout.data_sets_per_file:
        return [entry for entry in known if (entry.character or "") in SHOWN]
    return [known[k] for k in np.linspace(0, len(known) - 1, 12).astype(int)]


def _packed(
    layout: Layout, entries: Sequence[EtlClass], writer: int, every: Sequence[EtlClass]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The drawn pictures one after another, and where each begins. every: the classes that are drawn together."""
    packed = drawn(0, 0.5)(layout, every, writer)[[every.index(entry) for entry in entries]]
    return np.concatenate([packed.reshape(-1), np.zeros(256, np.uint8)]), np.arange(len(entries)) * layout.image_bytes


def _save(rows: list[NDArray[np.uint8]], name: str) -> None:
    Image.fromarray(np.vstack(rows)).quantize(16).save(FOLDER / f"{name}.png", optimize=True)


def main() -> None:
    for layout in LAYOUTS:
        rows = []
        for writer in range(6):
            entries = _few(layout)
            out = np.empty((len(entries), layout.height, layout.width), np.uint8)
            decode(*_packed(layout, entries, writer, entries), out, bits=layout.bits, scale=True)
            rows.append(np.hstack(list(out)))
        _save(rows, layout.name)
    rows = []
    for layout in (BY_NAME["ETL8G"], BY_NAME["ETL8B2"]):
        entries = sorted(_few(layout), key=lambda entry: entry.code)
        for writer in range(3):
            out = np.empty((len(entries), 64, 64), np.uint8)
            packed, starts = _packed(layout, entries, writer, classes(layout.name))  # the same writing in both
            resize_records(packed, starts, layout.height, layout.width, out, bits=layout.bits)
            rows.append(np.hstack(list(out)))
    _save(rows, "grey_and_binary")


if __name__ == "__main__":
    main()
