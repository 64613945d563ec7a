"""Building, synthesizing, training and sweeping on a Ray cluster. Extra: `ray`; see docs/scale.md.

`read_etl` gives a Ray Data dataset. `build_on_ray` and `synthesize_on_ray` write datasets of Parquet shards, which
`fastetl.open_dataset` opens. Files are in folders that every worker sees, or at addresses for fsspec, such as
s3://bucket/ETL8G_01, which each worker copies to its own disk.

All of them use the cluster that `connect` or `ray.init` has connected this process to, or that of RAY_ADDRESS, or
start one on this machine.
"""

from fastetl import __version__  # noqa: F401
from fastetl.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__, "ray")
