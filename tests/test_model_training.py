import dataclasses
import errno
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file

from fastetl import Charset, Dataset, FastetlError, Preprocessing, Samples
from fastetl.arrays import Bytes, Float32s
from fastetl.data.identity import TEST
from fastetl.files.atomic import try_lock
from model import ModelError, Run, loop, open_run, outliers, train, training
from model.calibration import log_softmax
from model.config import RATES, TrainConfig
from model.devices import Tree, join, replicate, shard
from model.folders import save, unfinished_folder
from model.network import NETWORKS, Conv, Dropout, Flatten, Network, NetworkConfig, Norm, Relu
from model.outliers import character_pairs, outlier_samples, scribbles
from model.progress import Progress, print_epochs
from model.step import State, first_state, learning_rate, make_forward, make_train, weights_of
from tests.conftest import Capture, Patch
from tests.model_data import CONFIG, finished_run, run_training, tiny

ONE_EPOCH = dataclasses.replace(CONFIG, epochs=1)
BY_STEPS = dataclasses.replace(CONFIG, epochs=TrainConfig().epochs)


def start(path: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """Train the same run as `finished_run`, in a process of its own that tells each step's loss."""
    command = [sys.executable, "-W", "error", "-m", "tests.model_data", str(path), *words]
    folder, variables = Path(__file__).parent.parent, {**os.environ, **environment}
    return subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.PIPE, text=True)


def losses_of(process: subprocess.Popen[str]) -> dict[int, float]:
    out, _ = process.communicate()
    assert process.returncode == 0
    # Gloo, which carries the sums between processes, announces itself on the same stream.
    lines = [line.split() for line in out.splitlines() if not line.startswith("[Gloo]")]
    return {int(step): float(loss) for step, loss in reversed(lines)}  # an epoch's end repeats a step, with its mean


def test_a_run_tells_its_whole_story() -> None:
    path, losses = finished_run()
    run = open_run(path)
    assert run.finished
    assert run.config == CONFIG
    assert [e.epoch for e in run.history] == [1, 2, 3]
    assert run.history[-1].loss < run.history[0].loss
    assert run.history[-1].step == max(losses) == 9
    assert all(0 <= e.data_wait <= 1 for e in run.history)
    for epoch in (1, 2, 3):
        mean = np.mean([losses[step] for step in range(3 * epoch - 2, 3 * epoch + 1)])
        assert run.history[epoch - 1].loss == pytest.approx(mean, rel=1e-5)
    assert 0.05 <= run.temperature <= 20
    assert 1 / 8 < run.threshold < 1
    assert list((path / "tensorboard").glob("events.*"))
    assert not unfinished_folder(path).exists()


def test_steps_cut_an_epoch_short(tmp_path: Path) -> None:
    run = train(tiny(), tmp_path / "run", BY_STEPS, steps=5, threads=2)
    assert [(e.epoch, e.step) for e in run.history] == [(1, 3), (2, 5)]


def test_minutes_choose_the_steps(tmp_path: Path, monkeypatch: Patch) -> None:
    ticks = itertools.count()  # of a clock: one whenever it is read, a hundred for a checkpoint
    for module in (training, loop):
        monkeypatch.setattr(module, "time", Mock(perf_counter=ticks.__next__))
    monkeypatch.setattr(loop, "save", lambda *a: save(*a) if next(itertools.islice(ticks, 99, None)) else "")
    config = dataclasses.replace(BY_STEPS, minutes=1.5)
    timed = train(tiny(), tmp_path / "timed", config)
    assert timed.config == dataclasses.replace(BY_STEPS, steps=11)  # the first four epochs are not timed
    assert all(e.images_per_second > 1 for e in timed.history)
    timed = open_run(timed.path)
    assert training.resumed_run(timed, [(tiny(), 1.0)], config) is timed
    with pytest.raises(ModelError, match=r"has other options; expected minutes 1.5. Resume without options"):
        training.resumed_run(timed, [(tiny(), 1.0)], dataclasses.replace(config, minutes=3.0))
    again = train(tiny(), tmp_path / "again", timed.config)
    assert again.best == timed.best
    with pytest.raises(KeyboardInterrupt):  # a resumed run has as many steps
        train(tiny(), tmp_path / "stopped", config, progress=Mock(side_effect=KeyboardInterrupt))
    assert open_run(unfinished_folder(tmp_path / "stopped")).config.steps == 11
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(ModelError, match="`minutes` are for training by one process. Give `steps`"):
        train(tiny(), tmp_path / "several", config)


