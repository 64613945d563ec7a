"""Machines as they are: no telemetry, nothing to write to, nothing left."""

import errno
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from PIL import Image

from export.package_files import KIND, ONNX, package_path
from export.verification import Check, file_checks, run_checks
from fastetl import FastetlError, build, load_charset, open_dataset
from fastetl.building.kept_drawings import find_samples
from fastetl.data.dataset import DATASET_KIND
from fastetl.etl.detection import find_files
from fastetl.files.atomic import OutputKind, check_output, new_output, replace_file, write_file
from fastetl_cli.base import error_line
from fastetl_cli.recognize import find_pictures
from model.folders import RUN_KIND
from tests.conftest import Capture, Patch, Write, one_line, python, some_pictures, write_shards

DEFAULT = f"""
import onnxruntime, time
session = onnxruntime.InferenceSession({str(package_path("kana") / ONNX)!r}, providers=["CPUExecutionProvider"])
time.sleep(600)
"""
RECOGNIZER = "import export, time; export.open_recognizer(); time.sleep(600)"
PAD = "from fastetl_cli.main import main; main(['pad', '--no-browser', '--port', '0'])"


def fastetl(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    code = "import sys; from fastetl_cli.main import main; sys.exit(main(sys.argv[1:]))"
    return python(code, *arguments, **environment)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt-get install strace")
def test_nothing_is_looked_up_and_no_identifier_kept(tmp_path: Path) -> None:
    """For as long as onnxruntime needs of itself, one to two minutes or ten seconds by version, and half as long again.

    What goes to an address of the internet, or to a name server, strace writes down; the test below needs none.
    """
    programs = {}
    for name, code in {"default": DEFAULT, "recognizer": RECOGNIZER, "pad": PAD}.items():
        (tmp_path / name / "home").mkdir(parents=True)
        # Where CI is named, onnxruntime is silent of itself.
        home = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "HOME": f"{tmp_path}/{name}/home"}
        strace = ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmmsg", "-o", f"{tmp_path}/{name}/trace"]
        command = [*strace, sys.executable, "-c", code]
        programs[name] = subprocess.Popen(command, env=home, stdout=subprocess.DEVNULL, start_new_session=True)

    def traces(name: str) -> tuple[bool, list[str]]:
        """Whether anything was looked up, and the files below the home."""
        trace = tmp_path / name / "trace"
        files = [path.name for path in (tmp_path / name / "home").rglob("*") if path.is_file()]
        return trace.exists() and "AF_INET" in trace.read_text(errors="replace"), files

    try:
        start_time = time.monotonic()
        while not traces("default")[0] and time.monotonic() - start_time < 150:
            time.sleep(0.5)
        time.sleep((time.monotonic() - start_time) / 2)
        assert traces("default")[0]
        assert any("deviceid" in name for name in traces("default")[1])
        assert [program.poll() for program in programs.values()] == [None] * 3
        assert traces("recognizer") == traces("pad") == (False, [])
    finally:
        for program in programs.values():
            os.killpg(program.pid, signal.SIGKILL)
            program.wait(20)


def test_telemetry_is_off_before_onnxruntime_is_imported() -> None:
    code = "import os, sys, export; export.open_recognizer(); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = python(code, ORT_DISABLE_TELEMETRY="0")
    assert done.stdout == "1\n"


NO_LOCATOR = "import numba.core.caching as c; c.FunctionCache._impl_class._locator_classes = []"


def test_kernels_compile_where_nothing_can_be_kept(tmp_path: Path) -> None:
    code = f"{NO_LOCATOR}\nimport fastetl; print(fastetl.rasterize(fastetl.Drawing(1, 1, ())).shape)"
    done = python(code, NUMBA_CACHE_DIR=str(tmp_path / "cache"), NUMBA_DISABLE_JIT="0")
    assert done.stdout.startswith("(")
    assert done.stderr.count("Set NUMBA_CACHE_DIR") == 1


@pytest.fixture
def etl(etl_file: Write) -> Path:
    """A folder with one file of ETL8G."""
    return etl_file().parent


