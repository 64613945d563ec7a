"""`build`: what a dataset has of its records, and what it says of them."""

from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benches.etl_records import make_records
from fastetl import BuildConfig, Dataset, FastetlError, build, open_dataset, write_sheet
from fastetl.data.charset import HIRAGANA, Charset
from fastetl.etl.jis import codes_of
from fastetl.etl.layouts import ETL8G
from tests.conftest import Write, one_line


def test_the_model_pattern_stays_out_unless_asked_for(etl_file: Write, tmp_path: Path) -> None:
    folder = etl_file("ETL8G_01").parent
    model = etl_file("ETL8G_33", make_records(1, seed=1))
    assert build(tmp_path.glob("etl"), tmp_path / "a").groups == 2
    few = Charset("few", ("い", "あ"))
    assert build([folder], tmp_path / "b", model_pattern=True, charset=few).groups == 3
    assert open_dataset(tmp_path / "b").charset == few
    with pytest.raises(FastetlError, match="model_pattern"):
        build([model], tmp_path / "c")


def test_missing_characters_and_unknown_codes_are_told(etl_file: Write, tmp_path: Path) -> None:
    records = make_records(2)
    records[5, 2:4] = 0xFF  # its code
    others = ETL8G.column(records, "code") != codes_of(HIRAGANA)[70]
    source = etl_file(records=records[others])
    steps = list[tuple[int, int]]()
    result = build([source], tmp_path / "out", progress=lambda *step: steps.append(step))
    assert steps[-1] == (result.images, result.images)
    assert (result.missing, result.unknown_codes, result.classes) == (("ん",), 1, 70)
    whole = etl_file(records=make_records(2)[others])
    with pytest.raises(FastetlError, match="characters without a sample.*none of ん"):
        build(whole, tmp_path / "strict", strict=True)


def test_an_existing_output_is_rejected_and_a_failed_one_leaves_it(etl_file: Write, tmp_path: Path) -> None:
    source, out = etl_file(), tmp_path / "out"
    build([source], out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    with pytest.raises(FastetlError, match="exists already.*overwrite"):
        build([source], out)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build([source], out, overwrite=True, progress=stop)
    with one_line("record 270: the file ends inside a record; expected 8,199 bytes; found 1…inspect"):
        build([etl_file("ETL8G_02", tail=b"x")], out, overwrite=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    build([source], out, BuildConfig(size=16), overwrite=True)
    assert open_dataset(out).images.shape[1] == 16


@pytest.mark.parametrize("name", ["a.png", *["a.parquet"] * bool(find_spec("pyarrow"))])
def test_only_files_that_fastetl_wrote_are_overwritten(etl_file: Write, tmp_path: Path, name: str) -> None:
    build([etl_file()], tmp_path / "out", BuildConfig(size=16, charset="japanese"))  # many characters after the mark
    data, out = open_dataset(tmp_path / "out"), tmp_path / name
    write = partial(write_sheet, data) if name == "a.png" else data.to_parquet
    for overwrite in (False, True):
        assert write(out, overwrite=overwrite) == out
    if name == "a.png":  # the user's own files of these kinds
        Image.open(out).save(out)
    else:
        out.write_bytes(b"PAR1" + bytes(100_000) + b"PAR1")
    before = out.read_bytes()
    with pytest.raises(FastetlError, match="replaces only what fastetl wrote.*without fastetl's mark"):
        write(out, overwrite=True)
    assert out.read_bytes() == before
    with pytest.raises(FastetlError, match="would be in a file; .* found .*Choose another output"):
        write(out / name)
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "out" / "mine.parquet").write_bytes(before)
    for place, fault in (("link", "a link"), ("out", "'mine.parquet' in it, which is none of its files")):
        with pytest.raises(FastetlError, match=f"replaces only what fastetl wrote.*{fault}"):
            build([etl_file()], tmp_path / place, overwrite=True)


def test_sheet_is_a_picture_of_the_samples(etl_file: Write, tmp_path: Path) -> None:
    build([etl_file()], tmp_path / "out", BuildConfig(size=16))
    write_sheet(open_dataset(tmp_path / "out"), tmp_path / "sheet.png", rows=5, columns=4)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (116 + 4 * 17 + 1, 18 + 5 * 17 + 1)  # labels; ETL's terms above
        pixels = np.asarray(sheet)
    assert len(np.unique(pixels)) > 20
    assert pixels[18:, 116:].min() == 0  # ink at full contrast
    assert (pixels[:18, :] < 128).any()
    assert all((pixels[18 + 17 * k : 35 + 17 * k, :116] < 128).any() for k in range(5))
    symbols = Dataset.create([np.eye(64, k=-63, dtype=np.uint8)] * 2, ["a-symbol-with-a-name", "क्ष्म्य"])
    write_sheet(symbols, tmp_path / "symbols.png", columns=2)
    with Image.open(tmp_path / "symbols.png") as sheet:
        assert np.asarray(sheet)[:60, 116:].min() == 216  # no name runs over the pictures
