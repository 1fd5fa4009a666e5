"""Fused features equal an oracle of scikit-learn's scaler and PCA and a product row by row, up to sign.

Asserted: min-max scaling, scaling before items drop out, at most 128 columns, the first narrowest modality staying as
it is in a cross, equally wide others going through PCA all the same, and concatenations wider than 128 being reduced.
A PCA component has no sign of its own, and flipping it flips its column of a product.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler

from mma4ctr import reduction
from mma4ctr.features import fusion

SEEDS = st.integers(0, 2**32 - 1)


def table_of(seed: int, rows: int, columns: int) -> np.ndarray:
    """Return random float32 columns whose variances are far enough apart to tell components apart."""
    scale = 3.0 * 0.6 ** (np.arange(columns) % 12) + 0.02 * np.arange(columns)
    return (np.random.default_rng(seed).normal(size=(rows, columns)) * scale).astype(np.float32)


def by_sklearn(matrix: np.ndarray, length: int) -> np.ndarray:
    """Return (rows, length) principal components, zero columns where there are fewer."""
    count = min(length, *matrix.shape)
    reduced = np.zeros((len(matrix), length))
    if len(matrix) == 1:  # a single row does not differ from the mean; scikit-learn divides 0 by 0
        return reduced
    reduced[:, :count] = PCA(count, svd_solver="full").fit_transform(matrix.astype(np.float64))
    return reduced


def assert_equal_up_to_sign(found: np.ndarray, expected: np.ndarray) -> None:
    """Compare matrices of which each column may have the other sign."""
    assert found.shape == expected.shape
    tolerance = 1e-5 * max(1.0, np.abs(expected).max(initial=0))
    for number, (one, other) in enumerate(zip(found.T, expected.T, strict=True)):
        distance = min(np.abs(one - other).max(), np.abs(one + other).max())
        assert distance < tolerance, (number, distance)


def product_row_by_row(tables: list[np.ndarray]) -> np.ndarray:
    """Multiply element by element at the width of the narrowest, one number after another."""
    widths = [table.shape[1] for table in tables]
    stays = widths.index(min(widths))
    factors = [t if k == stays else by_sklearn(t, min(widths)) for k, t in enumerate(tables)]
    product = np.ones((len(tables[0]), min(widths)))
    for row in range(product.shape[0]):
        for column in range(product.shape[1]):
            for factor in factors:
                product[row, column] *= float(factor[row, column])
    return product


@given(rows=st.integers(1, 40), columns=st.integers(1, 8), dtype=st.sampled_from([np.float32, np.float64]), seed=SEEDS)
def test_min_max_is_that_of_scikit_learn(rows: int, columns: int, dtype: type, seed: int) -> None:
    matrix = table_of(seed, rows, columns).astype(dtype)
    matrix[:, -1] = 0.1  # constant
    found = reduction.min_max(matrix)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, MinMaxScaler().fit_transform(matrix.astype(np.float64)), atol=1e-6)
    assert not found[:, -1].any()


def test_min_max_in_pieces_and_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = table_of(0, 25, 3)
    whole = reduction.min_max(matrix)
    monkeypatch.setattr(reduction, "CHUNK", 4)
    assert reduction.min_max(matrix).tobytes() == whole.tobytes()
    assert reduction.min_max(np.zeros((0, 3))).shape == (0, 3)


@given(columns=st.integers(1, 9), fused=st.sets(st.integers(0, 29), min_size=1), seed=SEEDS)
def test_fusable_scales_before_items_drop_out(columns: int, fused: set[int], seed: int) -> None:
    items, matrix = np.arange(30) * 10, table_of(seed, 30, columns)
    wanted = sorted(id_ * 10 for id_ in fused)
    found = fusion.fusable(items, matrix, np.array(wanted))
    scaled = MinMaxScaler().fit_transform(matrix.astype(np.float64))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [scaled[items.tolist().index(id_)] for id_ in wanted], atol=1e-6)


def test_fusable_reduces_after_items_have_dropped_out() -> None:
    items, matrix = np.arange(260), table_of(1, 260, 140)
    fused = np.arange(0, 260, 13)
    scaled = MinMaxScaler().fit_transform(matrix.astype(np.float64)).astype(np.float32)
    found = fusion.fusable(items, matrix, fused)
    assert_equal_up_to_sign(found, by_sklearn(scaled[fused], 128)[:, : found.shape[1]])
    assert found.shape[1] == len(fused) - 1  # 20 items differ in 19 directions
    wide = fusion.fusable(items, matrix, items)
    assert_equal_up_to_sign(wide, by_sklearn(scaled, 128))


def test_at_most_leaves_what_is_not_wider() -> None:
    matrix = table_of(2, 60, 20)
    assert reduction.at_most(matrix, 20) is matrix
    assert_equal_up_to_sign(reduction.at_most(matrix, 19), by_sklearn(matrix, 19))


@settings(max_examples=60)
@given(
    widths=st.lists(st.integers(1, 6), min_size=2, max_size=3),
    rows=st.sampled_from([1, 4, 25]),
    seed=st.integers(0, 99),
)
def test_cross_is_the_product_row_by_row(widths: list[int], rows: int, seed: int) -> None:
    tables = [table_of(1000 * k + seed, rows, width) for k, width in enumerate(widths)]
    found = fusion.cross(tables)
    assert found.dtype == np.float32
    assert_equal_up_to_sign(found, product_row_by_row(tables))


def test_cross_sends_an_equally_wide_modality_through_pca() -> None:
    tables = [table_of(seed, 30, 4) for seed in (1, 2)]
    found = fusion.cross(tables)
    assert_equal_up_to_sign(found, tables[0] * by_sklearn(tables[1], 4))
    with pytest.raises(AssertionError):
        assert_equal_up_to_sign(found, tables[0].astype(np.float64) * tables[1])
    with pytest.raises(AssertionError):  # the first of the narrowest stays, not the last
        assert_equal_up_to_sign(found, by_sklearn(tables[0], 4) * tables[1])


@pytest.mark.parametrize(
    ("widths", "reduced"), [((60, 68), False), ((60, 69), True), ((20, 30, 78), False), ((20, 30, 79), True)]
)
def test_concat_is_reduced_where_it_is_wider_than_128(widths: tuple[int, ...], reduced: bool) -> None:
    tables = [table_of(seed, 180, width) for seed, width in enumerate(widths)]
    found = fusion.concat(tables)
    assert (found is not None) == reduced
    if reduced:
        joined = np.array([[x for table in tables for x in table[row].tolist()] for row in range(180)])
        assert_equal_up_to_sign(found, by_sklearn(joined, 128))