@pytest.mark.parametrize(
    ("error", "lacking"),
    [
        (MemoryError("4 GiB"), "memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (OSError(errno.EMFILE, "Too many open files"), "file handles"),
        (RuntimeError("can't start new thread"), "threads"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), None),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory\nLargest buffers:\n"), "memory"),
        (ValueError("I/O error: Cannot allocate memory (os error 12)"), "memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "space"),
        (ValueError("Disk quota exceeded (os error 122)"), "space"),
        (ValueError("No character (os error 121)"), None),
        (ValueError("a cell says: no space left"), None),
        (FileNotFoundError(errno.ENOENT, "no space left"), "space"),
        (FileNotFoundError(errno.ENOENT, "No such file", "quota exceeded.png"), None),
    ],
)
def test_what_the_machine_lacks_is_no_fault_of_a_file(error: Exception, lacking: str | None) -> None:
    """Whatever an error says that comes from it, and whoever gathers errors."""

    def raised() -> Iterator[Check]:
        yield from ()
        try:
            raise error
        except Exception as cause:
            raise FastetlError("cannot read the checkpoint", file="w", do="train again") from cause

    if lacking is None:
        assert [check.passed for check in run_checks("x", raised)] == [False]
        return
    expected = f"^w: cannot read the checkpoint; this machine is out of .*{lacking}"
    with pytest.raises(FastetlError, match=expected) as info:
        list(run_checks("x", raised))
    assert not any(text in str(info.value) for text in ("train again", "\n"))
    assert str(pickle.loads(pickle.dumps(info.value))) == str(info.value)
    assert lacking in error_line(error, "export")


def test_no_input_and_nothing_of_another_command_is_lost(tmp_path: Path, monkeypatch: Patch) -> None:
    out, new = tmp_path / "out", tmp_path / "new"
    with one_line("cannot write the output"):  # before the work
        check_output(Path("/proc/1/none"), DATASET_KIND, False)
    check_output(new / "out", DATASET_KIND, False)
    some_pictures().write(out)
    for source in (out, out / "images.npy"):
        with one_line("out: an input of this command would be replaced"):
            check_output(out, DATASET_KIND, True, [None, tmp_path, source])
    monkeypatch.chdir(out)
    with one_line("the command runs in the output that it would replace. Run it from another folder"):
        check_output(Path(), DATASET_KIND, True, [Path("../new")])
    with one_line("no charset ''"):  # but the folder that it runs in is one
        load_charset("")
    aside = out.rename(tmp_path / ".out.old-1")  # killed between two renames
    with one_line("out: an interrupted command left the old output aside; found …/.out.old-1. Move it back"):
        check_output(out, DATASET_KIND, True)
    aside.rename(out)
    (tmp_path / ".new.new-1").mkdir()  # of a killed command
    with pytest.raises(FastetlError, match="new: the output exists already"), new_output(new, DATASET_KIND):
        new.mkdir()  # by another command meanwhile
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "out"]
    monkeypatch.chdir(new)
    new.rmdir()
    check_output(out, DATASET_KIND, True)  # from a folder that is gone


def test_what_is_met_elsewhere_is_no_fault_of_the_output(tmp_path: Path, monkeypatch: Patch) -> None:
    out, full = tmp_path / "out", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for error in (ConnectionResetError(errno.ECONNRESET, "reset"), OSError(errno.EIO, "damaged", "input.npz")):
        with pytest.raises(type(error), match=error.strerror), replace_file(out):
            raise error
    with pytest.raises(FileNotFoundError), replace_file(out):
        (tmp_path / "input").read_bytes()
    for error in (full, OSError(errno.EFBIG, "big"), OSError("9 requested and 0 written")):  # numpy's has no number
        with pytest.raises(FastetlError, match="out: cannot write the output; (this|found [b9])"), replace_file(out):
            raise error
    with pytest.raises(FastetlError, match="out: cannot write the output; found No such"), replace_file(out) as file:
        (file / "inner").touch()
    monkeypatch.setattr(os, "fsync", Mock(side_effect=full))
    with pytest.raises(FastetlError, match=r"out: cannot write the output; this machine is out of space"):
        write_file(str(tmp_path), "out", b"shard")
    monkeypatch.setattr("tempfile.mkdtemp", Mock(side_effect=full))
    with pytest.raises(FastetlError, match="out: cannot write the output; this machine is out of"), replace_file(out):
        pass
    assert not list(tmp_path.iterdir())


