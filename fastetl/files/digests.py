"""A digest in a description, so that one changed digit in it is found when it is read again."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError

_KEY = "digest"


def _digest(described: Mapping[str, Any], arrays: tuple[NDArray[Any], ...]) -> str:
    values = {key: value for key, value in described.items() if key != _KEY}
    hashed = hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16)
    for array in arrays:
        hashed.update(f"{array.dtype} {array.shape}".encode())
        hashed.update(np.ascontiguousarray(array).data)
    return hashed.hexdigest()


def sealed(described: Mapping[str, Any], *arrays: NDArray[Any]) -> dict[str, Any]:
    """What is to be written as JSON, with the digest of itself and of arrays that are stored beside it."""
    return {**described, _KEY: _digest(described, arrays)}


def require_sealed(
    described: Mapping[str, Any], file: Path | str, *arrays: NDArray[Any], kind: type[FastetlError] = FastetlError
) -> None:
    """Raise `kind` if a description read from `file`, or the arrays, are not what `sealed` was given.

    Descriptions of earlier versions have no digest: nothing is compared.
    """
    stored = described.get(_KEY)
    if stored is None:
        return
    digest = _digest(described, arrays)
    if stored != digest:
        raise kind(
            "not what was written",
            file=file,
            expected=f"digest {stored}",
            found=digest,
            do="copy it again from a good copy, or make it again; if the change was meant, take out `digest`",
        )
