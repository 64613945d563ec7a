"""The records of synthetic writers' data sets, and the files that hold them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from fastetl.arrays import Bytes, Ints
from fastetl.checks import Options, Range, Share, as_progress, config_of, require_choice, require_unset, unsuitable
from fastetl.data.charset import HIRAGANA, Characters, Charset, in_a_line, is_kanji
from fastetl.data.store import load_charset
from fastetl.errors import ShowProgress, StrPath
from fastetl.etl.classes import classes, classes_by_file
from fastetl.etl.jis import char_to_jis
from fastetl.etl.layouts import ETL8G, ETL9G, LAYOUT_BY_NAME, Layout
from fastetl.files.atomic import OutputKind, new_output
from fastetl.files.tables import table_rows
from fastetl.synth.handwriting import choose_glyphs, ink_of
from fastetl.synth.processes import results_of, worker_count
from fastetl.synth.raster import draw, draw_pictures
from fastetl.synth.sets import MAX_SEED, PLANS, set_files, stamp
from fastetl.synth.strokes import has_strokes
from fastetl.synth.style import draw_style

_ENTRIES = ("ATTRIBUTION.txt", *(f"{name}*" for name in LAYOUT_BY_NAME))
SYNTHETIC_KIND = OutputKind("a folder of synthetic ETL files", _ENTRIES[:1], _ENTRIES)
_MAX_COUNT = 1_000_000
SHEET_CHARACTERS = 96  # characters of one sheet
MAX_SHEETS = 10_000  # the sheet's number has 16 bits
ORDER = tuple(entry.character or "" for entry in classes("ETL8G"))  # a data set's characters, in the order of ETL8G
# 平 and 開 have HIRA in their readings and を has not, so whoever selects by the reading gets wrong records.
_READINGS = {"ぢ": "DI.HIRA", "づ": "DU.HIRA", "を": "O.WO.HIR", "っ": "TSU.SHIR", "査": "SA.SHIRA"}
_READINGS |= {"ゃ": "YA.SHIRA", "ゅ": "YU.SHIRA", "ょ": "YO.SHIRA", "平": "HEI.HIRA", "開": "KAI.HIRA"}

ATTRIBUTION = (Path(__file__).parent / "ATTRIBUTION.txt").read_text(encoding="utf-8")


@dataclass(frozen=True)
class SynthConfig(Options):
    """What synthetic writers write."""

    set: tuple[str, ...] = ()
    """Sets to write, such as ETL1 ETL6. Each has all of its classes, in the order and with the oddities of the genuine
    files; those of ETL1, 6 and 7 cannot say that they are synthetic. Default: ETL8G, as the next options say."""
    writers: Annotated[int, Range(1, _MAX_COUNT)] = 10
    """Writers of each set, only with `set`. (ETL2 is printed: samples of each code in each style.)"""
    files: Annotated[int, Range(1, _MAX_COUNT)] = 12
    """Number of files, 1–1,000,000. Each has five writers (with charset etl9 four), who write every character once.
    A genuine ETL8G has 32 such files. Only without `set`."""
    charset: Characters = "all"
    """Characters to write, all with strokes in KanjiVG: a name (docs/formats.md), a text file, or a dataset, run or
    package. all: the 956 of ETL8. kanji: 881 of these. Only without `set`."""
    scans: Share = 0.5
    """Share of the writers (0–1) whose sheets are scanned. As in real scans of ETL sets, their characters are smaller,
    with fragments of neighbours at the edges. The other writers draw on a canvas."""
    seed: Annotated[int, Range(0, MAX_SEED)] = 0
    """Another seed gives other writers; at most 16 digits. File k does not depend on the number of files."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.set:
            require_choice("set", name, tuple(LAYOUT_BY_NAME))
        unused_options = ("charset", "files") if self.set else ("writers",)
        require_unset(self, unused_options, f"{'has no effect with' if self.set else 'is for'} `set`")


def characters_of(wanted: Characters) -> tuple[Charset, tuple[str, ...]]:
    """The charset as in a build, and its characters as written. Raises FastetlError for characters without strokes."""
    charset = load_charset(wanted, sorted(ORDER, key=lambda c: char_to_jis(c) or 0))
    unknowns = [c for c in charset.characters if not has_strokes(c)]
    if unknowns:
        raise unsuitable("charset", "characters that KanjiVG holds", in_a_line(unknowns, 20), "leave them out of it")
    return charset, ORDER if wanted == "all" else charset.characters


@cache
def readings(characters: tuple[str, ...] = ORDER) -> tuple[bytes, ...]:
    """The reading beside each code, eight bytes padded with blanks, as misleading as in genuine files.

    KanjiVG has no readings. So characters other than hiragana have their JIS code instead ("KAN.3026").
    """
    rows = table_rows("synth/tables/kana.tsv")
    names = {kana: f"{sound.upper()}.HIRA" for kana, sound, *_ in rows if kana in HIRAGANA.class_of} | _READINGS
    codes = [f"{'KAN' if is_kanji(c) else 'SYM'}.{char_to_jis(c) or 0:04X}" for c in characters]
    return tuple(names.get(c, code).encode().ljust(8) for c, code in zip(characters, codes, strict=True))


def layout_of(characters: tuple[str, ...]) -> Layout:
    """The set that these characters are written for: ETL9G for its 3,036 characters, otherwise ETL8G."""
    return ETL9G if len(characters) == ETL9G.data_set_records else ETL8G


def file_numbers(writers: Ints, layout: Layout) -> Ints:
    """int64 (N,): number of the file with each writer's data set, from 1, without ETL8G's file of model patterns."""
    numbers = 1 + writers // layout.data_sets_per_file
    return numbers + ((numbers >= ETL8G.files) & (layout is ETL8G))


