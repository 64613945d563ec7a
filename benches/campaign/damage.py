"""Damage to files of records: each kind is one function, the same for the same random numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benches.campaign.plain import Plain

__all__ = ["KINDS", "Damaged", "damaged"]

Bytes = NDArray[np.uint8]
Rng = np.random.Generator


@dataclass
class Damaged:
    """A damaged file. origin: int64 (N,), which sound record each whole record was, −1 for none; records: how many
    records of the sound file are changed, moved, lost or doubled; few: whether these are so few that all others must
    keep their groups."""

    kind: str
    data: bytes
    origin: NDArray[np.int64]
    records: int
    few: bool


def _some(rng: Rng, count: int, most: int | None = None) -> NDArray[np.int64]:
    """Places of records: one, a few, up to all, or (in every second case) all."""
    choices = [1, int(rng.integers(2, 6)), int(rng.integers(1, count + 1)), count, count, count]
    many = min(most or count, choices[int(rng.integers(len(choices)))])
    return np.sort(rng.permutation(count)[:many])


def _same(kind: str, records: Bytes, touched: int, few: bool) -> Damaged:
    return Damaged(kind, records.tobytes(), np.arange(len(records)), touched, few)


def _flip(records: Bytes, at: NDArray[np.int64], lengths: tuple[int, int], rng: Rng) -> None:
    """Flip one to eight bits of each record between two of its bytes."""
    for _ in range(int(rng.integers(1, 9))):
        byte = rng.integers(*lengths, len(at))
        records[at, byte] ^= (1 << rng.integers(0, 8, len(at))).astype(np.uint8)


def bits(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    at = _some(rng, len(records))
    _flip(records, at, (0, plain.record), rng)
    return _same("bits anywhere", records, len(at), False)


def picture(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    at = _some(rng, len(records))
    _flip(records, at, (plain.image, plain.record), rng)
    return _same("bits of pictures", records, len(at), True)


def header(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    at = _some(rng, len(records))
    _flip(records, at, (0, plain.image), rng)
    return _same("bits of headers", records, len(at), False)


def few_headers(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    at = _some(rng, len(records), 3)
    _flip(records, at, (0, plain.image), rng)
    return _same("bits of a few headers", records, len(at), True)


def one_bit(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    first = int(rng.random() < 0.5)  # the first record is the one that most depends on
    at = np.array([0 if first else int(rng.integers(len(records)))])
    records[at, rng.integers(0, min(24, plain.image))] ^= np.uint8(1 << rng.integers(0, 8))
    return _same("one bit of a header", records, 1, True)


def blocks(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    raw = records.reshape(-1)
    touched = np.zeros(len(records), bool)
    for _ in range(int(rng.integers(1, 4))):
        begin = 512 * int(rng.integers(0, len(raw) // 512))
        end = min(len(raw), begin + 512 * int(rng.integers(1, 65)))
        raw[begin:end] = 0 if rng.random() < 0.5 else rng.integers(0, 256, end - begin, np.uint8)
        touched[begin // plain.record : (end - 1) // plain.record + 1] = True
    return _same("blocks of zeros or noise", records, int(touched.sum()), False)


def _moved(kind: str, records: Bytes, origin: NDArray[np.int64], touched: int, few: bool = True) -> Damaged:
    return Damaged(kind, records[origin].tobytes(), origin, touched, few)


def lost(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    at = _some(rng, len(records), 3)
    return _moved("lost records", records, np.delete(np.arange(len(records)), at), len(at))


def doubled(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    at = _some(rng, len(records), 3)
    return _moved("doubled records", records, np.insert(np.arange(len(records)), at + 1, at), len(at))


def swapped(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    origin = np.arange(len(records))
    a, b = rng.permutation(len(records))[:2]
    origin[[a, b]] = origin[[b, a]]
    return _moved("exchanged records", records, origin, 2)


def shuffled(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    return _moved("shuffled records", records, rng.permutation(len(records)), len(records), few=False)


def cut(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    data = records.tobytes()[: int(rng.integers(0, records.size))]
    whole = len(data) // plain.record
    return Damaged("cut anywhere", data, np.arange(whole), len(records) - whole, False)


def cut_between(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    whole = int(rng.integers(1, len(records)))
    return Damaged("cut between records", records[:whole].tobytes(), np.arange(whole), len(records) - whole, False)


def tail(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    more = rng.integers(0, 256, int(rng.integers(1, 3 * plain.record)), np.uint8).tobytes()
    extra = len(more) // plain.record
    origin = np.concatenate([np.arange(len(records)), np.full(extra, -1)])
    return Damaged("bytes added at the end", records.tobytes() + more, origin, 1 + extra, False)


def shifted(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    data = records.tobytes()
    at, by = int(rng.integers(0, len(data))), int(rng.integers(1, 9))
    data = data[:at] + (bytes(by) + data[at:] if rng.random() < 0.5 else data[at + by :])
    origin = np.full(len(data) // plain.record, -1)
    origin[: at // plain.record] = np.arange(at // plain.record)
    return Damaged("bytes lost or added within", data, origin, len(records) - at // plain.record, False)


def noise(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    return Damaged("noise", rng.bytes(int(rng.integers(0, records.size))), np.zeros(0, np.int64), len(records), False)


_SHARES: Mapping[Callable[[Plain, Bytes, Rng], Damaged], int] = {
    bits: 6,
    picture: 6,
    header: 5,
    few_headers: 4,
    one_bit: 3,
    blocks: 4,
    lost: 2,
    doubled: 2,
    swapped: 2,
    shuffled: 1,
    cut: 2,
    cut_between: 1,
    tail: 1,
    shifted: 2,
    noise: 1,
}
KINDS = tuple(kind for kind, share in _SHARES.items() for _ in range(share))


def damaged(plain: Plain, records: Bytes, rng: Rng) -> Damaged:
    """uint8 (N, record) → one of `KINDS` of damage to a copy."""
    return KINDS[int(rng.integers(len(KINDS)))](plain, records.copy(), rng)
