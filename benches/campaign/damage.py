"""Damage to files. The same random numbers give the same damage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benches.campaign.tally import Rng
from fastetl.etl.layouts import Layout

Bytes = NDArray[np.uint8]
Order = NDArray[np.int64]


def _some(rng: Rng, count: int, most: int) -> Order:
    """Sorted indices of the records to damage: one, a few, up to all, or (every second time) all; at most `most`."""
    choices = [1, int(rng.integers(2, 6)), int(rng.integers(1, count + 1)), count, count, count]
    return np.sort(rng.permutation(count)[: min(most, choices[int(rng.integers(6))])])


def _flip(records: Bytes, rng: Rng, most: int = 1 << 30) -> None:
    """Flip one to eight bits of each of some records."""
    places = _some(rng, len(records), most)
    for _ in range(int(rng.integers(1, 9))):
        byte = rng.integers(0, records.shape[1], len(places))
        records[places, byte] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)


def _flip_one(headers: Bytes, rng: Rng) -> None:
    """Flip one bit of a header; every second time that of the first record, on which most depends."""
    headers[rng.integers(len(headers)) * rng.integers(2), rng.integers(headers.shape[1])] ^= 1 << rng.integers(8)


def _overwrite(raw: Bytes, rng: Rng) -> None:
    """Replace one to three runs of disk blocks by zeros or noise."""
    for _ in range(int(rng.integers(1, 4))):
        blocks = raw[512 * int(rng.integers(len(raw) // 512)) :][: 512 * int(rng.integers(1, 65))]
        blocks[:] = rng.integers(0, 256, len(blocks), np.uint8) * rng.integers(2, dtype=np.uint8)


def _exchange(order: Order, rng: Rng) -> Order:
    pair = rng.permutation(len(order))[:2]
    order[pair] = order[pair[::-1]]
    return order


def _flipped(data: bytes, end: int | None, rng: Rng) -> bytes:
    raw = np.frombuffer(data, np.uint8).copy()
    _flip(raw[None, :end], rng)
    return raw.tobytes()


IN_PLACE: dict[str, tuple[int, Callable[[Bytes, int, Rng], None]]] = {
    "bits anywhere": (6, lambda records, image, rng: _flip(records, rng)),
    "bits of pictures": (6, lambda records, image, rng: _flip(records[:, image:], rng)),
    "bits of headers": (5, lambda records, image, rng: _flip(records[:, :image], rng)),
    "bits of a few headers": (4, lambda records, image, rng: _flip(records[:, :image], rng, 3)),
    "one bit of a header": (3, lambda records, image, rng: _flip_one(records[:, : min(24, image)], rng)),
    "blocks of zeros or noise": (4, lambda records, image, rng: _overwrite(records.reshape(-1), rng)),
}
"""Name → its weight, and a function that damages records, uint8 (N, bytes), whose pictures begin at byte `image`."""
ORDERS: dict[str, tuple[int, Callable[[Order, Rng], Order]]] = {
    "lost records": (2, lambda order, rng: np.delete(order, _some(rng, len(order), 3))),
    "doubled records": (2, lambda order, rng: np.sort(np.append(order, _some(rng, len(order), 3)))),
    "exchanged records": (2, _exchange),
    "shuffled records": (1, lambda order, rng: rng.permutation(order)),
    "cut between records": (1, lambda order, rng: order[: rng.integers(1, len(order))]),
}
"""Name → its weight, and a function from the record numbers to those that the damaged file has."""
BYTES: dict[str, tuple[int, Callable[[bytes, int, int, Rng], bytes]]] = {
    "cut anywhere": (2, lambda data, at, by, rng: data[:at]),
    "bytes lost": (1, lambda data, at, by, rng: data[:at] + data[at + by :]),
    "bytes added": (1, lambda data, at, by, rng: data[:at] + rng.bytes(by) + data[at:]),
    "bytes added at the end": (1, lambda data, at, by, rng: data + rng.bytes(1 + at // by)),
    "noise": (1, lambda data, at, by, rng: rng.bytes(at)),
    "flipped bits": (1, lambda data, at, by, rng: _flipped(data, None, rng)),
    "flipped bits at the beginning": (1, lambda data, at, by, rng: _flipped(data, 256, rng)),
    "zeros": (1, lambda data, at, by, rng: data[:at] + bytes(by) + data[at + by :]),
    "noise within": (1, lambda data, at, by, rng: data[:at] + rng.bytes(by) + data[at + by :]),
    "huge numbers": (1, lambda data, at, by, rng: data[:at] + rng.choice([b"\x7f", b"\xff"]) * 4 + data[at + 4 :]),
}
"""Name → its weight, and a function that damages any file's bytes. at: index of a byte; by: up to 64 bytes."""
_FEW = {"bits of pictures", "bits of a few headers", "one bit of a header"}
_FEW |= {"lost records", "doubled records", "exchanged records"}


@dataclass
class Damaged:
    """A damaged file. origin: int64 (N,), for each record its number in the sound file; None where so many records are
    damaged that the others need not keep their groups."""

    kind: str
    data: bytes
    origin: Order | None = None


def _kind(rng: Rng, *tables: Mapping[str, tuple[int, Callable[..., object]]]) -> str:
    kinds = [kind for table in tables for kind, (share, _) in table.items() for _ in range(share)]
    return kinds[int(rng.integers(len(kinds)))]


def damaged_bytes(data: bytes, rng: Rng, kind: str | None = None) -> bytes:
    """The bytes of any file, damaged in a random way, or in the way `kind`, of `BYTES`."""
    _, damage = BYTES[kind or _kind(rng, BYTES)]
    return damage(data, int(rng.integers(len(data))), int(rng.integers(1, 65)), rng)


def damaged(layout: Layout, records: Bytes, rng: Rng) -> Damaged:
    """A file of these records, uint8 (N, bytes), damaged in one way."""
    kind = _kind(rng, IN_PLACE, ORDERS, BYTES)
    records = records.copy()
    order = np.arange(len(records))
    if kind in BYTES:
        return Damaged(kind, damaged_bytes(records.tobytes(), rng, kind))
    if kind in IN_PLACE:
        IN_PLACE[kind][1](records, layout.image_offset, rng)
    else:
        order = ORDERS[kind][1](order, rng)
    return Damaged(kind, records[order].tobytes(), order if kind in _FEW else None)
