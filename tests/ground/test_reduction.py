"""Principal components equal scikit-learn's full PCA up to sign, dense, sparse and wide; pooling and lists equal loops.

Asserted for a number of components and for a share of the variance, for fewer rows than columns, constant data, a
single row and float32 far from zero; that the result is the same bytes every time; and that zero-padded lists become
the rows they stand for.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import scipy.sparse
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from mma4ctr import reduction
from mma4ctr.data import raw_files

SEEDS = st.integers(0, 2**32 - 1)
NUMBERS = st.one_of(st.integers(1, 9), st.floats(0.3, 0.97))


def matrix_of(seed: int, rows: int, columns: int, zeros: float) -> np.ndarray:
    """Return a float64 matrix with a share of zeros and columns of different variances and means."""
    rng = np.random.default_rng(seed)
    matrix = (rng.normal(size=(rows, columns)) + 0.5) * 0.7 ** np.arange(columns)
    return np.where(rng.random((rows, columns)) < zeros, 0, matrix)


def oracle(matrix: np.ndarray, components: int | float) -> np.ndarray:
    """Return scikit-learn's projection of the dense matrix, without directions in which rows do not differ."""
    number = components if isinstance(components, float) else min(components, *matrix.shape)
    pca = PCA(number, svd_solver="full").fit(matrix)
    return pca.transform(matrix)[:, pca.explained_variance_ > 1e-12 * pca.explained_variance_[0]]


def assert_equal_up_to_sign(found: np.ndarray, expected: np.ndarray, tolerance: float = 2e-6) -> None:
    """Compare projections of which each column may have the other sign."""
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    size = max(1e-3, np.abs(expected).max(initial=0))
    for number, (one, other) in enumerate(zip(found.T, expected.T, strict=True)):
        distance = min(np.abs(one - other).max(), np.abs(one + other).max())
        assert distance < tolerance * size, (number, distance)


@given(rows=st.integers(2, 40), columns=st.integers(1, 12), components=NUMBERS, seed=SEEDS)
def test_dense(rows: int, columns: int, components: int | float, seed: int) -> None:
    matrix = matrix_of(seed, rows, columns, zeros=0.0)
    assert_equal_up_to_sign(reduction.reduce_to(matrix, components), oracle(matrix, components))


@given(rows=st.integers(3, 40), columns=st.integers(1, 12), components=NUMBERS, seed=SEEDS)
def test_sparse(rows: int, columns: int, components: int | float, seed: int) -> None:
    matrix = matrix_of(seed, rows, columns, zeros=0.4)
    assume(np.linalg.matrix_rank(matrix - matrix.mean(axis=0)) == min(rows - 1, columns))
    found = reduction.reduce_to(scipy.sparse.csr_array(matrix), components)
    # Components that a few zeros leave close to one another may be mixed: then only what they keep is compared.
    variances = np.linalg.svd(matrix - matrix.mean(axis=0), compute_uv=False) ** 2
    assume((variances[1:] < 0.98 * variances[:-1]).all())
    assert_equal_up_to_sign(found, oracle(matrix, components), tolerance=1e-5)


@settings(max_examples=40)
@given(shape=st.sampled_from([(60, 20), (200, 40), (25, 60)]), share=st.floats(0.3, 0.97), seed=st.integers(0, 10_000))
def test_wide_sparse_which_is_only_multiplied_by_vectors(shape: tuple[int, int], share: float, seed: int) -> None:
    matrix = matrix_of(seed, *shape, zeros=0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduction, "DENSE_LIMIT", 10)
        patch.setattr(reduction, "_small_eigen", None)  # would fail if it were called
        found = reduction.reduce_to(scipy.sparse.csr_array(matrix), share)
    assert_equal_up_to_sign(found, oracle(matrix, share), tolerance=1e-5)


def test_wide_sparse_asks_for_more_components_until_they_suffice() -> None:
    """300 columns of nearly equal variance need more than the 128 components asked for first."""
    rng = np.random.default_rng(0)
    matrix = np.where(rng.random((500, 300)) < 0.1, 0, rng.normal(size=(500, 300))) * np.linspace(1, 2, 300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduction, "DENSE_LIMIT", 100)
        found = reduction.reduce_to(scipy.sparse.csr_array(matrix), 0.9)
    expected = oracle(matrix, 0.9)
    assert expected.shape[1] > 128
    assert_equal_up_to_sign(found, expected, tolerance=1e-4)


