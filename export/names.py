"""What the files of a package directory are called; light, so that asking a model loads no exporter."""

from os import PathLike, fspath
from pathlib import Path

PRETRAINED = "pretrained"
"""What stands for the first of the bundled packages wherever a package is named; each has a name, too."""
BUNDLED = ("japanese", "kana")

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
"""What a package directory holds, beside `VERIFICATION`; a bundled one has no script, since fastetl's own is there."""
_OURS = Path(__file__).with_name(PRETRAINED)


def is_bundled(out: Path) -> bool:
    """Whether the package directory `out` is fastetl's own."""
    return _OURS.resolve() in out.resolve().parents


def files_of(out: Path) -> tuple[str, ...]:
    """`FILES` of the package directory `out`."""
    return tuple(file for file in FILES if file != MAC or not is_bundled(out))


def package_path(path: str | PathLike[str] = PRETRAINED) -> Path:
    """Where a package is: a bundled one for its name or "pretrained", unless a folder has that name."""
    name = BUNDLED[0] if fspath(path) == PRETRAINED else fspath(path)
    return _OURS / name if name in BUNDLED and not Path(path).is_dir() else Path(path)
