"""The versions that decide a package's bytes: recorded when it is written, compared when it is verified."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version

__all__ = ["exporting_versions", "same_versions"]


def exporting_versions() -> dict[str, str]:
    """What the metadata of a package records: fastetl's version, and those of the libraries that write."""
    libraries = {name: version(name) for name in ("coremltools", "numpy", "onnx")}
    return {"version": version("fastetl"), "exported_with": json.dumps(libraries, sort_keys=True)}


def same_versions(about: Mapping[str, str]) -> str:
    """Empty if a package with this metadata must come out the same here; else what differs."""
    return "; ".join(
        f"{name} {about.get(name, 'not recorded')}, here {found}"
        for name, found in exporting_versions().items()
        if about.get(name) != found
    )
