"""Imports of coremltools, quietly: it logs and warns about what no user of ours can change."""

from __future__ import annotations

import logging
import warnings
from typing import Any

__all__ = ["coremltools"]


def coremltools() -> Any:
    """The module. Importing it takes seconds, so it is asked for only where it is needed."""
    # It tries to load Apple's libraries, and logs a line for each that is missing on other systems.
    logging.getLogger("coremltools").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        # Deprecations inside it and its dependencies, at import.
        warnings.simplefilter("ignore")
        import coremltools
    return coremltools