def test_steps_alone_and_in_one_go_are_compiled_before_the_clock_starts(tmp_path: Path, monkeypatch: Patch) -> None:
    config = dataclasses.replace(BY_STEPS, minutes=1e-6, steps_per_dispatch=2)
    steps = Mock(side_effect=make_train(open_run(finished_run()[0]).untrained(), config))
    monkeypatch.setattr(loop, "make_train", lambda *_: steps)
    run = train(tiny(), tmp_path / "run", config)  # whose time is over after the first dispatch that is timed
    counts = [len(call.args[1]) for call in steps.mock_calls]
    assert (set(counts[:-2]), counts[-2:], run.config.steps) == ({1, 2}, [2, 1], 1)


def test_several_steps_in_one_go_are_the_same_training(tmp_path: Path) -> None:
    """Whatever the end of an epoch and the checkpoints leave of a dispatch."""
    config = dataclasses.replace(CONFIG, steps_per_dispatch=2, checkpoint_steps=5)
    losses = run_training(tmp_path / "run", config)
    assert losses.keys() == finished_run()[1].keys()
    alike(losses, finished_run()[1])
    assert open_run(tmp_path / "run").config == config


def shallow() -> Network:
    layers = (Conv(4, stride=4), Norm(), Relu(), Flatten(), Dropout(0.5))
    return Network(NetworkConfig("shallow", layers), Preprocessing(readings=1), 8, rngs=nnx.Rngs(0))


def first_step(step: int = 0, label: int | None = None, **options: Any) -> tuple[Tree, State, float]:
    """A step, number `step`, from random weights: these, the state after it, the loss."""
    config = dataclasses.replace(CONFIG, **{"weight_decay": 0.0, "label_smoothing": 0.0, **options})
    state, labels = first_state(shallow, config, 9), jnp.asarray(tiny().labels[:16], jnp.int32)
    state |= {"step": jnp.asarray(step), "weights": weights_of(shallow()), "ema": weights_of(shallow())}
    before = jax.tree.map(jnp.copy, state["weights"])
    batch = jnp.asarray(tiny().images[:16]), labels if label is None else jnp.full_like(labels, label)
    state, (loss,) = make_train(shallow(), config)(state, [batch])
    return before, state, float(loss)


def test_a_step_in_bfloat16_is_nearly_the_same_and_uses_its_state_up() -> None:
    losses, states = [], []
    batch = jnp.asarray(tiny().images[:16]), jnp.asarray(tiny().labels[:16], jnp.int32)
    for precision in ("float32", "bfloat16"):
        config = dataclasses.replace(CONFIG, precision=precision)
        first = first_state(shallow, config, 9)
        state, loss = make_train(shallow(), config)(first, [batch, batch])
        assert all(array.is_deleted() for array in jax.tree.leaves(first["weights"]))
        assert float(loss[0]) == pytest.approx(np.log(8))  # the first answers are all alike
        losses.append(float(loss[1]))
        states.append(state)
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    types = [jax.tree.map(lambda a: a.dtype, state) for state in states]
    assert types[0] == types[1]


def test_the_average_follows_the_first_steps_quickly() -> None:
    before, state, _ = first_step()
    expected = jax.tree.map(lambda first, second: (first + 10 * second) / 11, before, state["weights"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), state["ema"], expected)


