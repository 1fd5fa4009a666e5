"""What the adapter adds to RecBole: negatives among what a user was shown, and last batches that are large enough."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("recbole", reason="RecBole is not installed; make test installs it")

from baseline import adapter


def test_observed_negatives_are_what_the_user_did_not_click() -> None:
    shown = np.array([[1, 5], [1, 6], [2, 7]])
    sampler = adapter.ObservedNegatives(shown, items=9, seed=0)
    drawn = sampler.sample_by_user_ids(np.array([1, 2, 3] * 50), np.zeros(150, dtype=int), 2).numpy().reshape(2, -1, 3)
    assert set(drawn[:, :, 0].ravel()) == {5, 6}
    assert set(drawn[:, :, 1].ravel()) == {7}
    assert set(drawn[:, :, 2].ravel()) <= set(range(1, 9)) and len(set(drawn[:, :, 2].ravel())) > 3


@given(rows=st.integers(2, 3_000), batch_size=st.integers(4, 512))
def test_no_last_batch_is_much_smaller_than_the_others(rows: int, batch_size: int) -> None:
    least = max(2, min(adapter.LEAST_ROWS, batch_size // 4))
    right = [size for size in range(least + 1, min(rows, batch_size) + 1) if rows % size == 0 or rows % size >= least]
    assert adapter.without_small_rest(rows, batch_size) == max(right, default=batch_size)
