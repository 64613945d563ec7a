"""What the files of a package directory are called; light, so that asking a model loads no exporter."""

from __future__ import annotations

__all__ = ["CARD", "COREML", "FILES", "LABELS", "MAC", "MODEL", "ONNX", "REFERENCE", "VERIFICATION", "WEIGHTS"]

MODEL = "com.apple.CoreML/model.mlmodel"
WEIGHTS = "com.apple.CoreML/weights"
COREML = "Kana.mlpackage"
ONNX = "kana.onnx"
LABELS = "labels.json"
REFERENCE = "reference.npz"
CARD = "MODEL_CARD.md"
MAC = "check_on_mac.py"
VERIFICATION = "verification.json"
FILES = (
    f"{COREML}/Manifest.json",
    f"{COREML}/Data/{MODEL}",
    f"{COREML}/Data/{WEIGHTS}/weight.bin",
    ONNX,
    LABELS,
    REFERENCE,
    CARD,
    MAC,
)
"""What a package directory holds, beside `VERIFICATION`."""
