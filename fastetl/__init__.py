"""Handwritten characters as arrays: ETL files and your own pictures, resized and augmented in compiled loops."""

import warnings

from fastetl._lazy import lazy, shadowed

__version__ = "0.2.0"

# `__init__.pyi` has the names; each is imported when it is first used, so that `import fastetl` is quick.
__getattr__, __dir__, __all__ = lazy(__name__, __file__)

_hidden = shadowed("model", "export")
if _hidden is not None:
    warnings.warn(_hidden, stacklevel=2)
