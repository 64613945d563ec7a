"""The base class of everything that can be wrong with a package or an export option."""

from fastetl.errors import FastetlError, MissingFileError, StrPath


class ExportError(FastetlError):
    """A package that cannot be read or written, or an export that was asked for wrongly."""


class MissingPackageError(ExportError, MissingFileError):
    """A package, or a file of one, that is not there."""


def damaged(error: Exception, what: str, file: StrPath | None) -> ExportError:
    """The fault `error` as one of `file`, which has to be exported again. what: said unless the error itself does."""
    do = "export it again"
    if isinstance(error, FastetlError):
        kind = MissingPackageError if isinstance(error, FileNotFoundError) else ExportError
        if error.file and error.do and kind is ExportError:
            do = error.do  # it is there and cannot be read, perhaps for want of rights
        return kind(error.what, file=file, expected=error.expected, found=error.found, do=do)
    found = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return ExportError(what, file=file, found=found, do=do)
