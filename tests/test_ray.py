"""Ray: the rows of `build` whatever the number of blocks, bytes that do not depend on who makes them, one-line faults.

Ray starts processes of its own: one cluster serves all tests of this file.
"""

import dataclasses
import gc
import json
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import fsspec
import numpy as np
import pytest

from benches.etl_records import write_set
from fastetl import BuildConfig, FastetlError, SynthConfig, build, open_dataset, synthesize
from fastetl.files.addresses import local_copy
from fastetl_cli.main import ended_by_signals, main
from fastetl_ray import build_on_ray, connect, distributed, read_etl, synthesize_on_ray, train_on_ray
from fastetl_ray.nodes import results_of_tasks
from fastetl_ray.sweeping import SweepConfig, read_sweep, sweep_on_ray, trial_error
from model.folders import unfinished_folder
from model.training import train
from tests.conftest import Capture, Patch, python, write_shards
from tests.model_data import CONFIG, finished_run, tiny

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

BUILD = BuildConfig(charset="digits", size=16)
SYNTH = SynthConfig(files=2, charset="digits", seed=4)
SWEEP = Path(__file__).parents[1] / "docs" / "sweep.toml"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes on this machine, each with a raylet of its own, one of which seems to have a GPU."""
    os.environ |= {"RAY_worker_niceness": "0", "RAY_health_check_timeout_ms": "60000"}  # a busy node is not dead
    import ray
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    ray.init(nodes.address, logging_level=logging.ERROR, log_to_driver=False)
    yield nodes
    ray.shutdown()  # type: ignore[no-untyped-call,unused-ignore]
    nodes.shutdown()  # type: ignore[no-untyped-call,unused-ignore]


@pytest.fixture(scope="module")
def etl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two files, and what a build of them here gives in a folder beside it."""
    out = tmp_path_factory.mktemp("ray") / "etl"
    synthesize(out, SYNTH)
    build(out, out.with_name("here"), BUILD)
    return out


def test_an_output_is_checked_first_and_a_cluster_that_is_none_is_one_line(
    etl: Path, tmp_path: Path, monkeypatch: Patch, capfd: Capture
) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "")  # which the commands set
    data, build_all = str(etl.with_name("here")), ["build", str(etl), "--charset=all"]
    for words in (["train", data], build_all, ["synth", "--size=16"], ["sweep", str(SWEEP), data]):
        engine = [] if words[0] == "sweep" else ["--engine=ray"]
        for out, expected in ((data, "the output exists already"), (str(tmp_path / "out"), "1:1: cannot reach the")):
            assert main([*words, out, *engine, "--address=127.0.0.1:1"]) == 2
            (line,) = capfd.readouterr().err.splitlines()
            assert expected in line


def test_jax_opens_no_device_where_a_training_on_ray_is_begun(etl: Path, tmp_path: Path) -> None:
    code = """import sys, fastetl_ray.cluster as c; from jax._src.xla_bridge import backends_are_initialized as is_open
c.connect_for = lambda *_: sys.exit(4 + is_open()); c.train_on_ray(*sys.argv[1:3], start=sys.argv[3])"""
    assert python(code, etl.with_name("here"), tmp_path / "out", finished_run()[0]).returncode == 4


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".parquet"}


@pytest.mark.parametrize("rows", [7, 1000])
def test_reading_gives_the_rows_of_build(rows: int, cluster: Any, etl: Path) -> None:
    here = open_dataset(etl.with_name("here"))
    there = read_etl(etl, charset=BUILD.charset, size=BUILD.size, rows=rows).take_all()
    assert [row["image"] for row in there] == [picture.tobytes() for picture, _ in here]
    assert [row["label"] for row in there] == here.labels.tolist()
    for name, values in here.records.items():
        assert [row[name] for row in there] == values.tolist(), name


