"""The network: trained with Flax and optax, measured on unseen writers."""

from fastetl import __version__  # noqa: F401
from fastetl._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__, __file__)
