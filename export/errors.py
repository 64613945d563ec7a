"""The base class of everything that can be wrong with a package or an export option."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastetl.errors import FastetlError, MissingFileError, StrPath


class ExportError(FastetlError):
    """A package that cannot be read or written, or an export that was asked for wrongly."""


class MissingPackageError(ExportError, MissingFileError):
    """A package, or a file of one, that is not there."""


@contextmanager
def package_errors(what: str, file: StrPath | None) -> Iterator[None]:
    """A block that reads or runs a part of a package: its exceptions become faults of `file`, to be exported again.

    what: the fault, unless the exception is a FastetlError and says it itself.
    """
    do = "export it again"
    try:
        yield
    except FastetlError as error:
        kind = MissingPackageError if isinstance(error, FileNotFoundError) else ExportError
        if error.file and error.do and kind is ExportError:
            do = error.do  # it is there and cannot be read, perhaps for want of rights
        raise kind(error.what, file=file, expected=error.expected, found=error.found, do=do) from error
    except Exception as error:  # those of onnx, onnxruntime, coremltools and Apple's library have no common base
        found = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ExportError(what, file=file, found=found, do=do) from error
