"""From records to a dataset: select by JIS code, decode and resize in one pass, write whole or not at all."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import Options, Range, as_path, as_progress, config_of, require_unset
from fastetl.data.charset import Characters, Charset, in_a_line
from fastetl.data.dataset import About, Dataset
from fastetl.data.identity import digest_rows
from fastetl.data.importing import import_pictures
from fastetl.data.labelled_files import Labelled, labelled_in
from fastetl.data.preprocessing import MAX_SIDE, MIN_SIDE, Preprocessing
from fastetl.data.writing import DATASET_KIND, open_images, write, write_description
from fastetl.errors import FastetlError, Findings, Notice, ShowProgress, StrPath
from fastetl.etl.classes import character_codes
from fastetl.etl.detection import EtlFile, Sources, as_paths, find_files, source_column
from fastetl.etl.jis import class_of_code
from fastetl.etl.layouts import Layout
from fastetl.etl.notices import format_code, group_copies_in_files, notices_of_length
from fastetl.etl.reading import block_records, new_buffer, read_records
from fastetl.etl.selection import Plan, Selection, select
from fastetl.files.atomic import check_output, new_output

T = TypeVar("T")


@dataclass(frozen=True)
class BuildConfig(Options):
    """What to take from the files, and how."""

    charset: Characters | None = None
    """Characters to take. Names: hiragana (71), hiragana46, hiragana-small (75), katakana (71), katakana46,
    katakana-small (82), kana (162), digits, capitals (26), latin (52), etl9 (3,036), japanese (6,625), kanji or all
    (what the data hold). Or a text file of characters. Default: hiragana of records, all of pictures."""
    size: Annotated[int, Range(MIN_SIDE, MAX_SIDE)] = 64
    """Side of the stored pictures in pixels (the tutorial's is 32)."""
    model_pattern: bool = False
    """Also take model patterns. They are printed-style samples of ETL8G, ETL8B2 and ETL9B that no writer wrote."""
    strict: bool = False
    """Read every header, and turn warnings into errors: records out of order, lost, added or unknown, data sets that
    are not complete, blank pictures, characters without a sample."""


@dataclass(frozen=True, kw_only=True)
class BuildResult(Findings):
    """What was written, and what a build tells of its sources."""

    out: str
    images: int
    classes: int
    groups: int
    missing: tuple[str, ...]
    """The characters of the charset without a sample."""
    seconds: float


_HEADER_FIELDS = (
    *("sheet", "number", "evaluation", "group_evaluation", "sex", "age", "industry", "occupation"),
    *("collected", "scanned", "x", "y", "letters"),
)  # that a dataset keeps


class DisorderError(FastetlError):
    """A record does not have the code that the plan expects."""


def _require_order(part: Selection, span: slice, records: NDArray[Any]) -> None:
    """Raise DisorderError unless these records have the codes that a part expects."""
    layout, expected = part.file.layout, part.codes[span]
    codes = records["code"] if layout.code_table == "jis" else character_codes(layout, records)
    if (codes != expected).any():
        at = int(np.flatnonzero(codes != expected)[0])
        record = int(part.index[span.start + at])
        what, do = "the file changed while it was read", "another process is changing it: wait and retry"
        wanted, found = format_code(int(expected[at])), format_code(int(codes[at]))
        raise DisorderError(what, file=part.file.path, record=record, expected=wanted, found=found, do=do)


def _columns(parts: Sequence[Selection], headers: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The columns of the records."""
    counts = [len(part.index) for part in parts]
    columns = {
        "file_name": np.repeat([part.file.path.name for part in parts], counts),
        "set": np.repeat([part.file.layout.name for part in parts], counts),
        "record": np.concatenate([part.index for part in parts]).astype(np.int32),
        "code": np.concatenate([part.codes for part in parts]),
    }
    layouts = [part.file.layout for part in parts]
    stored = [name for name in _HEADER_FIELDS if any(name in layout.by_name for layout in layouts)]
    return columns | {name: _column(name, layouts, headers) for name in stored}


def _column(name: str, layouts: Sequence[Layout], headers: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """A field of all records; −1 or an empty text in records whose set does not have it."""
    fields = [layout.by_name.get(name) for layout in layouts]
    dtype = np.result_type(*(field.dtype for field in fields if field is not None))
    if dtype.kind == "u" and None in fields:
        dtype = np.dtype(np.int64)
    absent: Any = b"" if dtype.kind == "S" else -1
    pieces = []
    for layout, header in zip(layouts, headers, strict=True):
        has_field = name in layout.by_name
        pieces.append(layout.column(header, name) if has_field else np.full(len(header), absent, dtype))
    values = np.concatenate(pieces).astype(dtype)
    if dtype.kind == "S":  # Latin-1, since a damaged record may have any byte
        values = values.view(np.uint8).astype(np.uint32).view(f"U{dtype.itemsize}")
    return values


def read_parts(
    parts: Sequence[Selection], charset: Charset, size: int, file: BinaryIO, progress: ShowProgress | None = None
) -> Dataset:
    """Read the records of a plan, or of some of its parts, as a dataset without pictures, which go to `file`."""
    from fastetl.kernels.resize import resize_records  # compiles: not before bad files have been rejected

    progress = as_progress(progress)
    counts = [len(part.index) for part in parts]
    total = sum(counts)
    digests = np.empty(total, np.uint64)
    headers = [np.empty(len(part.index), part.file.layout.header_dtype) for part in parts]
    buffers = {layout: new_buffer(layout) for layout in dict.fromkeys(part.file.layout for part in parts)}
    blocks = {layout: np.empty((block_records(layout), size, size), np.uint8) for layout in buffers}
    done = 0  # records, of all parts
    for part, header in zip(parts, headers, strict=True):
        layout = part.file.layout
        buffer = buffers[layout]
        for span, records in read_records(part.file, part.index, buffer):
            _require_order(part, span, records)
            pictures = blocks[layout][: len(records)]
            starts = layout.image_starts(len(records))
            resize_records(buffer, starts, layout.height, layout.width, pictures, bits=layout.bits)
            file.write(pictures.data)
            digests[done : done + len(records)] = digest_rows(layout.packed(records))
            layout.copy_headers(records, header[span])
            done += len(records)
            progress(done, total)
    sources, source = source_column([part.file for part in parts], counts)
    columns = _columns(parts, headers)
    return Dataset(
        name="",
        images=np.empty((0, size, size), np.uint8),
        labels=class_of_code(charset)[columns["code"]].astype(np.uint16),
        groups=np.concatenate([part.groups for part in parts]),
        charset=charset,
        preprocessing=Preprocessing(size=size),
        digests=digests,
        source=source,
        sources=sources,
        records=columns,
    )


def finished(plan: Plan, data: Dataset, config: BuildConfig, command: str) -> tuple[Dataset, Findings]:
    """The dataset of a plan, with copies in the group of the first one and with `about`, and the plan's findings.

    Raises FastetlError for copies and blank pictures with `strict`.
    """
    files = [part.file for part in plan.parts]
    records = [part.index for part in plan.parts]
    groups, source, noticed = group_copies_in_files(files, records, data.groups, data.source, data.digests)
    if noticed and config.strict:
        raise noticed[0].error()
    findings = replace(plan.findings, noticed=plan.findings.noticed + noticed)
    sizes = [file.record_count * file.layout.record_bytes for file in files]
    about: About = {
        "sets": list(dict.fromkeys(file.layout.name for file in files)),
        "files": [
            {"file": file.path.name, "set": file.layout.name, "bytes": size, "records": file.record_count}
            for file, size in zip(files, sizes, strict=True)
        ],
        "noticed": list(map(str, findings.noticed)),
        "command": command,
    }
    return replace(data, groups=groups, source=source, about=about), findings


def build(
    sources: Sources,
    out: StrPath,
    config: BuildConfig | None = None,
    *,
    overwrite: bool = False,
    progress: ShowProgress | None = None,
    command: str = "",
    **options: Any,
) -> BuildResult:
    """Write a dataset: pictures uint8 (N, size, size), 0–255, ink high, in the order of files and records.

    Args:
        sources: ETL files or folders of them, or labelled pictures (docs/own-pictures.md); a path or several.
        out: The directory to write, whole or not at all; docs/formats.md describes its files.
        config: What to take from the files; `BuildConfig()` if None.
        overwrite: Replace an earlier dataset.
        progress: Called with how much is done, and how much there is.
        command: Stored as the one that made the dataset.
        **options: Fields of the config by keyword, as in `build(source, out, charset="kana")`.
    Raises:
        FastetlError: If a file is bad, the charset unknown, no record fits, or `out` exists (without `overwrite`).
    """
    start_time = time.perf_counter()
    out = as_path("out", out)
    config = config_of(BuildConfig, config, options)
    progress = as_progress(progress)
    paths = as_paths(sources)
    check_output(out, DATASET_KIND, overwrite, paths)
    labelled = _labelled_sources(paths, out)
    if labelled:
        data, findings = _read_labelled(labelled, config, progress, command)
        write(replace(data, name=out.name), out, overwrite=overwrite)
    else:
        data, findings = run_plan(paths, config, partial(_write_records, out, config, overwrite, progress, command))
    return result_of(str(out), data, start_time, findings)


def _write_records(
    out: Path, config: BuildConfig, overwrite: bool, progress: ShowProgress | None, command: str, plan: Plan
) -> tuple[Dataset, Findings]:
    """Read the records of a plan and write their dataset. It is returned without pictures."""
    count = sum(len(part.index) for part in plan.parts)
    with new_output(out, DATASET_KIND, overwrite, [part.file.path for part in plan.parts]) as folder:
        # Through a buffer and not a mapped file, where a full disk would end the process without an error.
        with open_images(folder, count, config.size) as file:
            data = read_parts(plan.parts, plan.charset, config.size, file, progress)
        data, findings = finished(plan, data, config, command)
        write_description(folder, data)
    return data, findings


def _labelled_sources(paths: Sequence[Path], out: Path) -> list[Labelled]:
    """The labelled pictures at `paths`; none if these have records. Raises FastetlError if they have both."""
    by_path = [labelled_in(path) for path in paths]
    labelled = [source for in_path in by_path for source in in_path]
    if labelled and not all(by_path):
        what, do = "records and labelled pictures in one dataset", "build two with one `charset`, and train on both"
        raise FastetlError(what, file=labelled[0].path, expected="sources of one kind", do=do)
    for folder in (source.path for source in labelled if source.path.is_dir()):
        if out.resolve().is_relative_to(folder.resolve()):
            what, expected = "the output would be among the folders of pictures", f"a place outside of {folder}"
            raise FastetlError(what, file=out, expected=expected, do="choose another output")
    return labelled


def _read_labelled(
    sources: list[Labelled], config: BuildConfig, progress: ShowProgress, command: str
) -> tuple[Dataset, Findings]:
    """Labelled pictures as a dataset, and what is to be said of them."""
    require_unset(config, ("model_pattern",), "is for ETL files, and these are pictures")
    from fastetl.ink.pictures import read_picture  # only now: records do not need Pillow

    data, findings = import_pictures(sources, config.charset, config.size, read_picture, progress)
    if config.strict:
        _require_all(data.charset, findings.noticed, data.labels)
    sets, texts = list(data.sources), list(map(str, findings.noticed))
    files: list[dict[str, str | int]] = [{"file": source.path.name} for source in sources]
    about: About = {"sets": sets, "files": files, "noticed": texts, "command": command}
    return replace(data, about=about), findings


def run_plan(sources: Sources, config: BuildConfig, execute: Callable[[Plan], T], *, by_order: bool = True) -> T:
    """Call `execute` with the plan of a build. If it raises DisorderError, plan by every header, and call it again.

    by_order: whether the first plan relies on the order of the first data set; with `strict` it never does.
    """
    files = [f for f in find_files(sources) if config.model_pattern or not f.is_model_pattern]
    if not files:
        what, do = "only the model-pattern file is here", "give `model_pattern` to take it"
        raise FastetlError(what, expected="files that writers wrote", do=do)
    for notice in (notice for file in files for notice in notices_of_length(file)):
        raise notice.error("download or copy it again")
    noticed: tuple[Notice, ...] = ()
    if by_order and not config.strict:
        try:
            return execute(_plan(files, config, True, noticed))
        except DisorderError as error:
            what, treatment = "a record does not follow the order of the first data set", "read every header instead"
            noticed = (error.notice(treatment, what),)
    return execute(_plan(files, config, False, noticed))


def _plan(files: list[EtlFile], config: BuildConfig, by_order: bool, noticed: tuple[Notice, ...]) -> Plan:
    """The plan of a build, by the order of the first data set or by every header. noticed: what was noticed before.

    Raises FastetlError if no record is wanted, and with `strict` for everything that is odd.
    """
    charset = "hiragana" if config.charset is None else config.charset  # "" is no name
    plan = select(files, charset, model_pattern=config.model_pattern, by_order=by_order)
    noticed += plan.findings.noticed
    left_out = plan.findings.left_out if config.charset else {}  # the user did not choose the default charset
    if config.strict:
        codes = np.concatenate([part.codes for part in plan.parts])
        _require_all(plan.charset, noticed, class_of_code(plan.charset)[codes])
    return replace(plan, findings=replace(plan.findings, noticed=noticed, left_out=left_out))


def _require_all(charset: Charset, noticed: Sequence[Notice], labels: NDArray[np.integer[Any]]) -> None:
    """Raise FastetlError if anything is odd, or if a character of the charset has no sample."""
    if noticed:
        raise noticed[0].error()
    missing = _missing(charset, labels)
    if missing:
        found, do = f"none of {in_a_line(missing, 20)}", "choose another `charset`, or leave out `strict`"
        raise FastetlError("characters without a sample", expected=charset.name, found=found, do=do)


def _missing(charset: Charset, labels: NDArray[np.integer[Any]]) -> tuple[str, ...]:
    """The characters of the charset without a sample."""
    present = set(labels.tolist())
    return tuple(c for k, c in enumerate(charset.characters) if k not in present)


def result_of(out: str, data: Dataset, start_time: float, findings: Findings) -> BuildResult:
    """The result of a build that began at `start_time`, by time.perf_counter. The pictures of `data` are not needed."""
    missing = _missing(data.charset, data.labels)
    return BuildResult(
        out=out,
        images=len(data),
        classes=len(data.charset) - len(missing),
        groups=data.group_count,
        missing=missing,
        seconds=time.perf_counter() - start_time,
        **vars(findings),
    )