def test_kernels_alone_decay() -> None:
    plain, decayed = (first_step(weight_decay=decay)[1]["weights"]["params"] for decay in (0.0, 0.5))
    changed = jax.tree.map(lambda a, b: bool((a != b).any()), plain, decayed)
    assert {path[-1].key for path, value in jax.tree_util.tree_leaves_with_path(changed) if value} == {"kernel"}


def test_a_share_of_each_target_is_spread_over_all_characters() -> None:
    plain, spread = (first_step(label=label)[2] for label in (None, 8))
    assert first_step(label_smoothing=0.2)[2] == pytest.approx(0.8 * plain + 0.2 * spread)


def test_each_step_drops_others() -> None:
    assert abs(first_step()[2] - first_step(step=1)[2]) > 0.01


def test_a_run_is_calibrated_on_samples_at_equal_distances(monkeypatch: Patch) -> None:
    run, seen = open_run(finished_run()[0]), list[int]()

    def predict(_: Run, pictures: Bytes) -> Float32s:
        numbers = pictures.reshape(-1, 4).view("<u4")
        seen.extend(numbers[:, 0].tolist())
        return np.pad(numbers / 1e3, ((0, 0), (0, 7))).astype(np.float32)

    monkeypatch.setattr(Run, "predict", predict)
    monkeypatch.setattr(loop, "MAX_CALIBRATION_SAMPLES", 1000)
    monkeypatch.setattr(loop, "BLOCK_SAMPLES", 70)
    pictures = np.arange(2500, dtype="<u4").view(np.uint8).reshape(-1, 2, 2)
    parts = [Samples(some, np.zeros(len(some), int), np.arange(len(some))) for some in np.split(pictures, [800])]
    run = loop._calibrate(run, parts)
    assert seen == [*range(0, 2500, 3)]
    below, above = np.exp(log_softmax(predict(run, pictures[[12, 15]]) / run.temperature)).max(1)
    assert below < run.threshold < above  # of a half per cent


def test_the_weights_of_the_best_epoch_are_kept(tmp_path: Path, monkeypatch: Patch) -> None:
    results = Mock(side_effect=[(1.0, 0.9), (0.5, 0.8), (1.2, 0.9)])
    monkeypatch.setattr(loop.Training, "_validate", results)
    run = train(tiny(), tmp_path / "run", CONFIG)
    best, last = (load_file(run.path / "checkpoints" / f"{name}.safetensors") for name in ("best", "last"))
    assert run.best_epoch.epoch == 1
    assert any((array != last[f"ema.{name}"]).any() for name, array in best.items())


def test_steps_and_answers_lower_for_cuda_without_calls_of_its_runtime() -> None:
    """On a machine that has no such device: operations that every runtime compiles itself."""
    config = TrainConfig()

    def make() -> Network:
        return Network(NETWORKS[config.network], Preprocessing(size=64), 162, rngs=nnx.Rngs(0))

    network, state = nnx.eval_shape(make), jax.eval_shape(lambda: first_state(make, config, 100))
    pictures, labels = np.zeros((64, 64, 64), np.uint8), np.zeros(64, np.int32)
    step: tuple[Any, Any] = make_train(network, config), (state, [(pictures, labels)])
    answers: tuple[Any, Any] = make_forward(network), (state["ema"], pictures)
    for function, arguments in (step, answers):
        assert "custom_call" not in jax.export.export(function, platforms=["cuda"])(*arguments).mlir_module()


def test_only_training_writers_are_trained_on(tmp_path: Path) -> None:
    """The pictures of the others may be anything: the weights are the same."""
    run = open_run(finished_run()[0])
    spoilt = tiny()
    others = run.split_record.parts_of(spoilt) == TEST
    images = np.asarray(spoilt.images)
    images[others] = 255 - images[others]
    again = train(spoilt, tmp_path / "run", CONFIG)
    assert [e.loss for e in again.history] == [e.loss for e in run.history]
    assert again.best_epoch.valid_accuracy == run.best_epoch.valid_accuracy


