"""Datasets as Arrow tables and Parquet: what pandas, `datasets` and query engines read. Needs the extra `arrow`.

Columns: `image`, the picture; `label`, uint16, its class; `character`, text; `group`, int32; then one for each header
field that was kept.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset
from fastetl.errors import FastetlError
from fastetl.files.atomic import Kind

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PARQUET", "Stored", "picture_column", "pictures_of", "require_pyarrow", "table", "write_parquet"]

Stored = Literal["raw", "png"]
"""How a picture is stored: its size × size bytes, row by row, or a PNG file."""

PARQUET = Kind("a Parquet file by fastetl", b"written by fastetl")
_PARTS = ("image", "label", "character", "group")


def require_pyarrow() -> Any:
    """The module pyarrow. Raises FastetlError where it is not installed."""
    try:
        import pyarrow
    except ImportError as error:
        raise FastetlError(
            "pyarrow is not installed", expected="the extra arrow", do="in the repository: pip install '.[arrow]'"
        ) from error
    return pyarrow


def picture_column(pictures: NDArray[np.uint8], stored: Stored) -> pa.Array:
    """uint8 (N, size, size) → N values: fixed_size_binary(size²), or the struct {bytes, path} of PNG files."""
    import pyarrow as pa

    count, size = len(pictures), pictures.shape[1] * pictures.shape[2]
    if stored == "raw":
        data = pa.py_buffer(np.ascontiguousarray(pictures))
        return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), count, [None, data])
    from PIL import Image

    files = []
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        files.append({"bytes": file.getvalue(), "path": None})
    return pa.array(files, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def pictures_of(column: pa.ChunkedArray, side: int) -> NDArray[np.uint8]:
    """A column of `picture_column`, raw → uint8 (N, side, side)."""
    parts = [
        np.frombuffer(chunk.buffers()[1], np.uint8)[chunk.offset * side**2 :][: len(chunk) * side**2]
        for chunk in column.chunks
        if len(chunk)
    ]
    whole = parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.uint8), *parts])
    return whole.reshape(-1, side, side)


def _texts(values: NDArray[Any]) -> Any:
    return values.astype(str) if values.dtype.kind == "S" else values


def table(
    pictures: NDArray[np.uint8],
    labels: NDArray[np.uint16],
    records: Mapping[str, NDArray[Any]],
    charset: Charset,
    stored: Stored = "raw",
) -> pa.Table:
    """An Arrow table of pictures uint8 (N, size, size) with their classes (N,) and header fields (N,) each.

    `datasets` finds in its metadata that `image` holds pictures (if stored as PNG) and what the classes are called.

    Raises FastetlError for another `stored`, or without pyarrow.
    """
    pa = require_pyarrow()
    if stored not in get_args(Stored):
        raise FastetlError(
            "unknown way to store pictures",
            expected=" or ".join(get_args(Stored)),
            found=repr(stored),
            do="check `stored`",
            also=ValueError,
        )
    characters = pa.DictionaryArray.from_arrays(
        pa.array(labels.astype(np.int32)), pa.array(list(charset.characters), pa.string())
    )
    columns = {"image": picture_column(pictures, stored), "label": pa.array(labels), "character": characters}
    columns |= {name: pa.array(_texts(values)) for name, values in records.items() if name not in _PARTS[:3]}
    if stored == "raw":
        return pa.table(columns)
    # The types that `datasets` gives classes and texts: with others it would not see what the metadata say.
    columns |= {"label": pa.array(labels.astype(np.int64)), "character": characters.cast(pa.string())}
    made = pa.table(columns)
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": list(charset.characters)},
    }
    for name in made.column_names[2:]:
        features[name] = {"_type": "Value", "dtype": str(made.schema.field(name).type)}
    return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write_parquet(made: pa.Table, path: Path) -> None:
    """Write a table of `table` as a Parquet file; the same table gives the same bytes with one version of pyarrow."""
    import pyarrow.parquet as pq

    # The mark of `PARQUET`.
    made = made.replace_schema_metadata({**(made.schema.metadata or {}), b"fastetl": b"written by fastetl"})
    pq.write_table(made, path, compression="zstd", compression_level=1)
