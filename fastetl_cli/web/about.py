"""What the page is told of the package, and the files that it is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from export.errors import ExportError
from export.lines import weights
from export.names import LABELS
from export.recognizer import Recognizer
from fastetl import __version__
from fastetl.data.charset import JAPANESE, LARGE_FORM, SHAPES, one_shape
from fastetl.data.preprocessing import Preprocessing
from fastetl.files.untrusted import read_json
from fastetl.lines import pairs, shapes
from fastetl.lines.shapes import CORNER, TURNED

__all__ = ["TYPES", "Package", "as_json", "page_files"]

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".mjs": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".bin": "application/octet-stream",
}


@cache
def page_files() -> Mapping[str, bytes]:
    """The page's own files by name."""
    folder = files("fastetl_cli.web") / "page"
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


@dataclass(frozen=True)
class Package:
    """An exported package, as the page needs it.

    labels: of each class in order, from `labels.json`. no_character: the class that means none. threshold: the
    probability under which an answer is not to be trusted.
    """

    recognizer: Recognizer
    labels: tuple[str, ...]
    no_character: int
    threshold: float
    charset: str
    preprocessing: Preprocessing

    @classmethod
    def of(cls, recognizer: Recognizer) -> Package:
        """Raises ExportError if `labels.json` is missing, damaged, or not that of the model."""
        path = recognizer.path / LABELS
        values = read_json(path)
        labels, none, threshold = (values.get(name) for name in ("labels", "no_character", "threshold"))
        if not (
            (isinstance(labels, list) and tuple(labels) == recognizer.labels)
            and (type(none) is int and 0 <= none < len(recognizer.labels))
            and (isinstance(threshold, int | float) and 0 <= threshold <= 1)
        ):
            raise ExportError(
                "not the labels of the model beside it",
                file=path,
                expected=f"{len(recognizer.labels)} labels, one of them no character, and a threshold",
                do="export again",
            )
        metadata = recognizer.session.get_modelmeta().custom_metadata_map
        try:
            preprocessing = Preprocessing.from_dict(json.loads(metadata["preprocessing"]))
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise ExportError(
                "cannot read the model's preprocessing", file=recognizer.path, found=error, do="export again"
            ) from error
        charset = str(values.get("charset", ""))
        return cls(recognizer, recognizer.labels, none, float(threshold), charset, preprocessing)

    def about(self, *, engine: str, samples: bool) -> dict[str, Any]:
        """What `about.json` says. engine: server or browser, where the network is computed. samples: whether
        corrections are kept by the server.
        """
        return {
            "version": __version__,
            "engine": engine,
            "samples": samples,
            "side": self.recognizer.side,
            "preprocessing": self.preprocessing.as_dict(),
            "shapes": SHAPES,
            "small": LARGE_FORM,
        }

    def line_files(self) -> dict[str, bytes]:
        """What the page reads lines by: the tables of `fastetl.lines`, and where this package's labels are in them."""
        groups: dict[str, int] = {}
        labels = self.recognizer.labels[:-1]
        known, down = weights(plain=False), sorted(JAPANESE.class_of[c] for c in TURNED)
        values = {
            "characters": len(JAPANESE),
            "groups": [groups.setdefault(one_shape(c, sizes=True), len(groups)) for c in labels],
            "classes": [JAPANESE.class_of.get(c, -1) for c in labels],
            "lying": [k for k, c in enumerate(self.recognizer.labels) if c in TURNED],
            "turned": down,
            "corner": {JAPANESE.class_of[c]: far for c, far in CORNER.items()},
            "weights": asdict(known),
        }
        return {
            "lines.json": as_json(values),
            "pairs.bin": pairs.FILE.read_bytes(),
            "shapes.bin": shapes.FILE.read_bytes(),
        }


def as_json(value: object) -> bytes:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
