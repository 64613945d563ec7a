"""Public names that are imported on first use (PEP 562), and errors that name the extra to install."""

import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import lazy_loader

from fastetl.errors import FastetlError, NotInstalledError

EXTRAS: dict[str, tuple[str, ...]] = {
    "batches": ("numba",),
    "report": ("sklearn",),
    "train": ("numba", "jax", "flax", "optax", "safetensors", "tensorboardX", "scipy"),
    "export": ("coremltools",),
    "synth": ("numba", "kanji"),  # the distribution kanjivg
    "pad": ("numba", "kanji", "segno", "starlette", "uvicorn"),
    "arrow": ("pyarrow", "fsspec"),
    "ray": ("numba", "pyarrow", "fsspec", "ray"),
}
"""Modules that the base installation lacks, by the extra of pyproject.toml that installs them."""
INSTALL = "run in the checkout: pip install '.[{}]'"  # extras, with commas between them
PublicNames = tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]  # `__getattr__`, `__dir__`, `__all__`


def error_naming_extra(error: ImportError, *names: str) -> FastetlError | None:
    """An error that names the extra which installs the module that `error` misses; None if no extra does.

    names: the extras of a command. If one of them installs the module, all of them are named. A user's own file that
    is imported in place of `model` or `export` is named, too.
    """
    package = (error.name or "").partition(".")[0]
    file = getattr(sys.modules.get(package), "__file__", None) if package in ("model", "export") else None
    if file is not None and Path(file).resolve().parent.parent != Path(__file__).resolve().parent.parent:
        what = f"this file is imported in place of fastetl's package {package}"
        return NotInstalledError(what, file=file, do="rename it, or work in another folder")
    choices = [extra for extra, modules in EXTRAS.items() if package in modules]
    if not choices:
        return None
    extras = names if set(names) & set(choices) else choices[:1]
    return NotInstalledError(f"{package} is not installed", do=INSTALL.format(",".join(extras)))


def import_extra(name: str, *extras: str, load: Callable[[str], Any] = importlib.import_module) -> Any:
    """What `load` imports, by default a module. Raises FastetlError that names its extra, as `error_naming_extra`."""
    try:
        return load(name)
    except ImportError as error:
        if (fault := error_naming_extra(error, *extras)) is not None:
            raise fault from error
        raise


def lazy_names(package: str, file: str, *extras: str) -> PublicNames:
    """The public names of a package: those in the stub beside `file`. extras: what these names need."""
    import_name, _, names = lazy_loader.attach_stub(package, file)
    public = sorted([*names, *["__version__"] * ("." not in package)])

    def __getattr__(name: str) -> Any:  # noqa: N807
        return import_extra(name, *extras, load=import_name)

    def __dir__() -> list[str]:  # noqa: N807
        """The names whose extras are installed: help() gets each, and would end at an error."""
        usable_names = []
        for name in public:
            with suppress(NotInstalledError):
                getattr(sys.modules[package], name)
                usable_names.append(name)
        return usable_names

    return __getattr__, __dir__, public
