"""Record layouts as data: what a file of each ETL set looks like, byte by byte.

Source: AIST's public format pages for ETL8G and ETL9G. A set that stores 4-bit pictures with a JIS X 0208
code fits in by adding a `Layout`; nothing else asks which set a file is of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["ETL8G", "ETL9G", "LAYOUTS", "Layout"]

_HEADER: list[tuple[str, str]] = [
    ("sheet", ">u2"),
    ("code", ">u2"),  # JIS X 0208
    ("reading", "S8"),  # misleading: never select by it
    ("number", ">u4"),
    ("evaluation", "u1"),
    ("group_evaluation", "u1"),
    ("sex", "u1"),
    ("age", "u1"),
    ("industry", ">u2"),
    ("occupation", ">u2"),
    ("collected", ">u2"),  # YYMM
    ("scanned", ">u2"),  # YYMM
    ("x", "u1"),
    ("y", "u1"),
]


@dataclass(frozen=True)
class Layout:
    """One set: its record, its picture and how its files are divided among writers.

    `data_set` is the number of records in which one writer writes every character once. A genuine distribution has
    `files` files with `data_sets_per_file` data sets each, but for file `model_file`, which holds one, in the
    textbook's form; None where there is no such file.
    """

    name: str
    dtype: np.dtype[np.void]
    height: int
    width: int
    data_set: int
    data_sets_per_file: int
    files: int
    model_file: int | None

    @property
    def record_bytes(self) -> int:
        return self.dtype.itemsize

    @property
    def image_offset(self) -> int:
        fields = self.dtype.fields
        assert fields is not None  # a structured dtype always has fields
        return int(fields["image"][1])

    @property
    def header(self) -> np.dtype[np.void]:
        """The fields before the picture, without the picture."""
        fields: Mapping[str, Any] = self.dtype.fields or {}
        names = [name for name in self.dtype.names or () if fields[name][1] < self.image_offset]
        formats, offsets = [fields[n][0] for n in names], [fields[n][1] for n in names]
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": self.image_offset})

    def data_sets(self, number: int) -> int:
        """Data sets in genuine file `number` (from 1)."""
        return 1 if number == self.model_file else self.data_sets_per_file


def _dtype(undefined: int, tail: int) -> np.dtype[np.void]:
    fields = [*_HEADER, ("undefined", f"V{undefined}"), ("image", "u1", (127, 64)), ("tail", f"V{tail}")]
    return np.dtype(fields)


ETL8G = Layout("ETL8G", _dtype(30, 11), 127, 128, 956, 5, 33, 33)
ETL9G = Layout("ETL9G", _dtype(34, 7), 127, 128, 3036, 4, 50, None)
LAYOUTS = (ETL8G, ETL9G)
