"""What everything is measured against, record by record: struct and Pillow, as the tutorial goes, or bitstring and
Pillow, as AIST's own script does."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastetl.etl.layouts import ETL8G, Layout

FIELDS = {"M": ">H2sH6BI4H4B", "K": ">", "C": ">", "B": ">2H4s", "G": ">2H8sI4B4H2B"}
"""The headers for struct, which cannot read the 36-bit words of K and C."""
BITS = {
    "M": "uint:16,bytes:2,uint:16,6*uint:8,uint:32,4*uint:16,4*uint:8,pad:32",
    "K": "uint:36,uint:6,pad:30,bits:36,bits:36,pad:24,bits:12,pad:180",
    "C": "uint:36,uint:36,hex:8,pad:28,hex:8,pad:28,bits:24,pad:12,15*uint:36,pad:1008",
    "B": "2*uint:16,bytes:4",
    "G": "2*uint:16,bytes:8,uint:32,4*uint:8,4*uint:16,2*uint:8,pad:240",
}
"""The headers for bitstring."""
RECORD = FIELDS["G"] + "30x8128s11x"


def _pillow(packed: bytes, layout: Layout) -> Image.Image:
    return Image.frombytes("F", (layout.width, layout.height), packed, "bit", layout.bits).convert("L")


def read(record: bytes) -> tuple[Any, ...]:
    """The fields of an ETL8G record, and its picture."""
    fields = struct.unpack(RECORD, record)
    return (*fields, _pillow(fields[14], ETL8G))


def _picture(record: bytes, layout: Layout) -> Image.Image:
    """A record of any set by struct: its picture as Pillow's levels."""
    fields = FIELDS[layout.kind]
    before = layout.image_offset - struct.calcsize(fields)
    behind = layout.record_bytes - layout.image_offset - layout.image_bytes
    return _pillow(struct.unpack(f"{fields}{before}x{layout.image_bytes}s{behind}x", record)[-1], layout)


def unpack(records: list[bytes], layout: Layout) -> list[NDArray[np.uint8]]:
    """Levels of each record, as AIST's own script reads: bitstring the fields, Pillow the picture."""
    import bitstring

    form = f"{BITS[layout.kind]},bytes:{layout.image_bytes}"
    return [np.asarray(_pillow(bitstring.ConstBitStream(bytes=r).readlist(form)[-1], layout)) for r in records]


def decode(records: list[bytes], layout: Layout = ETL8G) -> list[NDArray[np.uint8]]:
    """Levels of each record."""
    return [np.asarray(_picture(record, layout)) for record in records]


def resize(records: list[bytes], size: int, layout: Layout = ETL8G) -> list[NDArray[np.float32]]:
    """Each record's picture as floats 0–1, resized by Pillow's BILINEAR."""
    return resized(decode(records, layout), size, layout)


def resized(pictures: list[NDArray[np.uint8]], size: int, layout: Layout) -> list[NDArray[np.float32]]:
    """Levels as floats 0–1, resized by Pillow's BILINEAR."""
    out, top = [], np.float32(2**layout.bits - 1)
    for picture in pictures:
        floats = Image.fromarray(picture.astype(np.float32) / top)
        out.append(np.asarray(floats.resize((size, size), Image.Resampling.BILINEAR)))
    return out


def _wanted(reading: bytes) -> bool:
    hiragana = b".HIRA" in reading or b".WO." in reading
    return hiragana and b"KAI" not in reading and b"HEI" not in reading


def script(files: list[Path], out: Path, size: int, everything: bool = False, compressed: bool = True) -> int:
    """The whole script: read every record of every file, keep the hiragana, store them, resize them, save.

    Between its two steps it stores what it read with `np.savez_compressed`; with `everything` that would take
    minutes and gigabytes, so it goes straight on. Returns how many.
    """
    chosen = []
    for path in files:
        with path.open("rb") as file:
            while record := file.read(8199):
                fields = read(record)
                if everything or _wanted(fields[2]):
                    chosen.append(np.asarray(fields[-1]))
    levels = np.stack(chosen)
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
