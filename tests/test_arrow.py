"""Datasets where their users are: Arrow, Parquet, pandas, `datasets`, and sample-by-sample loaders."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastetl.errors import FastetlError
from tests.test_shards import made

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from fastetl.data.parquet import pictures_of, table  # noqa: E402


def test_a_table_holds_every_column() -> None:
    data = made()
    raw, rows = table(data), data.to_arrow()
    assert (pictures_of(raw["image"], 8) == data.images).all()
    assert (pictures_of(raw.slice(13, 20)["image"], 8) == data.images[13:33]).all()
    assert (np.asarray(Image.open(io.BytesIO(rows["image"][7].as_py()["bytes"]))) == data.images[7]).all()
    for some in (raw, rows):
        assert some["label"].to_pylist() == data.labels.tolist()
        assert some["character"].to_pylist() == [data.charset.characters[k] for k in data.labels]
        assert some["file_name"].to_pylist() == data.records["file_name"].tolist()


def test_a_parquet_file_is_that_table(tmp_path: Path) -> None:
    data = made()
    data.to_parquet(tmp_path / "made.parquet")
    assert pq.read_table(tmp_path / "made.parquet") == data.to_arrow()
    with pytest.raises(FastetlError, match="the output exists already"):
        data.to_parquet(tmp_path / "made.parquet")
