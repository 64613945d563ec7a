"""What a process loads, and how it leaves what is its alone."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benches.etl_records import make_records
from export.runtimes import quiet
from fastetl.kernels.vector import ENABLED
from tests.conftest import Write, python

SLOW = ["PIL", "jax", "flax", "coremltools", "onnxruntime", "sklearn", "scipy", "matplotlib"]


def test_a_build_in_a_fresh_process_loads_only_what_it_uses(etl_file: Write, tmp_path: Path) -> None:
    """Half of what a user would wait for; see docs/decisions/0008."""
    source = etl_file(records=None if ENABLED else make_records(1)[:9])  # plain Python takes its time
    arguments = ["build", str(source), str(tmp_path / "out"), "--size", "32"]
    slow = [*SLOW, "concurrent.futures", "secrets", *([] if not ENABLED else ["numba", "numpy.ma"])]
    code = f"import sys\nfrom fastetl_cli.main import main\nassert main({arguments!r}) == 0\n"
    code += f"print([name for name in {slow!r} if name in sys.modules])\n"
    code += f"import fastetl.etl.inspection\nprint([name for name in {SLOW!r} if name in sys.modules])"
    done = python(code)
    assert done.stdout.splitlines()[-2:] == ["[]", "[]"], done.stderr


def test_threads_leave_the_log_of_coremltools() -> None:
    def export(seconds: float) -> None:
        with quiet():
            time.sleep(seconds)

    level = logging.getLogger("coremltools").level
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(export, (0.1, 0.2)))
    assert logging.getLogger("coremltools").level == level
