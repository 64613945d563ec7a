"""Data sets as records, and records as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.atomic import Kind, new_directory
from fastetl.charset import char_to_jis
from fastetl.errors import FastetlError
from fastetl.etl.data.orders import ETL8G_SHEETS
from fastetl.etl.layouts import ETL8G
from fastetl.synth.order import ORDER, readings
from fastetl.synth.raster import draw
from fastetl.synth.style import WriterStyle, draw_style
from fastetl.synth.writing import choose_glyphs, write

__all__ = ["ATTRIBUTION", "SynthConfig", "synthesize", "write_data_set", "write_model_pattern"]

KIND = Kind("a folder of synthetic ETL files", ("ATTRIBUTION.txt",), ("ATTRIBUTION.txt", "ETL*"))
MOST = ETL8G.files - 1  # the last number is the model pattern's

ATTRIBUTION = """\
These files were not written by people. fastetl's synthetic writers made them from the strokes of KanjiVG,
Copyright (C) 2009-2025 Ulrich Apel and contributors, https://kanjivg.tagaini.net, which are under the Creative
Commons licence Attribution-ShareAlike 3.0, https://creativecommons.org/licenses/by-sa/3.0/

If you publish these files, or pictures made from them: name KanjiVG and its author as above, say that the strokes
were changed, and give what you publish under the same licence. Private use asks for nothing.

They have the layout of ETL8G, but nothing in them comes from the ETL Character Database.
"""


@dataclass(frozen=True)
class SynthConfig:
    """What `synthesize` writes."""

    files: int = 12
    """Number of files, 1–32; each holds five writers with 956 characters."""
    seed: int = 0
    """Another seed, other writers. File k is the same whatever else is made."""
    model_pattern: bool = False
    """Also write ETL8G_33, the textbook's style."""

    def __post_init__(self) -> None:
        if not 1 <= self.files <= MOST:
            raise FastetlError(
                "files is out of range",
                expected=f"1 to {MOST}",
                found=self.files,
                do="check `files`; another `seed` gives more writers",
                also=ValueError,
            )
        if self.seed < 0:
            raise FastetlError(
                "seed is out of range", expected="0 or more", found=self.seed, do="check `seed`", also=ValueError
            )


def _records(style: WriterStyle, writer: int, rng: np.random.Generator) -> NDArray[Any]:
    """One data set: the header of every record filled as in a genuine file, and the pictures."""
    count = len(ORDER)
    sheet = np.repeat(np.arange(len(ETL8G_SHEETS)), ETL8G_SHEETS)
    place = np.concatenate([np.arange(size) for size in ETL8G_SHEETS])
    records = np.zeros(count, ETL8G.dtype)
    records["image"] = draw(write(choose_glyphs(style, rng), style, rng))
    records["code"] = [char_to_jis(c) for c in ORDER]
    records["reading"] = readings()
    records["sheet"] = 10 * writer + sheet + 1
    records["number"] = count * writer + np.arange(count) + 1
    records["x"], records["y"] = place % 12, place // 12
    # Sloppy writing was marked: 0 is good.
    records["evaluation"] = np.minimum(rng.poisson(0.15 * style.sloppiness, count), 3)
    records["group_evaluation"] = int(style.sloppiness > 1.5)
    records["sex"] = rng.integers(1, 3)
    records["age"] = rng.integers(18, 61)
    records["industry"] = rng.integers(100, 1000)
    records["occupation"] = rng.integers(100, 1000)
    collected, scanned = int(rng.integers(1, 7)), int(rng.integers(7, 13))
    records["collected"], records["scanned"] = 7600 + collected, 7600 + scanned
    if writer == 0:
        records["scanned"][0] = 16880  # no date, as in the first genuine record
    return records


def write_data_set(seed: int, writer: int) -> NDArray[Any]:
    """The 956 records of one writer, a structured array of ETL8G's dtype; writer 5 · (k − 1) + j is in file k."""
    rng = np.random.default_rng([seed, writer])
    return _records(draw_style(rng), writer, rng)


def write_model_pattern() -> NDArray[Any]:
    """The 956 records of the textbook's style: KanjiVG's own forms, all in one size and place."""
    return _records(WriterStyle(), ETL8G.data_sets_per_file * MOST, np.random.default_rng(0))


def synthesize(
    out: str | Path,
    config: SynthConfig = SynthConfig(),
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the directory `out` with ETL8G_01, ETL8G_02 … and ATTRIBUTION.txt, whole or not at all.

    `progress` is called with (data sets done, data sets in all).

    Raises FastetlError if `out` exists (without `overwrite`) or KanjiVG's strokes are not installed.
    """
    numbers = [*range(1, config.files + 1), *([ETL8G.files] if config.model_pattern else [])]
    total = sum(ETL8G.data_sets(n) for n in numbers)
    done = 0
    with new_directory(Path(out), KIND, overwrite) as folder:
        for number in numbers:
            with (folder / f"{ETL8G.name}_{number:02d}").open("wb") as file:
                for k in range(ETL8G.data_sets(number)):
                    model = number == ETL8G.model_file
                    writer = ETL8G.data_sets_per_file * (number - 1) + k
                    (write_model_pattern() if model else write_data_set(config.seed, writer)).tofile(file)
                    done += 1
                    if progress is not None:
                        progress(done, total)
        (folder / "ATTRIBUTION.txt").write_text(ATTRIBUTION, encoding="utf-8")
