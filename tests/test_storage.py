"""Object storage: datasets written to addresses and read from them, as if they were folders.

`memory://` everywhere; `s3://`, with Ray's workers, where moto and s3fs are installed: they serve the
protocol on this machine.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastetl.errors import FastetlError
from fastetl.etl.build import BuildConfig, build
from fastetl.synth import SynthConfig, synthesize
from fastetl_ray.shards import open_dataset

pytest.importorskip("pyarrow")
fsspec = pytest.importorskip("fsspec")

CHARSET = "digits"
CONFIG = BuildConfig(charset=CHARSET, size=32)
SMALL = ("--network=small", "--epochs=1", "--batch-size=32", "--valid=0.2")


@pytest.fixture(scope="module")
def etl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("storage") / "etl"
    synthesize(out, SynthConfig(files=2, charset=CHARSET, seed=4))
    return out


def one_after_another(
    ray: Any, work: Callable[[int, Any], Any], pieces: Sequence[Any], progress: object
) -> Iterator[Any]:
    return (work(number, piece) for number, piece in enumerate(pieces))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`fastetl_ray.datasets`, whose tasks are called one after another in this process."""
    pytest.importorskip("ray")
    from fastetl_ray import datasets

    monkeypatch.setattr(datasets, "connect", lambda address: None)
    monkeypatch.setattr(datasets, "in_order", one_after_another)
    return datasets


def test_copies_are_those_of_build(here: Any, etl: Path, tmp_path: Path) -> None:
    """They were not looked for: a writer was in both parts of a split."""
    copy = tmp_path / "another name"
    copy.write_bytes((etl / "ETL8G_02").read_bytes())
    there = here.build_on_ray([etl, copy], tmp_path / "there", CONFIG, rows=30)
    local = build([etl, copy], tmp_path / "here", CONFIG)
    assert "pictures that other groups have too: 50" in str(there.noticed[-1])
    assert there.noticed == local.noticed
    assert open_dataset(tmp_path / "there") == open_dataset(tmp_path / "here")
    with pytest.raises(FastetlError, match="pictures that other groups have too"):
        here.build_on_ray([etl, copy], tmp_path / "strict", BuildConfig(charset=CHARSET, size=32, strict=True))
    assert not (tmp_path / "strict").exists()


def test_memory_is_written_and_read_like_a_folder(here: Any, etl: Path, tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    for file in etl.glob("ETL8G_*"):
        system.pipe(f"/etl/{file.name}", file.read_bytes())
    sources = [f"memory://etl/{file.name}" for file in sorted(etl.glob("ETL8G_*"))]
    there = "memory://out/digits"
    try:
        here.build_on_ray(sources, there, CONFIG, rows=30)
        build(etl, tmp_path / "here", CONFIG)
        found, local = open_dataset(there), open_dataset(tmp_path / "here")
        assert (np.asarray(found.images) == local.images).all()
        assert found.split(seed=1) == local.split(seed=1)
        with pytest.raises(FileExistsError, match="the output exists already"):
            here.build_on_ray(sources, there, CONFIG)
        here.build_on_ray(sources, there, CONFIG, rows=50, overwrite=True)
        again = open_dataset(there)
        assert (again.labels == local.labels).all()
        system.rm("/out/digits/shard-00001.parquet")
        with pytest.raises(FileNotFoundError, match=r"memory://out/digits/shard-00001\.parquet: cannot read the file"):
            list(again.samples().blocks(1000))
        with pytest.raises(FileNotFoundError, match=r"memory://etl/nothing: cannot read the file"):
            here.build_on_ray("memory://etl/nothing", "memory://out/none", CONFIG)
        assert not system.exists("/out/none")
    finally:
        system.rm("/", recursive=True)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty bucket of a server of its own, and a cluster whose workers know it."""
    pytest.importorskip("ray")
    server: Any = pytest.importorskip("moto.server", reason="moto and s3fs are not installed: no server for s3://")
    pytest.importorskip("s3fs", reason="moto and s3fs are not installed: no client for s3://")
    serving = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    serving.start()
    host, port = serving.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "anybody",
        "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_DEFAULT_REGION": "us-east-1",
        "RAY_worker_niceness": "0",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("handwriting")
    from fastetl_ray.nodes import connect

    ray = connect()
    yield "s3://handwriting"
    ray.shutdown()
    serving.stop()


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_s3_is_written_by_workers_and_trained_from(bucket: str, etl: Path, tmp_path: Path) -> None:
    from fastetl_ray import build_on_ray, synthesize_on_ray
    from fastetl_ray.cluster import train_on_ray
    from model.config import TrainConfig
    from model.training import train

    build(etl, tmp_path / "here", CONFIG)
    here = open_dataset(tmp_path / "here")
    build_on_ray(etl, f"{bucket}/build", CONFIG, rows=30)
    synthesize_on_ray(f"{bucket}/synth", SynthConfig(files=2, charset=CHARSET, seed=4), CONFIG.size, rows=30)
    for name in ("build", "synth"):
        there = open_dataset(f"{bucket}/{name}")
        assert (np.asarray(there.images) == here.images).all()
        assert (there.groups == here.groups).all()
    with pytest.raises(FileExistsError, match="s3://handwriting/synth: the output exists already"):
        synthesize_on_ray(f"{bucket}/synth", SynthConfig(charset=CHARSET))
    config = TrainConfig(network="small", epochs=1, batch_size=32, valid=0.2)
    by_worker = train_on_ray([(f"{bucket}/synth", 1.0)], tmp_path / "by worker", config)
    mine = train(open_dataset(f"{bucket}/synth"), tmp_path / "mine", config)
    assert by_worker.best == mine.best
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.pipe("handwriting/synth/shard-00000.parquet", b"cut short")
    with pytest.raises(FastetlError, match=r"s3://handwriting/synth/shard-00000\.parquet: the shard is damaged"):
        np.asarray(open_dataset(f"{bucket}/synth").images)
