"""Reading ETL files, and making synthetic ones, on a Ray cluster. Needs the extra `ray`; see docs/scale.md.

`read_etl` and `synthesize` give Ray Data datasets; `build_on_ray` and `synthesize_on_ray` write datasets of Parquet
shards, which `open_dataset` opens. Files are local to every worker (a disk that all see), or at addresses for
fsspec, such as s3://bucket/ETL8G_01: these are copied to the worker's own disk first.
"""

from fastetl._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__, __file__)
