"""Files of every set shaped like the genuine ones: all classes in their order, but fewer writers.

They have what is unusual in genuine files: missing records (ETL1), classes that come twice (イ, ウ, エ; ETL6's `+1`),
samples without a character (ETL2's ▲), empty records and model patterns (ETL8B2, ETL9B), two samples of a class by one
writer (ETL5, ETL7), sheet numbers that restart in every file and serial numbers that do not agree (ETL9G).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from fastetl.arrays import Bytes, Column, Ints
from fastetl.data.identity import count_within
from fastetl.etl.classes import classes, classes_by_file
from fastetl.etl.detection import STAMP
from fastetl.etl.jis import char_to_jis
from fastetl.etl.layouts import LAYOUT_BY_NAME, Layout

Draw = Callable[[Layout, int, int], Bytes]
"""(layout, writer, time) → packed pictures of the set's classes, uint8 (classes, image bytes), another time others."""

MODEL_WRITER = -1  # the writer's number of model patterns
MAX_SEED = 10**16 - 1  # whose stamp fits into the spare bytes of all sets but ETL1, 6 and 7, which have four


@dataclass(frozen=True)
class FilePlan:
    """One file. entries, writers: index of the class and writer of each record. columns: other header fields."""

    name: str
    entries: Ints
    writers: Ints
    columns: dict[str, Column] = field(default_factory=dict)


def by_class(name: str, entries: Sequence[int], writers: Sequence[int]) -> FilePlan:
    """A file with all records of the first class, then those of the next."""
    return FilePlan(name, np.repeat(entries, len(writers)), np.tile(writers, len(entries)))


def by_writer(name: str, entries: Sequence[int], writers: Sequence[int]) -> FilePlan:
    """A file with all records of the first writer, then those of the next."""
    return FilePlan(name, np.tile(entries, len(writers)), np.repeat(writers, len(entries)))


def _all_classes(name: str) -> range:
    return range(len(classes(name)))


def _classes_of_files(name: str) -> Iterator[tuple[int, range]]:
    """The classes of each file of a set, and the file's number."""
    begin = 0
    for k, part in enumerate(classes_by_file(name), 1):
        yield k, range(begin, begin + len(part))
        begin += len(part)


