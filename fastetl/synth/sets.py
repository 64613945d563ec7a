"""Genuine-shaped files of every set: its records in its order, with the traps that genuine files have.

Scaled down by writers, not by classes. What genuine files have besides their order: records that are missing (ETL1),
classes that come twice (イ, ウ and エ; ETL6's `+1`), samples without a character (ETL2's ▲), empty records and model
patterns (ETL8B2, ETL9B), two samples of a class by one writer (ETL5, ETL7), sheet numbers that begin again in every
file and serial numbers that do not agree (ETL9G).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.classes import classes, parts_of
from fastetl.etl.files import MARK
from fastetl.etl.jis import char_to_jis
from fastetl.etl.layouts import BY_NAME, Layout, bytes_of

Draw = Callable[[Layout, int], NDArray[np.uint8]]
"""(layout, writer) → packed pictures of the set's classes, uint8 (classes, image bytes)."""

MODEL = -1
"""In the place of a writer: the model pattern's."""


@dataclass(frozen=True)
class Rows:
    """One file: for each record its class (index into the set's) and its writer, and the header's other fields."""

    name: str
    entry: NDArray[np.int64]
    writer: NDArray[np.int64]
    columns: dict[str, Any] = field(default_factory=dict)


def _rows(name: str, pairs: Sequence[tuple[int, int]], **columns: Any) -> Rows:
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return Rows(name, both[:, 0], both[:, 1], columns)


def _by_class(name: str, entries: range, writers: Sequence[int]) -> Rows:
    return _rows(name, [(c, writer) for c in entries for writer in writers])


def _by_writer(name: str, of: str, writers: Sequence[int], times: int = 1) -> Rows:
    """Every writer, and of each so many times every class of the set `of`."""
    return _rows(name, [(c, w) for w in writers for c in range(len(classes(of))) for _ in range(times)])


def _parts(name: str) -> Iterator[tuple[int, range]]:
    """The classes of each file of a set, and the file's number."""
    begin = 0
    for k, listed in enumerate(parts_of(name), 1):
        yield k, range(begin, begin + len(listed))
        begin += len(listed)


def _etl1(writers: int) -> Iterator[Rows]:
    # The last writer wrote no katakana, as 34 of the 1,445 did.
    kana_writers = max(1, writers - 1)
    missing = {(9, "ナ"): min(1, kana_writers - 1), (12, "リ"): kana_writers - 1} if writers > 1 else {}
    entries, number = classes("ETL1"), 0
    for k, part in _parts("ETL1"):
        pairs, counted = [], []
        for c in part:
            number = 0 if (c - part.start) % 4 == 0 else number
            for writer in range(kana_writers if k > 6 else writers):
                if missing.get((k, entries[c].character or "")) == writer:
                    continue
                number += 1
                pairs.append((c, writer))
                counted.append(number)
        sheets = np.append(1001 + np.arange(writers - 1), 2961)  # the numbers of those sheets are not known
        rows = _rows(f"ETL1C_{k:02d}", pairs, data_number=np.array(counted))
        rows.columns["sheet"] = sheets[rows.writer]
        yield rows


