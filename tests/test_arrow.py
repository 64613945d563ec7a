"""Datasets where their users are: Arrow, Parquet, pandas, `datasets`, and sample-by-sample loaders."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastetl.errors import FastetlError
from tests.test_shards import made

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from fastetl.data.parquet import pictures_of  # noqa: E402

PAGE = Path(__file__).parent.parent / "docs" / "other-libraries.md"


def test_a_table_holds_every_column() -> None:
    data = made()
    table = data.to_arrow()
    assert (pictures_of(table["image"], 8) == data.images).all()
    assert (pictures_of(table.slice(13, 20)["image"], 8) == data.images[13:33]).all()
    assert table["label"].to_pylist() == data.labels.tolist()
    assert table["character"].to_pylist() == [data.charset.characters[k] for k in data.labels]
    assert table["file_name"].to_pylist() == data.records["file_name"].tolist()


def test_another_way_to_store_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown stored; expected one of raw, png; found 'jpeg'"):
        made().to_arrow("jpeg")  # type: ignore[arg-type]


def test_parquet_keeps_the_pictures(tmp_path: Path) -> None:
    data = made()
    data.to_parquet(tmp_path / "made.parquet")
    stored = pq.read_table(tmp_path / "made.parquet")
    picture = np.asarray(Image.open(io.BytesIO(stored["image"][7].as_py()["bytes"])))
    assert (picture == data.images[7]).all()
    with pytest.raises(FastetlError, match="the output exists already"):
        data.to_parquet(tmp_path / "made.parquet")
