"""The trained network for phones and everything else: a Core ML package and an ONNX model, checked on any machine.

The public names below are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastetl import __version__
from fastetl._lazy import lazy

if TYPE_CHECKING:
    from export.checks import Check
    from export.config import ExportConfig
    from export.errors import ExportError
    from export.package import export
    from export.recognizer import Answer, Recognizer, open_recognizer
    from export.starting import open_start
    from export.verification import verify

__all__ = [
    "Answer",
    "Check",
    "ExportConfig",
    "ExportError",
    "Recognizer",
    "__version__",
    "export",
    "open_recognizer",
    "open_start",
    "verify",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Answer": "export.recognizer",
        "Check": "export.checks",
        "ExportConfig": "export.config",
        "ExportError": "export.errors",
        "Recognizer": "export.recognizer",
        "export": "export.package",
        "open_recognizer": "export.recognizer",
        "open_start": "export.starting",
        "verify": "export.verification",
    },
)
