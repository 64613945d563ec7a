"""The page's documents, which describe the package, and the page as a folder that any web host can serve.

With such a folder the browser computes the network, after one visit offline too.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from export.package_files import LABELS, ONNX, file_of
from export.recognizer import LOWNESS_MARGIN, LOWNESS_WEIGHT, Recognizer
from fastetl import __version__
from fastetl.data.charset import CHARSETS_BY_NAME, JAPANESE, LARGE_FORM, SHAPES, SMALL_LETTERS, is_kanji
from fastetl.errors import FastetlError
from fastetl.files.atomic import OutputKind, new_output
from fastetl.files.untrusted import MODEL_BYTES, read_bytes
from fastetl.ink import SIDE
from fastetl.lines import bigrams, shapes
from fastetl.lines.candidates import FAINT_MARKS, shape_and_size_classes
from fastetl.lines.path import load_weights
from fastetl.lines.shapes import CORNER, LYING
from fastetl.synth.practice import practice_data

PAGE = Path(__file__).parent / "page"  # the folder of the page's own files
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'"
)
"""The content security policy of the page: nothing from other hosts, nothing inline."""
RUNTIME_FILES = {"ort.wasm.bundle.min.mjs": b"ONNX Runtime Web", "ort-wasm-simd-threaded.wasm": b"\0asm"}
"""The files of onnxruntime-web that the browser needs, from the folder `dist` of its npm package, each with a mark."""
_ENTRIES = ("*.html", "*.css", "*.*js", "*.json", "*.svg", "*.webmanifest", "*.wasm", "*.onnx", "*.bin", "*.txt")
PAD_KIND = OutputKind("the folder of a pad", ("index.html", "about.json", "service-worker.js"), _ENTRIES)


def documents(recognizer: Recognizer, *, engine: str, keeps_samples: bool) -> dict[str, bytes]:
    """The page's documents by name. engine: "server" or "browser", which computes. keeps_samples: of corrections."""
    labels = recognizer.labels
    facts = {
        "version": __version__,
        "engine": engine,
        "samples": keeps_samples,
        "side": SIDE,
        "preprocessing": recognizer.preprocessing.as_dict(),
        "shapes": SHAPES,
        "small": LARGE_FORM,
        "letters": SMALL_LETTERS,
        "lowness": [LOWNESS_WEIGHT, LOWNESS_MARGIN],
    }
    document_values = {
        "about.json": facts,
        LABELS: {"labels": labels, "no_character": len(labels) - 1, "threshold": recognizer.threshold},
        "kana.json": practice_data(),
        "lines.json": _line_facts(recognizer),
        "charsets.json": {name: "".join(charset.characters) for name, charset in CHARSETS_BY_NAME.items()}
        | {"kanji": "".join(filter(is_kanji, labels))},
    }
    texts = {name: json.dumps(v, ensure_ascii=False, separators=(",", ":")) for name, v in document_values.items()}
    tables = {path.name: path.read_bytes() for path in (bigrams.BIGRAMS_FILE, shapes.SHAPES_FILE)}
    return {name: text.encode() for name, text in texts.items()} | tables


def _line_facts(recognizer: Recognizer) -> dict[str, Any]:
    """What the page needs to read lines beside the tables of `fastetl.lines`: which of their classes each label has."""
    labels = recognizer.labels[:-1]
    groups, sizes = shape_and_size_classes(recognizer.charset)
    weights, bigram_weight = load_weights()
    return {
        "characters": len(JAPANESE),
        "groups": groups.tolist(),
        "sizes": sizes.tolist(),
        "marks": [k for k, c in enumerate(labels) if c in FAINT_MARKS],
        "classes": [JAPANESE.class_of.get(c, -1) for c in labels],
        "lying": [k for k, c in enumerate(recognizer.labels) if c in LYING],
        "turned": sorted(JAPANESE.class_of[c] for c in LYING),
        "corner": {JAPANESE.class_of[c]: shift for c, shift in CORNER.items()},
        "scripts": {"of": bigrams.scripts().tolist(), "follows": bigrams.load_follows().tolist()},
        "prior": np.exp(recognizer.prior_logits).round(4).tolist(),
        "weights": {"features": list(weights.values()), "bigram": bigram_weight},
    }


def write_static(recognizer: Recognizer, out: Path, runtime: Path, *, overwrite: bool = False) -> dict[str, int]:
    """Write the folder `out` and return its files with their sizes in bytes.

    runtime: a folder with the files of `RUNTIME_FILES`, or with a folder `dist` that has them. They are copied.
    """
    folder = runtime if (runtime / min(RUNTIME_FILES)).exists() else runtime / "dist"
    contents = {name: read_bytes(folder / name, MODEL_BYTES) for name in RUNTIME_FILES}
    for name in (name for name, signature in RUNTIME_FILES.items() if signature not in contents[name][:100]):
        raise FastetlError("not a file of onnxruntime-web", file=folder / name, do="give its npm package's folder")
    # Many hosts give .mjs a type with which no browser runs it.
    contents["ort.wasm.bundle.min.js"] = contents.pop("ort.wasm.bundle.min.mjs")
    contents[ONNX] = read_bytes(file_of(recognizer.path, ONNX), MODEL_BYTES)
    contents |= {path.name: path.read_bytes() for path in PAGE.iterdir()}
    contents |= documents(recognizer, engine="browser", keeps_samples=False)
    # The policy must permit compiling WebAssembly.
    policy = POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
    meta_tag = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'.encode()
    contents["index.html"] = contents["index.html"].replace(b"<!-- policy -->", meta_tag)
    names = sorted(set(contents) - {"service-worker.js"})
    version = hashlib.sha256(b"".join(contents[name] for name in names)).hexdigest()[:16]
    worker_source = contents["service-worker.js"].decode().replace('"VERSION"', json.dumps(version))
    worker_source = worker_source.replace('["FILES"]', json.dumps(["./", *names]))
    contents["service-worker.js"] = worker_source.encode()
    with new_output(out, PAD_KIND, overwrite, [recognizer.path, runtime]) as temporary:
        for name, data in contents.items():
            (temporary / name).write_bytes(data)
    return {name: len(data) for name, data in sorted(contents.items())}
