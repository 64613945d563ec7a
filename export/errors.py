"""The base class of everything that can be wrong with a package or an export option."""

from __future__ import annotations

from fastetl.errors import FastetlError

__all__ = ["ExportError"]


class ExportError(FastetlError):
    """A package that cannot be read or written, or an export that was asked for wrongly."""
