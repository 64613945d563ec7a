"""Reading ETL files, and making synthetic ones, on a Ray cluster. Needs the extra `ray`; see docs/scale.md.

`read_etl` and `synthesize` give Ray Data datasets; `build_on_ray` and `synthesize_on_ray` write datasets of Parquet
shards, which `open_dataset` opens. Files are local to every worker (a disk that all see), or at addresses for
fsspec, such as s3://bucket/ETL8G_01: these are copied to the worker's own disk first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastetl._lazy import lazy

if TYPE_CHECKING:
    from fastetl_ray.opening import open_dataset
    from fastetl_ray.reading import read_etl, synthesize
    from fastetl_ray.writing import build_on_ray, synthesize_on_ray

__all__ = ["build_on_ray", "open_dataset", "read_etl", "synthesize", "synthesize_on_ray"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "build_on_ray": "fastetl_ray.writing",
        "open_dataset": "fastetl_ray.opening",
        "read_etl": "fastetl_ray.reading",
        "synthesize": "fastetl_ray.reading",
        "synthesize_on_ray": "fastetl_ray.writing",
    },
)
