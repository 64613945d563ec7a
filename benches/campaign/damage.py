"""Damage to files of records, the same for the same random numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benches.campaign.plain import Plain

Bytes = NDArray[np.uint8]
Rng = np.random.Generator

SHARES = {
    "bits anywhere": 6,
    "bits of pictures": 6,
    "bits of headers": 5,
    "bits of a few headers": 4,
    "one bit of a header": 3,
    "blocks of zeros or noise": 4,
    "lost records": 2,
    "doubled records": 2,
    "exchanged records": 2,
    "shuffled records": 1,
    "cut between records": 1,
    "cut anywhere": 2,
    "bytes added at the end": 1,
    "bytes lost or added within": 2,
    "noise": 1,
}
KINDS = tuple(kind for kind, share in SHARES.items() for _ in range(share))
_FEW = {"bits of pictures", "bits of a few headers", "one bit of a header"}
_FEW |= {"lost records", "doubled records", "exchanged records"}


@dataclass
class Damaged:
    """A damaged file. origin: int64 (N,), which sound record each whole record was, −1 for none; records: how many
    records of the sound file are changed, moved, lost or doubled."""

    kind: str
    data: bytes
    origin: NDArray[np.int64]
    records: int

    @property
    def few(self) -> bool:
        """Whether so few records are touched that all others must keep their groups."""
        return self.kind in _FEW


def _some(rng: Rng, count: int, most: int | None = None) -> NDArray[np.int64]:
    """Places of records: one, a few, up to all, or (in every second case) all."""
    choices = [1, int(rng.integers(2, 6)), int(rng.integers(1, count + 1)), count, count, count]
    many = min(most or count, choices[int(rng.integers(len(choices)))])
    return np.sort(rng.permutation(count)[:many])


def _bits(kind: str, plain: Plain, records: Bytes, rng: Rng) -> int:
    """Flip one to eight bits of each of some records; how many records."""
    if kind == "one bit of a header":  # in every second case of the first record, on which most depends
        at = 0 if rng.random() < 0.5 else int(rng.integers(len(records)))
        records[at, rng.integers(0, min(24, plain.image))] ^= np.uint8(1 << rng.integers(0, 8))
        return 1
    places = _some(rng, len(records), 3 if kind == "bits of a few headers" else None)
    begin = plain.image if kind == "bits of pictures" else 0
    end = plain.image if "header" in kind else plain.record
    for _ in range(int(rng.integers(1, 9))):
        byte = rng.integers(begin, end, len(places))
        records[places, byte] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    return len(places)


def _blocks(plain: Plain, records: Bytes, rng: Rng) -> int:
    """Overwrite up to three runs of disk blocks; how many records."""
    raw, touched = records.reshape(-1), np.zeros(len(records), bool)
    for _ in range(int(rng.integers(1, 4))):
        begin = 512 * int(rng.integers(0, len(raw) // 512))
        end = min(len(raw), begin + 512 * int(rng.integers(1, 65)))
        raw[begin:end] = 0 if rng.random() < 0.5 else rng.integers(0, 256, end - begin, np.uint8)
        touched[begin // plain.record : (end - 1) // plain.record + 1] = True
    return int(touched.sum())


def _order(kind: str, count: int, rng: Rng) -> tuple[NDArray[np.int64], int]:
    """Which records the file has now, in order, and how many are touched."""
    order, some = np.arange(count), _some(rng, count, 3)
    match kind:
        case "lost records":
            return np.delete(order, some), len(some)
        case "doubled records":
            return np.insert(order, some + 1, some), len(some)
        case "exchanged records":
            pair = rng.permutation(count)[:2]
            order[pair] = order[pair[::-1]]
            return order, 2
        case "shuffled records":
            return rng.permutation(count), count
    whole = int(rng.integers(1, count))
    return order[:whole], count - whole


def _bytes(kind: str, plain: Plain, data: bytes, rng: Rng) -> tuple[bytes, int]:
    """The file's bytes now, and how many whole records at its beginning are as they were."""
    at, by = int(rng.integers(0, len(data))), int(rng.integers(1, 9))
    match kind:
        case "cut anywhere":
            return data[:at], at // plain.record
        case "bytes added at the end":
            return data + rng.bytes(int(rng.integers(1, 3 * plain.record))), len(data) // plain.record
        case "noise":
            return rng.bytes(at), 0
    return data[:at] + (bytes(by) + data[at:] if rng.random() < 0.5 else data[at + by :]), at // plain.record


def damaged(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    """uint8 (N, record) → a copy, damaged in one of `KINDS`."""
    kind, count, records = KINDS[int(rng.integers(len(KINDS)))], len(records), records.copy()
    if "bit" in kind or "blocks" in kind:
        touched = _blocks(plain, records, rng) if "blocks" in kind else _bits(kind, plain, records, rng)
        return Damaged(kind, records.tobytes(), np.arange(count), touched)
    if "records" in kind:
        order, touched = _order(kind, count, rng)
        return Damaged(kind, records[order].tobytes(), order, touched)
    data, same = _bytes(kind, plain, records.tobytes(), rng)
    origin = np.full(len(data) // plain.record, -1)
    origin[:same] = np.arange(same)
    return Damaged(kind, data, origin, max(1, count - same))
