"""The public names; `__init__.py` imports them when they are first used."""

from .opening import open_dataset as open_dataset
from .reading import read_etl as read_etl
from .reading import synthesize as synthesize
from .writing import build_on_ray as build_on_ray
from .writing import synthesize_on_ray as synthesize_on_ray
