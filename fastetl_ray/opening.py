"""Opening whatever a dataset is: a directory, a file, shards, or the address of shards."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from fastetl.data import store
from fastetl.data.dataset import Dataset
from fastetl.files.untrusted import read_json
from fastetl_ray.addresses import as_address, is_url

__all__ = ["open_dataset"]


def open_dataset(path: str | PathLike[str], *, size: int | None = None) -> Dataset:
    """`fastetl.open_dataset`, and datasets of shards, in a folder or at an address for fsspec (s3://bucket/folder).

    What shards hold is read when it is asked for (`fastetl_ray.sharded`).

    Raises FastetlError naming the file for anything missing, damaged or of another format version.
    """
    place = as_address(path)
    local = Path(place.removeprefix("file://"))
    described = local / "dataset.json"
    sharded = described.is_file() and "shards" in read_json(described)
    if sharded or (is_url(place) and not local.exists()):
        from fastetl_ray.sharded import open_shards

        return open_shards(place)
    return store.open_dataset(local, size=size)
