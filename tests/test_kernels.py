"""The reading kernels, every form of them that this processor runs, against their readable twins."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastetl.kernels import decode as decoding
from fastetl.kernels._vector import TIERS, tiers
from fastetl.kernels.decode import decode, decode_twin
from fastetl.kernels.decode_plain import decode_plain
from fastetl.kernels.filter import taps, triangle
from fastetl.kernels.resize import resize_records, resize_twin
from fastetl.kernels.resize_plain import resize_plain
from fastetl.kernels.resize_vector import SIZES, tables

FORMS = tiers() or (None,)  # None: plain loops, with NUMBA_DISABLE_JIT=1
PICTURE = 127 * 64
FEW = 12 if tiers() else 2


@st.composite
def records(draw: st.DrawFn) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A buffer and picture starts anywhere in it: at its very ends, overlapping, in any order, repeated."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    slack = draw(st.sampled_from([0, 1, 7, 64, 65, 300, 8199]))
    raw = rng.integers(0, 256, PICTURE + slack, np.uint8)
    if draw(st.booleans()):
        raw[rng.random(raw.size) < 0.7] = draw(st.sampled_from([0, 0xFF, 0x10, 0x01, 0x55]))
    inside = st.integers(0, slack)
    starts = draw(st.lists(inside, max_size=4)) + draw(st.sampled_from([[], [0], [slack], [0, slack]]))
    return raw, np.array(starts, np.int64)


@pytest.mark.parametrize("tier", FORMS)
@settings(max_examples=FEW, deadline=None)
@given(given_records=records(), size=st.sampled_from(SIZES))
def test_resize_equals_its_twin(tier: str | None, given_records: Any, size: int) -> None:
    raw, starts = given_records
    out = np.full((len(starts), size, size), 99, np.uint8)
    resize_records(raw, starts, 127, 128, out, tier=tier)
    if len(starts):
        assert (out == resize_twin(decode_twin(raw, starts, 127, 128), size)).all()


@settings(max_examples=FEW, deadline=None)
@given(given_records=records(), size=st.sampled_from([1, 20, *SIZES, 140]))
def test_plain_resize_equals_its_twin(given_records: Any, size: int) -> None:
    raw, starts = given_records
    out = np.full((len(starts), size, size), 99, np.uint8)
    resize_plain(raw, starts, *taps(127, size), *taps(128, size), 128, out)
    if len(starts):
        assert (out == resize_twin(decode_twin(raw, starts, 127, 128), size)).all()


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("tier", FORMS)
def test_decode_equals_its_twin(tier: str | None, streaming: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "STREAM_FROM", 0 if streaming else 1 << 60)

    @settings(max_examples=FEW, deadline=None)
    @given(given_records=records(), factor=st.sampled_from([1, 17]), offset=st.sampled_from([0, 2, 64]))
    def check(given_records: Any, factor: int, offset: int) -> None:
        raw, starts = given_records
        room = np.zeros(len(starts) * 2 * PICTURE + 128, np.uint8)
        at = -room.ctypes.data % 64 + offset  # on a 64-byte boundary, or off it
        out = room[at : at + len(starts) * 2 * PICTURE].view(np.uint16).reshape(-1, PICTURE)
        decode(raw, starts, factor, out, tier=tier)
        plain = np.empty_like(out)
        decode_plain(raw, starts, np.uint16(factor), plain)
        assert (out == plain).all()
        if len(starts):
            assert (out.view(np.uint8).reshape(-1, 127, 128) == factor * decode_twin(raw, starts, 127, 128)).all()

    check()


@pytest.mark.parametrize("size", SIZES)
def test_one_rounding_is_exact_for_every_sum_that_can_occur(size: int) -> None:
    """What fma(sum, factor, 2²³) rounds to, for each row, an inner and an edge column, and every sum."""
    rows, columns = triangle(127, size).sum(1), triangle(128, size).sum(1)
    unit = {32: 16, 64: 1}[size]
    for y in range(size // 2 + 1):
        for factor, column in zip(tables(size)[1][y].astype(float), columns[[1, 0]].tolist(), strict=True):
            denominator = int(rows[y]) * column
            sums = np.arange(15 * denominator + 1)
            assert int(sums[-1]) * unit < 2**24  # exact as float32
            rounded = np.rint(sums * unit * factor)  # the product of two float32 is exact in float64
            assert (rounded == (34 * sums + denominator) // (2 * denominator)).all()


GUARD = """
import ctypes, mmap, numpy as np
from fastetl.kernels._vector import tiers
from fastetl.kernels.decode import decode
from fastetl.kernels.resize import resize_records
page = mmap.PAGESIZE
room = mmap.mmap(-1, 5 * page)
base = ctypes.addressof(ctypes.c_char.from_buffer(room))
protect = ctypes.CDLL(None).mprotect
protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
assert protect(base, page, 0) == protect(base + 4 * page, page, 0) == 0
raw = np.ctypeslib.as_array((ctypes.c_uint8 * (3 * page)).from_address(base + page))
raw[:] = 0x37
starts = np.array([0, 3 * page - 127 * 64])
for tier in tiers() or (None,):
    for size in (32, 64):
        out = np.zeros((2, size, size), np.uint8)
        resize_records(raw, starts, 127, 128, out, tier=tier)
        assert (out[0] == out[1]).all()
    decode(raw, starts, 17, np.zeros((2, 127 * 64), np.uint16), tier=tier)
print("unharmed")
"""


def test_nothing_outside_the_mapping_is_read() -> None:
    """The pages before and behind the pictures may not be touched: that would end the process."""
    done = subprocess.run([sys.executable, "-c", GUARD], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("unharmed", "")


def test_pictures_outside_the_buffer_are_rejected() -> None:
    raw = np.zeros(PICTURE + 10, np.uint8)
    for start in (-1, 11):
        with pytest.raises(ValueError, match="outside raw"):
            resize_records(raw, np.array([start]), 127, 128, np.empty((1, 32, 32), np.uint8))
        with pytest.raises(ValueError, match="outside raw"):
            decode(raw, np.array([start]), 1, np.empty((1, PICTURE), np.uint16))
    with pytest.raises(ValueError, match="contiguous"):
        resize_records(raw, np.array([0]), 127, 128, np.empty((1, 32, 64), np.uint8)[:, :, ::2])
    with pytest.raises(ValueError, match="as long"):
        resize_records(raw, np.array([0]), 127, 128, np.empty((2, 32, 32), np.uint8))


def test_a_form_is_chosen_by_the_processors_features() -> None:
    assert list(TIERS)[-1] == "portable"
    assert not TIERS["portable"]
    if tiers():
        assert tiers()[-1] == "portable"
