"""coremltools and onnxruntime, quietly: they log, warn and report what no user of ours can change."""

import importlib.util
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from export.errors import ExportError
from fastetl._lazy import missing


@contextmanager
def quiet() -> Iterator[None]:
    """Within it coremltools' log is silent, and so are its bars; what the user has set is set again afterwards."""
    logger = logging.getLogger("coremltools")
    passes: Any = sys.modules.get("coremltools.converters.mil.mil.passes.pass_pipeline", SimpleNamespace(tqdm=None))
    level, bar = logger.level, passes.tqdm
    logger.setLevel(logging.CRITICAL)
    passes.tqdm = lambda steps, **_: steps
    try:
        yield
    finally:
        logger.setLevel(level)
        passes.tqdm = bar


class _NoScikitLearn:
    """For the thread that made it there is none: coremltools loads it for converters of its models."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()

    def find_spec(self, name: str, *_: object) -> None:
        if name == "sklearn" and threading.get_ident() == self.thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def coremltools() -> Any:
    """The module. Importing it takes seconds, so it is asked for only where it is needed."""
    hidden: Any = _NoScikitLearn()
    # It tries to load Apple's libraries, and logs a line for each that is missing on other systems.
    with quiet(), warnings.catch_warnings():
        # Deprecations inside it and its dependencies, at import.
        warnings.simplefilter("ignore")
        sys.meta_path.insert(0, hidden)  # which takes half of its time
        try:
            import coremltools
        except ModuleNotFoundError as error:
            raise missing(error) or error from error
        finally:
            sys.meta_path.remove(hidden)
    return coremltools


def native_parts() -> bool:
    """Whether coremltools can write weights: pip's source package, where there is no wheel, comes without."""
    coremltools()
    return importlib.util.find_spec("coremltools.libmilstoragepython") is not None


def onnx_session(model: bytes, file: Path | None = None, threads: int = 0) -> Any:
    """onnxruntime's session of a model, on the CPU. threads: 0 for as many as it likes.

    Raises ExportError if onnxruntime rejects the model.
    """
    # Its wheels report to a collector otherwise, and keep an identifier below the user's home (its Privacy.md). This is
    # read once, at the first import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no public base
        reason = str(error).partition("\n")[0]
        raise ExportError("onnxruntime rejects the model", file=file, found=reason, do="export it again") from error
