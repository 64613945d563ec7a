"""Records made for the tests: no ETL data enters the repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastetl.data.charset import HIRAGANA_SMALL
from fastetl.etl.jis import codes_of
from fastetl.etl.layouts import ETL8G, Layout

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from fastetl_cli.web.about import Package

Records = NDArray[Any]
KANJI = range(0x3021, 0x3021 + 60)


def make_records(
    writers: int, codes: list[int] | None = None, layout: Layout = ETL8G, seed: int = 0, blank: bool = False
) -> Records:
    """`writers` data sets of the given JIS codes, with noise for pictures and plausible headers."""
    rng = np.random.default_rng(seed)
    if codes is None:
        codes = [*codes_of(HIRAGANA_SMALL).tolist()[:60], *KANJI, *codes_of(HIRAGANA_SMALL).tolist()[60:]]
    records = np.zeros(writers * len(codes), layout.dtype)
    records["code"] = np.tile(np.array(codes, np.uint16), writers)
    records["reading"] = b"A.HIRA  "
    records["sheet"] = 1 + np.arange(len(records)) // 160
    records["number"] = 1 + np.arange(len(records))
    records["sex"] = 1
    records["age"] = 20 + np.arange(len(records)) // len(codes)
    if not blank:
        records["image"] = rng.integers(0, 256, records["image"].shape, np.uint8)
    return records


@pytest.fixture
def etl_file(tmp_path: Path) -> Callable[..., Path]:
    """Write records to a file `name` in a folder `etl` and return its path."""

    def write(name: str = "ETL8G_01", records: Records | None = None, tail: bytes = b"") -> Path:
        path = tmp_path / "etl" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((make_records(2) if records is None else records).tobytes() + tail)
        return path

    return write


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from tests.pad_browser import chromium  # not every machine that runs tests has a browser

    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """What the pad needs of the bundled package."""
    from tests.pad_data import bundled_package

    return bundled_package(tmp_path_factory.mktemp("pad") / "package")
