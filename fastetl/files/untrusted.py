"""Reading files that may be damaged or malicious, with limits on memory and time.

A FIFO or a device blocks or never ends; deeply nested JSON overflows the interpreter's stack; the header of an array
may claim any shape; a small archive may unpack to gigabytes. Here, each of these raises a FastetlError. A description
that was `sealed` has a digest, which reveals any change.
"""

import hashlib
import json
import math
import os
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Column
from fastetl.errors import COPY_AGAIN, FastetlError, MissingFileError, StrPath, expecting, reason_of

JSON_BYTES = 1 << 26  # most bytes of a JSON file. That of a run with a hundred thousand epochs has fewer
MODEL_BYTES = 1 << 30  # most bytes of a file with the weights of a network
TEXT_BYTES = 1 << 20  # most bytes of a text that people write, such as a list of characters; JIS X 0208 has 6,879
_CLUTTER = frozenset({".ds_store", "thumbs.db", "desktop.ini", "__macosx"})
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
Accept = Callable[[str, tuple[int, ...], np.dtype[np.generic]], bool]
"""Whether an array of this name, shape and dtype may be read."""


def is_clutter(name: str) -> bool:
    """Whether macOS or Windows creates files or folders of this name: ._*, .DS_Store, Thumbs.db and others."""
    return name.startswith("._") or name.lower() in _CLUTTER


def list_folder(folder: Path) -> list[Path]:
    """The files and folders in a folder, sorted, without hidden ones and those of the operating system."""
    with _readable(folder, "cannot list the folder"):
        (folder / "any").exists()  # raises without the right to look up what is in it
        return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and not is_clutter(p.name))


def files_below(folder: Path, ancestors: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Every file below a folder that is not hidden, sorted in the same way on every disk. Links are followed.

    Hidden folders are left out: an interrupted command leaves one with half of its files, others hold thumbnails.
    ancestors: folders that are not entered again, since a link may lead back to one.
    """
    real_folder = folder.resolve()
    ancestors |= {real_folder, *real_folder.parents}
    for path in list_folder(folder):
        if not os.path.isdir(path):  # noqa: PTH112 - `is_dir` raises for a link to where nobody may look
            yield path
        elif path.resolve() not in ancestors:
            yield from files_below(path, ancestors)


def require_regular(path: StrPath) -> int:
    """The size of a regular file in bytes; links are followed. Raises FastetlError for anything else."""
    with open_regular(path) as file:
        return os.fstat(file.fileno()).st_size


def path_advice(path: StrPath) -> str:
    """What to do about a path where nothing is; it may be an address, for a function that reads none."""
    return "download it: only Ray and datasets take addresses" if ":/" in os.fspath(path) else "check the path"


@contextmanager
def _readable(path: StrPath, what: str = "cannot read the file") -> Iterator[None]:
    """A block that opens or reads `path`: what goes wrong there becomes a FastetlError."""
    try:
        yield
    except FileNotFoundError as error:
        raise MissingFileError("there is no such file or folder", file=path, do=path_advice(path)) from error
    except (OSError, ValueError) as error:  # the latter for a null character
        raise FastetlError(what, file=path, found=reason_of(error), do="check the path and its rights") from error


def open_regular(path: StrPath) -> BinaryIO:
    """Open a file for reading, as bytes and buffered. Raises FastetlError unless it is a regular file."""
    with _readable(path):  # O_NONBLOCK, as opening a FIFO that nobody writes to would block for ever
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        found = "a folder" if stat.S_ISDIR(mode) else "a FIFO" if stat.S_ISFIFO(mode) else "a device"
        raise FastetlError("not a file to read", file=path, expected="a regular file", found=found, do="give a file")
    return os.fdopen(descriptor, "rb")


@contextmanager
def open_file(path: StrPath) -> Iterator[BinaryIO]:
    """The opened file. Raises FastetlError if it cannot be opened or, in the `with` block, read."""
    with open_regular(path) as file, _readable(path):
        yield file


def read_bytes(path: StrPath, limit: int) -> bytes:
    """The contents of a regular file. Raises FastetlError if they are more than `limit` bytes, or cannot be read."""
    with open_file(path) as file:
        return within_limit(file.read(limit + 1), limit, path)


def within_limit(data: bytes, limit: int, path: StrPath) -> bytes:
    """The contents of a file, of which `limit` bytes and one were asked for. Raises FastetlError if there are more."""
    if len(data) > limit:
        raise FastetlError("too large", file=path, expected=f"at most {limit:,} bytes", do="give another")
    return data


def read_ends(path: StrPath, count: int = 1 << 16) -> bytes:
    """The first and the last `count` bytes of a regular file, of a short one all for each."""
    with open_file(path) as file:
        begin = file.read(count)
        file.seek(max(0, file.seek(0, os.SEEK_END) - count))
        return begin + file.read(count)


def read_json(path: StrPath) -> dict[str, Any]:
    """The object in a JSON file. Raises FastetlError if there is none, or it is nested too deeply."""
    return parse_json(read_bytes(path, JSON_BYTES), path)


def parse_json(data: bytes, path: StrPath) -> dict[str, Any]:
    """The object in `data`, the contents of the JSON file `path`. Raises FastetlError as `read_json` does."""
    with expecting("a JSON object", path):
        values: dict[str, Any] = json.loads(data.decode("utf-8-sig"))
        if not isinstance(values, dict):
            raise ValueError(type(values).__name__)
        return values


class MappedArray(np.memmap[Any, Any]):
    """A mapped array. Pickled, a whole one is its file's path and time: processes share it instead of copies."""

    arguments: tuple[Path, str, int, int] | None = None  # those of `mapped_array` by which it is mapped again

    def __reduce__(self) -> Any:
        return super().__reduce__() if self.arguments is None else (mapped_array, self.arguments)


def mapped_array(path: StrPath, dtype: str, ndim: int, write_time: int = 0) -> MappedArray:
    """The array of an `.npy` file, mapped read-only. Raises FastetlError for damage, another size, dtype or `ndim`.

    write_time: when the file was written, in nanoseconds, or 0 for any time; another one raises FastetlError, too.
    """
    size, change_time = require_regular(path), Path(path).stat().st_mtime_ns
    if write_time not in (0, change_time):
        raise FastetlError("the file has changed since it was pickled", file=path, do="open the dataset again")
    # numpy's parser of headers raises exceptions of its own, and those of `tokenize` and `ast`.
    with expecting(f"{np.dtype(dtype)} with {ndim} axes", path, "cannot read the array", errors=Exception):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.memmap) or not array.flags.c_contiguous or array.offset + array.nbytes != size:
            raise ValueError(f"{size:,} bytes are another size than its header says")
        if array.dtype != np.dtype(dtype) or array.ndim != ndim:
            raise ValueError(f"{array.dtype} with {array.ndim} axes")
        view = array.view(MappedArray)
        view.arguments = Path(path).absolute(), dtype, ndim, change_time
        return view


