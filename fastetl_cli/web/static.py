"""The page as a folder that any web host can serve: the network is computed in the browser, offline after one visit."""

import hashlib
import json
from pathlib import Path

from export.names import ONNX
from export.recognizer import Recognizer
from fastetl.errors import FastetlError
from fastetl.files.atomic import Kind, new_output
from fastetl.files.untrusted import read_bytes
from fastetl_cli.web.about import PAGE, documents
from fastetl_cli.web.guard import POLICY

RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
"""What the browser needs of onnxruntime-web's npm package (its folder `dist`)."""
_MOST = 1 << 28
_MARK = b"<!-- policy -->"
_TYPES = ("html", "css", "js", "json", "svg", "webmanifest", "mjs", "wasm", "onnx", "bin")
PAD_KIND = Kind(
    "the folder of a pad", ("index.html", "about.json", "service-worker.js"), tuple(f"*.{t}" for t in _TYPES)
)


def write_static(recognizer: Recognizer, out: Path, runtime: Path, *, overwrite: bool = False) -> dict[str, int]:
    """Write the folder `out` and return its files with their sizes in bytes.

    runtime: the folder that holds `RUNTIME`, as the user unpacked it; it is copied, never downloaded.

    Raises FastetlError if the runtime is not there, or `out` exists.
    """
    contents = {}
    for name in RUNTIME:
        file = runtime / name if (runtime / name).exists() else runtime / "dist" / name
        if not file.exists():
            raise FastetlError(
                "onnxruntime-web is not whole here",
                file=runtime,
                expected=" and ".join(RUNTIME),
                found=f"no {name}",
                do="unpack its npm package, and give `runtime` its folder dist",
                also=FileNotFoundError,
            )
        contents[name] = read_bytes(file, _MOST)
    contents[ONNX] = read_bytes(recognizer.path / ONNX, _MOST)
    contents |= {path.name: path.read_bytes() for path in PAGE.iterdir()}
    contents |= documents(recognizer, engine="browser", samples=False)
    # Compiling WebAssembly has a word of its own in the policy; workers are their own script's, not the page's.
    policy = POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'.encode()
    contents["index.html"] = contents["index.html"].replace(_MARK, meta)
    names = sorted(set(contents) - {"service-worker.js"})
    version = hashlib.sha256(b"".join(hashlib.sha256(contents[name]).digest() for name in names)).hexdigest()[:16]
    worker = contents["service-worker.js"].decode()
    worker = worker.replace('"VERSION"', json.dumps(version)).replace('["FILES"]', json.dumps(["./", *names]))
    contents["service-worker.js"] = worker.encode()
    with new_output(out, PAD_KIND, overwrite, [recognizer.path, runtime]) as folder:
        for name, data in contents.items():
            (folder / name).write_bytes(data)
    return {name: len(data) for name, data in sorted(contents.items())}
