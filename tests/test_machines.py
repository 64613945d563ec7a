"""Machines as they are: no telemetry, nothing to write to, nothing left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export.names import ONNX, package_path

DEFAULT = f"""
import onnxruntime, time
session = onnxruntime.InferenceSession({str(package_path("kana") / ONNX)!r}, providers=["CPUExecutionProvider"])
time.sleep(600)
"""
RECOGNIZER = "import export, time; export.open_recognizer(); time.sleep(600)"
PAD = "from fastetl_cli.main import main; main(['pad', '--no-browser', '--port', '0'])"


class Held:
    """A program that runs with a home of its own, its connections and lookups written down by strace."""

    def __init__(self, code: str, folder: Path) -> None:
        self.home, self._trace = folder / "home", folder / "trace"
        self.home.mkdir(parents=True)
        # Where CI is named, onnxruntime is silent of itself.
        kept = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(self.home)}
        strace = ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmmsg", "-o", str(self._trace)]
        self._process = subprocess.Popen(
            [*strace, sys.executable, "-c", code], env=kept, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def lookups(self) -> list[str]:
        """What went to an address of the internet, or to the port of a name server."""
        lines = self._trace.read_text(errors="replace").splitlines() if self._trace.exists() else []
        return [line for line in lines if "AF_INET" in line]

    def files(self) -> list[str]:
        """What was written below the home."""
        return [str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_file()]

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def end(self) -> None:
        """Stop it, and what it traces."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)


def test_nothing_is_looked_up_and_no_identifier_kept(tmp_path: Path) -> None:
    """For as long as onnxruntime needs of itself, one to two minutes or ten seconds by version, and half as long again.

    Only where strace is installed; the test below needs none.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    default = Held(DEFAULT, tmp_path / "default")
    ours = [Held(code, tmp_path / name) for name, code in (("recognizer", RECOGNIZER), ("pad", PAD))]
    try:
        begun = time.monotonic()
        while not default.lookups() and time.monotonic() - begun < 150:
            time.sleep(0.5)
        time.sleep((time.monotonic() - begun) / 2)
        assert default.lookups()
        assert any("deviceid" in name for name in default.files())
        for held in ours:
            assert held.runs()
            assert (held.lookups(), held.files()) == ([], [])
    finally:
        for held in (default, *ours):
            held.end()


def test_telemetry_is_off_before_onnxruntime_is_imported() -> None:
    code = "import os, sys, export; export.open_recognizer(); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "ORT_DISABLE_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"


NO_LOCATOR = "import numba.core.caching as c; c.FunctionCache._impl_class._locator_classes = []"
FULL_DISK = """
import errno, numba.core.caching as c
def full(*_): raise OSError(errno.ENOSPC, "No space left on device")
c.FunctionCache.save_overload = full
"""


@pytest.mark.parametrize(("before", "reason"), [(NO_LOCATOR, "no folder"), (FULL_DISK, "No space left")])
def test_kernels_compile_where_nothing_can_be_kept(before: str, reason: str, tmp_path: Path) -> None:
    code = f"{before}\nimport fastetl; print(fastetl.rasterize(fastetl.Drawing(1, 1, ())).shape)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "NUMBA_DISABLE_JIT": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("(")
    assert done.stderr.count("Set NUMBA_CACHE_DIR") == 1
    assert reason in done.stderr
