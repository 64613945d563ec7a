"""The public names; `__init__.py` imports them when they are first used."""

from .cluster import train_on_ray as train_on_ray
from .datasets import build_on_ray as build_on_ray
from .datasets import read_etl as read_etl
from .datasets import synthesize_on_ray as synthesize_on_ray
from .nodes import connect as connect
from .sweep import SweepConfig as SweepConfig
from .sweep import read_sweep as read_sweep
from .sweep import sweep_on_ray as sweep_on_ray

__version__: str
