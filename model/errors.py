"""The base class of everything that can be wrong with a run or with what training is given."""

from fastetl.errors import FastetlError


class ModelError(FastetlError):
    """A run, a configuration or data that the model cannot work with."""
