"""How fast this machine reads the user's own files: `fastetl bench`."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.build import BuildConfig, build
from fastetl.etl.contents import by_layout
from fastetl.etl.files import EtlFile, find_files
from fastetl.etl.layouts import Layout
from fastetl.kernels.decode import decode
from fastetl.kernels.resize import resize_records

__all__ = ["Speed", "measure"]

_FEW = 200  # records that Pillow does in a turn
_MOST = 9560  # records taken into memory: two genuine files


@dataclass(frozen=True)
class Speed:
    """One kind of work. `against`: how many times as fast as record by record with struct and Pillow, if compared."""

    work: str
    images: int
    seconds: float
    images_per_second: float
    against: float | None


def _median(run: Callable[[], object], rounds: int) -> float:
    run()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _load(files: Sequence[EtlFile]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    layout, parts, room = files[0].layout, [], _MOST
    for file in files:
        parts.append(np.fromfile(file.path, np.uint8, count=min(room, file.count) * layout.record_bytes))
        room -= min(room, file.count)
    raw = np.concatenate(parts)
    return raw, np.arange(raw.size // layout.record_bytes) * layout.record_bytes + layout.image_offset


def _pillow(layout: Layout, raw: NDArray[np.uint8], starts: NDArray[np.int64], size: int | None) -> None:
    """The usual way, a record at a time: unpack, and resize as floats."""
    from PIL import Image

    for start in starts.tolist():
        packed = raw[start : start + layout.image_bytes].tobytes()
        unpacked = Image.frombytes("F", (layout.width, layout.height), packed, "bit", layout.bits)
        levels = np.asarray(unpacked.convert("L"))
        if size is not None:
            picture = Image.fromarray(levels.astype(np.float32) / np.float32(layout.top))
            np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))


def _of_a_set(files: Sequence[EtlFile], sizes: Sequence[int], rounds: int) -> Iterator[Speed]:
    """The kernels on records of one set in memory."""
    layout = files[0].layout
    raw, starts = _load(files)
    few, height, width = starts[:_FEW], layout.height, layout.width
    room = np.zeros(len(starts) * height * width + 64, np.uint8)
    pixels = room[-room.ctypes.data % 64 :][: len(starts) * height * width].reshape(len(starts), height, width)

    def speed_of(work: str, size: int | None, run: Callable[[], object]) -> Speed:
        seconds, images = _median(run, rounds), len(starts)
        slow = _median(lambda: _pillow(layout, raw, few, size), rounds) / len(few)
        return Speed(f"{layout.name}: {work}", images, seconds, images / seconds, slow * images / seconds)

    yield speed_of("decode", None, lambda: decode(raw, starts, pixels, bits=layout.bits, scale=True))
    for size in sizes:
        out = np.zeros((len(starts), size, size), np.uint8)

        def run(out: NDArray[np.uint8] = out) -> None:
            resize_records(raw, starts, height, width, out, bits=layout.bits)

        yield speed_of(f"decode + resize to {size} × {size}", size, run)


def measure(sources: Sequence[str | Path], sizes: Sequence[int] = (32, 64), rounds: int = 5) -> list[Speed]:
    """Decode, decode and resize for each set, and build from `sources` (ETL files or folders); medians of wall time.

    The kernels work on records in memory; the builds read warm files and write to the system's temporary folder.

    Raises FastetlError for what `fastetl.etl.build.build` rejects.
    """
    files = [file for file in find_files(map(Path, sources)) if not file.is_model_pattern]
    files = files or find_files(map(Path, sources))
    for file in files:
        file.require_whole()
    groups = by_layout(files)
    results = [speed for group in groups for speed in _of_a_set(group, sizes, rounds)]
    # Sets of kanji take long as a whole; the old ones have few characters.
    charset = "hiragana" if all(group[0].layout.codes == "jis" for group in groups) else "all"
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            out = Path(folder) / str(size)
            config = BuildConfig(charset=charset, size=size, model_pattern=files[0].is_model_pattern)
            images = build(sources, out, config).images
            seconds = _median(lambda config=config, out=out: build(sources, out, config, overwrite=True), rounds)  # type: ignore[misc]
            results.append(Speed(f"build {charset}, {size} × {size}", images, seconds, images / seconds, None))
    return results
