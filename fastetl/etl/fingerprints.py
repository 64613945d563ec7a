"""What tells the genuine files again, and a whole file from a damaged one: digests and sums (`tables/files.tsv`)."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import NamedTuple

import numpy as np

from fastetl.etl.layouts import TABLES, Layout, table_rows


class Fingerprint(NamedTuple):
    """Of one genuine file. digest: SHA-1 over `blob <size>\\0` and the bytes, or SHA-256 of the bytes, or None."""

    name: str
    records: int
    bsd: int
    sysv: int
    digest: str | None


def _sums(bsd: int, sysv: int) -> str:
    return f"sums {bsd} {sysv}"


FINGERPRINTS = {
    name: Fingerprint(name, int(records), int(bsd), int(sysv), digest or None)
    for name, records, bsd, sysv, digest in table_rows(TABLES / "files.tsv")
}
"""By the name of the file as it is distributed."""
KNOWN = {entry.digest or _sums(entry.bsd, entry.sysv): entry.name for entry in FINGERPRINTS.values()}
"""Digest, or the two 16-bit sums where no digest is known → name of the genuine file."""
_SHA256 = 64  # digits


@cache
def genuine_files(layout: Layout) -> tuple[Fingerprint, ...]:
    """The files of a set as it is distributed."""
    return tuple(entry for entry in FINGERPRINTS.values() if layout.number(entry.name) is not None)


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

    def hexdigest(self) -> str:
        """The sums as AIST writes them."""
        folded = (self._bytes & 0xFFFF) + ((self._bytes & 0xFFFFFFFF) >> 16)
        return _sums(self._bsd, (folded & 0xFFFF) + (folded >> 16))


def new_fingerprint(size: int, layout: Layout) -> hashlib._Hash | Sums:
    """What is to be updated with the bytes of a file of `size` bytes: of the kind that is known of such files.

    SHA-1 over `blob <size>\\0` and the bytes, as `git hash-object` has it, wherever nothing else is known.
    """
    digests = [entry.digest for entry in genuine_files(layout) if entry.records * layout.record_bytes == size]
    if digests[:1] == [None]:
        return Sums()
    if digests and len(digests[0] or "") == _SHA256:
        return hashlib.sha256()
    return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
