"""Damaged pictures, datasets and runs: opened right, or rejected in one line."""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benches.campaign.commands import trained
from benches.campaign.tally import Tally
from fastetl.data.dataset import Dataset
from fastetl.data.store import open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.ink.pictures import read_picture
from fastetl.testing.records import first_file, first_records

Rng = np.random.Generator
_VALUES: tuple[Any, ...] = (None, -1, 0, 10**30, 1e308, float("nan"), "", "x" * 100_000, [], {}, [[]], True, "\ud800")


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


def _edited(data: bytes, rng: Rng) -> bytes:
    """JSON that is JSON still, with one of its values, at any depth, changed into an unusual one."""
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


def _sound_pictures() -> list[bytes]:
    """Pictures of ten kinds that are read and six that are not."""
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


def damaged_pictures(folder: Path, count: int, seed: int, until: float) -> list[Tally]:
    """Pixels of a damaged picture are not judged."""
    tally, sound, path = (
        Tally("damaged pictures through read_picture", count, until),
        _sound_pictures(),
        folder / "picture",
    )
    while not tally.complete:
        number = tally.tried
        path.write_bytes(damaged_bytes(sound[number % len(sound)], np.random.default_rng([seed, 1, number])))
        tally.attempt(
            f"picture {number}",
            lambda: read_picture(path, 64),
            lambda picture: None if picture.shape == (64, 64) and picture.dtype == np.uint8 else f"{picture.shape}",
        )
    return [tally]


def _damaged_files(
    tally: Tally, source: Path, names: Sequence[str], seeds: list[int], use: Callable[[Path], Any], fault: Any
) -> Tally:
    """Damage one of the named files of a copy of `source`, use the copy, mend it, and again."""
    copy = source.with_name("damaged")
    shutil.copytree(source, copy)
    while not tally.complete:
        rng = np.random.default_rng([*seeds, tally.tried])
        name = names[int(rng.integers(len(names)))]
        sound = (source / name).read_bytes()
        edited = name.endswith(".json") and rng.random() < 0.5
        (copy / name).write_bytes(_edited(sound, rng) if edited else damaged_bytes(sound, rng))
        tally.attempt(f"number {tally.tried}, {name}", lambda: use(copy), fault)
        (copy / name).unlink()  # what is mapped stays as it was
        (copy / name).write_bytes(sound)
    shutil.rmtree(copy)
    return tally


def damaged_datasets(folder: Path, count: int, seed: int, until: float) -> list[Tally]:
    """One file of a dataset damaged: opened as it was but for pixels, which have no checksum, or rejected."""
    source, etl = folder / "sound", folder / first_file("ETL8G")
    etl.write_bytes(first_records("ETL8G", seed).tobytes())
    build(etl, source, BuildConfig("all", size=8))
    sound = open_dataset(source)

    def use(copy: Path) -> Dataset:
        data = open_dataset(copy)
        data.split(valid=0.2, test=0.2)
        return data

    def fault(data: Dataset) -> str | None:
        same = data.charset == sound.charset and data.preprocessing == sound.preprocessing
        same &= np.array_equal(data.labels, sound.labels) and np.array_equal(data.groups, sound.groups)
        same &= data.records.keys() == sound.records.keys() and np.asarray(data.images).shape == sound.images.shape
        same &= all(np.array_equal(data.records[key], sound.records[key]) for key in sound.records)
        return None if same else "opened with other contents"

    names = sorted(entry.name for entry in source.iterdir())
    tally = Tally("damaged datasets through open_dataset", count, until)
    return [_damaged_files(tally, source, names, [seed, 2], use, fault)]


def damaged_runs(folder: Path, count: int, seed: int, until: float, run: Path | None = None) -> list[Tally]:
    """run.json damaged, and a tenth as often the checkpoint, which has a digest: opened, it is what was written.

    run: a finished run; None trains one.
    """
    from model.run import open_run

    if run is None:
        trained(folder)
        run = folder / "run"
    shutil.copytree(run, folder / "sound")
    source, sound = folder / "sound", open_run(run).as_dict()
    described = Tally("damaged run.json through open_run", count, until)
    weights = Tally("damaged checkpoints through Run.network", max(1, count // 10), until)
    return [
        _damaged_files(
            described,
            source,
            ["run.json"],
            [seed, 3],
            lambda copy: open_run(copy).as_dict(),
            lambda values: None if values == sound else "opened with other contents",
        ),
        _damaged_files(
            weights,
            source,
            ["checkpoints/best.safetensors"],
            [seed, 4],
            lambda copy: open_run(copy).network(),
            lambda _: None,
        ),
    ]