def test_shards_are_the_dataset_of_build(cluster: Any, etl: Path, tmp_path: Path) -> None:
    """Copies too: they were not looked for, and a writer was in both parts of a split. And fields of one set alone."""
    copy, other = tmp_path / "another name", tmp_path / "ETL1"
    copy.write_bytes((etl / "ETL8G_02").read_bytes())
    records = np.fromfile(etl / "ETL8G_01", np.dtype("V8199"))
    records[[3, 4]] = records[[4, 3]]  # another order, which a worker finds
    records.tofile(tmp_path / "ETL8G_03")
    write_set(other, "ETL1")
    local = build([etl, copy, other, tmp_path / "ETL8G_03"], tmp_path / "here", BUILD)
    there = build_on_ray([etl, copy, other, tmp_path / "ETL8G_03"], tmp_path / "there", BUILD, shard_rows=30)
    same = ("images", "classes", "groups", "missing", "noticed")
    assert [getattr(there, name) for name in same] == [getattr(local, name) for name in same]
    assert "copies of other pictures: 50" in str(there.noticed[-1])
    assert "a record does not follow the order" in str(there.noticed)
    assert open_dataset(tmp_path / "there") == (data := open_dataset(tmp_path / "here"))
    assert {"", "0", "1"} < set(map(str.strip, data.records["letters"].tolist()))
    assert len(files_of(tmp_path / "there")) == -(-len(data) // 30)
    with pytest.raises(FileExistsError, match="the output exists already"):
        build_on_ray(etl, tmp_path / "there", BUILD)
    with pytest.raises(FastetlError, match="copies of other pictures"):
        build_on_ray([etl, copy], tmp_path / "strict", dataclasses.replace(BUILD, strict=True))
    assert not (tmp_path / "strict").exists()


def test_writers_depend_on_their_number_alone(cluster: Any, etl: Path, tmp_path: Path) -> None:
    assert synthesize_on_ray(tmp_path / "there", SYNTH, size=BUILD.size, shard_rows=30) == 100
    there, here = open_dataset(tmp_path / "there"), open_dataset(etl.with_name("here"))
    assert (np.asarray(there.images) == np.asarray(here.images)).all()
    assert (there.groups == here.groups).all()


def test_a_lost_node_changes_no_byte(cluster: Any, tmp_path: Path) -> None:
    config = SynthConfig(files=5, charset="digits")
    synthesize_on_ray(tmp_path / "calm", config, size=BUILD.size, shard_rows=20)
    node = cluster.add_node(num_cpus=1)

    def lose(done: int, total: int) -> None:
        if done == 2:
            cluster.remove_node(node, allow_graceful=False)

    synthesize_on_ray(tmp_path / "lost", config, size=BUILD.size, shard_rows=20, progress=lose)
    assert files_of(tmp_path / "lost") == files_of(tmp_path / "calm")


def test_a_damaged_file_fails_with_its_line_and_leaves_nothing(cluster: Any, etl: Path, tmp_path: Path) -> None:
    shutil.copytree(etl, tmp_path, dirs_exist_ok=True)
    damaged = tmp_path / "ETL8G_02"
    damaged.write_bytes(damaged.read_bytes()[:-10])
    with pytest.raises(FastetlError, match="ETL8G_02, record 49: the file ends inside a record"):
        build_on_ray(tmp_path, tmp_path / "out", BUILD)
    assert not list(tmp_path.glob("*out*"))
    np.savez(tmp_path / "a.npz", images=np.ones((1, 8, 8), np.uint8), labels=["あ"])
    with pytest.raises(FastetlError, match=r"a\.npz: labelled pictures are not built by Ray"):
        build_on_ray(tmp_path / "a.npz", tmp_path / "out", BUILD)


def test_a_workers_error_is_raised_as_it_was_there(cluster: Any) -> None:
    def work(number: int, piece: int) -> int:
        if piece == 2:
            raise FastetlError("the file ended while it was read", file="ETL8G_01", record=7)
        return number * piece

    assert "found FileNotFoundError: [Errno 2] gone: 'x'" in str(trial_error(FileNotFoundError(2, "gone", "x")))
    assert connect(cluster.address).is_initialized()
    assert list(results_of_tasks(work, [5, 6, 7], None)) == [0, 6, 14]
    with pytest.raises(FastetlError) as caught:
        list(results_of_tasks(work, [1, 2, 3], None))
    assert str(caught.value) == "ETL8G_01, record 7: the file ended while it was read"


def test_no_task_goes_on_when_its_results_are_not_wanted(cluster: Any) -> None:
    def work(number: int, seconds: float) -> int:
        time.sleep(seconds)
        return number

    start_time = time.monotonic()
    results = results_of_tasks(work, [0, 900, 900], None)
    next(results)
    results.close()
    assert list(results_of_tasks(work, [0, 0], None)) == [0, 1]  # which have the processors of the others
    assert time.monotonic() - start_time < 600


def test_files_of_one_name_at_two_addresses_are_two() -> None:
    system = fsspec.filesystem("memory")
    for folder in ("a", "b"):
        system.pipe(f"/{folder}/ETL8G_01", folder.encode())
    assert [local_copy(f"memory://{folder}/ETL8G_01").read_bytes() for folder in ("a", "b", "a")] == [b"a", b"b", b"a"]
    system.rm("/", recursive=True)


def test_an_address_is_written_and_read_like_a_folder(etl: Path, monkeypatch: Patch) -> None:
    """In the memory of this process, which therefore does the work of the workers."""
    monkeypatch.setattr(distributed, "connect", lambda: None)
    monkeypatch.setattr(distributed, "results_of_tasks", lambda work, pieces, _: (work(*p) for p in enumerate(pieces)))
    system, there = fsspec.filesystem("memory"), "memory://out/digits"
    sources = [f"memory://etl/{file.name}" for file in sorted(etl.glob("ETL8G_*"))]
    for file in etl.glob("ETL8G_*"):
        system.pipe(f"/etl/{file.name}", file.read_bytes())
    try:
        build_on_ray(sources, there, BUILD, shard_rows=30)
        written, local = open_dataset(there), open_dataset(etl.with_name("here"))
        assert (np.asarray(written.images) == local.images).all()
        assert written.split(seed=1) == local.split(seed=1)
        with pytest.raises(FileExistsError, match="the output exists already"):
            build_on_ray(sources, there, BUILD)
        build_on_ray(sources, there, BUILD, shard_rows=50, overwrite=True)
        again = open_dataset(there)
        assert (again.labels == local.labels).all()
        system.rm("/out/digits/shard-00001.parquet")
        with pytest.raises(FileNotFoundError, match=r"memory://out/digits/shard-00001\.parquet: cannot read the file"):
            list(again.samples().blocks(1000))
        with pytest.raises(FileNotFoundError, match=r"memory://etl/nothing: cannot read the file; found none"):
            build_on_ray("memory://etl/nothing", "memory://out/none", BUILD)
        assert not system.exists("/out/none")
        monkeypatch.setattr(distributed, "connect", Mock(side_effect=[FastetlError("no cluster"), None]))
        monkeypatch.setattr(distributed, "results_of_tasks", Mock(side_effect=FastetlError("no node")))
        for fault in ("no cluster", "no node"):
            with pytest.raises(FastetlError, match=fault):
                synthesize_on_ray(there, SYNTH, overwrite=True)
            is_old = system.exists("/out/digits/dataset.json")  # which new shards may not stand beside
            assert is_old == (fault == "no cluster")
    finally:
        system.rm("/", recursive=True)


def test_training_from_shards_is_training(cluster: Any, tmp_path: Path) -> None:
    """Through Ray Train, by one worker: the weights of a training in this process, from the same shards."""
    data, config = write_shards(tiny(16), tmp_path / "data", rows=64), dataclasses.replace(CONFIG, epochs=1)
    there = train_on_ray(open_dataset(data), tmp_path / "there", CONFIG, epochs=1, gpus=1)
    here = train(open_dataset(data), tmp_path / "here", config)
    assert there.best == here.best
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "here", "there"]
    shutil.copytree(tmp_path / "here", unfinished_folder(tmp_path / "half"))
    # The node lost in an earlier test counts until the cluster notices.
    with pytest.raises(FastetlError, match="the cluster is too small; expected 9 CPU; found [23]"):
        train_on_ray(data, tmp_path / "half", config, workers=9, overwrite=True)
    with pytest.raises(FastetlError, match="none: no dataset here"):
        train_on_ray(tmp_path / "none", tmp_path / "half", config, overwrite=True)
    for other in (tiny(), open_dataset(data)[:9], dataclasses.replace(open_dataset(data), images=~tiny(16).images[:])):
        with pytest.raises(FastetlError, match=f"{other.name}: workers open datasets themselves"):
            train_on_ray(other, tmp_path / "half", config)
    with pytest.raises(FastetlError, match="the run has other options"):
        train_on_ray(data, tmp_path / "half", dataclasses.replace(config, seed=1), resume=True)
    shutil.rmtree(unfinished_folder(tmp_path / "half"))
    # A fault of the training is not tried again and again, whatever its kind.
    with pytest.raises(FastetlError, match="fewer samples than one batch has"):
        train_on_ray(data, tmp_path / "run", dataclasses.replace(CONFIG, batch_size=1000))
    with pytest.raises(TypeError, match="bytes is not JSON"):
        train_on_ray(data, tmp_path / "run", config, command=b"")  # type: ignore[arg-type]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "here", "there"]


