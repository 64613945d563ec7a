"""What Apple's own readers say, which coremltools brings as libraries that run on Linux, too.

They accept or reject a package and read weights; they don't compile or run a program: that takes a Mac.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from export.checks import Check, equal, unchecked
from export.mlpackage import Package
from export.names import MODEL, WEIGHTS
from export.runtimes import coremltools, quiet

__all__ = ["apple_checks"]

_READ = {1: "read_fp16_data", 2: "read_float_data", 3: "read_uint8_data", 4: "read_int8_data", 15: "read_uint32_data"}
"""By the type that a record of the weight file names."""


def apple_checks(path: Path, package: Package) -> Iterator[Check]:
    """For the package at `path`, which our own reader has read; nothing in it is changed."""
    coremltools()
    try:
        from coremltools.libmilstoragepython import _BlobStorageReader
        from coremltools.libmodelpackage import ModelPackage
    except ImportError as error:
        yield unchecked("Apple's readers", f"coremltools has none here ({error})")
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / path.name  # the library writes the manifest again when it is done
        shutil.copytree(path, copy)
        valid = ModelPackage.isValid(str(copy))
        root = Path(ModelPackage(str(copy)).getRootModel().path()).relative_to(copy).as_posix() if valid else "rejected"
    yield equal("reader of packages", root, f"Data/{MODEL}")
    reader = _BlobStorageReader(str(path / "Data" / WEIGHTS / "weight.bin"))
    records = sorted(set(package.blobs))
    differing = sum(not _same(reader, package.weights, at) for at in records)
    yield equal("reader of weights", f"{differing} differ", "0 differ", f"of {len(records)} arrays")
    yield _operations(path, package)


def _same(reader: Any, raw: bytes, at: int) -> bool:
    kind, size, offset = (int.from_bytes(raw[at + a : at + b], "little") for a, b in ((4, 8), (8, 16), (16, 24)))
    if kind not in _READ:
        return False
    array = np.asarray(getattr(reader, _READ[kind])(at))
    return array.tobytes() == raw[offset : offset + size]


def _operations(path: Path, package: Package) -> Check:
    """coremltools builds every operation again, in the opset that the program names, with its own checks of types."""
    from coremltools.converters.mil.frontend.milproto.load import load

    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = load(
            package.spec,
            specification_version=package.spec.specificationVersion,
            file_weights_dir=str(path / "Data" / WEIGHTS),
        )
    count = sum(op.op_type not in ("const", "classify") for op in program.functions["main"].operations)
    return equal("operations built again", count, len(package.ops), "in the program's own opset")
