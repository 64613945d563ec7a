"""Every wrong value of an option is an error of one line, wherever it is given."""

import json
import math
import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import export
import fastetl
import fastetl_ray
import model
from export.config import ExportConfig
from fastetl import BuildConfig, SynthConfig, build, load_labelled, synthesize, synthesize_dataset, write_sheet
from fastetl.building.kept_drawings import KeptDrawing, samples_to_dataset
from fastetl.checks import require_choice, require_range
from fastetl.data.augmentation import Augmentation, augment
from fastetl.data.batches import Batches
from fastetl.data.charset import Charset
from fastetl.data.dataset import Dataset
from fastetl.data.samples import Samples
from fastetl.data.store import load_charset
from fastetl.errors import ArgumentError, FastetlError
from fastetl.etl.jis import codes_of
from fastetl.ink.drawings import Drawing, Stroke, rasterize
from fastetl.ink.pictures import find_ink
from fastetl.synth.written_lines import write_line
from model.config import TrainConfig
from tests.conftest import one_line, sample, some_pictures

INK = [np.eye(9, dtype=np.uint8)]
OWN = Dataset.create(INK, ["あ"])
SIXTY = some_pictures()
OTHER = Dataset.create(SIXTY.images[:9], ["い"] * 9)
LARGE = Samples(np.zeros((2, 127, 127), np.uint8), np.zeros(2, int), np.arange(2))
NOISE = np.random.default_rng(0).integers(0, 256, (2, 12, 12), np.uint8)
RESULT = dict.fromkeys(("name", "part", "samples", "accuracy", "top5"), 1) | {"interval": (0, 1)}
CREATE, TRAIN = partial(Dataset.create, images=INK, characters=["あ"]), partial(model.train, data=OWN, out="out")
CHANGED, SPLIT, EVALUATE = partial(replace, LARGE), CREATE(groups=[0]).split, partial(model.evaluate, datasets=OWN)
EPOCH, WRITE_LINES = Batches(SIXTY, batch_size=10).epoch, partial(fastetl.write_lines, "out")
AUGMENT = partial(augment, images=NOISE, indices=np.array([0, 1]), out=NOISE.copy())
AUGMENT_ALL = partial(AUGMENT, config=Augmentation(fragments=1.0))
READER = export.open_recognizer("kana")


def stored_drawing(**changes: Any) -> Drawing:
    """A drawing as it is stored, but for what is changed."""
    return Drawing.from_dict({"width": 300, "height": 300, "strokes": [], **changes})


def stored_sample(**changes: Any) -> KeptDrawing:
    """A sample as it is stored, but for what is changed."""
    return KeptDrawing.from_values({**json.loads(sample().as_line()), **changes})


