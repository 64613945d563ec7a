"""How fast this machine reads the user's own files: `fastetl bench`."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.build import BuildConfig, build
from fastetl.etl.files import EtlFile, find_files, require_one_set
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


def _pillow(raw: NDArray[np.uint8], starts: NDArray[np.int64], height: int, width: int, size: int | None) -> None:
    """The usual way, a record at a time: unpack, and resize as floats."""
    from PIL import Image

    for start in starts.tolist():
        packed = raw[start : start + height * width // 2].tobytes()
        levels = np.asarray(Image.frombytes("F", (width, height), packed, "bit", 4).convert("L"))
        if size is not None:
            picture = Image.fromarray(levels.astype(np.float32) / np.float32(15))
            np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))


def measure(sources: Sequence[str | Path], sizes: Sequence[int] = (32, 64), rounds: int = 5) -> list[Speed]:
    """Decode, decode and resize, and build from `sources` (ETL files or folders of them); medians of wall time.

    The kernels work on records in memory; the builds read warm files and write to the system's temporary folder.

    Raises FastetlError for what `fastetl.etl.build.build` rejects.
    """
    files = [file for file in find_files(map(Path, sources)) if not file.is_model_pattern]
    files = files or find_files(map(Path, sources))
    layout = require_one_set(files)
    for file in files:
        file.require_whole()
    raw, starts = _load(files)
    few = starts[:_FEW]
    results: list[Speed] = []

    def add(work: str, images: int, run: Callable[[], object], twin: Callable[[], object] | None) -> None:
        seconds = _median(run, rounds)
        slow = _median(twin, rounds) / len(few) if twin else None
        results.append(Speed(work, images, seconds, images / seconds, slow * images / seconds if slow else None))

    height, width = layout.height, layout.width
    room = np.zeros(len(starts) * height * width + 64, np.uint8)
    pixels = room[-room.ctypes.data % 64 :][: len(starts) * height * width].reshape(len(starts), height, width)
    add(
        "decode",
        len(starts),
        lambda: decode(raw, starts, pixels, scale=True),
        lambda: _pillow(raw, few, height, width, None),
    )
    for size in sizes:
        out = np.zeros((len(starts), size, size), np.uint8)
        add(
            f"decode + resize to {size} × {size}",
            len(starts),
            lambda out=out: resize_records(raw, starts, height, width, out),  # type: ignore[misc]
            lambda size=size: _pillow(raw, few, height, width, size),  # type: ignore[misc]
        )
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            config = BuildConfig(size=size, model_pattern=files[0].is_model_pattern)
            images = build(sources, Path(folder) / str(size), config).images
            add(
                f"build hiragana, {size} × {size}",
                images,
                lambda config=config: build(sources, Path(folder) / str(config.size), config, overwrite=True),  # type: ignore[misc]
                None,
            )
    return results