def test_a_sweep_tries_what_its_file_says_and_keeps_what_a_failed_trial_leaves(cluster: Any, tmp_path: Path) -> None:
    data = write_shards(tiny(16), tmp_path / "data", rows=64)
    given = read_sweep(SWEEP)
    train = {"network": "small", "steps": 15, "valid": 0.2}  # 3 epochs
    search = {**given.search, "batch_size": [32, 1000]}
    config = dataclasses.replace(given, train=train, search=search, trials=3, seed=7)
    steps: dict[int, int] = {}
    *trials, failed = sweep_on_ray(data, tmp_path / "out", config, progress=steps.__setitem__, command="asked")
    assert steps == {1: 3, 2: 3, 3: 3}
    assert sorted(t.number for t in (*trials, failed)) == [0, 1, 2]
    assert trials[0].best >= trials[1].best > 0 == failed.best
    assert "fewer samples than one batch has" in str(failed.error)
    assert [t.error for t in trials] == [None, None]
    assert 1 <= min(epochs := [len(t.history) for t in trials]) <= max(epochs) == 3
    assert all(1e-3 <= t.options["learning_rate"] <= 1e-2 for t in trials)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"sweep.json", "trials"}
    assert '"asked"' in (tmp_path / "out" / "trials" / f"trial-{trials[0].number:04d}" / "run.json").read_text("utf-8")
    stored = json.loads((tmp_path / "out" / "sweep.json").read_text(encoding="utf-8"))["trials"]
    assert stored == [{**dataclasses.asdict(t), "history": list(t.history)} for t in (*trials, failed)]
    with pytest.raises(FastetlError, match="the cluster is too small; expected 9 GPU; found 1"):
        sweep_on_ray(data, tmp_path / "none", config, gpus=9)
    with pytest.raises(FastetlError, match="`network` is decided by .*run"):  # where all fail
        sweep_on_ray([(data, 2)], tmp_path / "none", dataclasses.replace(config, trials=1), start=finished_run()[0])
    assert not (tmp_path / "none").exists()


