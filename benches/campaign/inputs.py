"""Damaged pictures and datasets: each must be opened with the right contents, or rejected in one line."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benches.campaign.damage import damaged_bytes
from benches.campaign.tally import Rng, Tally
from benches.etl_records import first_records
from fastetl import BuildConfig, build, open_dataset, read_picture

_VALUES: tuple[Any, ...] = (None, -1, 0, 10**30, 1e308, float("nan"), "", "x" * 100_000, [], {}, [[]], True, "\ud800")


def _edited(data: bytes, rng: Rng) -> bytes:
    """Valid JSON in which one value, at any depth, was replaced by an unusual one."""
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


def damaged_pictures(tally: Tally, folder: Path) -> None:
    """Read damaged pictures; their pixels are not compared."""
    sound, path = _sound_pictures(), folder / "picture"
    for number, rng in tally:
        path.write_bytes(damaged_bytes(sound[number % len(sound)], rng))
        tally.attempt(
            f"picture {number}",
            lambda: read_picture(path, 64),
            lambda picture: None if picture.shape == (64, 64) and picture.dtype == np.uint8 else f"{picture.shape}",
        )


def damaged_datasets(tally: Tally, folder: Path) -> None:
    """Open datasets of which one file is damaged; their pixels are not compared, since they have no checksum."""
    etl, sound, copy = folder / "ETL8G_01", folder / "sound", folder / "damaged"
    etl.write_bytes(first_records("ETL8G", tally.seed).tobytes())
    build(etl, sound, BuildConfig("all", size=8))
    shutil.copytree(sound, copy)

    def contents(path: Path) -> object:
        data = open_dataset(path)
        data.split(valid=0.2, test=0.2)
        columns: dict[str, Any] = {"label": data.labels, "group": data.groups, **data.records}
        values = {name: column.tolist() for name, column in columns.items()}
        return data.charset, data.preprocessing, np.asarray(data.images).shape, values

    expected = contents(sound)
    files = sorted(sound.iterdir())
    for number, rng in tally:
        file = files[int(rng.integers(len(files)))]
        edited = file.suffix == ".json" and rng.random() < 0.5
        (copy / file.name).write_bytes((_edited if edited else damaged_bytes)(file.read_bytes(), rng))
        tally.attempt(
            f"number {number}, {file.name}",
            lambda: contents(copy),
            lambda actual: None if actual == expected else "opened with other contents",
        )
        (copy / file.name).unlink()  # a memory map of the old file stays valid
        shutil.copy(file, copy)
