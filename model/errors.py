"""The base class of everything that can be wrong with a run or with what training is given."""

from fastetl.errors import FastetlError, MissingFileError


class ModelError(FastetlError):
    """A run, a configuration or data that the model cannot work with."""


class MissingRunError(ModelError, MissingFileError):
    """A run, or a file of one, that is not there."""


class RunLockedError(ModelError, BlockingIOError):
    """A run that another process is training."""