def draw_data_set(
    seed: int, writer: int, characters: tuple[str, ...] = ORDER, scans: float = SynthConfig.scans
) -> Bytes:
    """The records of one writer, uint8 (N, record bytes), of ETL8G (of ETL9G for its 3,036 characters).

    scans: probability (0–1) that the writer's sheets are scanned. Headers are filled as in a genuine file; `column` of
    `fastetl.etl.layouts.ETL8G` reads a field of them, `packed` the pictures.
    """
    layout = layout_of(characters)
    rng = np.random.default_rng([seed, writer, layout.group_base])  # in this order: [9] and [9, 0] are one seed
    style = draw_style(rng, bool(rng.random() < scans))
    count = len(characters)
    numbers = np.arange(count)
    ends = np.arange(SHEET_CHARACTERS, count + SHEET_CHARACTERS, SHEET_CHARACTERS)
    if characters == ORDER:
        ends = np.cumsum([len(sheet) for sheet in classes_by_file("ETL8G")])
    sheet = np.searchsorted(ends, numbers, "right")
    cell = numbers - np.append(0, ends)[sheet]
    records = np.zeros((count, layout.record_bytes), np.uint8)
    stamp(records, layout, seed)
    layout.packed(records)[:] = draw(ink_of(choose_glyphs(style, rng, characters), style, rng)).reshape(count, -1)
    header: dict[str, ArrayLike] = {
        "code": [char_to_jis(c) or 0 for c in characters],
        "reading": readings(characters),
        "sheet": (len(ends) * writer + sheet + 1) % MAX_SHEETS,
        "number": count * writer + numbers + 1,
        "x": cell % 12,
        "y": cell // 12,
        "evaluation": np.minimum(rng.poisson(0.15 * style.sloppiness, count), 3),  # 0 is good, 3 is sloppy
        "group_evaluation": int(style.sloppiness > 1.5),
        "sex": rng.integers(1, 3),
        "age": rng.integers(18, 61),
        "industry": rng.integers(100, 1000),
        "occupation": rng.integers(100, 1000),
        "collected": 7600 + rng.integers(1, 7),
        "scanned": 7600 + rng.integers(7, 13),
    }
    for name, values in header.items():
        layout.put(records, name, values)
    return records


def synthesize(
    out: StrPath,
    config: SynthConfig | None = None,
    *,
    processes: int = 1,
    overwrite: bool = False,
    progress: ShowProgress | None = None,
    **options: object,
) -> Path:
    """Write a directory of ETL files (ETL8G_01 …) by synthetic writers, and ATTRIBUTION.txt. Returns its path.

    With charset etl9 the files are ETL9G_01 …, and with `set` those of the sets by their genuine names. The genuine
    ETL8G_33 has model patterns alone, so file 34 follows 32. Processes are forked on Linux, if no other thread runs and
    JAX is not imported. Otherwise new processes start and import the calling script, which therefore needs
    `if __name__ == "__main__"`.

    Args:
        out: The directory to write, whole or not at all.
        config: What to write; `SynthConfig()` if None.
        processes: How many draw at once (with `set` one), 0 for one on each processor; the bytes are the same.
        overwrite: Replace earlier files of synthetic writers.
        progress: Called with how many data sets (with `set` files) are done, and how many there are.
        **options: Fields of the config by keyword, as in `synthesize(out, files=3)`.
    Raises:
        FastetlError: If `out` exists, KanjiVG's strokes are not installed, the charset is unknown, or a character in it
            has no strokes or no code in JIS X 0208.
    """
    processes = worker_count(processes)
    progress = as_progress(progress)
    config = config_of(SynthConfig, config, options)
    files = _files_of_sets(config, progress) if config.set else _files(config, processes, progress)
    with new_output(out, SYNTHETIC_KIND, overwrite) as folder:
        for name, records in files:
            with (folder / name).open("ab") as file:
                records.tofile(file)
        (folder / "ATTRIBUTION.txt").write_text(ATTRIBUTION, encoding="utf-8")
    return Path(out)


def _files(config: SynthConfig, processes: int, progress: ShowProgress) -> Iterator[tuple[str, Bytes]]:
    """The data sets one after the other: name of the file, and records."""
    _, characters = characters_of(config.charset)
    unknowns = [c for c in characters if char_to_jis(c) is None]
    if unknowns:
        expected = "characters of JIS X 0208, since records hold its codes"
        do = "leave them out of it, or give `size`: a dataset without files may have them"
        raise unsuitable("charset", expected, in_a_line(unknowns, 20), do)
    layout = layout_of(characters)
    writers = range(config.files * layout.data_sets_per_file)
    work = partial(draw_data_set, config.seed, characters=characters, scans=config.scans)
    data_sets = zip(file_numbers(np.array(writers), layout).tolist(), results_of(work, writers, processes), strict=True)
    for done, (number, records) in enumerate(data_sets, 1):
        yield f"{layout.name}_{number:02d}", records
        progress(done, len(writers))


def _files_of_sets(config: SynthConfig, progress: ShowProgress) -> Iterator[tuple[str, Bytes]]:
    names = list(dict.fromkeys(config.set))
    draw_set = partial(draw_pictures, seed=config.seed, scans=config.scans)
    total = sum(len(list(PLANS[name](config.writers))) for name in names)
    files = (file for name in names for file in set_files(name, config.writers, draw_set, config.seed))
    for done, file in enumerate(files, 1):
        yield file
        progress(done, total)
