"""The package directory: what it holds, that it is the same each time, and that it says what the run says."""

import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from export import check_on_mac as mac
from export import export, open_recognizer, open_start, verify
from export.config import SPECIFICATION, ExportConfig, Storage, Target
from export.coreml import read_mlpackage
from export.lowering import lower
from export.onnx_export import evaluate_ops, onnx_model, write_onnx
from export.package_files import BUNDLED, COREML, ONNX, REFERENCE, package_path
from export.reference import Reference, read_reference
from export.runtimes import quiet
from fastetl import Charset, FastetlError
from fastetl_cli.main import main
from model import evaluate, open_run, write_report
from tests.conftest import Capture, python
from tests.export_data import failures, make_package, sound_package
from tests.model_data import finished_run, tiny


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_same_network_gives_same_bytes_whatever_was_written_before(tmp_path: Path) -> None:
    from coremltools.converters.mil import Builder

    def fails(image: object) -> None:
        Builder.relu(x=image, name="resized_inside")
        Builder.conv(x=image, weight=np.zeros((1, 1, 3, 3), np.float32), pad_type="none", name="resized_inside")

    with pytest.raises(ValueError, match="pad_type"):
        Builder.program(input_specs=[Builder.TensorSpec(shape=(1, 1, 8, 8))])(fails)
    assert Builder.name_count
    make_package(tmp_path / "again")
    assert _bytes(tmp_path / "again") == _bytes(sound_package())


@pytest.mark.parametrize(
    ("target", "storage", "precision"),
    [
        ("iOS15", "plain", "float32"),
        ("iOS15", "plain", "float16"),
        ("iOS16", "int8", "float16"),
        ("iOS17", "int8", "float16"),
        ("iOS18", "int8", "float32"),
        ("iOS26", "plain", "float16"),
    ],
)
def test_options_give_sound_packages(target: Target, storage: Storage, precision: Any, tmp_path: Path) -> None:
    """The script for the Mac is asked with onnxruntime's float32 on the package's own constants in Core ML's place."""
    assert failures(make_package(tmp_path / "out", ExportConfig(target, precision, storage))) == []
    spec, ops, _ = read_mlpackage(tmp_path / "out" / COREML)
    assert spec.specificationVersion == SPECIFICATION[target]
    assert any(op.type.startswith("constexpr") for op in ops) == (storage != "plain")
    reference = read_reference(tmp_path / "out" / REFERENCE)
    assert spec.description.metadata.userDefined["no_character_label"] == reference.graph.labels[-1]
    answers = evaluate_ops(ops, reference.images, ("probabilities",))["probabilities"]
    result = mac.compare(asked(reference, answers), vars(reference), list(reference.graph.labels))
    assert result["passed"], result


def asked(reference: Reference, answers: Any) -> Callable[[Image.Image], Mapping[str, Any]]:
    """What Core ML would say if it answered with these probabilities to the reference pictures."""
    labels = reference.graph.labels
    known = dict(zip((image.tobytes() for image in reference.images), answers.tolist(), strict=True))

    def predict(picture: Image.Image) -> Mapping[str, Any]:
        shares = known[np.asarray(picture).tobytes()]
        best = labels[int(np.argmax(shares))]
        return {"classLabel": best, "classLabel_probs": dict(zip(labels, shares, strict=True))}

    return predict


@pytest.mark.parametrize("name", BUNDLED)
def test_8_bits_are_expanded_when_a_model_is_loaded_and_the_first_layer_has_none(name: str) -> None:
    graph, model = read_reference(package_path(name) / REFERENCE).graph, onnx.load(package_path(name) / ONNX)
    assert "DequantizeLinear" not in {node.op_type for node in model.graph.node}  # computed for every picture
    assert (package_path(name) / ONNX).stat().st_size < 1.5 * graph.parameters + 30_000
    for storage in ("plain", "int8"):  # three readings share their weights
        sizes = [math.prod(t.dims) for t in onnx_model(graph, lower(graph, storage=storage)).graph.initializer]
        assert sizes.count(max(array.size for array in graph.weights.values())) == 1
    first = next(layer.name for layer in graph.layers if layer.weights)
    rounded = {op.name for op in lower(graph, storage="int8") if op.type.startswith("constexpr")}
    assert rounded
    assert f"{first}_weight" not in rounded


