"""Packed pictures → one byte a pixel."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._packed import PIXELS, TOP, addresses, packed_bytes, unpack
from fastetl.kernels._vector import I8, I16, I64, PLAIN, Code, Kernel, best, compile_kernel

STREAM_FROM = 16 << 20
"""Bytes from which pictures are written past the caches: less would still be there when it is read."""
_BEHIND = 64
_BLOCK = 256  # pictures that the twin takes at a time


def decode(
    raw: NDArray[np.uint8],
    starts: NDArray[np.int64],
    out: NDArray[np.uint8],
    *,
    bits: int = 4,
    scale: bool = False,
    form: str | None = None,
) -> None:
    """Unpack the pictures that begin at `starts`.

    raw: uint8 (bytes,), records of any stride. starts: int64 (N,), byte offset of each picture. out: uint8
    (N, height, width), contiguous. bits: 1, 4 or 6 of a stored pixel, the first in the highest bits, rows without a
    gap. scale: False leaves levels, 0 to 2^bits − 1; True makes pixels of them, floor(255 · level / highest + 0.5).
    form: "plain" (the twin), or a form of the vector kernel other than the processor's best (see `_vector.forms`).

    Raises ValueError if a picture lies outside `raw`, an array is not contiguous, or `bits` is another number.
    """
    pixels = out[0].size if len(out) else 0
    pointers, _padded = addresses(raw, starts, packed_bytes(pixels, bits), _BEHIND, out)
    if not len(starts):
        return
    step, form = PIXELS[bits], form or best()
    # A picture must have a register's worth of pixels, and its last ones begin at a whole byte.
    if form == PLAIN or pixels < step or (pixels - step) * bits % 8:
        for k in range(0, len(starts), _BLOCK):
            out[k : k + _BLOCK] = decode_twin(raw, starts[k : k + _BLOCK], out.shape[1], out.shape[2], bits, scale)
        return
    target = out.ctypes.data
    streaming = out.nbytes >= STREAM_FROM and target % 64 == 0 and pixels % step == 0
    _kernel(pixels, bits, scale, streaming, form)(pointers.ctypes.data, len(pointers), target)


@cache
def _kernel(pixels: int, bits: int, scale: bool, streaming: bool, form: str) -> Kernel:
    """Kernel(addresses int64 (N,), N, out uint8 (N, pixels)), by address, N ≥ 1.

    `streaming` writes past the caches, which saves reading what is overwritten, and needs `out` on a 64-byte
    boundary and `pixels` a multiple of PIXELS: for arrays far larger than the cache.
    """
    step = PIXELS[bits]

    def write(code: Code, addresses: Any, count: Any, out: Any) -> None:
        b = code.b

        def turn(source: Any, target: Any, first: Any) -> None:
            at = b.udiv(b.mul(first, code.number(bits)), code.number(8))
            low, high, order = unpack(code, source, at, bits)
            for k in range(0, step, 64):
                levels = code.shuffle(low, high, order[k : k + 64])
                code.store(_scaled(code, levels, bits) if scale else levels, code.at(target, first), k, streaming)

        with code.loop(count) as record:
            source = code.pointer(code.load(addresses, I64, offset=b.mul(record.index, code.number(8))))
            target = code.at(out, b.mul(record.index, code.number(pixels)))
            with code.loop(pixels // step) as block:
                turn(source, target, b.mul(block.index, code.number(step)))
            if pixels % step:
                turn(source, target, code.number(pixels - step))
        if streaming:
            b.fence("seq_cst")  # only behind a fence do other threads see streamed stores in order

    return compile_kernel("decode", "pip", write, form)


def _scaled(code: Code, levels: Any, bits: int) -> Any:
    """Levels → floor(255 · level / highest + 0.5)."""
    b = code.b
    if bits == 1:
        return b.sub(code.splat(I8, 64, 0), levels)
    if bits == 4:
        return b.or_(levels, code.cast(code.shift(code.cast(levels, I16), 4), I8))
    # 255 / 63 is 4 + 1 / 21: one more from each half of 21 on.
    scaled = code.cast(code.shift(code.cast(levels, I16), 2), I8)
    for half in (11, 32, 53):
        beyond = b.icmp_unsigned(">=", levels, code.splat(I8, 64, half))
        scaled = b.add(scaled, b.zext(beyond, levels.type))
    return scaled


def decode_twin(
    raw: NDArray[np.uint8], starts: NDArray[np.int64], height: int, width: int, bits: int = 4, scale: bool = False
) -> NDArray[np.uint8]:
    """The readable twin: uint8 (N, height, width), levels or pixels."""
    count, length = height * width, packed_bytes(height * width, bits)
    stream = np.stack([np.unpackbits(raw[s : s + length]) for s in starts.tolist()])[:, : count * bits]
    levels = stream.reshape(len(starts), height, width, bits) @ (1 << np.arange(bits)[::-1])
    return np.asarray(np.floor(levels * (255 / TOP[bits]) + 0.5) if scale else levels, np.uint8)
