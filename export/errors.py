"""The base class of everything that can be wrong with a package or an export option."""

from fastetl.errors import FastetlError


class ExportError(FastetlError):
    """A package that cannot be read or written, or an export that was asked for wrongly."""
