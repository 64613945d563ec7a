"""Records → dataset: select by JIS code, decode and resize in one pass, write whole or not at all."""

from __future__ import annotations

import hashlib
import io
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastetl.atomic import new_directory, new_file, refuse_existing
from fastetl.charset import Charset, jis_to_char, named_or_file
from fastetl.dataset import write_dataset
from fastetl.errors import FastetlError, message
from fastetl.files import EtlFile, find_files, require_one_set
from fastetl.preprocessing import Preprocessing
from fastetl.writers import data_sets, number_writers

__all__ = ["BuildConfig", "BuildResult", "build"]

Progress = Callable[[int, int], None]

_KEPT = ("sheet", "number", "evaluation", "group_evaluation", "sex", "age", "industry", "occupation")
_BLOCK = 512  # pictures a kernel call: progress and Ctrl-C in between, mapped pages can go


@dataclass(frozen=True)
class BuildConfig:
    """What to take from the files, and how."""

    charset: str = "hiragana"
    """hiragana (71), hiragana-small (75), kanji, all, or a text file of characters."""
    size: int = 64
    """Side of the stored pictures in pixels (the tutorial's is 32)."""
    model_pattern: bool = False
    """Take the model-pattern file (a textbook hand, not a writer) too."""
    format: Literal["dataset", "npz"] = "dataset"
    """dataset: the directory that train reads. npz: the tutorial's hiragana.npz (arr_0, uint8 levels 0–15,
    classes × writers × 127 × 128)."""


@dataclass(frozen=True)
class BuildResult:
    """What was written. `missing` lists characters of the charset without a sample."""

    out: str
    images: int
    classes: int
    writers: int
    missing: str
    unknown_codes: int
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class _Selection:
    """The wanted records of one file, in file order."""

    file: EtlFile
    index: NDArray[np.int64]
    labels: NDArray[np.uint16]
    writers: NDArray[np.int32]

    @property
    def starts(self) -> NDArray[np.int64]:
        return self.index * self.file.layout.record_bytes + self.file.layout.image_offset


def _select(files: list[EtlFile], charset: Charset, codes: list[NDArray[np.uint16]]) -> list[_Selection]:
    writers = number_writers(files, [data_sets(c) for c in codes])
    chosen = []
    for file, code, writer in zip(files, codes, writers, strict=True):
        classes = charset.class_of_code[code]
        index = np.flatnonzero(classes >= 0)
        chosen.append(_Selection(file, index, classes[index].astype(np.uint16), writer[index]))
    return chosen


def _source(file: EtlFile) -> dict[str, Any]:
    """What tells a file again cheaply: hashing all of 1.3 GB would take longer than the build itself."""
    size = len(file.raw)
    sampled = hashlib.sha1(file.raw[: 1 << 16].tobytes() + file.raw[-(1 << 16) :].tobytes(), usedforsecurity=False)
    return {
        "file": file.path.name,
        "set": file.layout.name,
        "bytes": size,
        "records": file.count,
        "sha1_first_and_last_64k": sampled.hexdigest(),
    }


def _records(chosen: list[_Selection]) -> dict[str, NDArray[Any]]:
    def joined(column: Callable[[_Selection], Any], dtype: str) -> NDArray[Any]:
        return np.concatenate([np.asarray(column(c)) for c in chosen]).astype(dtype)

    out = {
        "source": np.concatenate([np.full(len(c.index), c.file.path.name) for c in chosen]),
        "record": joined(lambda c: c.index, "i4"),
        "writer": joined(lambda c: c.writers, "i4"),
        "code": joined(lambda c: c.file.records["code"][c.index], "u2"),
    }
    for name in _KEPT:
        native = chosen[0].file.layout.dtype[name].newbyteorder("=").str
        out[name] = joined(lambda c, name=name: c.file.records[name][c.index], native)  # type: ignore[misc]
    return out


def _write_pictures(chosen: list[_Selection], size: int, made: Path, progress: Progress | None) -> None:
    from fastetl.kernels.resize import resize_records  # numba: only when it is needed

    total = sum(len(c.index) for c in chosen)
    buffer = np.empty((_BLOCK, size, size), np.uint8)
    done = 0
    # Written through a reused buffer, not a mapping: a full disk is then an error, not a crash.
    with (made / "images.npy").open("wb", buffering=0) as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (total, size, size)}
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[arg-type]
        for part in chosen:
            starts, layout = part.starts, part.file.layout
            for at in range(0, len(starts), _BLOCK):
                block = starts[at : at + _BLOCK]
                pictures = buffer[: len(block)]
                resize_records(part.file.raw, block, layout.height, layout.width, pictures)
                _write_all(file, memoryview(pictures).cast("B"))
                done += len(block)
                if progress is not None:
                    progress(done, total)