def test_both_branches_agree_on_zero_padded_text() -> None:
    rng = np.random.default_rng(1)
    lengths = rng.integers(0, 60, 300)
    text = raw_files.sparse_rows(lengths, rng.integers(0, 100_000, lengths.sum()))
    expected = oracle(text.toarray(), 0.9)
    assert_equal_up_to_sign(reduction.reduce_to(text, 0.9), expected, tolerance=1e-5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduction, "DENSE_LIMIT", 20)
        assert_equal_up_to_sign(reduction.reduce_to(text, 0.9), expected, tolerance=1e-5)


@pytest.mark.parametrize("rows", [40, 400])  # fewer than columns, and more
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_data_far_from_zero(rows: int, dtype: type) -> None:
    matrix = (np.random.default_rng(0).normal(size=(rows, 128)) * np.linspace(3, 1, 128) + 100).astype(dtype)
    assert_equal_up_to_sign(reduction.reduce_to(matrix, 10), oracle(matrix.astype(np.float64), 10), tolerance=1e-5)


def test_a_share_equals_a_number_of_components() -> None:
    matrix = matrix_of(3, 80, 12, zeros=0.0)
    found = reduction.reduce_to(matrix, 0.9)
    assert found.shape == (80, PCA(0.9, svd_solver="full").fit(matrix).n_components_)
    assert np.array_equal(found, reduction.reduce_to(matrix, found.shape[1]))


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("components", [3, 0.9])
@pytest.mark.parametrize("shape", [(1, 5), (1, 1), (7, 1), (20, 4), (4, 20)])
def test_rows_that_do_not_differ_have_one_component_of_zeros(make, components, shape) -> None:
    found = reduction.reduce_to(make(np.full(shape, 0.5)), components)
    assert found.shape == (shape[0], 1)
    assert not found.any()


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("components", [3, 0.9])
def test_no_columns_have_no_components(make, components) -> None:
    assert reduction.reduce_to(make(np.zeros((5, 0))), components).shape == (5, 0)


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_the_same_bytes_every_time_and_in_pieces(make, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = matrix_of(5, 90, 30, zeros=0.3)
    first, again = (reduction.reduce_to(make(matrix.copy()), 0.9) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    monkeypatch.setattr(reduction, "CHUNK", 16)
    np.testing.assert_allclose(reduction.reduce_to(make(matrix), 0.9), first, atol=1e-6)
    monkeypatch.setattr(reduction, "DENSE_LIMIT", 10)
    wide, again = (reduction.fit_components(make(matrix.copy()), 0.9).axes for _ in range(2))
    assert wide.tobytes() == again.tobytes()


def test_each_axis_has_its_largest_coefficient_positive() -> None:
    axes = reduction.fit_components(matrix_of(6, 50, 8, zeros=0.0), 8).axes
    assert all(max(axis, key=abs) > 0 for axis in axes.T.tolist())


@given(rows=st.integers(1, 6), columns=st.integers(1, 12), length=st.integers(1, 15), seed=SEEDS)
def test_average_pooling(rows: int, columns: int, length: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).normal(size=(rows, columns))
    expected = []
    for vector in matrix.tolist():
        padded = vector + [0.0] * max(0, length - columns)
        window = len(padded) - length + 1
        expected.append([sum(padded[k : k + window]) / window for k in range(length)])
    np.testing.assert_allclose(reduction.average_pooling(matrix, length), expected, atol=1e-12)


LISTS = st.lists(st.lists(st.integers(0, 200_000), max_size=6), min_size=1, max_size=8)


@given(lists=LISTS)
def test_sparse_rows_are_zero_padded_lists(lists: list[list[int]]) -> None:
    width = max(map(len, lists))
    found = raw_files.sparse_rows(
        np.array([len(one) for one in lists]), np.array([value for one in lists for value in one], dtype=np.int64)
    )
    assert found.shape == (len(lists), width)
    assert found.toarray().tolist() == [one + [0] * (width - len(one)) for one in lists]


@given(lists=LISTS, more=st.integers(0, 3))
def test_dense_rows_are_zero_padded_lists(lists: list[list[int]], more: int) -> None:
    width = max(map(len, lists)) + more
    found = raw_files.dense_rows(pl.Series(lists, dtype=pl.List(pl.Float64)), width)
    assert found.dtype == np.float32
    assert found.tolist() == [one + [0] * (width - len(one)) for one in lists]
