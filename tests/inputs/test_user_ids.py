"""The bare user id as an input: scaled in float64 before it is rounded to float32, whatever its size and sign."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mma4ctr.inputs.content import scaled_ids

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(ids=st.lists(INT64, min_size=1, max_size=30))
def test_ids_are_scaled_as_by_fractions(ids: list[int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = scaled_ids(np.array(ids, dtype=np.int64))
    span = max(ids) - min(ids) or 1
    expected = [float(Fraction(one - min(ids), span)) for one in ids]
    assert (found.shape, found.dtype) == ((len(ids), 1), np.float32)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("first", [0, 2_924_305_332, 2**53, 2**63 - 30, -(2**63)])
def test_neighbours_stay_apart_wherever_they_lie(first: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scaled_ids(np.array([first + k for k in range(30)], dtype=np.int64))
    np.testing.assert_allclose(found[:, 0], np.arange(30) / 29, rtol=1e-6)


def test_ids_that_float32_cannot_tell_apart_are_said() -> None:
    with pytest.warns(UserWarning, match="3 of 5 user ids lie so close to others that float32 makes them equal"):
        found = scaled_ids(np.array([0, 2**62 - 3, 2**62 - 2, 2**62 - 1, 2**62]))
    assert found[:, 0].tolist() == [0, 1, 1, 1, 1]
