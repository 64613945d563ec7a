"""Which set a file is of, by its size and by what its headers say.

First the type of record: headers of records of the right length make sense, those of another length hardly ever do.
Then the set among those that have such records: by the number of records where it is a genuine file's, by the classes
that records all over the file have, and by the file's name where both leave a choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.classes import character_codes, classes, is_of, parts_of
from fastetl.etl.fingerprints import FINGERPRINTS
from fastetl.etl.layouts import ETL8G, ETL9G, LAYOUTS, Layout

__all__ = ["PROBE", "named", "tell"]

Read = Callable[[int, int], bytes]
"""(offset, count) → that many bytes of the file, or fewer at its end."""

PROBE = 16
"""Records at the beginning whose headers must make sense."""
_SAMPLE = 64  # records all over the file whose classes tell the set
_MOST = 0.75  # of them may not be damaged


def named(name: str) -> Layout | None:
    """The set that a file name belongs to."""
    return next((layout for layout in LAYOUTS if layout.number(name) is not None), None)


def _is_plausible(layout: Layout, heads: NDArray[Any], name: str) -> bool:
    """Whether headers look like those of the layout's type of record."""
    if layout.dummy:
        # Any text has codes of JIS X 0208: only the empty record (or the name) tells these files.
        if heads[:1].tobytes().strip(b"\0") and named(name) is not layout:
            return False
        heads = heads[1:]
    if not len(heads):
        return False
    if layout.codes == "jis":
        valid = character_codes(layout, heads) > 0
    else:
        valid = np.logical_or(*is_of(layout, heads, classes(layout.name)))
    for field in layout.fields:
        if field.text == "ascii":
            raw = layout.column(heads, field.name).view(np.uint8).reshape(len(heads), -1)
            valid = valid & (((raw >= 32) & (raw < 127)) | (raw == 0)).all(1)
        elif field.name == "sex":
            valid = valid & (layout.column(heads, "sex") <= 2)
        elif field.name == "style":
            valid = valid & np.isin(layout.column(heads, "style"), [b"A", b"B", b"C", b"D"])
    return bool(valid.mean() >= _MOST)


@cache
def _genuine() -> dict[tuple[int, int], str]:
    """(record length, records) → the set that alone has such files."""
    sets: dict[tuple[int, int], set[str]] = {}
    for name, entry in FINGERPRINTS.items():
        layout = named(name)
        if layout is not None:
            sets.setdefault((layout.record_bytes, entry.records), set()).add(layout.name)
    return {key: names.pop() for key, names in sets.items() if len(names) == 1}


def _headers(layout: Layout, read: Read, index: Iterable[int]) -> NDArray[Any]:
    size = layout.header.itemsize
    parts = [read(k * layout.record_bytes, size) for k in index]
    return np.frombuffer(b"".join(part for part in parts if len(part) == size), layout.header)


def _by_classes(candidates: list[Layout], read: Read, count: int, name: str, genuine: str | None) -> Layout:
    """Of sets with one type of record, those whose classes these records have: the one that has genuine files of this
    length, or the named one, or the one with fewest classes a file."""
    index = np.unique(np.linspace(0, count - 1, _SAMPLE).astype(np.int64)).tolist()
    matches = [
        (layout.name != genuine, layout is not named(name), len(part), layout)
        for layout in candidates
        for sample in [_headers(layout, read, index)]
        for part in parts_of(layout.name)
        if np.mean(is_of(layout, sample, part)) >= _MOST
    ]
    if not matches:
        exact = [layout for layout in candidates if layout.name == genuine]
        return (exact or [named(name) or candidates[0]])[0]
    return min(matches, key=lambda match: match[:3])[3]


def _by_data_set(read: Read, count: int, name: str) -> Layout | None:
    """ETL8G or ETL9G? One data set has 956 or 3,036 records: see where the first code comes again."""
    step = ETL8G.record_bytes
    code = read(2, 2)
    # A character that comes again after 956 records settles it, and most files are such: no need to read more.
    if read(ETL8G.data_set * step + 2, 2) == code:
        return ETL8G
    most = min(ETL9G.data_set + 1, count)
    again = next((k for k in range(1, most) if read(k * step + 2, 2) == code), None)
    if again == ETL9G.data_set:
        return ETL9G
    layout = named(name)
    if layout in (ETL8G, ETL9G):
        return layout
    # A single data set of 956 codes cannot be one of 3,036.
    return ETL8G if most <= ETL8G.data_set or again is not None else None


def tell(read: Read, size: int, name: str) -> Layout | None:
    """The set of a file of `size` bytes, or None. name: without a suffix; it is asked only where nothing else tells."""
    candidates: list[Layout] = []
    # Records of which there is a whole number, then long ones: the first that fits is right.
    for layout in sorted(LAYOUTS, key=lambda k: (size % k.record_bytes != 0, -k.record_bytes)):
        length = layout.record_bytes
        if candidates and length != candidates[0].record_bytes:
            break
        heads = _headers(layout, read, range(min(size // length, PROBE)))
        if len(heads) and _is_plausible(layout, heads, name):
            candidates.append(layout)
            # Of type M the classes may speak against it.
            if layout.kind != "M" and size % length == 0 and layout.name == _genuine().get((length, size // length)):
                return layout
    if not candidates:
        return None
    length, kind = candidates[0].record_bytes, candidates[0].kind
    genuine = _genuine().get((length, size // length)) if size % length == 0 else None
    if kind == "G":
        return _by_data_set(read, size // length, name)
    return candidates[0] if len(candidates) == 1 else _by_classes(candidates, read, size // length, name, genuine)
