"""What became slower, and what a fresh process loads."""

from pathlib import Path

from benches.table import printed, slower
from fastetl.kernels.vector import ENABLED
from fastetl.testing.records import make_records
from tests.conftest import Write, python


def test_what_became_slower_is_named() -> None:
    stored = {name: [name, "1000", "100", "", "0.5", ""] for name in ("decode", "resize")}
    measured = [
        ["decode", "900", "81", "", "0.5", ""],
        ["resize", "700", "79", "", "0.4", ""],
        ["new", "1", "1", "", "", ""],
    ]
    assert slower(measured, stored) == ["resize: 79× instead of 100×"]
    long = ["files of all sets → dataset, all characters, 64 × 64", "391000", "23", "", "0.99", ""]
    assert all(len(line) <= 80 for row in (*measured, long) for line in printed(row).splitlines())


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


def test_verify_loads_coremltools_alone_and_leaves_its_log() -> None:
    """Not scikit-learn, for converters that nothing here uses; whoever needs it himself can still import it."""
    code = """
import logging, sys
from concurrent.futures import ThreadPoolExecutor
from export.runtimes import coremltools
with ThreadPoolExecutor() as threads:
    list(threads.map(lambda _: coremltools(), range(2)))
logging.getLogger("coremltools").setLevel(logging.INFO)
coremltools()
print("sklearn" in sys.modules, logging.getLogger("coremltools").level)
import sklearn
"""
    done = python(code)
    assert done.stdout.splitlines()[-1:] == ["False 20"], done.stderr
    assert (done.returncode, "Failed to load" in done.stderr) == (0, False)
