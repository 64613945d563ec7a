"""The network: trained with Flax and optax, measured on unseen writers."""

from fastetl import __version__  # noqa: F401
from fastetl.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__, "train")
