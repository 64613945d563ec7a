"""Datasets of Parquet shards, written by the workers of a Ray cluster, a shard each; `dataset.json` comes last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from fastetl.data.preprocessing import Preprocessing
from fastetl.errors import FastetlError
from fastetl.etl.build import BuildConfig, BuildResult, about_plan, result_of
from fastetl.etl.convert import DisorderError, identity_of
from fastetl.files.atomic import check_output, new_directory
from fastetl.synth.datasets import about_writers, each_of_writers
from fastetl_ray.addresses import is_url, remove, write_file
from fastetl_ray.nodes import connect, in_order
from fastetl_ray.pieces import Piece, pieces_of_plan, plan_of
from fastetl_ray.shards import MANIFEST, SHARDS_KIND, Shard, described, encode_shard

__all__ = ["ROWS", "build_on_ray", "synthesize_on_ray"]

ROWS = 4096
"""Rows of a shard: at size 64 sixteen megabytes of pictures."""

Progress = Callable[[int, int], None]


@contextmanager
def _folder(out: str, overwrite: bool, inputs: Sequence[Path]) -> Iterator[str]:
    """Where shards go: a hidden sibling that takes the place of `out`, or the address itself, which has no rename."""
    if not is_url(out):
        with new_directory(Path(out), SHARDS_KIND, overwrite, inputs) as folder:
            yield str(folder.absolute())
        return
    if remove(out, MANIFEST, only_look=not overwrite):
        raise FastetlError(
            "the output exists already", file=out, do="choose another, or give `overwrite`", also=FileExistsError
        )
    yield out


def _write(
    ray: Any, pieces: Sequence[Piece], sources: Sequence[str], folder: str, progress: Progress | None
) -> list[Shard]:
    def work(number: int, piece: Piece) -> Shard | DisorderError:
        try:
            rows = piece.rows()
        except DisorderError as disorder:
            return disorder
        # A piece names the sources that it has itself.
        source = np.array([sources.index(name) for name in rows.sources], np.uint16)[rows.source]
        shard, data = encode_shard(number, replace(rows, source=source, sources=tuple(sources)))
        write_file(folder, shard.file, data)
        return shard

    shards = []
    for shard in in_order(ray, work, pieces, progress):
        if isinstance(shard, DisorderError):
            raise shard
        shards.append(shard)
    return shards


def build_on_ray(
    sources: str | PathLike[str] | Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    config: BuildConfig = BuildConfig(),
    *,
    rows: int = ROWS,
    address: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
    command: str = "",
) -> BuildResult:
    """`fastetl.build` on the workers of a Ray cluster, into a dataset of shards of about `rows` pictures.

    The rows and their order are those of `fastetl.build`. out: a folder that every worker sees, or an address for
    fsspec. The output is whole or not there, whatever happens to workers; the same input gives the same bytes.

    Raises FastetlError as `fastetl.build` does, and if the cluster cannot be reached.
    """
    begun = time.perf_counter()
    listed = [sources] if isinstance(sources, str | PathLike) else list(sources)
    place, inputs = fspath(out), [Path(s) for s in listed if not is_url(s)]
    if not is_url(place):
        check_output(Path(place), SHARDS_KIND, overwrite, inputs)
    ray = connect(address)
    for by_order in (not config.strict, False):
        plan, addresses = plan_of(listed, config, by_order)
        pieces = pieces_of_plan(plan, addresses, config.size, rows)
        try:
            with _folder(place, overwrite, inputs) as folder:
                _, _, sources = identity_of(plan.parts)
                shards = _write(ray, pieces, sources, folder, progress)
                spec = Preprocessing(size=config.size)
                text = described(about_plan(plan, command), shards, plan.charset, spec, sources)
                write_file(folder, MANIFEST, text.encode())
        except DisorderError as disorder:
            if not by_order:
                raise disorder.notice.error() from None
        else:
            break
    return result_of(plan, place, time.perf_counter() - begun)


def synthesize_on_ray(
    out: str | PathLike[str],
    writers: int,
    charset: str = "hiragana",
    size: int = 64,
    *,
    seed: int = 0,
    scans: float = 0.5,
    rows: int = ROWS,
    address: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
    command: str = "",
) -> int:
    """Write what synthetic writers write as a dataset of shards; returns how many pictures.

    Each writer comes from (seed, number) alone: any number of workers gives the same bytes. Raises FastetlError for
    an unknown charset, a character without strokes, numbers out of range, or an output that exists.
    """
    place = fspath(out)
    if not is_url(place):
        check_output(Path(place), SHARDS_KIND, overwrite)
    pieces = each_of_writers(writers, charset, size, seed, scans, rows)
    ray = connect(address)
    about = about_writers(writers, seed, scans, command)
    sources = (f"synth:{seed}",)
    with _folder(place, overwrite, []) as folder:
        shards = _write(ray, pieces, sources, folder, progress)
        text = described(about, shards, pieces[0].charset, Preprocessing(size=size), sources)
        write_file(folder, MANIFEST, text.encode())
    return sum(shard.rows for shard in shards)
