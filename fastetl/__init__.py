"""Handwritten characters as arrays: ETL files and your own pictures, resized and augmented in compiled loops."""

import sys

from fastetl.lazy import lazy_names

if sys.platform == "win32":
    raise ImportError("fastetl runs on Linux and macOS; on Windows, use it in WSL")
__version__ = "0.2.0"

# `__init__.pyi` has the names; each is imported when it is first used, so that `import fastetl` is quick.
__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