def _write_all(file: io.FileIO, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]


def _write_npz(
    chosen: list[_Selection], charset: Charset, out: Path, overwrite: bool, progress: Progress | None
) -> None:
    from fastetl.kernels.decode import decode

    writers = np.unique(np.concatenate([c.writers for c in chosen]))
    layout = chosen[0].file.layout
    levels = np.zeros((len(charset), len(writers), layout.height, layout.width), np.uint8)
    filled = np.zeros((len(charset), len(writers)), bool)
    done, total = 0, sum(len(c.index) for c in chosen)
    for part in chosen:
        block = np.empty((len(part.index), layout.height * layout.width // 2), np.uint16)
        decode(part.file.raw, part.starts, np.uint16(1), block)
        column = np.searchsorted(writers, part.writers)
        levels[part.labels, column] = block.view(np.uint8).reshape(-1, layout.height, layout.width)
        filled[part.labels, column] = True
        done += len(part.index)
        if progress is not None:
            progress(done, total)
    if not filled.all():
        k, w = np.argwhere(~filled)[0].tolist()
        raise FastetlError(
            message(
                "the npz format needs every character from every writer",
                file=out,
                expected=f"{charset.characters[k]!r} by writer {writers[w]}",
                found="no such record",
                do="use --format dataset, or a smaller --charset",
            )
        )
    # np.savez appends .npz to a path, but not to an open file.
    with new_file(out, overwrite) as made, made.open("wb") as file:
        np.savez(file, levels)


def build(
    sources: Sequence[str | Path],
    out: str | Path,
    config: BuildConfig = BuildConfig(),
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> BuildResult:
    """Write the dataset of `sources` (ETL files or folders of them) to `out`; see `fastetl.dataset` for its files.

    Pictures are uint8 (N, size, size), 0–255, ink high, in the order of files and records.

    Raises FastetlError for bad files, an unknown charset, no record that fits, or an output that exists.
    """
    begun = time.perf_counter()
    out = Path(out)
    refuse_existing(out, overwrite)
    if not 8 <= config.size <= 512:
        raise FastetlError(
            message("a size that makes no sense", expected="8–512", found=config.size, do="check --size")
        )
    files = [f for f in find_files(map(Path, sources)) if config.model_pattern or not f.is_model_pattern]
    if not files:
        raise FastetlError(
            "only the model-pattern file is here, which no writer wrote. Give --model-pattern to take it"
        )
    layout = require_one_set(files)
    for file in files:
        file.require_whole()
    codes = [file.records["code"].astype(np.uint16) for file in files]
    seen = np.unique(np.concatenate(codes)).tolist()
    charset = named_or_file(config.charset, seen)
    chosen = [c for c in _select(files, charset, codes) if len(c.index)]
    if not chosen:
        raise FastetlError(
            message(
                "no record has a character of the charset",
                file=", ".join(map(str, sources)),
                expected=charset.name,
                do="choose another --charset",
            )
        )
    labels = np.concatenate([c.labels for c in chosen])
    writers = np.unique(np.concatenate([c.writers for c in chosen]))
    if config.format == "npz":
        _write_npz(chosen, charset, out, overwrite, progress)
    else:
        with new_directory(out, overwrite) as made:
            _write_pictures(chosen, config.size, made, progress)
            about = {
                "set": layout.name,
                "writers": len(writers),
                "sources": [_source(c.file) for c in chosen],
                "command": " ".join(["fastetl", *sys.argv[1:]]),
            }
            write_dataset(made, labels, _records(chosen), charset, Preprocessing(size=config.size), about)
    seconds = time.perf_counter() - begun
    present = np.bincount(labels, minlength=len(charset)) > 0
    return BuildResult(
        out=str(out),
        images=len(labels),
        classes=int(present.sum()),
        writers=len(writers),
        missing="".join(c for c, here in zip(charset.characters, present.tolist(), strict=True) if not here),
        unknown_codes=sum(jis_to_char(code) is None for code in seen),
        seconds=seconds,
        images_per_second=len(labels) / seconds,
    )
