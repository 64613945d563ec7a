"""The baselines, record by record: struct and Pillow, as in the tutorial."""

import re
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastetl.etl.layouts import ETL8G, Layout
from fastetl.kernels.packed import TOP

Levels = list[NDArray[np.uint8]]

FIELDS = {"M": ">H2sH6BI4H4B", "K": ">", "C": ">", "B": ">2H4s", "G": ">2H8sI4B4H2B"}
"""Type of record → its header for struct, which cannot read the 36-bit words of K and C."""


@cache
def _record(layout: Layout) -> str:
    fields = FIELDS[layout.kind]
    before = layout.image_offset - struct.calcsize(fields)
    behind = layout.record_bytes - layout.image_offset - layout.image_bytes
    return f"{fields}{before}x{layout.image_bytes}s{behind}x"


def read(record: bytes, layout: Layout) -> tuple[Any, ...]:
    """The fields that struct can read, and last the levels of the picture."""
    *fields, packed = struct.unpack(_record(layout), record)
    image = Image.frombytes("F", (layout.width, layout.height), packed, "bit", layout.bits)
    return (*fields, np.asarray(image.convert("L")))


def decode(records: Sequence[bytes], layout: Layout) -> Levels:
    """Levels of each record."""
    return [read(record, layout)[-1] for record in records]


def resized(pictures: Levels, size: int, layout: Layout) -> NDArray[np.float32]:
    """Levels as floats 0–1, resized by Pillow's BILINEAR."""
    out = np.zeros((len(pictures), size, size), np.float32)
    for k, picture in enumerate(pictures):
        floats = Image.fromarray(picture.astype(np.float32) / np.float32(TOP[layout.bits]))
        out[k] = np.asarray(floats.resize((size, size), Image.Resampling.BILINEAR))
    return out


def script(files: Sequence[Path], out: Path, size: int, *, everything: bool, compressed: bool) -> None:
    """The tutorial's script: read all records of all files, keep the hiragana, resize them, save them.

    compressed: store the pictures between the two steps with `np.savez_compressed`, as the tutorial does; with all
    characters that would take minutes and gigabytes.
    """
    chosen = []
    for path in files:
        with path.open("rb") as file:
            while record := file.read(ETL8G.record_bytes):
                fields = read(record, ETL8G)
                if everything or re.search(rb"^(?!.*(KAI|HEI)).*\.(HIRA|WO\.)", fields[2]):
                    chosen.append(fields[-1])
    if compressed:
        np.savez_compressed(out, np.stack(chosen))
        with np.load(out) as stored:
            chosen = list(stored["arr_0"])
    np.savez(out, resized(chosen, size, ETL8G))
