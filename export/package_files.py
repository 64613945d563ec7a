"""Names of the files in a package directory. A module of its own, so that a recognizer imports no exporter."""

from os import fspath
from pathlib import Path

from export.errors import MissingPackageError
from fastetl.checks import as_path, suggestion
from fastetl.data.charset import PRETRAINED
from fastetl.errors import StrPath
from fastetl.files.atomic import OutputKind
from fastetl.files.untrusted import path_advice

BUNDLED = ("japanese", "kana")
"""The bundled packages: 6,625 characters, and a small one of all kana. `PRETRAINED` stands for the first."""
_NAMES = (PRETRAINED, *BUNDLED)

COREML = "Kana.mlpackage"
"""The Core ML package, whatever characters it knows: apps that were built with it name it so."""
MODEL = "com.apple.CoreML/model.mlmodel"
WEIGHTS = "com.apple.CoreML/weights"  # where Core ML keeps program and weights, below `COREML`/Data
ONNX = "kana.onnx"
LABELS = "labels.json"
REFERENCE = "reference.npz"
CARD = "MODEL_CARD.md"
MAC_CHECK = "check_on_mac.py"
VERIFICATION = "verification.json"
FILES = (
    f"{COREML}/Manifest.json",
    f"{COREML}/Data/{MODEL}",
    f"{COREML}/Data/{WEIGHTS}/weight.bin",
    ONNX,
    LABELS,
    REFERENCE,
    CARD,
    MAC_CHECK,
)
"""The files of a package directory, beside `VERIFICATION`. Bundled ones, and their copies, lack `MAC_CHECK`."""
_ENTRIES = (*sorted({file.partition("/")[0] for file in FILES}), VERIFICATION)
KIND = OutputKind("a package", (LABELS, ONNX, VERIFICATION), _ENTRIES, addable="")
_BUNDLED_IN = Path(__file__).with_name(PRETRAINED)


def is_bundled(folder: Path) -> bool:
    """Whether the package directory `folder` is one that comes with fastetl."""
    return _BUNDLED_IN.resolve() in folder.resolve().parents


def expected_files(folder: Path) -> tuple[str, ...]:
    """The names in `FILES` that the package directory `folder` should have."""
    return tuple(file for file in FILES if file != MAC_CHECK or (folder / file).exists())


def package_path(path: StrPath = PRETRAINED) -> Path:
    """The directory of a package: a bundled one for its name or "pretrained", unless a package or run has that name."""
    as_path("path", path)
    name = BUNDLED[0] if fspath(path) == PRETRAINED else fspath(path)
    is_taken = any(Path(path, file).exists() for file in (*FILES, "run.json"))
    return _BUNDLED_IN / name if name in BUNDLED and not is_taken else Path(path)


def is_onnx(path: Path) -> bool:
    """Whether a path names an ONNX model alone, rather than a directory."""
    return path.suffix.lower() == ".onnx"


def is_package(path: StrPath) -> bool:
    """Whether `path` is a package: the name of a bundled one, a folder with any file of one, or an ONNX model alone."""
    folder = package_path(path)
    return folder.exists() if is_onnx(folder) else any((folder / file).exists() for file in FILES)


def file_of(path: StrPath, name: str) -> Path:
    """The file `name` of a package, which may lack it; of an ONNX model alone `ONNX` is the model itself.

    Raises ExportError if there is no package at `path`, or only a model alone where another file is asked for.
    """
    folder = package_path(path)
    is_alone = is_onnx(folder)
    if is_package(path) and (name == ONNX or not is_alone):
        return folder if is_alone else folder / name
    found, do = _found_instead(path, folder)
    expected = f"a directory with {name}, or one of {', '.join(_NAMES)}"
    raise MissingPackageError("no package here", file=path, expected=expected, found=found, do=do)


def _found_instead(path: StrPath, folder: Path) -> tuple[str | None, str]:
    """What is at a path that has no package directory, if it can be told, and what to do."""
    if is_onnx(folder) and folder.exists():
        return "an ONNX model alone", "give a directory that its run was exported to"
    if (folder / "run.json").exists():
        return "a run", "export it first"
    if folder.name == COREML:
        return "a part of one", f"give the folder above, {folder.parent}"
    return None, ("" if folder.exists() else suggestion(fspath(path), _NAMES)) or path_advice(path)
