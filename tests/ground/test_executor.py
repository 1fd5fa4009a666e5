"""Work on a Dask cluster of two local workers: its results, its errors, and workers that are killed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import killed_workers
from load_path import load_path
from mma4ctr import executor as cluster
from mma4ctr import reduction
from mma4ctr.cli import UserError
from mma4ctr.data import item_rows, raw_files
from mma4ctr.data.datasets import tiktok


@pytest.mark.slow
def test_the_components_of_rows_on_workers(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to find them: a written out covariance, products with vectors, and few rows brought together."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 40, 300)
    text = raw_files.sparse_rows(lengths, rng.integers(0, 100_000, lengths.sum()))
    dense = rng.normal(size=(300, 20)).astype(np.float32) * np.linspace(3, 1, 20, dtype=np.float32)
    cases = [(text, 0.9, 2000), (text, 0.9, 20), (text[:30], 0.9, 2000), (dense, 7, 2000), (dense[:15], 0.8, 2000)]
    with cluster.connected(address) as executor:
        for matrix, components, limit in cases:
            monkeypatch.setattr(reduction, "DENSE_LIMIT", limit)
            items = rng.permutation(len(matrix.toarray() if scipy.sparse.issparse(matrix) else matrix))
            blocks = np.array_split(items, 7)
            parts = [executor.share(tuple, (block, matrix[block])) for block in blocks]
            known, rows = item_rows.spread(executor, parts)
            assert np.array_equal(known, np.arange(matrix.shape[0]))
            expected = reduction.reduce_to(matrix, components)
            found = reduction.reduce_to(rows, components)
            assert found.dtype == np.float32 and found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_what_ends_is_handed_over_with_its_error(address: str) -> None:
    """Nine tasks for two workers, without a resource; the file of one of them is missing."""
    with cluster.connected(address) as executor:
        files = [*([Path(__file__)] * 8), Path("/nowhere/path.json")]
        refused = dict(executor.completed(load_path, ["/nowhere/one.json", "/nowhere/two.json"], resources={}))
        found = list(executor.completed(os.path.getsize, files, resources={}))
    assert all(f"{file}: cannot be read" in str(error) for file, error in refused.items())
    assert len(refused) == 2
    assert [file for file, _ in found].count(files[0]) == 8
    assert {size for file, size in found if file == files[0]} == {Path(__file__).stat().st_size}
    ((_, error),) = [(file, error) for file, error in found if file == files[-1]]
    assert isinstance(error, UserError) and "/nowhere/path.json: No such file or directory on a worker" in str(error)


# ---- workers that die


@pytest.mark.slow
def test_a_killed_worker_costs_its_task(tmp_path: Path, address: str) -> None:
    with cluster.connected(address) as executor:
        assert list(executor.map(killed_workers.square, list(range(8)), tmp_path)) == [k * k for k in range(8)]
    assert (tmp_path / "killed").exists()


@pytest.mark.slow
def test_rows_that_were_on_a_killed_worker_are_read_again(tmp_path: Path, tiny_raw: Path, address: str) -> None:
    file = next(tiny_raw.rglob("track1_title.txt"))
    kept = np.unique([int(found) for found in re.findall(r'"item_id": ?(\d+)', file.read_text())])
    with cluster.connected(address, part_bytes=5000) as executor:
        parts = raw_files.parts(executor, [file])
        assert len(parts) > 5
        items, rows = item_rows.rows_of_items(executor, killed_workers.read_titles, parts, kept, tmp_path)
        found = reduction.reduce_to(rows, 0.9)
    assert (tmp_path / "killed").exists()
    here = cluster.LocalExecutor()
    expected_items, expected = item_rows.rows_of_items(here, tiktok.read_titles, raw_files.parts(here, [file]), kept)
    assert np.array_equal(items, expected_items)
    np.testing.assert_allclose(found, reduction.reduce_to(expected, 0.9), rtol=1e-5, atol=1e-5 * np.abs(found).max())
