"""Darker and paler ink: a table for each picture replaces its pixels."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.jit import jit
from fastetl.kernels.vector import ENABLED, I8, I64, POINTER, Code, Kernel, Value, compile_kernel, has_feature

_LANES = 64  # one register of pixels: augmentation to 64 × 64 takes a fifth less time than with the loop below


def change_contrast(tables: NDArray[np.uint8], table_of: NDArray[np.int64], images: NDArray[np.uint8]) -> None:
    """Replace each pixel of images[b], uint8 (B, S, S), contiguous, by tables[table_of[b], pixel], uint8 (T, 256)."""
    pixels = images.shape[1] * images.shape[2]
    if not ENABLED or not has_feature("avx512vbmi") or pixels % _LANES:
        change_contrast_by_loop(tables, table_of, images)
    else:
        _vector(pixels)(tables.ctypes.data, table_of.ctypes.data, len(images), images.ctypes.data)


@jit
def change_contrast_by_loop(tables: NDArray[np.uint8], table_of: NDArray[np.int64], images: NDArray[np.uint8]) -> None:
    """Do the work of `change_contrast` on any processor."""
    for b in range(table_of.size):
        flat = images[b].reshape(images.shape[1] * images.shape[2])
        table = tables[table_of[b]]
        for i in range(flat.size):
            flat[i] = table[flat[i]]


@lru_cache(maxsize=64)
def _vector(pixels: int) -> Kernel:
    def write(code: Code, tables: Value, table_of: Value, count: Value, images: Value) -> None:
        with code.loop(count) as picture:
            table = code.element_address(tables, code.load(code.element_address(table_of, picture, 8), I64), 256)
            quarters = [code.load(table, I8, _LANES, _LANES * k) for k in range(4)]
            flat = code.element_address(images, picture, pixels)
            with code.loop(pixels // _LANES) as block:
                address = code.element_address(flat, block, _LANES)
                pixel = code.load(address, I8, _LANES)
                # Each look-up takes the lower seven bits in two quarters of the table; the highest bit chooses.
                dark, pale = (
                    code.call("llvm.x86.avx512.vpermi2var.qi.512", pixel.type, quarters[k], pixel, quarters[k + 1])
                    for k in (2, 0)
                )
                is_dark = code.builder.icmp_signed("<", pixel, code.splat(I8, _LANES, 0))
                code.store(code.builder.select(is_dark, dark, pale), address)

    return compile_kernel("contrast", (POINTER, POINTER, I64, POINTER), write, "portable")