def test_killed_and_resumed_ends_with_the_same_bits(tmp_path: Path) -> None:
    path, losses = finished_run()
    other = tmp_path / "run"
    process = start(other, "hang")
    last = unfinished_folder(other) / "checkpoints" / "last.safetensors"
    while not last.exists() or load_file(last)["step"] < 4:  # in the middle of the second epoch
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with pytest.raises(ModelError, match=r"training was interrupted.*`resume`"):
        open_run(other)
    assert not open_run(unfinished_folder(other)).finished
    with pytest.raises(FileExistsError, match="an interrupted run is here"):
        run_training(other, CONFIG)
    with pytest.raises(ModelError, match=r"has other options; expected seed 0"):
        run_training(other, dataclasses.replace(CONFIG, seed=1), "resume")
    with pytest.raises(ModelError, match=r"has other data; expected tiny0"):
        train(tiny(seed=1), other, resume=True)
    moved = dataclasses.replace(tiny(), name="moved")
    assert training.resumed_run(open_run(unfinished_folder(other)), [(moved, 1.0)], None).data[0].name == "tiny0"
    assert losses_of(start(other, "resume")) == {step: losses[step] for step in range(5, 10)}
    mine, theirs = open_run(path), open_run(other)
    for file in ("best.safetensors", "last.safetensors"):
        expected, state = (load_file(run.path / "checkpoints" / file) for run in (mine, theirs))
        assert all((array == expected[name]).all() for name, array in state.items())
    assert theirs.temperature == mine.temperature
    assert [e.valid_loss for e in theirs.history] == [e.valid_loss for e in mine.history]


def alike(losses: Mapping[int, float], expected: Mapping[int, float]) -> None:
    """Sums are added up in another order, and each step of training magnifies the difference in rounding."""
    for step, within in enumerate((1e-5, 1e-5, 1e-4, 1e-3, 1e-2), 1):
        np.testing.assert_allclose(losses[step], expected[step], rtol=within, err_msg=f"step {step}")


def test_eight_devices_train_like_one(tmp_path: Path) -> None:
    _, losses = finished_run()
    eight = losses_of(start(tmp_path / "run", XLA_FLAGS="--xla_force_host_platform_device_count=8"))
    assert eight.keys() == losses.keys()
    alike(eight, losses)


def test_two_processes_train_like_one(tmp_path: Path) -> None:
    path, losses = finished_run()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    first, second = map(losses_of, [start(tmp_path / "run", f"join={coordinator},{k},2") for k in range(2)])
    assert first == second
    assert first.keys() == losses.keys()
    alike(first, losses)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    mine, theirs = open_run(path), open_run(tmp_path / "run")
    assert theirs.history[0].valid_loss == pytest.approx(mine.history[0].valid_loss, rel=1e-3)
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1


def test_a_coordinator_that_does_not_listen_is_told() -> None:
    with pytest.raises(FastetlError, match="localhost:1: cannot join; .*found Connection refused"):
        join("localhost:1", 2, 1, seconds=0.3)


def test_an_epoch_is_a_line_unless_told_otherwise(capsys: Capture) -> None:
    history = open_run(finished_run()[0]).history
    for step, complete in ((4, history[:1]), (6, history[:1]), (6, history[:2])):
        print_epochs(Progress(step, 9, 3, 1.0, complete))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("epoch 2/3  loss ")
    assert len(line) <= 80


