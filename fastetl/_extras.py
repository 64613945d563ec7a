"""What to install where a package is missing that only some jobs need."""

from fastetl.errors import FastetlError

EXTRAS: dict[str, tuple[str, ...]] = {
    "numba": ("batches", "train", "synth", "pad"),
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