def test_an_old_output_that_may_not_be_moved_is_named(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr("ctypes.CDLL", Mock(return_value=Mock(renameat2=Mock(return_value=-1))))
    monkeypatch.setattr("ctypes.get_errno", lambda: errno.EACCES)
    (out := tmp_path / "out").mkdir()
    with one_line("out: cannot write the output; found Permission"), new_output(out, OutputKind("any", ()), True):
        pass


@pytest.mark.parametrize("kind", [DATASET_KIND, RUN_KIND, KIND], ids=lambda kind: kind.name)
def test_no_output_is_put_into_an_input_that_fastetl_wrote(kind: OutputKind, tmp_path: Path) -> None:
    """`train data data/run` did, and then `build --overwrite` refused to renew the data."""
    data = tmp_path / "data"
    check_output(data / "out", DATASET_KIND, False, [data])  # such as a folder of ETL files
    data.mkdir()
    for mark in (*kind.marks, "notes.txt"):  # a file of the user's
        (data / str(mark)).touch()
    for out in (data / "out", data / "reports" / "out")[: 1 + (kind != RUN_KIND)]:
        with pytest.raises(FastetlError, match=f"{out}: the output would be in an input; expected a place outside"):
            check_output(out, DATASET_KIND, False, [None, data / ".." / "data"])
    (tmp_path / "circle").symlink_to("circle")
    check_output(tmp_path / "run" / "reports", DATASET_KIND, False, [data, tmp_path / "circle"])


def test_a_path_that_is_not_utf_8_is_built_from_and_named(etl: Path, tmp_path: Path) -> None:
    source = tmp_path / os.fsdecode(b"bad\xff")
    shutil.copytree(etl, source)
    done = fastetl("build", source, tmp_path / os.fsdecode(b"out\xff"), "--charset", "hiragana")
    assert (done.returncode, done.stderr.count("fault")) == (0, 0), done.stderr
    data = open_dataset(tmp_path / os.fsdecode(b"out\xff"))
    assert os.fsdecode(b"bad\xff") in data.about["command"]
    assert open_dataset(f"file://{write_shards(data, tmp_path / 'shards')}").about["command"] == data.about["command"]
    done = fastetl("build", etl, tmp_path / "出力", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0
    assert len(open_dataset(f"file://{tmp_path}/出力")) == len(open_dataset(tmp_path / "出力"))


@pytest.mark.parametrize("name", ["._a.png", ".DS_Store", "Thumbs.db", "desktop.ini"])
def test_systems_clutter_is_skipped(name: str, etl: Path, tmp_path: Path, capsys: Capture) -> None:
    for folder in ("pictures", "pictures/__MACOSX", "pictures/.thumbs", "samples"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(b"\0" * 2052)
    shutil.copytree(package_path("kana"), tmp_path / "package")
    (tmp_path / "package" / name).write_bytes(b"x")
    Image.new("L", (32, 32), 255).save(tmp_path / "pictures" / "a.png")
    (tmp_path / "pictures" / "folder.png").mkdir()
    shutil.copy(tmp_path / "pictures" / "a.png", tmp_path / "pictures" / ".thumbs")
    assert find_pictures((tmp_path / "pictures",)) == [tmp_path / "pictures" / "a.png"]
    assert not capsys.readouterr().err
    (tmp_path / "pictures" / "a.pdf").touch()
    (tmp_path / "pictures" / "b.jfif").symlink_to("nowhere")
    assert [file.name for file in find_pictures((tmp_path / "pictures",))] == ["a.png", "b.jfif"]
    assert "pictures: passed over 1 file not named as pictures (first: " in capsys.readouterr().err
    (tmp_path / "samples" / "._2026-11-24.jsonl").write_bytes(b"x")
    (tmp_path / "samples" / "2026-11-24.jsonl").write_bytes(b"")
    assert [file.name for file in find_samples(tmp_path / "samples")] == ["2026-11-24.jsonl"]
    shutil.copy(etl / "ETL8G_01", tmp_path / "samples")
    assert [file.path.name for file in find_files([tmp_path / "samples"])] == ["ETL8G_01"]
    assert all(check.passed for check in file_checks(tmp_path / "package"))
    build(etl, tmp_path / "out")
    (tmp_path / "out" / name).write_bytes(b"x")
    check_output(tmp_path / "out", DATASET_KIND, True)
