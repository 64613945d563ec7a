"""Small sound files of every set, with noise for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.campaign.plain import PLAIN
from fastetl.etl.classes import EtlClass, files_of_classes
from fastetl.etl.layouts import Layout

__all__ = ["CHARACTERS", "NAMES", "RECORDS", "sound_records"]

CHARACTERS, RECORDS = 40, 200
"""Most characters of a file, and its records without the empty one."""
NAMES = {
    **{name: f"{name}_01" for name in ("ETL8G", "ETL9G", "ETL9B", "ETL2")},
    "ETL1": "ETL1C_01",
    "ETL3": "ETL3C_1",
    "ETL4": "ETL4C",
    "ETL5": "ETL5C",
    "ETL6": "ETL6C_01",
    "ETL7": "ETL7LC_1",
    "ETL8B2": "ETL8B2C1",
}
"""A genuine name of a file of each set."""


def _fields(layout: Layout, entries: Sequence[EtlClass], within: NDArray[np.int64]) -> dict[str, Any]:
    """Plausible headers. within: which writer, sheet or data set each record is of."""
    known: dict[str, Any] = {
        "code": [entry.code for entry in entries],
        "letters": [entry.letters.encode() for entry in entries],
        "sheet": 1001 + within,
        "reading": b"A.HIRA  "[: layout.by_name["reading"].bits // 8] if "reading" in layout.by_name else b"",
        "number": 1 + np.arange(len(entries)),
        "sex": 1 + within % 2,
        "age": 20 + within,
        "style": b"A",
        "contents": b"KANJI ",
        "typeface": b"MINCHO",
    }
    return {name: values for name, values in known.items() if name in layout.by_name}


def sound_records(layout: Layout, seed: int) -> NDArray[np.uint8]:
    """uint8 (N, record bytes): RECORDS records of at most CHARACTERS characters, in the order of the set's files."""
    chosen = files_of_classes(layout.name)[0][:CHARACTERS]
    if layout.name == "ETL2":  # those with a character
        chosen = tuple(entry for entry in files_of_classes("ETL2")[0] if entry.character is not None)[:CHARACTERS]
    sets = RECORDS // len(chosen)
    by_class = layout.group != "data set" and layout.name != "ETL4"
    if by_class:
        entries = [entry for entry in chosen for _ in range(sets)]
        within = np.tile(np.arange(sets), len(chosen))
    else:
        entries = list(chosen) * sets
        within = np.repeat(np.arange(sets), len(chosen))
    records = np.zeros(len(entries), layout.dtype)
    for name, values in _fields(layout, entries, within).items():
        layout.put(records, name, values)
    raw = records.view(np.uint8).reshape(len(records), layout.record_bytes)
    plain = PLAIN[layout.name]
    picture = plain.height * plain.width * plain.bits // 8
    raw[:, plain.image : plain.image + picture] = np.random.default_rng(seed).integers(
        0, 256, (len(raw), picture), np.uint8
    )
    return np.concatenate([np.zeros((plain.empty, plain.record), np.uint8), raw])
