"""The files that the page is made of, and what it is told of the package."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from export.lines import MARKS, alike, weights
from export.names import LABELS
from export.recognizer import Recognizer
from fastetl import __version__
from fastetl.data.charset import JAPANESE, LARGE_FORM, SHAPES
from fastetl.data.preprocessing import Preprocessing
from fastetl.files.untrusted import read_json
from fastetl.lines import pairs, shapes
from fastetl.lines.path import FOLLOWS, SCRIPTS
from fastetl.lines.shapes import CORNER, TURNED
from fastetl.synth.practice import practice

PAGE = Path(__file__).parent / "page"
"""The folder of the page's own files."""


def documents(recognizer: Recognizer, *, engine: str, samples: bool) -> dict[str, bytes]:
    """What the page is told, by the name under which it asks.

    engine: server or browser, where the network is computed. samples: whether corrections are kept by the server.

    Raises FastetlError if `labels.json` cannot be read. What the model says goes before what stands there.
    """
    labels = list(recognizer.labels)
    of_model = {"labels": labels, "no_character": len(labels) - 1, "threshold": recognizer.threshold}
    spec = json.loads(recognizer.session.get_modelmeta().custom_metadata_map["preprocessing"])
    about = {
        "version": __version__,
        "engine": engine,
        "samples": samples,
        "side": recognizer.side,
        "preprocessing": Preprocessing.from_dict(spec).as_dict(),
        "shapes": SHAPES,
        "small": LARGE_FORM,
    }
    return {
        "about.json": _as_json(about),
        LABELS: _as_json({**read_json(recognizer.path / LABELS), **of_model}),
        "kana.json": _as_json(practice()),
        "lines.json": _as_json(_lines(recognizer)),
        "pairs.bin": pairs.FILE.read_bytes(),
        "shapes.bin": shapes.FILE.read_bytes(),
    }


def _as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _lines(recognizer: Recognizer) -> dict[str, Any]:
    """What lines are read by beside the tables of `fastetl.lines`: where this package's labels are in them."""
    labels = recognizer.labels[:-1]
    groups, sizes = (np.unique(names, return_inverse=True)[1].tolist() for names in alike(labels))
    return {
        "characters": len(JAPANESE),
        "groups": groups,
        "sizes": sizes,
        "marks": [k for k, c in enumerate(labels) if c in MARKS],
        "classes": [JAPANESE.class_of.get(c, -1) for c in labels],
        "lying": [k for k, c in enumerate(recognizer.labels) if c in TURNED],
        "turned": sorted(JAPANESE.class_of[c] for c in TURNED),
        "corner": {JAPANESE.class_of[c]: far for c, far in CORNER.items()},
        "scripts": {"of": SCRIPTS.tolist(), "follows": FOLLOWS.tolist()},
        "prior": np.exp(recognizer.prior_logits).round(4).tolist(),
        "weights": asdict(weights()),
    }
