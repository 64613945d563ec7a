"""The base class of everything that can be wrong with a package or an export option."""

from fastetl.errors import FastetlError, StrPath


class ExportError(FastetlError):
    """A package that cannot be read or written, or an export that was asked for wrongly."""


def damaged(error: Exception, what: str, file: StrPath) -> ExportError:
    """The fault `error` as one of `file`, which has to be exported again. what: said unless the error itself does."""
    do = "export it again"
    if isinstance(error, FastetlError):
        if error.file and error.do and not isinstance(error, FileNotFoundError):
            do = error.do  # it is there and cannot be read, perhaps for want of rights
        return ExportError(error.what, file=file, expected=error.expected, found=error.found, do=do, also=error.also)
    found = " ".join(f"{type(error).__name__}: {error}".split())
    return ExportError(what, file=file, found=found, do=do)
