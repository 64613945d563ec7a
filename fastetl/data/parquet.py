"""Datasets as Arrow tables and Parquet: what pandas, `datasets` and query engines read. Needs the extra `arrow`.

Columns: `image`, the picture; `label`, uint16, its class; `character`, text; `group`, int32; `source`, text; `digest`,
uint64; then one for each header field that was kept. A file has charset and preprocessing in its metadata.
"""

from __future__ import annotations

import io
import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fastetl._extras import missing
from fastetl.checks import require_choice
from fastetl.files.atomic import Kind, new_file

if TYPE_CHECKING:
    import pyarrow as pa

    from fastetl.data.dataset import Dataset

__all__ = ["PARQUET", "Stored", "column_values", "pictures_of", "require_pyarrow", "table"]

Stored = Literal["raw", "png"]
"""How a picture is stored: its size × size bytes, row by row, or a PNG file."""

PARQUET = Kind("a Parquet file by fastetl", b"written by fastetl")
ABOUT = b"fastetl dataset"
OWN = ("image", "label", "character", "group", "source", "digest")


def require_pyarrow() -> Any:
    """The module pyarrow. Raises FastetlError where it is not installed."""
    try:
        import pyarrow
    except ImportError as error:
        raise missing(error) or error from error
    return pyarrow


def _picture_column(pictures: NDArray[np.uint8], stored: Stored) -> pa.Array:
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
    pixels = parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.uint8), *parts])
    return pixels.reshape(-1, side, side)


def _texts(values: NDArray[Any]) -> Any:
    return values.astype(str) if values.dtype.kind == "S" else values


def column_values(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column of header fields as the array that it was made of."""
    values: NDArray[Any] = column.to_numpy()
    return values.astype(str) if values.dtype == object else values


def table(data: Dataset, stored: Stored = "raw") -> pa.Table:
    """An Arrow table of a dataset.

    `datasets` finds in its metadata that `image` holds pictures (if stored as PNG) and what the classes are called.

    Raises FastetlError for another `stored`, or without pyarrow.
    """
    pa = require_pyarrow()
    require_choice("stored", stored, get_args(Stored))

    def dictionary(indices: NDArray[Any], names: tuple[str, ...]) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), pa.array(list(names), pa.string()))

    characters, source = dictionary(data.labels, data.charset.characters), dictionary(data.source, data.sources)
    columns = {"image": _picture_column(np.asarray(data.images), stored), "label": pa.array(data.labels)}
    columns |= {"character": characters, "group": pa.array(data.groups)}
    columns |= {"source": source.cast(pa.string()), "digest": pa.array(data.digests)}
    columns |= {name: pa.array(_texts(values)) for name, values in data.records.items() if name not in OWN}
    if stored == "raw":
        return pa.table(columns)
    # The types that `datasets` gives classes and texts: with others it would not see what the metadata say.
    columns |= {"label": pa.array(data.labels.astype(np.int64)), "character": characters.cast(pa.string())}
    rows = pa.table(columns)
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": list(data.charset.characters)},
    }
    for name in rows.column_names[2:]:
        features[name] = {"_type": "Value", "dtype": str(rows.schema.field(name).type)}
    return rows.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write_parquet(data: Dataset, path: str | PathLike[str], stored: Stored, *, overwrite: bool = False) -> None:
    """Write a dataset as a Parquet file; the same one gives the same bytes with one version of pyarrow."""
    rows = table(data, stored)
    import pyarrow.parquet as pq

    about = {
        "charset": data.charset.as_dict(),
        "preprocessing": data.preprocessing.as_dict(),
        "sources": list(data.sources),
    }
    # Beside what `open_dataset` needs, the mark of `PARQUET`.
    marks = {b"fastetl": b"written by fastetl", ABOUT: json.dumps(about)}
    rows = rows.replace_schema_metadata({**(rows.schema.metadata or {}), **marks})
    with new_file(Path(path), PARQUET, overwrite, [] if data.path is None else [data.path]) as file:
        pq.write_table(rows, file, compression="zstd", compression_level=1)