WRONG: list[tuple[Callable[..., object], Mapping[str, Any], str]] = [
    # A function, arguments by name, and what the error says ("…": anything). Of every class of options:
    (Augmentation, {"rotate": 5}, "no option 'rotate'; expected one of rotation, … Did you mean rotation?"),
    (TrainConfig, {"epochs": 2.5}, "epochs is out of range; expected a whole number, 1 to 100,000; found 2.5"),
    (TrainConfig, {"learning_rate": math.nan}, "learning_rate is out of range; expected over 0 to 100; found nan"),
    (TrainConfig, {"augmentation": {"rotation": 3}}, "unsuitable augmentation; expected Augmentation(…); found"),
    (fastetl.Preprocessing, {"surroundings": "yes"}, "unsuitable surroundings; expected true or false"),
    (SynthConfig, {"set": "ETL8G"}, "unsuitable set; expected a tuple such as ('ETL8G',); found 'ETL8G'"),
    (SynthConfig, {"set": ["ETL8"]}, "unknown set; expected one of ETL1,"),
    # Characters
    (load_charset, {"name": {"あ", "い"}}, "unsuitable charset; expected one of hiragana, …; found "),
    (load_charset, {"name": "x" * 256 + "/a"}, "unsuitable charset; expected a path, at most 4,095 bytes, each name"),
    (CREATE, {"charset": "HIRGANA"}, "no charset 'HIRGANA'; expected one of … file; in Python… Did you mean hiragana?"),
    (Charset, {"name": "x", "characters": [1, 2]}, "unsuitable charset; expected a name and a sequence of texts"),
    (Charset, {"name": "x", "characters": {"あ", "い"}}, "unsuitable charset; expected a name and a sequence"),
    (Charset, {"name": "x", "characters": "あ" * 70_000}, "'x' has an … length; expected 1 to 65,536 … found 70,000"),
    *(
        (Charset, {"name": "x", "characters": ("あ", c)}, "entry 2 is not a")
        for c in ("", " ", "a b", "\u200d", "\n", "\ud800", "x" * 33)
    ),
    (codes_of, {"charset": Charset("x", ("Ａ", "A"))}, "has several forms of one character; …; found ＡA"),
    (write_line, {"text": " ", "seed": 1}, "unsuitable text; expected 1 to 1,000 characters…; found ' '"),
    (WRITE_LINES, {"texts": "あ"}, "unsuitable texts; expected a list of texts; found 'あ'"),
    (WRITE_LINES, {"texts": ["あ" * 1001]}, "unsuitable text; expected 1 to 1,000 characters"),
    (WRITE_LINES, {"texts": ["あ", 5]}, "unsuitable text; expected a text; found 5"),
    # Datasets of the user's own arrays, and their samples
    (Dataset.create, {"images": None, "characters": []}, "unsuitable images; expected arrays …; found None"),
    (CREATE, {"images": [INK]}, "found uint8 (1, 9, 9). Use `read_picture`"),
    (CREATE, {"images": OWN}, "unsuitable images; expected arrays uint8 (H, W)"),
    (CREATE, {"size": 600}, "size is out of range; expected 8 to 512"),
    (CREATE, {"characters": {"あ"}}, "unsuitable characters; expected texts in the order"),
    (CREATE, {"characters": ["あ", "い"]}, "unsuitable characters; expected 1"),
    (CREATE, {"characters": [None]}, "unsuitable characters; expected texts; found None. Convert them"),
    (CREATE, {"groups": [[1, 2], [3]]}, "unsuitable groups"),
    (CREATE, {"groups": [0.5]}, "no group; expected a name of up to 64"),
    (CREATE, {"groups": np.zeros((1, 1), int)}, "unsuitable groups; expected 1, … found int64 (1, 1)"),
    (CREATE, {"digests": np.arange(1)}, "unsuitable digests; expected uint64; found int64"),
    (CREATE, {"source": None}, "unsuitable source; expected a name; found None"),
    *((CREATE, {"source": name}, "a name of your own") for name in ("ETL8", "ETL8:a", "synth:3", "unnamed:0", "a\n")),
    (CREATE, {"records": [1]}, "unsuitable records; expected names"),
    *((CREATE, {"records": {name: np.ones(1)}}, "unsuitable records: ") for name in (5, "group", "a\0b", "\udc82")),
    (CREATE, {"records": {"age": [3, 4]}}, "unsuitable records: age; expected 1, one for each picture"),
    (CREATE, {"records": {"note": ["x" * 65]}}, "unsuitable records: note; expected … up to 256 bytes"),
    (CREATE, {"records": {"at": np.ones(1, np.longdouble)}}, "unsuitable records: at; expected numbers"),
    (CREATE, {"records": {"a": np.array(["b"], "T")}}, "unsuitable records: a; "),
    (Samples, {"images": [np.eye(9)] * 99, "labels": [1], "indices": [0]}, "found [array…. Check `images`"),
    (OWN[:0].samples, {}, "unsuitable images; expected one picture or more; found none"),
    (OWN.samples, {"indices": ()}, "unsuitable indices; expected one or more whole numbers"),
    (OWN.samples, {"indices": [[0], [0, 0]]}, "unsuitable indices; expected 0 to 0"),
    (OWN.samples, {"indices": np.array([99])}, "unsuitable indices; expected 0 to 0, … found index 99 is out of"),
    (CHANGED, {"charset": "kana"}, "a Charset, or None; found 'kana'"),
    (CHANGED, {"labels": np.zeros(2)}, "unsuitable labels; expected whole numbers from 0 to …, one for each of 2"),
    *((CHANGED, {"labels": np.array(k)}, "unsuitable labels") for k in ([0, 0, 0], [0, 2**31])),
    *((CHANGED, {"indices": np.array(k, int)}, "one or more … from 0 to 1") for k in ([], [-1], [2])),
    *((CHANGED, {"weight": weight}, "weight is out of range; expected over 0 to 1,") for weight in (0.0, 1e10)),
    (partial(replace, OWN.samples()), {"labels": np.ones(1, int)}, "unsuitable labels; expected … from 0 to 0, one"),
    *((SPLIT, {"valid": share}, "valid is out of range; expected 0 to below 1") for share in (-0.1, 1.0)),
    (SPLIT, {"valid": 0.5, "test": 0.5}, "unsuitable split"),
    (SPLIT, {"by": "writers"}, "unknown by; expected one of group, sample; found 'writers'"),
    # Batches and augmentation
    (Batches, {"parts": 5}, "unsuitable parts; expected datasets or paths…; found 5"),
    (Batches, {"parts": []}, "unsuitable parts; expected one dataset or more; found none"),
    (Batches, {"parts": [SIXTY, OTHER]}, "characters; expected hiragana (…; found own (い)"),
    (Batches, {"parts": [SIXTY, LARGE]}, "one size; found"),
    (Batches, {"parts": SIXTY, "batch_size": 61}, "fewer samples than one batch has; expected 61 or more"),
    (Batches, {"parts": SIXTY, "batch_size": 9, "prefetch": 0, "threads": 2}, "threads; expected 1 without …found 2"),
    (Batches, {"parts": LARGE, "augmentation": "x"}, "an Augmentation, or None; found 'x'"),
    (Batches, {"parts": LARGE, "batch_size": 1, "augmentation": Augmentation()}, "up to 126; found 127"),
    (EPOCH, {"epoch": -1}, "epoch is out of range; expected 0 to"),
    (EPOCH, {"epoch": 0, "start": 7}, "start is out of range; expected 0 to 6; found 7"),
    (augment, {"images": OWN}, "unsuitable images; expected uint8 …Of a dataset, give `dataset.images`"),
    (augment, {"images": NOISE, "neighbours": 3}, "expected no `neighbours` and no `pool`"),
    (AUGMENT, {"images": np.zeros((2, 4, 5), np.uint8)}, "uint8 (N, S, S), S at most 126; found uint8 (2, 4, 5)"),
    (AUGMENT, {"images": np.zeros((4, 4, 2), np.uint8).T}, "found one that is not contiguous. Copy it"),
    (AUGMENT, {"indices": np.array([0, 1], np.int32)}, "unsuitable indices; expected int64"),
    (AUGMENT, {"indices": np.array([0, 2])}, "0 to 1; found 0 to 2"),
    (AUGMENT, {"samples": np.array([-1, 0])}, "unsuitable samples; expected 0 to 9…; found -1 to 0"),
    (AUGMENT, {"out": NOISE[:1]}, "unsuitable out; expected uint8 (2, 12, 12)"),
    (AUGMENT, {"out": NOISE}, "unsuitable out; expected memory of its own; found that of `images`"),
    (AUGMENT_ALL, dict.fromkeys(("out", "neighbours"), NOISE.copy()), "its own; found that of `neighbours`"),
    (AUGMENT, {"config": None}, "unsuitable config; expected an Augmentation; found None"),
    (AUGMENT, {"seed": 2**64}, "seed is out of range; expected 0 to 2**64 - 1"),
    (AUGMENT, {"epoch": 2**32}, "epoch is out of range; expected 0 to 2**32 - 1"),
    (AUGMENT_ALL, {"neighbours": OWN}, "unsuitable neighbours; expected uint8 …Of a dataset, give `dataset.images`"),
    (AUGMENT_ALL, {"pool": np.arange(3)}, "0 to 1"),
    (AUGMENT_ALL, {"pool": np.arange(0)}, "at least 1"),
    (AUGMENT_ALL, {"pool": 3}, "unsuitable pool; expected …; found 3"),
    # Pictures and drawings
    (find_ink, {"source": 5}, "unsuitable picture; expected a file, its bytes…found 5"),
    (find_ink, {"source": INK}, "unsuitable picture; … found [array…, …Give several one by one"),
    (find_ink, {"source": np.zeros((9, 9))}, "unsuitable picture; expected uint8 (H, W)"),
    (fastetl.read_picture, {"source": INK[0], "side": 4097}, "side is out of range; expected 1 to 4,096"),
    (rasterize, {"drawing": "x"}, "unsuitable drawing; expected a Drawing"),
    (rasterize, {"drawing": Drawing(1, 1, ()), "side": 4097}, "side is out of range; expected 1 to 4,096"),
    (Stroke, {"x": 5, "y": 6}, "unsuitable x; expected numbers; found 5"),
    (Stroke, {"x": [1], "y": [1, 2]}, "unsuitable y; expected 1 values, as x has; found 2"),
    (Stroke, {"x": [math.nan], "y": [1]}, "x is out of range; expected -16,000,000 to 16,000,000; found nan"),
    (Drawing, {"width": 10, "height": 10, "strokes": 5}, "unsuitable strokes; expected several Stroke; found 5"),
    (Drawing, {"width": 9, "height": 9, "strokes": [[(1, 2)]]}, "unsuitable strokes; expected each a Stroke"),
    (Drawing, {"width": 0, "height": 9, "strokes": ()}, "width is out of range; expected 0.001 to 1,000,000; found 0"),
    (Drawing, {"width": 9, "height": 9, "strokes": (), "pen": "x"}, "pen is … a number, 1e-05 to 0.5; found 'x'"),
    (Drawing.from_dict, {"values": []}, "unsuitable drawing; expected an object"),
    (stored_drawing, {"strokes": None}, "unsuitable strokes; expected a list; found None"),
    (stored_drawing, {"strokes": [[1, 2]]}, "strokes; expected each an object with lists x and y; found [1, 2]"),
    (stored_drawing, {"strokes": [{"x": [1]}]}, "unsuitable y; expected numbers; found None"),
    (stored_drawing, {"strokes": [{"x": [1], "y": [5000]}]}, "y is out of range; expected -4,800 to 4,800; found 5000"),
    (stored_drawing, {"strokes": [{"x": [1], "y": [1], "pressure": [1.1]}]}, "pressure is out of range; … 0 to 1"),
    (stored_drawing, {"strokes": [{"x": [0] * 80_001, "y": [0] * 80_001}]}, "at most 4,000 strokes and 80,000"),
    (stored_drawing, {"strokes": [{"x": [], "y": []}] * 4001}, "found 4,001 and 0"),
    (stored_sample, {"id": "../x"}, "unsuitable id; expected 1 to 64 of"),
    (stored_sample, {"id": None}, "unsuitable id; expected a text; found null"),
    *((stored_sample, {"label": text}, "unsuitable label; expected one character") for text in ("ぬ め", "\n")),
    (stored_sample, {"answer": "x" * 33}, "unsuitable answer; expected at most 32"),
    (stored_sample, {"time": "２０２６-11-24T20:01:02Z"}, "unsuitable time; expected a time such as"),
    (stored_sample, {"strokes": [{"x": [], "y": []}]}, "unsuitable drawing; expected strokes with ink on"),
    (stored_sample, {"device": "nose"}, "unsuitable device; expected mouse, touch, pen, unknown"),
    (stored_sample, {"app": "a\x1b[2J"}, "unsuitable app; expected at most 64"),
    # Building and opening
    (build, {"sources": None, "out": "out"}, "unsuitable sources; expected a path, or several; found None"),
    (build, {"sources": "etl", "out": "out", "config": 5}, "unsuitable config; expected a BuildConfig; found 5"),
    (build, {"sources": "etl", "out": "out", "sizes": 3}, "no option 'sizes'; expected one of charset, …mean size?"),
    (build, {"sources": "etl", "out": "out", "charset": {"あ"}}, "charset; expected text or a path or a list"),
    (load_labelled, {"data": OWN, "charset": ["あ"], "preprocessing": 64}, "unsuitable preprocessing; expected"),
    (write_sheet, {"data": 5, "out": "none.png"}, "unsuitable path; expected a dataset, or its path; found 5"),
    (synthesize_dataset, {"out": "out", "config": SynthConfig(set=("ETL1",))}, "`set` is for files, and a dataset"),
    # Training and evaluation
    (TrainConfig, {"steps": 5, "minutes": 1.0}, "`minutes` has no effect with …`steps`"),
    (TRAIN, {"data": []}, "nothing to train on; expected at least one dataset. Give one"),
    (TRAIN, {"data": (OWN, 2.0)}, "found 2.0. Give a list, as in [(dataset, 2.0)]"),
    (TRAIN, {"config": 3}, "unsuitable config; expected a TrainConfig; found 3"),
    (TRAIN, {"start": 3}, "unsuitable start; expected a run, a package…; found 3"),
    (TRAIN, {"rotation": 3}, "no option 'rotation'; … It is an option of `augmentation`"),
    (model.open_run, {"path": None}, "unsuitable path; expected a path; found None"),
    (EVALUATE, {"run": 3}, "unsuitable run; expected a run, a package…found 3"),
    (model.compare_runs, {"runs": [3, 4]}, "unsuitable runs; expected runs or their paths; …; found 3"),
    # Clusters
    (fastetl_ray.connect, {"address": 3}, "unsuitable address; expected an address; found 3"),
    (fastetl_ray.train_on_ray, {"data": "data", "out": "out", "epoch": 5}, "no option 'epoch'; …mean epochs"),
    (fastetl_ray.sweep_on_ray, {"data": "data", "out": "out", "config": None}, "expected a SweepConfig, such as"),
    (fastetl_ray.SweepConfig, {"train": [], "search": {}}, "unsuitable train; expected a table of names and values"),
    (fastetl_ray.SweepConfig, {}, "nothing varies; expected an option in [search]"),
    # Packages and the recognizer
    (ExportConfig, {"storage": "int8"}, "`storage` int8 needs `target` iOS16 or newer; found iOS15. Check `target`"),
    (ExportConfig, {"prior": {"hiragana": 2}}, "unsuitable prior; expected a tuple; found {"),
    *(
        (ExportConfig, {"prior": prior}, "unknown prior; expected SCRIPT=FACTOR, … below 1,000,000,000")
        for prior in (("hiragana",), ("hiragana=0",), ("hiragana=1000000000",), ("small=2", "small=3"))
    ),
    (export.export, {"run": "kana", "out": "a", "sets": 3}, "unsuitable sets; expected an Evaluation; found 3"),
    (export.export, {"run": "kana", "out": "a", "sets": [{"x": 1}]}, "no results in `sets`; … Give what"),
    (export.export, {"run": "kana", "out": "a", "sets": [RESULT]}, "`sets` is for the model card of a run's package"),
    (export.verify, {"path": "kana", "against": 5}, "unsuitable against; expected … found 5"),
    (READER.restricted, {"charset": 5}, "unsuitable charset; expected … found 5"),
    (READER.read, {"picture": None}, "a file, …; found None. Draw strokes by `rasterize`"),
    (READER.read, {"picture": INK[0], "top": 0}, "top is out of range"),
    (READER.predict, {"pictures": [[1]]}, "unsuitable pictures; expected … found [[1]]"),
    (READER.read_line, {"picture": INK[0], "down": "yes"}, "unsuitable down; expected … found 'yes'"),
    # Each function that writes
    *(
        (write, {"out": out}, f"out; expected a path, at most 4,095 bytes, each name of …; found {found}. Check `out`")
        for out, found in (("x/" + "あ" * 86, "260 bytes, the longest name of 258"), ("x/" * 2048, "4,096 bytes, …1"))
        for write in (
            *(OWN.write, OWN.to_parquet, synthesize, partial(build, "etl"), partial(write_sheet, OWN)),
            *(partial(samples_to_dataset, "in"), partial(model.train, OWN), partial(export.export, "run")),
            *(partial(fastetl_ray.build_on_ray, "etl"), partial(fastetl_ray.train_on_ray, "data")),
        )
    ),
    (OWN.write, {"out": ""}, "unsuitable out; expected a path; found an empty text"),
    (OWN.write, {"out": "a\0b"}, "unsuitable out; expected a path; found a null character"),
    # Each function that shows progress
    *(
        (show, {"progress": 3}, "unsuitable progress; expected a function")
        for show in (
            *(partial(build, "etl", "out"), partial(synthesize, "out"), partial(synthesize_dataset, "out")),
            *(TRAIN, partial(model.baselines, OWN), partial(fastetl.inspect, "etl"), partial(WRITE_LINES, texts=[])),
            *(partial(export.export, "kana", "out"), partial(export.verify, "kana"), partial(EVALUATE, "kana")),
        )
    ),
]  # fmt: skip
CALLS = [f"{getattr(call, 'func', call).__qualname__}({', '.join(arguments)})" for call, arguments, _ in WRONG]


@pytest.mark.parametrize(("call", "arguments", "words"), WRONG, ids=CALLS)
def test_a_wrong_value_is_one_line(call: Callable[..., Any], arguments: Mapping[str, Any], words: str) -> None:
    with one_line(words, ArgumentError) as caught:
        call(**arguments)
    error = caught.value.replace(file="x\ny")
    error.seen = 3  # type: ignore[attr-defined]
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.seen) == (type(error), f"x\\ny: {caught.value}", 3)


def test_numbers_of_numpy_are_numbers() -> None:
    require_range("seed", np.int64(3), 0, 3)
    require_range("weight", np.float32(0.5), 0, 1, integer=False)
    require_choice("by", "group", ("group", "sample"))
    assert type(BuildConfig(size=np.int64(8)).size) is int  # type: ignore[arg-type]
    for value in (np.float64(3), np.inf, None, "3"):
        with pytest.raises(FastetlError, match="seed is out of range"):
            require_range("seed", value, 0)
