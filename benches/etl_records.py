"""Records and files of every set with noise for pictures, of any size and always the same: no ETL data is needed.

`fastetl.synth.sets` gives the headers of whole sets and the order of their records, with all that is unusual in
genuine files.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import HIRAGANA_SMALL
from fastetl.etl.classes import classes, classes_by_file
from fastetl.etl.jis import codes_of
from fastetl.etl.layouts import ETL8G, LAYOUT_BY_NAME, Layout
from fastetl.synth.sets import Draw, by_class, by_writer, fill, set_files

Records = NDArray[np.uint8]  # (N, record bytes)
KANJI = range(0x3021, 0x3021 + 60)
WRITERS = {"ETL2": 2, "ETL9B": 2, "ETL9G": 2}


def make_records(
    writers: int, codes: list[int] | None = None, layout: Layout = ETL8G, seed: int = 0, blank: bool = False
) -> Records:
    """Data sets of ETL8G or ETL9G by `writers` writers: these JIS codes, plausible headers, noise or blank pictures."""
    rng = np.random.default_rng(seed)
    if codes is None:
        kana = codes_of(HIRAGANA_SMALL).tolist()
        codes = [*kana[:60], *KANJI, *kana[60:]]
    count = writers * len(codes)
    records = np.zeros((count, layout.record_bytes), np.uint8)
    numbers = np.arange(count)
    ages = 20 + numbers // len(codes)
    for name, values in (("sheet", 1 + numbers // 160), ("number", 1 + numbers), ("sex", 1), ("age", ages)):
        layout.put(records, name, values)
    layout.put(records, "code", codes * writers)
    layout.put(records, "reading", b"A.HIRA  ")
    if not blank:
        layout.packed(records)[:] = rng.integers(0, 256, (count, layout.image_bytes), np.uint8)
    return records


def first_records(name: str, seed: int = 0) -> NDArray[np.uint8]:
    """About 200 records of a set's first 40 characters in its order, uint8 (N, record bytes), noise for pictures."""
    layout, entries = LAYOUT_BY_NAME[name], classes(name)
    picks = [entry for entry in classes_by_file(name)[0] if name != "ETL2" or entry.character is not None][:40]
    ordered = by_writer if layout.grouped_by == "data set" or name == "ETL4" else by_class
    file = ordered("", [entries.index(entry) for entry in picks], range(200 // len(picks)))
    texts = {"style": b"A", "contents": b"KANJI ", "typeface": b"MINCHO"}
    file.columns.update(sheet=1001 + file.writers, **{name: np.array(text) for name, text in texts.items()})
    records = fill(layout, file, seed)
    pictures = layout.packed(records)
    pictures[:] = np.random.default_rng(seed).integers(0, 256, pictures.shape, np.uint8)
    return np.concatenate([np.zeros((layout.first_sample, layout.record_bytes), np.uint8), records])


def noise(layout: Layout, writer: int, time: int) -> NDArray[np.uint8]:
    """Packed pictures of noise, another one for each class, writer and time."""
    rng = np.random.default_rng([layout.family, layout.bits, writer + 1, time])
    return rng.integers(0, 256, (len(classes(layout.name)), layout.image_bytes), np.uint8)


def write_set(folder: Path, name: str, writers: int = 0, draw: Draw = noise) -> None:
    """Write the files of a set by `writers` writers (0: by a few) to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, records in set_files(name, writers or WRITERS.get(name, 4), draw):
        records.tofile(folder / file)