def read_npz(path: StrPath, accept: Accept) -> dict[str, NDArray[Any]]:
    """The arrays of an `.npz` that `accept` allows; the others are not unpacked.

    An array takes exactly the memory that its header claims, and only if the archive has as many bytes for it. Raises
    FastetlError for a damaged archive, and if `accept` raises.
    """
    arrays: dict[str, NDArray[Any]] = {}
    # For a damaged archive, zipfile raises exceptions of many classes.
    with open_regular(path) as file, expecting("an .npz", path, errors=Exception), zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            array = _read_member(archive, member, name, accept)
            if array is not None:
                arrays[name] = array
    return arrays


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, accept: Accept) -> NDArray[Any] | None:
    """One array of an `.npz`; None if it is not accepted."""
    with archive.open(member) as file:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
        if dtype.hasobject:
            raise ValueError("Python objects, not numbers or texts: give them a dtype such as str")
        if not accept(name, shape, dtype):
            return None
        needed_bytes, stored_bytes = math.prod(shape) * dtype.itemsize, member.file_size - file.tell()
    if stored_bytes != needed_bytes:
        raise ValueError(f"{name} has {stored_bytes:,} bytes, not {needed_bytes:,}")
    with archive.open(member) as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        file.read(1)  # the checksum is compared at the end
    if dtype.kind == "U" and array.size and array.ravel().view(f"{dtype.byteorder}u4").max() > 0x10FFFF:
        raise ValueError(f"{name} has code points beyond Unicode's")
    return array


def _digest(description: Mapping[str, Any], arrays: tuple[Column, ...]) -> str:
    values = {key: value for key, value in description.items() if key != "digest"}
    hasher = hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16)
    for array in arrays:
        hasher.update(f"{array.dtype} {array.shape}".encode())
        hasher.update(np.ascontiguousarray(array).data)
    return hasher.hexdigest()


def sealed(description: Mapping[str, Any], *arrays: Column) -> dict[str, Any]:
    """A description to be written as JSON, with a digest of itself and of the arrays that are stored beside it."""
    return {**description, "digest": _digest(description, arrays)}


def require_sealed(
    description: Mapping[str, Any], file: StrPath, *arrays: Column, error_class: type[FastetlError] = FastetlError
) -> None:
    """Raise `error_class` if a description read from `file`, or the arrays, differ from what `sealed` was given."""
    old_digest, digest = description.get("digest"), _digest(description, arrays)
    if old_digest != digest:
        expected = f"digest {old_digest}"
        raise error_class("not what was written", file=file, expected=expected, found=digest, do=COPY_AGAIN)
