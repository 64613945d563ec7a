"""Writing the directory of a dataset, whole or not at all; docs/formats.md says what is in it."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from fastetl.arrays import Column
from fastetl.errors import StrPath
from fastetl.files.atomic import OutputKind, new_output
from fastetl.files.untrusted import sealed

if TYPE_CHECKING:
    from fastetl.data.dataset import Dataset

MANIFEST = "dataset.json"  # the file that describes a dataset
ARRAY_FORMAT, SHARDS_FORMAT = 4, 8  # versions of the format with `images.npy`, and of that with shards
_ENTRIES = (MANIFEST, "images.npy", "labels.npy", "records.npz", "shard-*.parquet")
DATASET_KIND = OutputKind("a dataset", (MANIFEST,), _ENTRIES, addable="")
REBUILD = "build it again"  # what to do about a dataset that is damaged
_BLOCK_PICTURES = 1 << 12  # pictures written together


def description_of(data: "Dataset") -> dict[str, Any]:
    """What a description says of a dataset wherever it is stored, for JSON."""
    charset, preprocessing = data.charset.as_dict(), data.preprocessing.as_dict()
    return {"charset": charset, "preprocessing": preprocessing, "sources": list(data.sources)}


def write_description(folder: Path, data: "Dataset", shards: Mapping[str, Any] | None = None) -> None:
    """Write all files of a dataset's directory but its pictures. shards: what is to be said of a dataset of shards."""
    np.save(folder / "labels.npy", data.labels)
    identity: dict[str, Column] = {"group": data.groups, "source": data.source, "digest": data.digests}
    with zipfile.ZipFile(folder / "records.npz", "w") as archive:  # np.savez takes no column called file
        for name, values in {**identity, **data.records}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
    description = {
        "format": ARRAY_FORMAT if shards is None else SHARDS_FORMAT,
        "count": len(data),
        "groups": data.group_count,
        **description_of(data),
        **data.about,
        **(shards or {}),
    }
    text = json.dumps(sealed(description, data.labels, *identity.values()), ensure_ascii=False, indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


@contextmanager
def open_images(folder: Path, count: int, side: int) -> Iterator[BinaryIO]:
    """Open `images.npy` for writing, behind its header: pictures uint8 (count, side, side) are to follow."""
    with (folder / "images.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, side, side)}
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[arg-type,unused-ignore]
        yield file


def write_dataset(data: "Dataset", out: StrPath, *, overwrite: bool = False) -> Path:
    """Write the directory of a dataset, as `Dataset.write` says."""
    with new_output(out, DATASET_KIND, overwrite, [data.path]) as folder:
        with open_images(folder, len(data), data.images.shape[1]) as file:
            for start in range(0, len(data), _BLOCK_PICTURES):
                file.write(np.ascontiguousarray(data.images[start : start + _BLOCK_PICTURES]).data)
        write_description(folder, data)
    return Path(out)