def _etl1(writers: int) -> Iterator[FilePlan]:
    # The last writer wrote no katakana, like 34 of the 1,445 genuine ones.
    kana_writers = max(1, writers - 1)
    lost_counts = {"ナ": min(1, kana_writers - 1), "リ": kana_writers - 1} if writers > 1 else {}
    loss_writers = np.array([lost_counts.get(entry.character or "", -1) for entry in classes("ETL1")])
    sheets = np.append(1001 + np.arange(writers - 1), 2961)  # the numbers of those sheets are not known
    for k, part in _classes_of_files("ETL1"):
        file = by_class(f"ETL1C_{k:02d}", part, range(kana_writers if k > 6 else writers))
        is_present = loss_writers[file.entries] != file.writers
        file = FilePlan(file.name, file.entries[is_present], file.writers[is_present])
        # The data number restarts after every four classes.
        file.columns["data_number"] = 1 + count_within((file.entries - part.start) // 4)
        file.columns["sheet"] = sheets[file.writers]
        yield file


def _etl2(writers: int) -> Iterator[FilePlan]:
    """Printed, so `writers` is a number of samples. Files 1 and 2 have style A, 3 and 4 style C, and 5 has B and D."""
    characters = [entry.character for entry in classes("ETL2")]
    contents = np.array([_contents(character) for character in characters])
    has_none = np.array([character is None for character in characters])
    count = len(characters)
    halves, eighth = (range(count // 2), range(count // 2, count)), range(count // 8)
    number = 1
    for k, (styles, part) in enumerate((*product("AC", halves), ("BD", eighth)), 1):
        file = by_class(f"ETL2_{k}", np.tile(part, len(styles)).tolist(), range(writers))
        style = np.repeat([*styles], len(part) * writers)
        file.columns["style"] = style
        file.columns["typeface"] = np.where(np.isin(style, ["A", "C"]), "MINCHO", "GOTHIC")
        file.columns["contents"] = contents[file.entries]
        # Three numbers are left out after the last sample of each class without a character.
        is_last = np.arange(len(file.entries)) % writers == writers - 1
        steps = 1 + 3 * (has_none[file.entries] & is_last)
        file.columns["number"] = number + np.cumsum(steps) - steps
        number += int(steps.sum())
        yield file


def _contents(character: str | None) -> str:
    row = (char_to_jis(character or "▲") or 0) >> 8
    if row == 0x23:
        return "SUUJI" if (character or "").isdigit() else "EIJI"
    return {0x24: "HRKANA", 0x25: "KTKANA"}.get(row, "KANJI" if row >= 0x30 else "KIGO")


def _writers_of_files(writers: int, count: int) -> Iterator[tuple[int, range]]:
    """The writers of each file, `count` of them or in the last one fewer, and the file's number."""
    return ((k, range(first, min(first + count, writers))) for k, first in enumerate(range(0, writers, count), 1))


def _etl3(writers: int) -> Iterator[FilePlan]:
    for k, part in _writers_of_files(writers, -(-writers // 2)):
        file = by_class(f"ETL3C_{k}", _all_classes("ETL3"), part)
        sheet = 3901 + 100 * k + file.writers - part.start
        file.columns.update(sheet=sheet, old_number=sheet * 100 + file.entries)
        yield file


def _etl4(writers: int) -> Iterator[FilePlan]:
    file = by_writer("ETL4C", _all_classes("ETL4"), range(writers))
    sheet = 5001 + file.writers
    file.columns.update(sheet=sheet, number=sheet * 100 + file.entries)
    yield file


def _etl5(writers: int) -> Iterator[FilePlan]:
    file = by_class("ETL5C", _all_classes("ETL5"), [w for w in range(writers) for _ in range(2)])
    file.columns["sheet"] = 6001 + 2 * file.writers + np.arange(len(file.writers)) % 2
    yield file


def _etl6(writers: int) -> Iterator[FilePlan]:
    for k, part in _classes_of_files("ETL6"):
        file = by_class(f"ETL6C_{k:02d}", part, range(writers))
        file.columns["sheet"] = 1 + file.writers
        yield file


def _etl7(writers: int) -> Iterator[FilePlan]:
    """Large and small writing by the same people, each class twice on a sheet."""
    for size in "LS":
        for k, part in _writers_of_files(writers, -(-4 * writers // 7)):
            file = by_writer(f"ETL7{size}C_{k}", [c for c in _all_classes("ETL7") for _ in range(2)], part)
            file.columns["sheet"] = 1 + file.writers
            yield file


def _sheets(name: str, sheets_of: str) -> Ints:
    """The sheet, from 1, on which each class of the set `name` stands in a data set of the set `sheets_of`."""
    numbers = {e.character: number for number, sheet in enumerate(classes_by_file(sheets_of), 1) for e in sheet}
    return np.array([numbers[entry.character] for entry in classes(name)])


def _etl8b2(writers: int) -> Iterator[FilePlan]:
    sheets = _sheets("ETL8B2", "ETL8G")
    for k, part in _classes_of_files("ETL8B2"):
        file = by_class(f"ETL8B2C{k}", part, range(writers))
        if k == LAYOUT_BY_NAME["ETL8B2"].model_file:
            models = by_class("", _all_classes("ETL8B2"), [MODEL_WRITER])
            file = FilePlan(file.name, np.append(file.entries, models.entries), np.append(file.writers, models.writers))
        file.columns["sheet"] = np.where(file.writers == MODEL_WRITER, 1600, 10 * file.writers) + sheets[file.entries]
        yield file


def _etl8g(writers: int) -> Iterator[FilePlan]:
    for k, part in _writers_of_files(writers, LAYOUT_BY_NAME["ETL8G"].data_sets_per_file):
        number = k + (k >= LAYOUT_BY_NAME["ETL8G"].model_file)  # that file is the model pattern's
        yield by_writer(f"ETL8G_{number:02d}", _all_classes("ETL8G"), part)


def _etl9b(writers: int) -> Iterator[FilePlan]:
    layout, sheets = LAYOUT_BY_NAME["ETL9B"], _sheets("ETL9B", "ETL9G")
    limit = layout.files * layout.data_sets_per_file
    files = dict(_writers_of_files(min(writers, limit), layout.data_sets_per_file))
    for k in sorted({*files, layout.model_file}):
        models = [MODEL_WRITER] if k == layout.model_file else []
        file = by_writer(f"ETL9B_{k}", _all_classes("ETL9B"), [*files.get(k, ()), *models])
        file.columns["sheet"] = np.where(file.writers == MODEL_WRITER, 4000, 20 * file.writers) + sheets[file.entries]
        yield file


def _etl9g(writers: int) -> Iterator[FilePlan]:
    sheets = _sheets("ETL9G", "ETL9G")
    for k, part in _writers_of_files(writers, LAYOUT_BY_NAME["ETL9G"].data_sets_per_file):
        file = by_writer(f"ETL9G_{k:02d}", _all_classes("ETL9G"), part)
        # Sheet numbers restart in every file. Serial numbers restart with each sheet in some files, else with each set.
        file.columns["sheet"] = 20 * (file.writers - part.start) + sheets[file.entries]
        number = file.entries - np.searchsorted(sheets, sheets)[file.entries]
        file.columns["number"] = 1 + (number if k % 2 else file.entries)
        yield file


_WRITE = (_etl1, _etl2, _etl3, _etl4, _etl5, _etl6, _etl7, _etl8b2, _etl8g, _etl9b, _etl9g)
PLANS = {write.__name__.strip("_").upper(): write for write in _WRITE}
"""The files of a set by a number of writers; of ETL2, with as many samples of each class in each style."""


def _person(layout: Layout, seed: int, writer: int) -> dict[str, int]:
    """The header fields that all records of a writer share, also some that other types of record have."""
    rng = np.random.default_rng([seed, layout.family, max(writer, 0), 1])
    if layout.name == "ETL9G":
        return {"collected": 8212, "scanned": 8310}  # nothing else is recorded of its writers
    days = (1, 0) if layout.kind != "C" else (100, 15)
    dates = [(7400 + month) * days[0] + days[1] for month in sorted(rng.integers(1, 13, 2).tolist())]
    header = {
        "sex": int(rng.integers(1, 3)),
        "age": int(rng.integers(18, 61)),
        "industry": 3552,
        "occupation": int(rng.integers(1, 100)),
        "collected": dates[0],
        "scanned": dates[1],
    }
    header |= {"width": 72, "height": 76, "levels": 16, "magnification": 100 if layout.name == "ETL5" else 133}
    return header | {"lowest": 0, "highest": 255}


def stamp(records: Bytes, layout: Layout, seed: int) -> None:
    """Stamp records as those of synthetic writers of a seed, in the spare bytes, if there is room."""
    text = STAMP + str(seed).encode()
    unused_bytes = records[:, layout.unused_bytes]
    if len(text) <= unused_bytes.shape[1]:
        unused_bytes[:, : len(text)] = np.frombuffer(text, np.uint8)


def fill(layout: Layout, file: FilePlan, seed: int) -> Bytes:
    """The records of a file, without pictures and without the empty record 0."""
    records = np.zeros((len(file.entries), layout.record_bytes), np.uint8)
    if not layout.first_sample:
        stamp(records, layout, seed)
    entries = classes(layout.name)
    class_columns = {
        "code": [entry.code for entry in entries],
        "letters": [entry.letters.encode() for entry in entries],
        "ebcdic": [entry.ebcdic for entry in entries],
        "reading": [f"KAN.{entry.code:04X}".encode() for entry in entries],
    }
    people = {writer: _person(layout, seed, writer) for writer in np.unique(file.writers).tolist()}
    columns = {name: np.array(values)[file.entries] for name, values in class_columns.items()}
    columns |= {"number": 1 + np.arange(len(records)), "x": file.entries % 10, "y": file.entries // 10 % 10}
    for name in next(iter(people.values()), {}):
        columns[name] = np.array([people[writer][name] for writer in file.writers.tolist()])
    for name, values in (columns | file.columns).items():
        if name in layout.by_name:
            layout.put(records, name, values)
    return records


def set_files(name: str, writers: int, draw: Draw, seed: int = 0) -> Iterator[tuple[str, Bytes]]:
    """The files of a set one after the other: name and records, uint8 (N, record bytes)."""
    layout = LAYOUT_BY_NAME[name]
    drawings: dict[tuple[int, int], Bytes] = {}
    pairs = np.zeros(0, np.int64)  # a number for the writer and the class of each record so far
    for file in PLANS[name](writers):
        all_records = np.zeros((layout.first_sample + len(file.entries), layout.record_bytes), np.uint8)
        stamp(all_records[: layout.first_sample], layout, seed)
        records = all_records[layout.first_sample :]
        records[:] = fill(layout, file, seed)
        pairs = np.append(pairs, file.writers * len(classes(name)) + file.entries)
        times = count_within(pairs)[len(pairs) - len(file.entries) :]  # over 0 in ETL2, ETL5 and ETL7
        keys = sorted({*zip(file.writers.tolist(), times.tolist(), strict=True)})
        drawings = {key: drawings[key] if key in drawings else draw(layout, *key) for key in keys}
        for (writer, time), pictures in drawings.items():
            rows = np.flatnonzero((file.writers == writer) & (times == time))
            layout.packed(records)[rows] = pictures[file.entries[rows]]
        yield file.name, all_records
