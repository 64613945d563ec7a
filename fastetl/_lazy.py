"""Public names that are imported when they are first asked for (PEP 562), and what to install where one is missing."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lazy_loader

from fastetl.errors import FastetlError

_HOME = Path(__file__).resolve().parent.parent
EXTRAS: dict[str, tuple[str, ...]] = {
    "numba": ("batches", "train", "synth", "pad", "ray"),
    "jax": ("train",),
    "flax": ("train",),
    "optax": ("train",),
    "safetensors": ("train",),
    "tensorboardX": ("train",),
    "coremltools": ("export",),
    "kanji": ("synth", "pad"),  # the distribution kanjivg
    "sklearn": ("report",),
    "scipy": ("report",),
    "segno": ("pad",),
    "starlette": ("pad",),
    "uvicorn": ("pad",),
    "pyarrow": ("arrow", "ray"),
    "fsspec": ("arrow", "ray"),
    "ray": ("ray",),
}
"""Top-level modules that the base lacks, and the extras of pyproject.toml that bring each."""


def missing(error: ImportError, *needed: str) -> FastetlError | None:
    """One line naming the extra that brings what `error` misses; None if no extra does.

    needed: all extras of what was tried, to be installed at once where one of them brings it.
    """
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return None
    extras = needed if set(needed) & set(EXTRAS[package]) else EXTRAS[package][:1]
    do = f"run: pip install 'fastetl[{','.join(extras)}]'"
    return FastetlError(f"{package} is not installed", do=do, also=ModuleNotFoundError)


def lazy(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose public names are those of the stub beside `file`."""
    import_name, _, names = lazy_loader.attach_stub(package, file)
    public = sorted([*names, "__version__"])

    def __getattr__(name: str) -> Any:  # noqa: N807
        try:
            return import_name(name)
        except ModuleNotFoundError as error:
            fault = missing(error, *["train"] * (package == "model"))
            if fault is None:
                raise
            raise fault from error

    return __getattr__, lambda: public, public


def shadowed(*names: str) -> str | None:
    """One line naming a file that hides one of this project's top-level packages; None if all are found here.

    `model` and `export` are words that people use for files of their own, and a script's folder is searched first.
    """
    for name in names:
        try:
            spec = importlib.util.find_spec(name)
        except ValueError:  # a module made by hand has no specification
            spec = None
        origin = spec.origin if spec is not None else None
        if origin is not None and Path(origin).resolve().parent.parent != _HOME:
            return f"{origin} hides fastetl's package {name!r}. Rename that file, or run from another folder"
    return None
