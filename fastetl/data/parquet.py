"""Datasets as Arrow tables and Parquet files, which pandas, `datasets` and query engines read. Extra: `arrow`.

Columns: `image`, the picture; `label`, uint16, its class; `character`, text; `group`, int32; `source`, text; `digest`,
uint64; then the header fields. The metadata of a file have charset, preprocessing and `about`.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastetl.arrays import Bytes, Column
from fastetl.data.samples import DatasetFields, description_of
from fastetl.errors import StrPath
from fastetl.files.atomic import OutputKind, new_output
from fastetl.lazy import import_extra

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET_KIND = OutputKind("a Parquet file by fastetl", b"written by fastetl")
METADATA_KEY = "fastetl dataset"  # under which charset, preprocessing, sources and `about` are in a file
_ROWS = 4096  # rows of a file that are in memory together


def pictures_of(column: "pa.ChunkedArray", side: int) -> Bytes:
    """The pictures uint8 (N, side, side) in the column `image` of a table without PNG files."""
    array = column.combine_chunks()
    pixels = np.frombuffer(array.buffers()[1], np.uint8)[array.offset * side**2 :]
    return pixels[: len(array) * side**2].reshape(-1, side, side)


def column_values(column: "pa.ChunkedArray") -> Column:
    """The array that `arrow_table` made a column of."""
    values: Column = column.to_numpy()
    return values.astype(str) if values.dtype == object else values


def arrow_table(data: DatasetFields) -> "pa.Table":
    """The Arrow table of a dataset, each picture as its size × size bytes. Raises FastetlError without pyarrow."""
    pa = import_extra("pyarrow")

    def dictionary(indices: Column, names: tuple[str, ...]) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), pa.array(list(names), pa.string()))

    side, pixels = data.images.shape[-1], np.ascontiguousarray(data.images)
    columns = {
        "image": pa.FixedSizeBinaryArray.from_buffers(pa.binary(side**2), len(data), [None, pa.py_buffer(pixels)]),
        "label": pa.array(data.labels),
        "character": dictionary(data.labels, data.charset.characters),
        "group": pa.array(data.groups),
        "source": dictionary(data.source, data.sources).cast(pa.string()),
        "digest": pa.array(data.digests),
    }
    for name, values in data.records.items():
        is_text = values.dtype.kind == "U"  # Arrow would end each text of an array at a null character
        # With escapes for what is no UTF-8, such as a file's name in another encoding.
        texts = (text.encode(errors="backslashreplace").decode() for text in values.tolist() if is_text)
        columns[name] = pa.array(texts, pa.string()) if is_text else pa.array(values)
    return pa.table(columns)


def png_table(data: DatasetFields) -> "pa.Table":
    """The table with PNG files, and with metadata that tell `datasets` of the pictures and the names of the classes."""
    from fastetl.ink.pictures import png_file  # only now: other tables do not need Pillow

    pa, table = import_extra("pyarrow"), arrow_table(data)
    columns = dict(zip(table.column_names, table.columns, strict=True))
    # The types that `datasets` gives pictures, classes and texts: for others it ignores the metadata.
    files = [{"bytes": png_file(picture), "path": None} for picture in data.images[:]]
    columns["image"] = pa.array(files, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    columns["label"], columns["character"] = columns["label"].cast(pa.int64()), columns["character"].cast(pa.string())
    features: dict[str, Any] = {name: {"_type": "Value", "dtype": str(c.type)} for name, c in columns.items()}
    features["image"] = {"_type": "Image"}
    features["label"] = {"_type": "ClassLabel", "names": list(data.charset.characters)}
    return pa.table(columns, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def write_parquet(data: DatasetFields, out: StrPath, *, overwrite: bool = False) -> Path:
    """Write the Parquet file of a dataset, as `Dataset.to_parquet` says."""
    pq = import_extra("pyarrow.parquet")
    schema = png_table(data[:0]).schema
    # The first is the mark of `PARQUET_KIND`.
    metadata = {b"fastetl": b"written by fastetl", METADATA_KEY: json.dumps({**description_of(data), **data.about})}
    schema = schema.with_metadata({**schema.metadata, **metadata})
    output = new_output(out, PARQUET_KIND, overwrite, [data.path])
    with output as file, pq.ParquetWriter(file, schema, compression="zstd", compression_level=1) as writer:
        for start in range(0, len(data), _ROWS):
            writer.write_table(png_table(data[start : start + _ROWS]))
    return Path(out)