def test_scribbles_are_taught_to_be_nothing(tmp_path: Path) -> None:
    """A label beyond the classes wants all characters alike; the accuracy counts characters alone."""

    def make() -> Network:
        return Network(NETWORKS["small"], tiny().preprocessing, 8, rngs=nnx.Rngs(0))

    # Placed as in training, so that the program that it compiled is taken.
    state, steps, answers = replicate(first_state(make, CONFIG, 60)), make_train(make(), CONFIG), make_forward(make())
    pictures, labels = shard(scribbles(32, 32)), np.arange(32, dtype=np.int32) % 8
    sure = []
    for classes in (labels, np.full(32, 8, np.int32)):
        for _ in range(30):
            state, _ = steps(state, [(pictures, shard(classes))])
        sure.append(float(jax.nn.softmax(answers(state["ema"], pictures)).max(1).mean()))
    assert sure[1] < 0.6 * sure[0]
    assert int(state["characters"]) == 30 * 32
    run = train(tiny(16), tmp_path / "run", dataclasses.replace(CONFIG, scribbles=0.25, epochs=2))
    assert run.history[0].step == round(16 * run.data[0].train / 0.75) // 32
    assert 0.3 < run.history[-1].accuracy <= 1


def test_scribbles_of_a_large_training_are_few() -> None:
    many = Samples(np.zeros((100_000, 1, 1), np.uint8), np.zeros(100_000, np.int64), np.arange(100_000), 1.0)
    (source,) = outlier_samples([many], 8, dataclasses.replace(CONFIG, scribbles=0.2))
    assert (len(source), source.weight) == (outliers.MAX_SCRIBBLES, 0.25)


