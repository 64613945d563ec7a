"""Labelled pictures of any script become datasets."""

import errno
import gzip
import os
import shutil
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

import fastetl
from fastetl import Dataset, FastetlError
from fastetl.building.build import find_labelled
from fastetl.building.kept_drawings import find_samples
from fastetl.building.labelled_pictures import import_pictures
from fastetl.data.charset import nfc
from fastetl.data.identity import UNNAMED_FILES
from fastetl_cli.main import main
from tests.conftest import Capture, Patch, Write, draw, one_line

NAMES = ("한", "क्ष", "spiral", "U+002F", "か\u3099", "U+0915-U+094D", "3", "U+E000")
CHARACTERS = tuple(sorted(("한", "क्ष", "spiral", "/", "が", "क्", "3", "\ue000")))
EACH = 3


def imported(path: Path, charset: str | None = None, size: int = 64) -> Dataset:
    return import_pictures(find_labelled([path]), charset, size, "", lambda done, total: None)[0]


@pytest.fixture
def symbols(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        for k in range(EACH):
            draw(tmp_path / "my.symbols" / name / f"{k}.png", EACH * number + k)
        for junk in (".DS_Store", "Thumbs.db", "._0.png"):
            (tmp_path / "my.symbols" / name / junk).write_bytes(b"\0")
    return tmp_path / "my.symbols"


def arrays(count: int = 20, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), (np.arange(count) % classes).astype(np.uint8)


def write_idx(path: Path, array: np.ndarray, *, packed: bool = False) -> None:
    head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    with gzip.open(path, "wb") if packed else path.open("wb") as file:
        file.write(head + array.tobytes())


def test_a_folder_for_each_character(symbols: Path, tmp_path: Path) -> None:
    steps = list[tuple[int, int]]()
    result = fastetl.build(symbols, tmp_path / "out", size=48, progress=lambda *step: steps.append(step))
    assert steps == [(k + 1, result.images) for k in range(result.images)]
    assert (result.images, result.classes, result.groups, result.noticed) == (len(NAMES) * EACH, len(NAMES), 0, ())
    assert (result.ungrouped, result.words) == (result.images, ("spiral",))
    data = fastetl.open_dataset(tmp_path / "out")
    assert data.charset.characters == CHARACTERS
    assert data.images.shape[1:] == (48, 48)
    assert (data.sources[0][:14], data.charset.name) == (UNNAMED_FILES, "my.symbols")
    assert (data.groups == -1).all()
    assert np.bincount(data.labels).tolist() == [EACH] * len(NAMES)
    assert np.asarray(data.images)[:, [0, -1]].max() == 0  # ink high
    assert np.asarray(data.images).max(axis=(1, 2)).min() > 200
    assert (data.digests == imported(symbols, size=96).digests).all()
    assert len(set(data.digests.tolist())) == len(data)


def test_threads_leave_the_filters_of_warnings(tmp_path: Path, monkeypatch: Patch) -> None:
    seconds, before = iter((0.1, 0.3) * 2), list(warnings.filters)
    for character in "한글":
        draw(tmp_path / "in" / character / "0.png", 0)
    monkeypatch.setattr(Image, "preinit", lambda: time.sleep(next(seconds)))  # `open` calls it
    imported(tmp_path / "in")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fastetl.read_picture, (tmp_path / "in").rglob("*.png")))
    assert warnings.filters == before
    monkeypatch.undo()
    with pytest.raises(ZeroDivisionError) as caught:
        fastetl.build(tmp_path / "in", tmp_path / "out", progress=lambda done, total: done // 0)  # type: ignore[arg-type]
    assert caught.tb is not None  # which keeps the frames
    assert warnings.filters == before


def test_a_charset_leaves_out_and_counts(symbols: Path, tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("한\nक्ष\n가\n", encoding="utf-8")
    result = fastetl.build(symbols, tmp_path / "out", charset=str(tmp_path / "few.txt"))
    assert result.left_out == dict.fromkeys(set(CHARACTERS) - {"한", "क्ष"}, EACH)
    assert (result.images, result.missing) == (2 * EACH, ("가",))
    assert fastetl.load_charset(tmp_path / "out").characters == ("한", "क्ष", "가")
    for text, fault in (('{"charset": {}}', "json: cannot read the charset; .* missing"), ("{}", "^no charset")):
        (tmp_path / "out" / "dataset.json").write_text(text)
        with pytest.raises(FastetlError, match=fault):
            fastetl.load_charset(tmp_path / "out")
    for wrong, fault in (({"charset": "capitals"}, "no picture of a char"), ({"model_pattern": True}, "is for ETL")):
        with pytest.raises(FastetlError, match=fault):
            fastetl.build(symbols, tmp_path / "none", **wrong)


def test_what_is_no_picture_is_left_out_and_told(symbols: Path, tmp_path: Path) -> None:
    """A file that is none, one without ink, a link to nothing, what is elsewhere; all are errors where `strict`."""
    (symbols / "한" / "gone.png").symlink_to("nowhere")
    (symbols / "한" / "notes.png").write_text("not a picture")
    (symbols / "한" / "notes.txt").write_text("nor is this taken for one")
    Image.new("L", (20, 20), 255).save(symbols / "한" / "white.png")
    (symbols / "notes").mkdir()
    (symbols / "한" / "Ann").mkdir()
    for place in (symbols, symbols / "한" / "Ann"):
        draw(place / "elsewhere.png", 1)
    (symbols / "notes" / "readme.txt").write_text("no character's folder")
    result = fastetl.build(symbols, tmp_path / "out")
    assert (result.images, result.classes, result.missing) == (len(NAMES) * EACH, len(NAMES), ())
    assert [notice.done for notice in result.noticed] == ["left out"] * 6
    noticed = [str(notice) for notice in result.noticed]
    assert noticed[0] == f"{symbols / 'elsewhere.png'}: a picture in no character's folder. Left out"
    assert noticed[1] == f"{symbols / 'notes'}: a folder without a picture. Left out"
    assert noticed[2] == f"{symbols / '한' / 'Ann'}: a folder in a character's folder. Left out"
    assert noticed[5] == f"{symbols / '한' / 'white.png'}: no ink in the picture. Left out"
    with pytest.raises(FastetlError, match="symbols.*elsewhere"):
        fastetl.build(symbols, tmp_path / "strict", strict=True)


def test_a_picture_with_two_characters_or_groups_is_noticed(tmp_path: Path) -> None:
    rows = ["file,character,group", "0.png,한,Nan", "0.png,한,Rei", "1.png,가,Nan", "1.png,나,Nan", "1.png,가,Nan"]
    rows += ["2.png,한,", "2.png,한,Nan", "2.png,한,Rei"]
    (tmp_path / "in.csv").write_text("\n".join(rows), encoding="utf-8")
    for seed in range(3):
        draw(tmp_path / f"{seed}.png", seed)
    result = fastetl.build(tmp_path / "in.csv", tmp_path / "out")
    of_each = [(notice.record, notice.what[12:]) for notice in result.noticed]  # whose numbers are not numpy's
    assert str(of_each) == "[(1, 'in two groups'), (3, 'with two characters'), (7, 'in two groups')]"
    assert (result.noticed[1].done, result.groups) == ("taken, in the group of the first", 1)
    with pytest.raises(FastetlError, match="record 1: one picture in two groups; expected a picture"):
        fastetl.build(tmp_path / "in.csv", tmp_path / "strict", strict=True)


def test_numbered_folders_with_a_list(tmp_path: Path) -> None:
    for number in range(2):
        draw(tmp_path / "in" / str(number) / "0.png", number)
    assert imported(tmp_path / "in").charset.characters == ("0", "1")
    (tmp_path / "in" / "labels.txt").write_text("한\nक्ष\n", encoding="utf-8")
    assert [imported(tmp_path / "in").charset.characters[k] for k in (0, 1)] == ["क्ष", "한"]
    draw(tmp_path / "in" / "2" / "0.png", 3)
    with pytest.raises(FastetlError, match=r"in/2: a folder that is no number; expected 0 to 1"):
        imported(tmp_path / "in")
    (tmp_path / "in" / "labels.txt").write_text("한\n\nक्ष\n", encoding="utf-8")
    with pytest.raises(FastetlError, match=r"labels.txt: a label without a name; .* found none on line 2"):
        imported(tmp_path / "in")


def test_a_csv_with_writers(symbols: Path, tmp_path: Path) -> None:
    pictures = symbols.rglob("[0-9].png")
    writers = {"0": "Nan", "1": "7.0", "2": "7"}
    rows = [f"{nfc(str(p.relative_to(tmp_path)))},{p.parent.name},{writers[p.stem]}" for p in pictures]
    table = tmp_path / "symbols.csv"
    table.write_text("\n".join(['"file","character","group"', *rows]), encoding="utf-8")
    data = imported(table)
    assert data.charset.characters == CHARACTERS
    ann, seven = sorted(set(data.groups.tolist()), key=lambda g: g == 7)
    assert (seven, (data.groups == ann).sum()) == (7, len(NAMES))
    assert data.sources[0].startswith(UNNAMED_FILES)
    (tmp_path / "other").mkdir()
    for number, own in enumerate((tmp_path / "other" / "symbols.csv", tmp_path / "other.csv"), 100):
        draw(own.parent / f"{own.stem}.png", number)
        own.write_text(f"file,character,group\n{own.stem}.png,한,7\n", encoding="utf-8")
    paths = [table, tmp_path / "other", tmp_path / "other.csv", symbols / ".." / "other.csv"]
    apart = fastetl.build(paths, tmp_path / "apart")
    assert (apart.groups, apart.images) == (2 + 1 + 1, EACH * len(NAMES) + 2), "a file of two names once"
    own.write_text(f"file,character,writer\n{own.stem}.png,한,7\n", encoding="utf-8")
    assert fastetl.build(paths, tmp_path / "named", source="my unnamed: x").groups == 2
    assert set(fastetl.open_dataset(tmp_path / "named").records["writer"].tolist()) == {*writers.values()}
    assert fastetl.open_dataset(tmp_path / "named").sources == ("my unnamed: x",)
    line = "my.symbols\\\u1112\u1161\u11ab\\0.png;a\u2028b;Nan;한"
    table.write_text(f"File;note;group;Character\n{line}", encoding="utf-8")
    assert imported(table).groups.tolist() == [ann]
    assert fastetl.build(table, tmp_path / "note").noticed[0].what == "columns that are not read: note"
    assert Dataset.create([np.eye(9, dtype=np.uint8)], ["한"], np.array(["Nan"], object)).groups == [ann]


def test_an_npz_of_characters_is_built_and_opened(tmp_path: Path) -> None:
    images, numbers = arrays()
    labels = np.array(["한", "क्ष", "か\u3099"])[numbers]
    np.savez(tmp_path / "mine.npz", images=images, labels=labels, writers=numbers)
    result = fastetl.build(tmp_path / "mine.npz", tmp_path / "out", size=28)
    data = fastetl.open_dataset(tmp_path / "out")
    assert (result.groups, data.groups.tolist()) == (3, numbers.tolist())
    assert [data.charset.characters[k] for k in data.labels[:3]] == ["한", "क्ष", "が"]
    assert (np.asarray(data.images) == images).all()
    assert fastetl.open_dataset(tmp_path / "mine.npz").charset.characters == data.charset.characters


def test_kmnist_by_its_class_map(tmp_path: Path) -> None:
    images, labels = arrays()
    for part in ("train", "test"):
        np.savez(tmp_path / f"kmnist-{part}-imgs.npz", images)
        np.savez(tmp_path / f"kmnist-{part}-labels.npz", labels)
    with pytest.raises(FastetlError, match=r"labels that are numbers.*labels\.txt"):
        imported(tmp_path)
    (tmp_path / "kmnist_classmap.csv").write_text("index,codepoint,char\n")
    with pytest.raises(FastetlError, match=r"kmnist_classmap\.csv: cannot read; .* with a header and rows"):
        imported(tmp_path)
    rows = "index,codepoint,char\n0,U+304A,お\n1,U+304D,き\n2,U+3059,す\n"
    (tmp_path / "kmnist_classmap.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "k49_classmap.csv").write_text(rows.replace("お", "あ"), encoding="utf-8")
    data = imported(tmp_path, "hiragana", 28)
    assert len(data) == 40
    assert [data.charset.characters[k] for k in data.labels[:3]] == ["お", "き", "す"]
    only = imported(tmp_path / "kmnist-test-imgs.npz", size=28)
    assert only.charset.characters == ("お", "き", "す")


@pytest.mark.parametrize("packed", [False, True])
def test_idx(tmp_path: Path, packed: bool) -> None:
    images, labels = arrays()
    suffix = ".gz" if packed else ""
    write_idx(tmp_path / f"train-images-idx3-ubyte{suffix}", images, packed=packed)
    with pytest.raises(FastetlError, match="no file of labels"):
        imported(tmp_path)
    write_idx(tmp_path / f"train-labels-idx1-ubyte{suffix}", labels, packed=packed)
    (tmp_path / "labels.txt").write_text("한글자\n", encoding="utf-8")
    data = imported(tmp_path, size=28)
    assert (np.asarray(data.images) == images).all()
    assert [data.charset.characters[k] for k in data.labels[:3]] == ["한", "글", "자"]


def npz(name: str = "a.npz", **changes: object) -> Callable[[Path], object]:
    """What writes labelled pictures, but for what is changed."""
    images, labels = arrays(3)
    given = {"images": images, "labels": np.array(["a", "b", "c"])[labels], **changes}
    sound = {key: np.asarray(array) for key, array in given.items() if array is not None}
    return lambda at: np.savez(at / name, allow_pickle=False, **sound)


def table(text: str) -> Callable[[Path], object]:
    return lambda at: (at / "a.csv").write_text(text)


def cut_idx(folder: Path) -> None:
    write_idx(folder / "train-images-idx3-ubyte", arrays()[0])
    write_idx(folder / "train-labels-idx1-ubyte", arrays()[1])
    os.truncate(folder / "train-images-idx3-ubyte", 500)


OTHER_COLUMNS = table("path,label\nb.png,a\n")
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folders": (lambda at: draw(at / "a.png", 0), "pictures without characters; expected one subfolder"),
    "no ink": (lambda at: draw(at / "한" / "a.png", 0, ink=235), "a.png: no ink in the picture. Look at the picture"),
    "no ink in arrays": (npz(images=np.zeros((3, 9, 9), "u1")), "a.npz, record 0: no ink"),
    "no disk": (lambda at: (at / "a.csv").symlink_to("/proc/self/mem"), "a.csv: cannot read the file; found Input"),
    "two kinds": (lambda at: [draw(at / "한" / "a.png", 0), npz("b.npz")(at)], "several kinds of labelled pictures"),
    "no character": (lambda at: draw(at / "two words" / "a.png", 0), "two words: not a character"),
    "IDX cut": (cut_idx, "train-images-idx3-ubyte: the file is damaged; expected an array"),
    "IDX of labels": (lambda at: write_idx(at / "a.nolabels", arrays()[1]), "not labelled … arr_0 uint8 (20,)"),
    "long name": (table(f"file,character\n{'x' * 300},a\n"), "x: unsuitable picture"),
    "long CSV": (table("file,character\n" + "x" * 10**6), "cannot read; … limit"),
    "other columns": (OTHER_COLUMNS, "and character; found 'path"),
    "CSV of commas": (table("file,character\nb,c.png,あ\n"), "record 0: a line of other cells than the header"),
    "CSV without a file": (table("file,character\n,あ\n"), "record 0: a line of other cells than the header"),
    "CSV of twins": (table("file,group,character,writer\n"), "columns group or writer"),
    "CSV beside pictures": (
        lambda at: [draw(at / "b.png", 0), OTHER_COLUMNS(at)],
        "a.csv: not labelled pictures; expected … in UTF-8 … found 'path",
    ),
    "CSV without rows": (table("file,character\n"), "cannot read; … found no rows"),
    "other arrays": (npz(images=None, pictures=arrays(3)[0]), "labels <U1 …, pictures uint8"),
    "no names": (lambda at: np.savez(at / "a.npz", *arrays(3)), "not labelled … found arr_0 uint8 (3, 28, 28)"),
    "images of floats": (npz(images=np.zeros((3, 8, 8))), "expected arrays images, uint8"),
    "a number": (npz(images=7), "not labelled pictures; … found images int64 (),"),
    "white paper": (npz(images=arrays(3)[0] | 128), "white paper; … 3 of 3 … Give 255 -"),
    "few labels": (npz(labels=["a", "b"]), "not labelled … labels <U1 (2,). Write"),
    "no Unicode": (npz(labels=np.array([0x7FFFFFFF] * 3, "u4").view("U1")), "beyond Unicode"),
    "groups twice": (npz(groups=[1] * 3, writers=[1] * 3), "groups or writers; found … writers"),
    "a group below −1": (npz(groups=[3, 4, -2]), "record 2: no group; expected … found -2"),
    "a long group": (npz(groups=["w" * 65] * 3), "a name of up to 64 characters, a whole number"),
    "float groups": (npz(groups=[0.5, 2, 3]), "record 0: no group; expected … found 0.5"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, kind: str) -> None:
    (tmp_path / "in").mkdir()
    write, expected = FAULTS[kind]
    write(tmp_path / "in")
    for source in (tmp_path / "in", *(tmp_path / "in").glob("a.[nc]*")):
        with one_line(expected):
            fastetl.build(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_dataset_is_made_of_is_told(symbols: Path, tmp_path: Path) -> None:
    Dataset.create([np.eye(9, dtype=np.uint8)], ["あ"]).write(tmp_path / "data")
    fastetl.open_dataset(tmp_path / "data").to_parquet(tmp_path / "data.parquet")
    for path in (tmp_path / "data", tmp_path / "data.parquet"):
        with pytest.raises(FastetlError, match=f"^{path}: a dataset already; .* See `fastetl sheet`, train on it, or"):
            fastetl.build(path, tmp_path / "again")
    with pytest.raises(FastetlError, match=f"no dataset here; .*[.] Give its folder, {tmp_path}/data$"):
        fastetl.open_dataset(tmp_path / "data" / "images.npy")
    (tmp_path / "a.csv").write_text("file,character\n")
    for path in (symbols, symbols / "한" / "0.png", tmp_path / "a.csv"):
        with pytest.raises(FastetlError, match=f"^{path}: no dataset here; .* with `fastetl build`$"):
            fastetl.open_dataset(path)


def test_of_many_characters_without_a_sample_a_few_are_named(symbols: Path, tmp_path: Path, capsys: Capture) -> None:
    arguments = ["build", str(symbols), str(tmp_path / "out"), "--charset", "japanese"]
    assert main(arguments) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("No sample of: ")]
    assert line == "No sample of: ぁあぃいぅうぇえぉおかきぎくぐけげこごさ … (6,622)"
    assert main([*arguments, "--strict", "--overwrite"]) == 2
    assert "found none of ぁあぃいぅうぇえぉおかきぎくぐけげこごさ … (6,622)" in capsys.readouterr().err


def test_records_and_pictures_are_not_mixed(symbols: Path, etl_file: Write, tmp_path: Path, monkeypatch: Patch) -> None:
    records = etl_file()
    draw(records.parent / "sheet.png", 0)
    assert fastetl.build(records.parent, tmp_path / "passed over").images == 142
    draw(records.parent / "figures" / "0.png", 0)
    for sources in ([records, symbols], records.parent):  # of the latter the picture was built, without the records
        with pytest.raises(FastetlError, match="records and labelled pictures"):
            fastetl.build(sources, tmp_path / "out")
    shutil.rmtree(symbols)
    symbols.mkdir()
    with pytest.raises(FastetlError, match="no ETL file"):
        fastetl.build(symbols, tmp_path / "out")
    denial = PermissionError(errno.EACCES, "Permission denied")
    monkeypatch.setattr(Path, "iterdir", Mock(side_effect=denial))
    for read in (lambda folder: fastetl.build(folder, tmp_path / "out"), find_samples):
        with pytest.raises(FastetlError, match="symbols: cannot list the folder; found Permission denied"):
            read(symbols)
    monkeypatch.setattr(Path, "stat", Mock(side_effect=denial))  # in a folder without the right to search it
    with one_line("symbols: cannot look there; expected rights to read there; found Permission denied. Mend them"):
        fastetl.open_dataset(symbols)
