"""coremltools and onnxruntime without their logs, warnings and telemetry, about which a user could do nothing."""

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from types import SimpleNamespace
from typing import Any

from export.errors import package_errors
from fastetl.errors import no_warnings
from fastetl.lazy import import_extra

_LOCK = RLock()  # log and bars are the process's: threads that write packages silence them one after another


@contextmanager
def quiet() -> Iterator[None]:
    """Silence coremltools' log, warnings and progress bars; afterwards they are as before."""
    logger = logging.getLogger("coremltools")
    with _LOCK, no_warnings:  # of deprecations, and of a temporary folder that it does not remove
        pass_pipeline = sys.modules.get("coremltools.converters.mil.mil.passes.pass_pipeline")
        progress_module: Any = pass_pipeline or SimpleNamespace(tqdm=None)
        level, progress_bar = logger.level, progress_module.tqdm
        logger.setLevel(logging.CRITICAL)
        progress_module.tqdm = lambda steps, **_: steps
        try:
            yield
        finally:
            logger.setLevel(level)
            progress_module.tqdm = progress_bar


def coremltools() -> Any:
    """The module coremltools. Importing it takes seconds: call this only where it is needed."""
    with quiet():  # it logs a line for each of Apple's libraries that is missing on other systems
        return import_extra("coremltools")


NO_NATIVE_PARTS = "coremltools is installed without its native part libmilstoragepython"


def has_native_parts() -> bool:
    """Whether coremltools can write weights. Where it has no wheel, pip installs it without its native parts."""
    coremltools()
    return importlib.util.find_spec("coremltools.libmilstoragepython") is not None


def onnx_session(model: bytes, file: Path | None = None, threads: int = 0) -> Any:
    """An onnxruntime session of a model, on the CPU. threads: 0 lets onnxruntime choose."""
    # Or its wheels send telemetry, and keep an identifier in the home directory (Privacy.md). Read at the first import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")  # between pictures, where it slows other work
    with package_errors("onnxruntime rejects the model", file):
        return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"], enable_fallback=False)  # prints
