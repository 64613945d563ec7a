"""The network: trained with Flax and optax, measured on unseen writers.

The public names, in `__init__.pyi`, are imported when they are first used: JAX takes a second or two.
"""

from fastetl import __version__  # noqa: F401
from fastetl._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__, __file__)
