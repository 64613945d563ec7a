"""The ETL Character Database as arrays: decoded, resized and augmented in compiled kernels.

The public names, in `__init__.pyi`, are imported when they are first used, so that `import fastetl` is quick.
"""

from __future__ import annotations

import warnings

from fastetl._lazy import lazy, shadowed

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy(__name__, __file__)

_hidden = shadowed("model", "export")
if _hidden is not None:
    warnings.warn(_hidden, stacklevel=2)
