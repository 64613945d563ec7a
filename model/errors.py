"""The base class of everything that can be wrong with a run or with what training is given."""

from __future__ import annotations

from fastetl.errors import FastetlError

__all__ = ["ModelError"]


class ModelError(FastetlError):
    """A run, a configuration or data that the model cannot work with."""