def test_pairs_of_characters_that_are_not_narrow_are_taught_to_be_nothing() -> None:
    rings = np.zeros((40, 64, 64), np.uint8)
    for k, ring in enumerate(rings):
        ring[10:50, 10 : 48 + k % 5] = 200
        ring[15:45, 15 : 43 + k % 5] = 0
        ring[28:32, 10:48] = 200
    samples = Samples(rings, np.arange(40), np.arange(40), 3.0)
    drawn, joined = outlier_samples([samples], 50, dataclasses.replace(CONFIG, scribbles=0.2, merged=0.3))
    assert (drawn.weight, joined.weight) == pytest.approx((1.2, 1.8))
    assert (len(drawn), len(joined), set(joined.labels.tolist())) == (16, 24, {50})
    ends = [np.ptp(np.argwhere(picture >= 100), axis=0) + 1 for picture in np.asarray(joined.images)]
    assert np.mean([max(two) > 1.15 * min(two) for two in ends]) > 0.8
    assert 0.1 < np.mean([height > width for height, width in ends]) < 0.5
    narrow, alike = np.where(np.arange(64) < 20, rings, 0), np.zeros(40, np.int64)
    assert not len(character_pairs([Samples(narrow, np.arange(40), np.arange(40))], 30))
    assert not len(character_pairs([Samples(rings, alike, np.arange(40))], 30))
    unlike = np.pad(np.tile(np.uint8(200) * (np.arange(62) % 8 < 3), (40, 62, 1)), ((0, 0), (1, 1), (1, 1)))
    unlike[::2] = np.pad(rings[::2, 10:50:2, 10:48:4], ((0, 0), (2, 42), (2, 52)))  # small beside large ones
    assert all(len(character_pairs([Samples(unlike, np.arange(40), np.arange(40))], 30, k)) for k in range(9))


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    (path / "precious").touch()
    with pytest.raises(FastetlError, match="exists already"):
        run_training(path, CONFIG)
    with pytest.raises(FastetlError, match="no interrupted run to resume"):
        run_training(path, CONFIG, "resume")
    with pytest.raises(FastetlError, match="overwrite replaces only what fastetl wrote; expected a run"):
        train(tiny(), path, CONFIG, overwrite=True)
    assert [p.name for p in path.iterdir()] == ["precious"]
    with pytest.raises(FastetlError, match="the output would be in an input"):
        train(data := tiny().write(tmp_path / "data"), data / "run", CONFIG)
    shutil.rmtree(data)
    path.rename(unfinished_folder(path))
    (unfinished_folder(path) / "precious").rename(unfinished_folder(path) / "report.docx")
    with pytest.raises(FileExistsError, match="no place to train in; .*'report.docx' in it"):
        train(tiny(), path, CONFIG)
    shutil.rmtree(unfinished_folder(path))
    shutil.copytree(finished_run()[0], path)
    before = (path / "run.json").read_text()
    with pytest.raises(FastetlError, match="fewer samples than one batch has"):
        train(tiny(), path, dataclasses.replace(CONFIG, batch_size=1000), overwrite=True)
    assert (path / "run.json").read_text() == before
    run = train(tiny(), path, ONE_EPOCH, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    assert open_run(path).config == ONE_EPOCH
    assert run.path == path


def test_one_training_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "run"
    unfinished = unfinished_folder(path)
    unfinished.mkdir()
    lock = try_lock(unfinished / "lock")
    assert lock is not None
    with pytest.raises(ModelError, match="another process is training this run"):
        train(tiny(), path, CONFIG)
    with pytest.raises(ModelError, match="found nothing. Leave out `resume`"):
        train(tiny(), path, CONFIG, resume=True)
    lock.close()
    train(tiny(), path, ONE_EPOCH)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    assert not (path / "lock").exists()


@pytest.mark.parametrize("at", [0, 1])
def test_a_loss_that_is_no_number_stops_the_training(at: int, tmp_path: Path, monkeypatch: Patch) -> None:
    losses = jnp.full(2, 1.0).at[at].set(jnp.nan)
    monkeypatch.setattr(loop, "make_train", lambda *_: lambda state, batches: (state, losses))
    config = dataclasses.replace(CONFIG, steps_per_dispatch=2)
    with pytest.raises(ModelError, match=rf"the loss is nan at step {at + 1}: training diverged"):
        train(tiny(), tmp_path / "run", config)
    assert not list(tmp_path.glob("run.unfinished/checkpoints"))
    assert [p.name for p in tmp_path.iterdir()] == ["run.unfinished"]


def test_a_mixture_takes_from_every_dataset(tmp_path: Path) -> None:
    tiny(seed=1).write(tmp_path / "tiny1")
    run = train(zip([tiny(), tmp_path / "tiny1"], [1.0, 3.0], strict=True), tmp_path / "run", ONE_EPOCH)
    assert [(d.name, d.weight) for d in run.data] == [("tiny0", 1.0), ("tiny1", 3.0)]
    assert run.history[-1].step == 2 * 16 * run.data[0].train // 32


def test_what_does_not_fit_together_is_named(tmp_path: Path) -> None:
    other = dataclasses.replace(tiny(), name="other", charset=Charset("abc", tuple("abcdefgh")))
    one_class = Dataset.create(tiny().images[:], "あ" * len(tiny()), source="")
    wrong: tuple[tuple[Any, str], ...] = (
        ([(tiny(), 1), (other, 1)], r"have different characters; expected few \(あ.*\); found abc \(abcdefgh\)\. B"),
        ([tiny(), (tiny(), 2)], "tiny0: the dataset is given twice. Leave one out, or give it more weight"),
        ([(tiny(), 0)], "^the weight of tiny0 is out of range; expected over 0.*Check the weight of tiny0$"),
        (one_class, "own: nothing to tell apart; expected pictures of two characters or more. Build it with an"),
        (tiny()[tiny().labels == 0], "nothing to tell apart; "),  # of a charset with more
    )
    for data, message in wrong:
        with pytest.raises(FastetlError, match=message):
            train(data, tmp_path / "run", CONFIG)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(loop.Training, "fit", Mock(side_effect=OSError(errno.ENOSPC, "full")))
    with pytest.raises(FastetlError, match="run: cannot write the output"):
        train(tiny(), tmp_path / "run", CONFIG)


@pytest.mark.parametrize("steps", [1, 2, 100])
def test_learning_rate_climbs_and_falls(steps: int) -> None:
    rates = np.array([learning_rate(RATES[0], CONFIG.warmup, steps)(k) for k in range(steps)])
    assert np.isfinite(rates).all()
    assert rates.max() == pytest.approx(RATES[0])
    if steps == 100:
        assert rates.argmax() == 20
        assert rates[-1] < 0.02 * RATES[0]