def _etl2(writers: int) -> Iterator[Rows]:
    """Printed: the "writers" are samples. Files 1 and 2 are of style A, 3 and 4 of C, 5 of B and D."""
    entries, number = classes("ETL2"), 0
    half = len(entries) // 2
    last = len(entries)
    plans = [[("A", 0, half)], [("A", half, last)], [("C", 0, half)], [("C", half, last)]]
    plans.append([("B", 0, half // 4), ("D", 0, half // 4)])
    for k, plan in enumerate(plans, 1):
        pairs, styles, numbers = [], [], []
        for style, first, after in plan:
            for c in range(first, after):
                for sample in range(writers):
                    number += 1
                    pairs.append((c, sample))
                    styles.append(style)
                    numbers.append(number)
                number += 3 if entries[c].character is None else 0  # the numbers have gaps
        faces = ["MINCHO" if style in "AC" else "GOTHIC" for style in styles]
        kinds = [_contents(entries[c].character) for c, _ in pairs]
        yield _rows(f"ETL2_{k}", pairs, style=styles, typeface=faces, contents=kinds, number=np.array(numbers))


def _contents(character: str | None) -> str:
    row = (char_to_jis(character or "▲") or 0) >> 8
    if row == 0x23:
        return "SUUJI" if (character or "").isdigit() else "EIJI"
    return {0x24: "HRKANA", 0x25: "KTKANA"}.get(row, "KANJI" if row >= 0x30 else "KIGO")


def _halves(writers: int, first: int) -> Iterator[tuple[int, range]]:
    """The writers of two files, `first` of them in the first one, and the file's number."""
    return ((k, part) for k, part in enumerate((range(first), range(first, writers)), 1) if part)


def _etl3(writers: int) -> Iterator[Rows]:
    for k, part in _halves(writers, -(-writers // 2)):
        rows = _by_class(f"ETL3C_{k}", range(len(classes("ETL3"))), part)
        rows.columns["sheet"] = 3901 + 100 * k + rows.writer - part.start
        rows.columns["old_number"] = rows.columns["sheet"] * 100 + rows.entry
        yield rows


def _etl4(writers: int) -> Iterator[Rows]:
    rows = _by_writer("ETL4C", "ETL4", range(writers))
    rows.columns["sheet"] = 5001 + rows.writer
    rows.columns["number"] = rows.columns["sheet"] * 100 + rows.entry
    yield rows


def _etl5(writers: int) -> Iterator[Rows]:
    rows = _by_class("ETL5C", range(len(classes("ETL5"))), [w for w in range(writers) for _ in range(2)])
    rows.columns["sheet"] = 6001 + 2 * rows.writer + np.arange(len(rows.writer)) % 2
    yield rows


def _etl6(writers: int) -> Iterator[Rows]:
    for k, part in _parts("ETL6"):
        rows = _by_class(f"ETL6C_{k:02d}", part, range(writers))
        rows.columns["sheet"] = 1 + rows.writer
        yield rows


def _etl7(writers: int) -> Iterator[Rows]:
    """Large and small writing by the same people, each class twice on a sheet."""
    for size in "LS":
        for k, part in _halves(writers, -(-4 * writers // 7)):
            rows = _by_writer(f"ETL7{size}C_{k}", "ETL7", part, 2)
            rows.columns["sheet"] = 1 + rows.writer
            yield rows


def _forms(name: str, of: str) -> NDArray[np.int64]:
    """The sheet of a data set of `name`, from 1, on which each class of `of` stands."""
    form = {entry.character: number for number, sheet in enumerate(parts_of(name), 1) for entry in sheet}
    return np.array([form[entry.character] for entry in classes(of)])


def _etl8b2(writers: int) -> Iterator[Rows]:
    forms = _forms("ETL8G", "ETL8B2")
    for k, part in _parts("ETL8B2"):
        pairs = [(c, w) for c in part for w in range(writers)]
        if k == BY_NAME["ETL8B2"].model_file:
            pairs += [(c, MODEL) for c in range(len(forms))]
        rows = _rows(f"ETL8B2C{k}", pairs)
        rows.columns["sheet"] = np.where(rows.writer == MODEL, 1600, 10 * rows.writer) + forms[rows.entry]
        yield rows


def _data_sets(name: str, writers: int) -> Iterator[tuple[int, range]]:
    """The writers of each file of a set of data sets, and the file's number."""
    each = BY_NAME[name].data_sets_per_file
    return ((k, range(f, min(f + each, writers))) for k, f in enumerate(range(0, writers, each), 1))


def _etl8g(writers: int) -> Iterator[Rows]:
    for k, part in _data_sets("ETL8G", writers):
        yield _by_writer(f"ETL8G_{k:02d}", "ETL8G", part)


def _etl9b(writers: int) -> Iterator[Rows]:
    layout, forms = BY_NAME["ETL9B"], _forms("ETL9G", "ETL9B")
    files = dict(_data_sets("ETL9B", min(writers, layout.files * layout.data_sets_per_file)))
    for k in sorted({*files, layout.model_file}):
        models = [MODEL] if k == layout.model_file else []
        rows = _by_writer(f"ETL9B_{k}", "ETL9B", [*files.get(k, ()), *models])
        rows.columns["sheet"] = np.where(rows.writer == MODEL, 4000, 20 * rows.writer) + forms[rows.entry]
        yield rows


def _etl9g(writers: int) -> Iterator[Rows]:
    forms = _forms("ETL9G", "ETL9G")
    for k, part in _data_sets("ETL9G", writers):
        rows = _by_writer(f"ETL9G_{k:02d}", "ETL9G", part)
        # The sheets begin again in every file; the serial numbers count a data set or a sheet.
        rows.columns["sheet"] = 20 * (rows.writer - part.start) + forms[rows.entry]
        in_sheet = rows.entry - np.searchsorted(forms, forms)[rows.entry]
        rows.columns["number"] = 1 + (in_sheet if k % 2 else rows.entry)
        yield rows


_ROWS = (_etl1, _etl2, _etl3, _etl4, _etl5, _etl6, _etl7, _etl8b2, _etl8g, _etl9b, _etl9g)


def rows_of(name: str, writers: int) -> Iterator[Rows]:
    """What is where in each file of a set by `writers` writers (of ETL2: so many samples of each class and style)."""
    return {rows.__name__.removeprefix("_").upper(): rows for rows in _ROWS}[name](writers)


def _person(layout: Layout, seed: int, writer: int) -> dict[str, int]:
    """What the header tells of a writer, and what the set has alike in all of its records."""
    rng = np.random.default_rng([seed, layout.family, max(writer, 0), 1])
    if layout.name == "ETL9G":
        return {"collected": 8212, "scanned": 8310}  # nothing is told of its writers
    days = (1, 0) if layout.kind != "C" else (100, 15)
    dates = [(7400 + month) * days[0] + days[1] for month in sorted(rng.integers(1, 13, 2).tolist())]
    about = {
        "sex": int(rng.integers(1, 3)),
        "age": int(rng.integers(18, 61)),
        "industry": 3552,
        "occupation": int(rng.integers(1, 100)),
        "collected": dates[0],
        "scanned": dates[1],
    }
    if layout.kind == "C":
        about |= {"width": 72, "height": 76, "levels": 16, "magnification": 100 if layout.name == "ETL5" else 133}
    if layout.kind == "M":
        about |= {"lowest": 0, "highest": 255}
    return {name: value for name, value in about.items() if name in layout.by_name}


def mark(records: NDArray[Any], layout: Layout, seed: int) -> None:
    """Write into the spare bytes, where there is room, that synthetic writers of a seed wrote these records."""
    text = MARK + str(seed).encode()
    room = bytes_of(records)[:, layout.spare]
    if len(text) <= room.shape[1]:
        room[:, : len(text)] = np.frombuffer(text, np.uint8)


def fill(layout: Layout, rows: Rows, seed: int) -> NDArray[Any]:
    """The records of a file without pictures, and without the empty one."""
    records = np.zeros(len(rows.entry), layout.dtype)
    if not layout.dummy:
        mark(records, layout, seed)
    entries = classes(layout.name)
    of_classes = {
        "code": [entry.code for entry in entries],
        "letters": [entry.letters.encode() for entry in entries],
        "ebcdic": [entry.ebcdic for entry in entries],
        "reading": [f"KAN.{entry.code:04X}".encode() for entry in entries],
    }
    people = {writer: _person(layout, seed, writer) for writer in np.unique(rows.writer).tolist()}
    columns = {name: np.array(values)[rows.entry] for name, values in of_classes.items()}
    columns |= {"number": 1 + np.arange(len(records)), "x": rows.entry % 10, "y": rows.entry // 10 % 10}
    for name in next(iter(people.values()), {}):
        columns[name] = np.array([people[writer][name] for writer in rows.writer.tolist()])
    for name, values in (columns | rows.columns).items():
        if name in layout.by_name:
            layout.put(records, name, values)
    return records


def set_files(name: str, writers: int, draw: Draw, seed: int = 0) -> Iterator[tuple[str, NDArray[Any]]]:
    """The files of a set one after the other: name, and structured records."""
    layout = BY_NAME[name]
    drawn: dict[int, NDArray[np.uint8]] = {}
    for rows in rows_of(name, writers):
        whole = np.zeros(len(rows.entry) + layout.dummy, layout.dtype)
        if layout.dummy:
            mark(whole[:1], layout, seed)
        records = whole[int(layout.dummy) :]
        records[:] = fill(layout, rows, seed)
        for writer in np.unique(rows.writer).tolist():
            if writer not in drawn:
                drawn[writer] = draw(layout, writer)
            mine = np.flatnonzero(rows.writer == writer)
            records["image"][mine] = drawn[writer][rows.entry[mine]].reshape(-1, *records["image"].shape[1:])
        if layout.data_sets_per_file and layout.group == "data set":  # no writer comes again in another file
            drawn = {writer: pictures for writer, pictures in drawn.items() if writer == MODEL}
        yield rows.name, whole
