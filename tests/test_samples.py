"""Sample files of pad and phone, and the dataset that is made of them."""

import contextlib
import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastetl import FastetlError, SamplesConfig, load_labelled, open_dataset, rasterize, samples_to_dataset
from fastetl.building.kept_drawings import KeptDrawing, read_samples
from fastetl.data.charset import HIRAGANA, KANA
from fastetl.data.identity import digest_of
from fastetl.data.preprocessing import Preprocessing, resize
from fastetl.files.untrusted import parse_json
from fastetl_cli.main import main
from fastetl_cli.web.sample_files import SampleFolder
from tests.conftest import Capture, sample


def write(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines))
    return path


def test_a_sample_comes_back_from_its_line() -> None:
    bare = dataclasses.replace(sample(label="", answer="\ue000" * 32), app="", device="unknown")
    for original in (sample(), bare):
        assert KeptDrawing.from_values(json.loads(original.as_line())) == original
    assert "app" not in bare.as_line()
    assert KeptDrawing.from_values(json.loads(sample(label="か\u3099").as_line())).label == "が"  # however it was typed
    older = {**json.loads(sample().as_line()), "picture": "a PNG, as pads of before kept it"}
    assert KeptDrawing.from_values(older) == sample()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_line_is_a_fault_and_nothing_else(data: st.DataObject) -> None:
    line = bytearray(sample().as_line().encode())
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    try:
        KeptDrawing.from_values(parse_json(bytes(line), "the line"))
    except FastetlError as error:
        assert "\n" not in str(error).strip()  # noqa: PT017


def test_faults_are_named_by_line_and_the_rest_is_read(tmp_path: Path) -> None:
    long = b"[" * 5_000_000
    beside = sample(3).as_line().replace("[10,250.5]", "[-90,-40]").replace("[40]", "[-40]")  # the canvas
    one, two = "\ufeff" + sample(1).as_line(), sample(2).as_line()
    file = write(tmp_path / "a.jsonl", one, b"\xff\xfe", long, b"", two, b"{}", beside)
    read, faults = read_samples(file)
    assert [(line, s.id) for line, s in read] == [(0, "id-1"), (4, "id-2")]
    texts = [str(fault).removeprefix(f"{file}: line ").partition(";")[0] for fault in faults]  # as editors count them
    assert texts == ["2: cannot read", "3: too large", "6: not a sample", "7: unsuitable drawing"]


def test_samples_become_a_dataset(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    write(folder / "2026-11-23.jsonl", *(sample(k, "ぬ" if k % 2 else "め").as_line() for k in range(30)))
    again = sample(3, "あ", "あ")  # the same id, corrected again
    write(folder / "2026-11-24.jsonl", again.as_line(), sample(50, "").as_line(), sample(51, "山").as_line(), b"{}")
    assert main(["samples", str(folder), str(tmp_path / "out"), "--charset", "hiragana", "--size", "32"]) == 1
    shown = capsys.readouterr()
    assert "30 samples of 3 characters, 16 recognized when drawn" in shown.out
    assert "2026-11-24.jsonl: line 4: not a sample" in shown.err
    assert "no label 1, 山 1" in shown.err

    data = open_dataset(tmp_path / "out")
    assert (data.images == resize(rasterize(sample().drawing)[None], 32)[0]).all()
    assert "".join(HIRAGANA.characters[k] for k in (*data.labels[:4], data.labels[-1])) == "めぬめめあ"
    assert [len(list(same)) for _, same in itertools.groupby(data.groups.tolist())] == [19, 10, 1]
    assert set(data.groups[[*range(19), -1]].tolist()) == {digest_of(b"id-0") >> 33}
    (tmp_path / "nu.txt").write_text("ぬ", encoding="utf-8")
    some = samples_to_dataset(folder, tmp_path / "nu", SamplesConfig(str(tmp_path / "nu.txt")))
    assert (open_dataset(some.out).groups == data.groups[data.labels == data.labels[1]]).all()
    assert samples_to_dataset(folder, tmp_path / "all", SamplesConfig("all")).classes == 4
    everything = samples_to_dataset(folder, tmp_path / "japanese")  # kana alone before, without 山
    assert (everything.classes, everything.left_out) == (4, {"no label": 1})
    assert set(data.records["device"]) == {"pen"}
    assert load_labelled(tmp_path / "out", HIRAGANA, Preprocessing(size=64)).images.shape == (30, 64, 64)
    assert len(np.unique(data.split(valid=0, test=0.3).train)) > 0


def test_removal_and_damage_leave_the_others_in_their_groups(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", *(sample(k).as_line() for k in range(25)))
    samples_to_dataset(tmp_path, tmp_path / "before")
    with contextlib.closing(SampleFolder(tmp_path)) as store:
        store.remove("a.jsonl", "id-0")
        assert store.list_samples("a.jsonl")["damaged"] == 0
    lines = file.read_text(encoding="utf-8").splitlines()
    write(file, *lines[:20], lines[20].replace("ぬ", "ぬ め"), *lines[21:24], b"{")
    for export in ("a (1).jsonl", "b.jsonl"):  # of before: they sort before and after it
        write(tmp_path / export, sample(0).as_line())
    (damaged, torn) = samples_to_dataset(tmp_path, tmp_path / "after").faults
    assert damaged.endswith('Write {"format":1,"id":"id-20","removed":true} instead')
    assert torn.endswith("Delete its text, but keep the line")
    before, after = (open_dataset(tmp_path / name).groups.tolist() for name in ("before", "after"))
    assert after == [*before[1:20], *before[21:24]]


def test_what_cannot_become_a_dataset(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", sample(1, "山").as_line())
    (tmp_path / "empty").mkdir()
    for source, message in (
        (tmp_path / "empty", "no samples here"),
        (write(tmp_path / "a.csv", "file,character"), "a.csv: line 1: cannot read; .* Give the folder of samples"),
        (write(tmp_path / "c.jsonl", sample(1, "").as_line()), "found no label. Check `charset`"),
        (file, f"labels of charset {KANA.name}; found 山"),
        (write(tmp_path / "b.jsonl", ""), "no sample to take; .* found none"),
        (tmp_path / "none.jsonl", "there is no such file"),
    ):
        with pytest.raises(FastetlError, match=message):
            samples_to_dataset(source, tmp_path / "out", charset="kana")
    assert not (tmp_path / "out").exists()
