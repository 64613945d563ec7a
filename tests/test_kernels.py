"""The reading kernels, every form of them that this processor runs, against their readable twins."""

import os
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastetl.data.preprocessing import resize
from fastetl.etl.layouts import LAYOUTS
from fastetl.kernels.jit import jit
from fastetl.kernels.packed import TOP, levels_of, packed_bytes
from fastetl.kernels.resize import OVERREAD, resize_records, resize_twin
from fastetl.kernels.resize_plan import Resizing
from fastetl.kernels.triangle import triangle
from fastetl.kernels.vector import TWIN, forms
from tests.conftest import python

PYTHON = forms()[0] == TWIN  # NUMBA_DISABLE_JIT=1: loops in plain Python take their time
STORED = {str(layout.kind): (layout.height, layout.width, int(layout.bits)) for layout in LAYOUTS}
"""Height, width and bits of the pictures in each type of record."""
SIZES = (8, 28, 32, 48, 64, 96, 126)


@st.composite
def records(draw: st.DrawFn, length: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A buffer and picture starts anywhere in it: at its very ends, overlapping, in any order, repeated."""
    slack = draw(st.sampled_from([0, 1, 7, 64, 65, 300, 8199]))
    fill = draw(st.sampled_from([None, 0, 0xFF, 0x10, 0x01, 0x55]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    raw = rng.integers(0, 256, length + slack + OVERREAD, np.uint8)
    if fill is not None:
        raw[rng.random(raw.size) < 0.7] = fill
    inside = st.integers(0, slack)
    starts = draw(st.lists(inside, max_size=3)) + draw(st.sampled_from([[], [0], [slack], [0, slack]]))
    return raw, np.array(starts, np.int64)


@st.composite
def geometries(draw: st.DrawFn) -> tuple[int, int, int]:
    """Pictures that no set has, too: rows that end inside a byte, a single pixel."""
    height, width, bits = draw(st.sampled_from(list(STORED.values())))
    if draw(st.booleans()):
        height, width = draw(st.integers(1, 130)), draw(st.sampled_from([1, 7, 8, 50, 60, 63, 64, 100, 128, 136]))
        bits = draw(st.sampled_from(list(TOP)))
    return (min(height, 20), min(width, 20), bits) if PYTHON else (height, width, bits)


@pytest.mark.parametrize("form", forms())
@settings(max_examples=2 if PYTHON else 12, deadline=None)
@given(data=st.data(), geometry=geometries(), size=st.integers(1, 140))
def test_resize_equals_its_twin(form: str, data: st.DataObject, geometry: tuple[int, int, int], size: int) -> None:
    height, width, bits = geometry
    raw, starts = data.draw(records(packed_bytes(height * width, bits)))
    out = np.full((len(starts), size, size), 99, np.uint8)
    resize_records(raw, starts, height, width, out, bits=bits, form=form)
    if len(starts):
        levels = levels_of(raw, starts, height, width, bits)
        expected = resize_twin(levels, size, bits)
        np.testing.assert_array_equal(out, expected)
        if bits != 6:  # whose levels are no whole pixels; of others the pictures are resized alike, to the last half
            np.testing.assert_array_equal(resize(levels * np.uint8(255 // TOP[bits]), size), expected)


def test_every_set_has_a_vector_form_at_every_usual_size() -> None:
    without = {
        (stored, size)
        for stored, (height, width, bits) in STORED.items()
        for size in range(8, 127)
        if Resizing(height, width, bits, size).plan("portable") is None
    }
    assert without == {("K", 11), ("K", 13), *(("G", size) for size in (9, 11, 13, 15))}


GUARD = """
import ctypes, mmap, numpy as np
from fastetl.kernels.vector import forms
from fastetl.kernels.resize import OVERREAD, resize_records
page = mmap.PAGESIZE
room = mmap.mmap(-1, 5 * page)
base = ctypes.addressof(ctypes.c_char.from_buffer(room))
protect = ctypes.CDLL(None).mprotect
protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
assert protect(base, page, 0) == protect(base + 4 * page, page, 0) == 0
raw = np.ctypeslib.as_array((ctypes.c_uint8 * (3 * page)).from_address(base + page))
raw[:] = 0x37
for height, width, bits in ((127, 128, 4), (63, 64, 4), (60, 60, 6), (63, 64, 1)):
    starts = np.array([0, 3 * page - height * width * bits // 8 - OVERREAD])
    for form in forms():
        for size in (8,) if form == "twin" else (48, 64):
            out = np.zeros((2, size, size), np.uint8)
            resize_records(raw, starts, height, width, out, bits=bits, form=form)
            assert (out[0] == out[1]).all() or bits == 6
print("unharmed")
"""


def test_nothing_outside_the_mapping_is_read() -> None:
    """The pages before and behind the pictures may not be touched: that would end the process."""
    done = python(GUARD)
    assert (done.stdout.strip(), done.stderr) == ("unharmed", "")


@pytest.mark.skipif(PYTHON, reason="nothing is compiled")
def test_a_damaged_file_of_a_compiled_kernel_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def double(n: float) -> float:
        return 2 * n

    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    assert jit(double)(4) == 8
    for pattern in ("*.nbi", "*.nbc"):
        (file,) = tmp_path.rglob(pattern)
        os.truncate(file, 50)  # as power cuts and full disks leave it
        with pytest.warns(RuntimeWarning, match=f"^{file.parent}: a kernel is compiled again, as"):
            assert jit(double)(4) == 8
        assert file.stat().st_size > 50
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._open_for_write", Mock(side_effect=OSError))
    with pytest.warns(RuntimeWarning, match="cannot be kept, .* Set NUMBA_CACHE_DIR"):
        assert jit(double)(4.0) == 8


def test_pictures_outside_the_buffer_are_rejected() -> None:
    raw = np.zeros(packed_bytes(127 * 128, 4) + OVERREAD + 10, np.uint8)
    for start in (-1, 11):
        with pytest.raises(ValueError, match="outside data"):
            resize_records(raw, np.array([start]), 127, 128, np.empty((1, 32, 32), np.uint8))
    with pytest.raises(ValueError, match="contiguous"):
        resize_records(raw, np.array([0]), 127, 128, np.empty((1, 32, 64), np.uint8)[:, :, ::2])
    with pytest.raises(ValueError, match="as long"):
        resize_records(raw, np.array([0]), 127, 128, np.empty((2, 32, 32), np.uint8))


@pytest.mark.parametrize("stored", STORED)
def test_one_rounding_is_exact_for_every_sum_that_can_occur(stored: str) -> None:
    """What fma(sum, factor, 2²³) rounds to, where the kernel works in float32, in every row and column."""
    height, width, bits = STORED[stored]
    tables = 0
    for size in SIZES:
        table, kinds = Resizing(height, width, bits, size).factors
        if table.dtype != np.float32:
            continue
        tables += 1
        denominators = TOP[bits] * triangle(height, size).sum(1)[:, None] * triangle(width, size).sum(1)
        for denominator in np.unique(denominators).tolist():
            (factor,) = np.unique(table[kinds][denominators == denominator])
            sums = np.arange(denominator + 1)  # the product of two float32 is exact in float64
            assert (np.rint(sums * float(factor)) == (2 * 255 * sums + denominator) // (2 * denominator)).all()
    assert tables
    assert Resizing(136, 64, 4, 4).factors[0].dtype == np.float64, "float32 does not hold its sums of over 2**24"
