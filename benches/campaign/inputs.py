"""Damaged pictures, datasets and runs: opened right, or rejected in one line."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benches.campaign.tally import Tally, attempt, clock
from fastetl.data.dataset import Dataset
from fastetl.data.store import open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.ink.pictures import read_picture
from fastetl.testing.records import first_file, first_records

__all__ = ["damaged_bytes", "damaged_datasets", "damaged_pictures", "damaged_runs", "sound_pictures"]

Rng = np.random.Generator


def damaged_bytes(data: bytes, rng: Rng) -> bytes:
    """One of: bits flipped, a run of noise or zeros, cut short, bytes lost, bytes added, numbers made huge, noise."""
    raw, kind = np.frombuffer(data, np.uint8).copy(), int(rng.integers(8))
    at, by = int(rng.integers(max(1, len(raw)))), int(rng.integers(1, 65))
    if kind <= 1 and len(raw):
        places = rng.integers(0, len(raw) if kind else min(len(raw), 256), int(rng.integers(1, 9)))
        raw[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    elif kind == 2:
        raw[at : at + by] = 0 if rng.random() < 0.5 else rng.integers(0, 256, len(raw[at : at + by]), np.uint8)
    elif kind == 3:
        return data[:at]
    elif kind == 4:
        return data[:at] + data[at + by :]
    elif kind == 5:
        return data[:at] + rng.bytes(by) + data[at:]
    elif kind == 6:
        raw[at : at + 4] = rng.choice(np.array([0, 0x7F, 0xFF], np.uint8))
    else:
        return bytes(rng.bytes(at))
    return raw.tobytes()


def sound_pictures() -> list[bytes]:
    ink = np.full((40, 30), 255, np.uint8)
    ink[8:32, 12:16] = 0
    cases = [
        *((Image.fromarray(ink), kind) for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")),
        (Image.fromarray(ink.astype(np.uint16) * 257), "PNG"),
        (Image.fromarray(ink.astype(np.float32) / 255), "TIFF"),
        (Image.fromarray(np.dstack([ink, ink, ink, 255 - ink])), "PNG"),
        (Image.fromarray(ink).convert("P"), "PNG"),
        *((Image.fromarray(ink).convert("RGB"), kind) for kind in ("EPS", "ICNS", "PPM", "PCX", "DDS", "PDF")),
    ]
    files = []
    for picture, kind in cases:
        file = io.BytesIO()
        picture.save(file, kind)
        files.append(file.getvalue())
    return files


def damaged_pictures(folder: Path, count: int, seed: int, until: float = math.inf) -> list[Tally]:
    """Pictures of ten kinds that are read and six that are not, damaged, through `read_picture`."""
    tally = Tally("damaged pictures through read_picture", count, note="pixels of a damaged picture are not judged")
    sound = sound_pictures()
    path = folder / "picture"
    with clock(tally):
        for number in range(count):
            if time.monotonic() > until:
                break
            rng = np.random.default_rng([seed, 1, number])
            path.write_bytes(damaged_bytes(sound[number % len(sound)], rng))
            outcome, value = attempt(lambda: read_picture(path, 64))
            if outcome == "right" and (value.shape != (64, 64) or value.dtype != np.uint8):
                outcome, value = "wrong", f"{value.shape} {value.dtype}"
            tally.add(outcome, f"picture {number}: {value}")
    return [tally]


def _damage_one(source: Path, copy: Path, names: Sequence[str], rng: Rng) -> tuple[str, bytes]:
    """Damage one of the files of a copy; returns its name and what it was."""
    name = names[int(rng.integers(len(names)))]
    sound = (source / name).read_bytes()
    data = damaged_bytes(sound, rng)
    if name.endswith(".json") and rng.random() < 0.5:
        data = _edited(sound, rng)
    (copy / name).write_bytes(data)
    return name, sound


_VALUES: tuple[Any, ...] = (None, -1, 0, 10**30, 1e308, float("nan"), "", "x" * 100_000, [], {}, [[]], True, "\ud800")


def _edited(data: bytes, rng: Rng) -> bytes:
    """JSON that is JSON still, with one of its values, at any depth, changed into an odd one."""
    whole = json.loads(data)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            walk(node[key])

    walk(whole)
    node, key = places[int(rng.integers(len(places)))]
    node[key] = _VALUES[int(rng.integers(len(_VALUES)))]
    return json.dumps(whole).encode()


def _used(path: Path) -> tuple[Dataset, NDArray[np.uint8]]:
    data = open_dataset(path)
    data.split(valid=0.2, test=0.2)
    return data, np.asarray(data.images)


def damaged_datasets(folder: Path, count: int, seed: int, until: float = math.inf) -> list[Tally]:
    """One file of a dataset damaged: opened as it was but for pixels, or rejected."""
    tally = Tally(
        "damaged datasets through open_dataset", count, note="pixels in images.npy have no checksum: not judged"
    )
    source, copy = folder / "dataset", folder / "damaged"
    (folder / first_file("ETL8G")).write_bytes(first_records("ETL8G", seed).tobytes())
    build(folder / first_file("ETL8G"), source, BuildConfig("all", size=8))
    sound = open_dataset(source)
    shutil.copytree(source, copy)
    names = sorted(entry.name for entry in source.iterdir())
    with clock(tally):
        for number in range(count):
            if time.monotonic() > until:
                break
            name, whole = _damage_one(source, copy, names, np.random.default_rng([seed, 2, number]))
            outcome, value = attempt(lambda: _used(copy))
            if outcome == "right":
                data, images = value
                same = data.charset == sound.charset and data.preprocessing == sound.preprocessing
                same &= np.array_equal(data.labels, sound.labels) and np.array_equal(data.groups, sound.groups)
                same &= data.records.keys() == sound.records.keys() and images.shape == sound.images.shape
                same &= all(np.array_equal(data.records[key], sound.records[key]) for key in sound.records)
                del data, images, value
                if not same:
                    outcome, value = "wrong", "opened with other contents"
                else:
                    value = ""
            tally.add(outcome, f"dataset {number}, {name}: {value}")
            (copy / name).unlink()
            (copy / name).write_bytes(whole)
    return [tally]


@contextmanager
def _stderr() -> Iterator[Callable[[], str]]:
    """What anything in the process writes to standard error meanwhile, threads of libraries too."""
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)

        def printed() -> str:
            file.seek(0)
            return file.read().decode(errors="replace")

        try:
            yield printed
        finally:
            os.dup2(before, 2)
            os.close(before)


def damaged_runs(folder: Path, run: Path, count: int, seed: int, until: float = math.inf) -> list[Tally]:
    """One file of a run damaged: run.json in nine cases of ten, a file of the checkpoint in the rest."""
    from model.run import open_run

    described = Tally("damaged run.json through open_run", count)
    weights = Tally("damaged checkpoints through Run.network", max(1, count // 10))
    copy = folder / "damaged_run"
    shutil.copytree(run, copy)
    sound = open_run(run).as_dict()
    for number in range(count + weights.target):
        if time.monotonic() > until:
            break
        whole = number % 11 != 10
        tally = described if whole else weights
        with clock(tally), _stderr() as printed:
            rng = np.random.default_rng([seed, 3, number])
            name, before = _damage_one(run, copy, ["run.json" if whole else "checkpoints/best.safetensors"], rng)
            # Weights have a digest: opened at all, they are those that were written.
            outcome, value = attempt(lambda whole=whole: open_run(copy) if whole else open_run(copy).network())  # type: ignore[misc]
            if outcome == "right" and whole and value.as_dict() != sound:
                outcome, value = "wrong", "opened with other contents"
            if "Traceback" in printed():
                outcome, value = "trace", printed()[-300:]
            tally.add(outcome, f"run {number}, {name}: {value if outcome != 'right' else ''}")
            (copy / name).unlink()
            (copy / name).write_bytes(before)
    return [described, weights]
