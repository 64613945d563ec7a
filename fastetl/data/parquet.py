"""Datasets as Arrow tables and Parquet: what pandas, `datasets` and query engines read. Needs the extra `arrow`.

Columns: `image`, the picture; `label`, uint16, its class; `character`, text; `group`, int32; `source`, text; `digest`,
uint64; then one for each header field that was kept. A file has charset and preprocessing in its metadata.
"""

from __future__ import annotations

import io
import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastetl._extras import missing
from fastetl.files.atomic import Kind, new_output

if TYPE_CHECKING:
    import pyarrow as pa

    from fastetl.data.dataset import Dataset

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


def pictures_of(column: pa.ChunkedArray, side: int) -> NDArray[np.uint8]:
    """The pictures in a column of `table`: uint8 (N, side, side)."""
    parts = [
        np.frombuffer(chunk.buffers()[1], np.uint8)[chunk.offset * side**2 :][: len(chunk) * side**2]
        for chunk in column.chunks
        if len(chunk)
    ]
    pixels = parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.uint8), *parts])
    return pixels.reshape(-1, side, side)


def column_values(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column of header fields as the array that it was made of."""
    values: NDArray[Any] = column.to_numpy()
    return values.astype(str) if values.dtype == object else values


def table(data: Dataset) -> pa.Table:
    """A dataset with each picture as its size × size bytes, row by row. Raises FastetlError without pyarrow."""
    pa = require_pyarrow()

    def dictionary(indices: NDArray[Any], names: tuple[str, ...]) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), pa.array(list(names), pa.string()))

    count, side = len(data), data.images.shape[-1]
    buffers = [None, pa.py_buffer(np.ascontiguousarray(data.images))]
    columns = {
        "image": pa.FixedSizeBinaryArray.from_buffers(pa.binary(side**2), count, buffers),
        "label": pa.array(data.labels),
        "character": dictionary(data.labels, data.charset.characters),
        "group": pa.array(data.groups),
        "source": dictionary(data.source, data.sources).cast(pa.string()),
        "digest": pa.array(data.digests),
    }
    for name, values in data.records.items():
        if name not in OWN:
            columns[name] = pa.array(values.astype(str) if values.dtype.kind == "S" else values)
    return pa.table(columns)


def png_table(data: Dataset) -> pa.Table:
    """A dataset with each picture as a PNG file.

    `datasets` finds in its metadata that `image` holds pictures, and what the classes are called.
    """
    rows = table(data)
    import pyarrow as pa
    from PIL import Image

    files = []
    for picture in np.asarray(data.images):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        files.append({"bytes": file.getvalue(), "path": None})
    # The types that `datasets` gives classes and texts: with others it would not see what the metadata say.
    for name, column in (
        ("image", pa.array(files, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))),
        ("label", rows["label"].cast(pa.int64())),
        ("character", rows["character"].cast(pa.string())),
    ):
        rows = rows.set_column(rows.column_names.index(name), name, column)
    features: dict[str, Any] = {name: {"_type": "Value", "dtype": str(rows[name].type)} for name in rows.column_names}
    features["image"] = {"_type": "Image"}
    features["label"] = {"_type": "ClassLabel", "names": list(data.charset.characters)}
    return rows.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write_parquet(data: Dataset, path: str | PathLike[str], *, overwrite: bool = False) -> None:
    """Write a dataset as a Parquet file; the same one gives the same bytes with one version of pyarrow."""
    rows = png_table(data)
    import pyarrow.parquet as pq

    about = {
        "charset": data.charset.as_dict(),
        "preprocessing": data.preprocessing.as_dict(),
        "sources": list(data.sources),
    }
    # Beside what `open_dataset` needs, the mark of `PARQUET`.
    marks = {b"fastetl": b"written by fastetl", ABOUT: json.dumps(about)}
    rows = rows.replace_schema_metadata({**rows.schema.metadata, **marks})
    with new_output(Path(path), PARQUET, overwrite, [] if data.path is None else [data.path]) as file:
        pq.write_table(rows, file, compression="zstd", compression_level=1)