def test_a_sweep_of_nothing_starts_nothing(etl: Path, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr("fastetl_ray.nodes.connect", lambda: pytest.fail("Ray was started"))
    with pytest.raises(FastetlError, match="nothing: no dataset here"):
        sweep_on_ray(tmp_path / "nothing", tmp_path / "out", read_sweep(SWEEP))
    with pytest.raises(FastetlError, match="cpus is out of range; expected over 0; found -1"):
        sweep_on_ray(etl.with_name("here"), tmp_path / "out", read_sweep(SWEEP), cpus=-1)
    with pytest.raises(FastetlError, match="here/sweep: the output would be in an input"):
        sweep_on_ray(etl.with_name("here"), etl.with_name("here") / "sweep", read_sweep(SWEEP))


def test_an_interruption_ends_a_sweep_and_a_training(cluster: Any, tmp_path: Path) -> None:
    """Ray gave the trainings so far, which were written as a whole sweep, and ended the process without a word."""

    def interrupt(pattern: str) -> None:
        while not list(tmp_path.glob(pattern)):
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    data = write_shards(tiny(16), tmp_path / "data", rows=64)
    config = SweepConfig({"network": "small", "valid": 0.2}, {"epochs": [10_000]}, trials=1)
    threading.Thread(target=interrupt, args=(".out.new-*/out/trials/*.unfinished/checkpoints/last*",)).start()
    with ended_by_signals(), pytest.raises(KeyboardInterrupt):  # sends again what Ray or JAX drops
        sweep_on_ray(data, tmp_path / "out", config)
    gc.collect()  # files that Ray has left open
    assert not (tmp_path / "out").exists()
    threading.Thread(target=interrupt, args=("run.unfinished/checkpoints/last*",)).start()
    with ended_by_signals(), pytest.raises(KeyboardInterrupt):
        train_on_ray(data, tmp_path / "run", CONFIG, epochs=10_000)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_sweep_draws_the_ends_of_an_interval_as_often_as_other_whole_numbers() -> None:
    for log, shares in ((False, np.full(3, 1 / 3)), (True, np.diff(np.log([0.5, 1.5, 2.5, 3.5])) / np.log(7))):
        search = {"epochs": {"low": 1, "high": 3, "log": log}}
        counts = np.bincount([config.epochs for _, config in SweepConfig({}, search, trials=3000).drawn()])
        np.testing.assert_allclose(counts[1:], 3000 * shares, atol=90)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[search", "cannot read the sweep"),
        ("[other]", "not the file of a sweep"),
        ("[search]\nepochs = []", "search: epochs has nothing to choose from"),
        ("[search]\nepoch = [3]", "no option 'epoch'; expected one of network, .* Did you mean epochs"),
        ("[search]\nepochs = [3]\n[sweep]\ntrials = 0", "trials is out of range; expected 1 to 10,000; found 0"),
        ("[search]\nepochs = [3]\n[sweep]\ntrial = 3", "no option .trial.; expected one of .* Did you mean trials"),
        ("[search]\nepochs = {low = 1.5, high = 3}", "epochs is out of range; expected a whole number"),
        ("[search]\nepochs = {low = 1, high = 3, log = 1}", "epochs has nothing to choose from"),
        (f"[search]\nlearning_rate = {{low = 1, high = {'9' * 400}}}", "learning_rate is out of range"),
        ("[search]\nlearning_rate = {low = -1e308, high = 1e308}", "learning_rate is out of range"),
        ("[search]\nvalid = [0.1, 0.6]\ntest = [0.2, 0.6]", "valid and test leave nothing to train on"),
        (f"[search]\nepochs = [{'9' * 5000}]", "cannot read the sweep"),
        ('[search]\n"augmentation.rain" = [1]', "no option 'rain'; expected one of rotation"),
        ("[train]\nepochs = 3\n[search]\nepochs = [3]", r"epochs is in \[train\] and in \[search\]"),
    ],
)
def test_a_bad_sweep_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(text, encoding="utf-8-sig")
    with pytest.raises(FastetlError, match=message):
        read_sweep(tmp_path / "sweep.toml")
