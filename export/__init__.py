"""The trained network for phones and everything else: a Core ML package and an ONNX model, checked on any machine."""

from fastetl import __version__  # noqa: F401
from fastetl.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
