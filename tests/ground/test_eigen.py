"""The largest eigenvalues against a dense solver, and the same to the bit where the solver has to start again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mma4ctr.eigen import largest_eigen


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(3, 30))
def test_as_a_dense_solver_has_them(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((size + 5, size))
    matrix = root.T @ root
    wanted = int(rng.integers(1, size))
    values, vectors = largest_eigen(lambda vector: matrix @ vector, size, wanted)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix)[::-1][:wanted], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(matrix @ vectors, vectors * values, atol=1e-6 * values[0])


@pytest.mark.parametrize("distinct", [1, 3])
def test_equal_eigenvalues_have_the_same_vectors_every_time(distinct: int) -> None:
    diagonal = np.repeat(np.arange(1, distinct + 1), 60).astype(np.float64)  # a start reaches one vector of each value
    found = [largest_eigen(lambda vector: diagonal * vector.ravel(), len(diagonal), 20) for _ in range(3)]
    assert len({vectors.tobytes() for _, vectors in found}) == 1
    np.testing.assert_allclose(found[0][0], distinct)