def test_a_network_of_two_characters_may_be_unsure(tmp_path: Path, capsys: Capture) -> None:
    graph = read_reference(sound_package() / REFERENCE).graph
    *others, last = graph.layers
    layers = (*others, replace(last, weights={part: array[:2] for part, array in last.weights.items()}))
    two = replace(graph, layers=layers, charset=Charset("two", ("ぱ", "は")), threshold=0.52)
    write_onnx(two, ExportConfig(), tmp_path / "two.onnx")
    assert main(["recognize", "docs/pictures/character.png", "--package", str(tmp_path / "two.onnx")]) == 0
    assert capsys.readouterr().err == f"{tmp_path / 'two.onnx'} knows ぱは\n"  # and does not guess


def test_run_is_exported_and_verified(tmp_path: Path) -> None:
    run = open_run(shutil.copytree(finished_run()[0], tmp_path / "run"))
    sets = evaluate(run, [tiny(seed=3)])
    steps: list[tuple[int, int]] = []
    checks = export(run, tmp_path / "out", sets=sets, progress=lambda k, n: steps.append((k, n)))
    assert all(check.checked for check in checks)
    assert steps == [(k, 5) for k in range(6)]
    out = tmp_path / "out"
    assert {check.name for check in verify(out, str(run.path)) if check.passed} >= {"answers of the run", "weight.bin"}
    write_report(run, sets, run.path / "reports" / "set")
    for source, name, prior in ((run, "likelier", "hiragana=3"), (tmp_path / "likelier", "again", "hiragana=1")):
        export(source, tmp_path / name, ExportConfig(prior=(prior,)))
        assert "tiny3" in (tmp_path / name / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert failures(verify(tmp_path / "again", run)) == []
    card = (out / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert all(words in card for words in ("---\nlanguage: ja", "ETL Character Database", "KanjiVG", "tiny3"))
    example = json.loads(card.partition("open_recognizer(package, charset=")[2].partition(")")[0])
    assert example == list(run.charset.characters[:2])
    assert open_recognizer(out).split_record == open_start(out).split_record == run.split_record
    with pytest.raises(FastetlError, match="exists already"):
        export(run, out)
    with pytest.raises(FastetlError, match="`sets` is for"):
        export(run, tmp_path / "alone.onnx", sets=sets)


def test_threads_leave_the_log_of_coremltools() -> None:
    level = logging.getLogger("coremltools").level
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(quiet()(time.sleep), (0.1, 0.2)))
    assert logging.getLogger("coremltools").level == level


EXPORT, EVALUATE = "import export; export.export", "import model; model.evaluate('pretrained', 'set')"
COMMAND = "import fastetl_cli.main as f; f.main(['evaluate', 'run', 'set'])"


@pytest.mark.parametrize(("name", "code"), [("model", EXPORT), ("model", COMMAND), ("export", EVALUATE)])
def test_a_users_own_module_is_named(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / f"{name}.py").write_text("class Net: pass", encoding="utf-8")
    done = python(f"import os; os.chdir({str(tmp_path)!r}); {code}")
    assert f"{tmp_path / name}.py: this file is imported in place of fastetl's package {name}" in done.stderr


def test_script_for_the_mac_tells_what_differs() -> None:
    reference = read_reference(sound_package() / REFERENCE)
    labels, stored = list(reference.graph.labels), vars(reference)
    predict = asked(reference, reference.answers)
    assert mac.compare(predict, stored, labels) == {"parity": 0, "faults": [], "passed": True}
    assert mac.milliseconds(predict, Image.fromarray(reference.images[0]), 1) > 0
    other = mac.compare(predict, {**stored, "answers": reference.answers[:, ::-1]}, labels)
    assert other["parity"] > 0.2
    assert other["faults"]
    assert mac.compare(predict, stored, [*labels[:-1], "ヴ"])["faults"][0] == "label missing: ヴ"
    nothing = mac.compare(lambda p: {"classLabel": "", "classLabel_probs": {labels[0]: np.nan}}, stored, labels)
    assert nothing["parity"] == np.inf
    assert (other["passed"], nothing["passed"]) == (False, False)
    assert python("import export.check_on_mac as mac; print(mac.main())").stdout == "2\n"  # there is no package
