"""XXH64 of many rows of bytes: what tells one source picture from another, at the speed at which it is read.

Source: github.com/Cyan4973/xxHash, doc/xxhash_spec.md, with seed 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._jit import ENABLED, jit

__all__ = ["xxh64", "xxh64_twin"]

_P1, _P2, _P3 = np.uint64(0x9E3779B185EBCA87), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9)
_P4, _P5 = np.uint64(0x85EBCA77C2B2AE63), np.uint64(0x27D4EB2F165667C5)
_1, _7, _11, _12, _18 = np.uint64(1), np.uint64(7), np.uint64(11), np.uint64(12), np.uint64(18)
_23, _27, _29, _31 = np.uint64(23), np.uint64(27), np.uint64(29), np.uint64(31)
_32, _33, _37, _64 = np.uint64(32), np.uint64(33), np.uint64(37), np.uint64(64)
_WORD, _STRIPE = 8, 32


@jit
def _rotated(value: np.uint64, by: np.uint64) -> np.uint64:
    return (value << by) | (value >> (_64 - by))


@jit
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    return _rotated(lane + word * _P2, _31) * _P1


@jit
def _merged(value: np.uint64, lane: np.uint64) -> np.uint64:
    return (value ^ _round(np.uint64(0), lane)) * _P1 + _P4


@jit
def _kernel(words: NDArray[np.uint64], tail: NDArray[np.uint8], out: NDArray[np.uint64]) -> None:
    """words uint64 (N, W), little-endian and of any strides; tail uint8 (N, fewer than 8)."""
    stop = words.shape[1] // 4 * 4
    length = np.uint64(words.shape[1] * 8 + tail.shape[1])
    for n in range(words.shape[0]):
        value = _P5
        if stop:
            a, b, c, d = _P1 + _P2, _P2, np.uint64(0), np.uint64(0) - _P1
            for k in range(0, stop, 4):
                a = _round(a, words[n, k])
                b = _round(b, words[n, k + 1])
                c = _round(c, words[n, k + 2])
                d = _round(d, words[n, k + 3])
            value = _rotated(a, _1) + _rotated(b, _7) + _rotated(c, _12) + _rotated(d, _18)
            value = _merged(_merged(_merged(_merged(value, a), b), c), d)
        value += length
        for k in range(stop, words.shape[1]):
            value = _rotated(value ^ _round(np.uint64(0), words[n, k]), _27) * _P1 + _P4
        at = 0
        if tail.shape[1] >= 4:
            half = np.uint64(0)
            for k in range(4):
                half |= np.uint64(tail[n, k]) << np.uint64(8 * k)
            value = _rotated(value ^ (half * _P1), _23) * _P2 + _P3
            at = 4
        for k in range(at, tail.shape[1]):
            value = _rotated(value ^ (np.uint64(tail[n, k]) * _P5), _11) * _P1
        value = (value ^ (value >> _33)) * _P2
        value = (value ^ (value >> _29)) * _P3
        out[n] = value ^ (value >> _32)


def xxh64_twin(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The readable twin: in Python's integers, row by row."""
    p1, p2, p3, p4, p5 = map(int, (_P1, _P2, _P3, _P4, _P5))
    mask = (1 << 64) - 1

    def rotated(value: int, by: int) -> int:
        return (value << by | value >> (64 - by)) & mask

    def round_(lane: int, word: int) -> int:
        return rotated((lane + word * p2) & mask, 31) * p1 & mask

    def digest(data: bytes) -> int:
        at, value = 0, p5
        if len(data) >= _STRIPE:
            lanes = [(p1 + p2) & mask, p2, 0, -p1 & mask]
            for at in range(0, len(data) - _STRIPE + 1, _STRIPE):
                words = np.frombuffer(data, "<u8", 4, at).tolist()
                lanes = [round_(lane, word) for lane, word in zip(lanes, words, strict=True)]
            at += _STRIPE
            value = sum(rotated(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & mask
            for lane in lanes:
                value = ((value ^ round_(0, lane)) * p1 + p4) & mask
        value = (value + len(data)) & mask
        while at + _WORD <= len(data):
            word = int.from_bytes(data[at : at + _WORD], "little")
            value = (rotated(value ^ round_(0, word), 27) * p1 + p4) & mask
            at += _WORD
        if at + 4 <= len(data):
            value = (rotated(value ^ int.from_bytes(data[at : at + 4], "little") * p1 & mask, 23) * p2 + p3) & mask
            at += 4
        for byte in data[at:]:
            value = rotated(value ^ byte * p5 & mask, 11) * p1 & mask
        for shift, factor in ((33, p2), (29, p3), (32, 1)):
            value = (value ^ value >> shift) * factor & mask
        return value

    return np.array([digest(row.tobytes()) for row in rows], np.uint64)


def xxh64(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """uint8 (N, B), the bytes of a row next to each other, rows of any stride → uint64 (N,)."""
    if rows.shape[1] > 1 and rows.strides[1] != 1:
        rows = np.ascontiguousarray(rows)
    if not ENABLED:  # 64-bit products overflow, which numpy's scalars warn of
        return xxh64_twin(rows)
    out = np.empty(len(rows), np.uint64)
    end = rows.shape[1] // _WORD * _WORD
    _kernel(rows[:, :end].view("<u8"), rows[:, end:], out)
    return out
