"""Small files of every set, with noise for pictures, and an independent way to read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.classes import EtlClass
from fastetl.etl.layouts import BY_NAME, Layout
from fastetl.synth.sets import set_files

WRITERS = {"ETL2": 2, "ETL9B": 2, "ETL9G": 2}


def noise(layout: Layout, entries: Sequence[EtlClass], writer: int) -> NDArray[np.uint8]:
    """Packed pictures that no two classes or writers share."""
    rng = np.random.default_rng([layout.family, layout.bits, writer + 1])
    return rng.integers(0, 256, (len(entries), layout.image_bytes), np.uint8)


def blank(layout: Layout, entries: Sequence[EtlClass], _: int) -> NDArray[np.uint8]:
    """Pictures with one spot of ink."""
    found = np.zeros((len(entries), layout.image_bytes), np.uint8)
    found[:, 0] = 0xFF
    return found


def write_set(folder: Path, name: str, writers: int = 0, draw: Any = noise) -> list[Path]:
    """The files of a set in `folder`, by so many writers, or by few."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for file, records in set_files(name, writers or WRITERS.get(name, 4), draw):
        records.tofile(folder / file)
        made.append(folder / file)
    return made


def field(record: bytes, at: int, bits: int) -> int:
    """The number in `bits` bits from bit `at`, from one long integer: as bitstring would have it."""
    whole = int.from_bytes(record, "big")
    return whole >> (8 * len(record) - at - bits) & ((1 << bits) - 1)


def levels(record: bytes, name: str) -> NDArray[np.int64]:
    """The picture of one record, level by level."""
    layout = BY_NAME[name]
    data = record[layout.image_offset : layout.image_offset + layout.image_bytes]
    text = "".join(f"{byte:08b}" for byte in data)
    found = [int(text[k : k + layout.bits], 2) for k in range(0, len(text), layout.bits)]
    return np.array(found).reshape(layout.height, layout.width)
