"""What tells the genuine files again: the digests and sums of `fastetl.etl.data.fingerprints`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from fastetl.etl.data.fingerprints import FINGERPRINTS
from fastetl.etl.layouts import Layout
from fastetl.files.untrusted import open_regular, require_regular

__all__ = ["KNOWN", "SUMS", "Sums", "fingerprint", "new_fingerprint"]

KNOWN: dict[str, str] = {entry.digest: entry.name for entry in FINGERPRINTS.values() if entry.digest is not None}
"""Digest → name of the genuine file."""
SUMS = {(entry.bsd, entry.sysv): entry.name for entry in FINGERPRINTS.values() if entry.digest is None}
"""The two 16-bit sums → name, for files of which no digest is known."""
_SHA256 = 64  # digits


class Sums:
    """The two sums of AIST's lists, in the place of a digest: `sum -r` and `sum -s` of coreutils."""

    def __init__(self) -> None:
        self._bsd, self._bytes = 0, 0

    def update(self, data: memoryview) -> None:
        """Add the bytes of `data`."""
        from fastetl.kernels.checksum import bsd_sum  # what compiles is not needed where a digest is known

        raw = np.frombuffer(data, np.uint8)
        self._bsd = bsd_sum(raw, self._bsd)
        self._bytes += int(raw.sum(dtype=np.uint64))

    @property
    def values(self) -> tuple[int, int]:
        """BSD's and System V's."""
        folded = (self._bytes & 0xFFFF) + ((self._bytes & 0xFFFFFFFF) >> 16)
        return self._bsd, (folded & 0xFFFF) + (folded >> 16)

    def hexdigest(self) -> str:
        """The sums as AIST writes them."""
        return "sums {} {}".format(*self.values)


def new_fingerprint(size: int, layout: Layout | None = None) -> hashlib._Hash | Sums:
    """What is to be updated with the bytes of a file of `size` bytes: of the kind that is known of such files.

    SHA-1 over `blob <size>\\0` and the bytes, as `git hash-object` has it, wherever nothing else is known.
    """
    if layout is not None and size % layout.record_bytes == 0:
        genuine = [
            entry
            for entry in FINGERPRINTS.values()
            if entry.records * layout.record_bytes == size and layout.number(entry.name) is not None
        ]
        if genuine and genuine[0].digest is None:
            return Sums()
        if genuine and len(genuine[0].digest or "") == _SHA256:
            return hashlib.sha256()
    return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)


def fingerprint(path: Path) -> str:
    """The fingerprint of a file of unknown kind, read a megabyte at a time."""
    digest = new_fingerprint(require_regular(path))
    with open_regular(path) as file:
        while block := file.read(1 << 20):
            digest.update(memoryview(block))
    return digest.hexdigest()
