"""The public names; `__init__.py` imports them when they are first used."""

from .cluster import train_on_ray as train_on_ray
from .distributed import build_on_ray as build_on_ray
from .distributed import read_etl as read_etl
from .distributed import synthesize_on_ray as synthesize_on_ray
from .nodes import connect as connect
from .sweeping import SweepConfig as SweepConfig
from .sweeping import read_sweep as read_sweep
from .sweeping import sweep_on_ray as sweep_on_ray

__version__: str
