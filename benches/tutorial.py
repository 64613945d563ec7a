"""What everything is measured against: the tutorial's way with struct and Pillow, record by record."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastetl.etl.layouts import ETL8G, Layout

__all__ = ["decode", "resize", "script"]

RECORD = ">2H8sI4B4H2B30x8128s11x"


def read(record: bytes) -> tuple[Any, ...]:
    """The fields of a record, and its picture as a Pillow image."""
    fields = struct.unpack(RECORD, record)
    picture = Image.frombytes("F", (128, 127), fields[14], "bit", 4)
    return (*fields, picture.convert("L"))


def _picture(record: bytes, layout: Layout) -> Image.Image:
    """The same for a record of any set: its picture as Pillow's levels."""
    if layout is ETL8G:
        return cast(Image.Image, read(record)[-1])
    length = layout.height * layout.width * layout.bits // 8
    behind = layout.record_bytes - layout.image_offset - length
    (packed,) = struct.unpack(f">{layout.image_offset}x{length}s{behind}x", record)
    return Image.frombytes("F", (layout.width, layout.height), packed, "bit", layout.bits).convert("L")


def decode(records: list[bytes], layout: Layout = ETL8G) -> list[NDArray[np.uint8]]:
    """Levels of each record."""
    return [np.asarray(_picture(record, layout)) for record in records]


def resize(records: list[bytes], size: int, layout: Layout = ETL8G) -> list[NDArray[np.float32]]:
    """Each record's picture as floats 0–1, resized by Pillow's BILINEAR."""
    out, top = [], np.float32(2**layout.bits - 1)
    for record in records:
        picture = np.asarray(_picture(record, layout)).astype(np.float32) / top
        out.append(np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR)))
    return out


def _wanted(reading: bytes) -> bool:
    hiragana = b".HIRA" in reading or b".WO." in reading
    return hiragana and b"KAI" not in reading and b"HEI" not in reading


def script(files: list[Path], out: Path, size: int, everything: bool = False, compressed: bool = True) -> int:
    """The whole script: read every record of every file, keep the hiragana, store them, resize them, save.

    Between its two steps it stores what it read with `np.savez_compressed`; with `everything` that would take
    minutes and gigabytes, so it goes straight on. Returns how many.
    """
    kept = []
    for path in files:
        with path.open("rb") as file:
            while record := file.read(8199):
                fields = read(record)
                if everything or _wanted(fields[2]):
                    kept.append(np.asarray(fields[-1]))
    levels = np.stack(kept)
    if not everything and compressed:
        np.savez_compressed(out, levels)
        with np.load(out) as stored:
            levels = stored["arr_0"]
    small = np.zeros((len(levels), size, size), np.float32)
    for k, picture in enumerate(levels):
        floats = Image.fromarray(picture.astype(np.float32) / np.float32(15))
        small[k] = np.asarray(floats.resize((size, size), Image.Resampling.BILINEAR))
    np.savez(out, small)
    return len(levels)
