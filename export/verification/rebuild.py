"""The strongest check: the package is written again from the graph it stores, and must come out the same.

With the versions that it was written with, the same bytes. With others, the same messages, but for the operations
(which the program's own check compares one by one) and the metadata.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from export import check_on_mac
from export.coreml import write_coreml
from export.metadata import labels_text
from export.mlpackage import read_specification
from export.names import COREML, FILES, LABELS, MAC, ONNX
from export.onnx_export import write_onnx
from export.reference import Reference
from export.verification.checks import Check
from export.verification.files import MOST
from export.verification.messages import difference
from export.versions import same_versions
from fastetl.files.untrusted import read_bytes

__all__ = ["rebuild_checks"]

_OTHER_VERSIONS = frozenset(
    {
        "description.metadata.userDefined",  # names the versions; compared on its own
        "mlProgram.functions.block_specializations.operations",  # numbered and named by coremltools
    }
)


def rebuild_checks(out: Path, reference: Reference) -> Iterator[Check]:
    """One line for each file that can be written from the stored graph."""
    others = same_versions(reference.graph.about)
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        write_coreml(reference.graph, made / COREML, reference.config)
        write_onnx(reference.graph, made / ONNX, reference.config)
        (made / LABELS).write_text(labels_text(reference.graph), encoding="utf-8")
        (made / MAC).write_bytes(Path(check_on_mac.__file__).read_bytes())
        for file in FILES:
            if (made / file).is_file():
                yield _compared(file, out / file, made / file, others)


def _compared(name: str, found: Path, made: Path, others: str) -> Check:
    a, b = read_bytes(found, MOST), read_bytes(made, MOST)
    title = f"rebuilt {Path(name).name}"
    if a == b:
        return Check(title, True, "the same bytes", "the same bytes")
    told = ""
    if found.suffix in (".mlmodel", ".onnx"):
        told = difference(_message(found), _message(made), skip=_OTHER_VERSIONS if others else frozenset())
    elif not others or found.name == "Manifest.json":
        told = next((f"byte {k}" for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), f"{len(a)} bytes")
    if others and (not told or found.name == "Manifest.json"):  # its ids are hashes of the others
        return Check(title, True, "not compared byte by byte", "the same but for versions", others)
    return Check(title, False, "others", "the same bytes", told or "the same fields, spelt in other bytes")


def _message(path: Path) -> Any:
    if path.suffix == ".onnx":
        return onnx.load_model_from_string(read_bytes(path, MOST))
    return read_specification(path)
