"""An item that outweighs all others in a modality is named, wherever its rows lie."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import example, given
from hypothesis import strategies as st

from mma4ctr import reduction
from mma4ctr.data import blocks
from mma4ctr.data.blocks import Block, RawModality
from mma4ctr.data.item_rows import SpreadRows
from mma4ctr.settings import Settings
from mma4ctr.store import records


def spread(matrix: reduction.Matrix, seed: int) -> SpreadRows:
    """Lay the rows of a matrix on three workers, out of order; the workers are this process."""

    def do(function, things, *shared) -> Iterator:
        return (function(thing, *shared) for thing in things)

    places = np.array_split(np.random.default_rng(seed).permutation(matrix.shape[0]), 3)
    executor = SimpleNamespace(map=do, share=lambda function, *arguments: function(*arguments))
    sparse = scipy.sparse.issparse(matrix)
    return SpreadRows(executor, [matrix[place] for place in places], places, matrix.shape, sparse)


KINDS = {
    "dense": np.asarray, "sparse": scipy.sparse.csr_array, "spread": lambda matrix: spread(matrix, 0),
    "spread sparse": lambda matrix: spread(scipy.sparse.csr_array(matrix), 1),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@given(
    values=st.lists(st.tuples(*[st.sampled_from([0, 0, 1, -2, 3.5, 1e6])] * 3), min_size=1, max_size=30),
    chunk=st.integers(1, 7),
)
@example(values=[(1e6, 0, 0), (1e6, 0, 0), (1e6, 0, -2)], chunk=1)
def test_shares_of_the_variance_equal_a_plain_sum(kind: str, values: list[tuple[float, ...]], chunk: int) -> None:
    mean = [sum(column) / len(values) for column in zip(*values, strict=True)]
    plain = [sum((value - middle) ** 2 for value, middle in zip(row, mean, strict=True)) for row in values]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduction, "CHUNK", chunk)
        found = reduction.shares_of_variance(KINDS[kind](np.array(values)))
    # A sparse row is not centred before it is squared: rounding leaves some 1e-16 of the largest square.
    rounding = 1e-14 * max(value**2 for row in values for value in row) / (sum(plain) or 1)
    np.testing.assert_allclose(found, np.array(plain) / (sum(plain) or 1), rtol=1e-6, atol=1e-9 + rounding)


def warnings_of(matrix: reduction.Matrix | reduction.Rows, components: int | float | None) -> tuple[str, ...]:
    ids = np.arange(100, 100 + matrix.shape[0])
    return blocks.reduced(RawModality("visual", ids, [Block(matrix, components)], ("before",))).warnings


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("absurd", [1e4, -1e12, 1e30])
def test_one_absurd_number_is_said_with_its_item(kind: str, absurd: float) -> None:
    matrix = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float64 if "sparse" in kind else np.float32)
    assert warnings_of(KINDS[kind](matrix), 3) == ("before",)
    matrix[7, 2] = absurd
    before, said = warnings_of(KINDS[kind](matrix), 0.9)
    assert before == "before"
    assert "visual: 1 of 40 items have more than 50% of the variance of 6 columns, item 107 alone 9" in said


@pytest.mark.parametrize(
    ("items", "absurd", "is_said"), [(300, 3, True), (300, 7, False), (9, 1, False), (10, 1, True)]
)
def test_a_hundredth_of_the_items_is_few(items: int, absurd: int, is_said: bool) -> None:
    matrix = np.random.default_rng(0).integers(0, 9, (items, 5)).astype(np.float32)
    matrix[:absurd, 0] = 1e6 * (-1) ** np.arange(absurd)
    assert len(warnings_of(matrix, None)) == 1 + is_said


@pytest.mark.parametrize("columns", [0, 3])
def test_what_does_not_vary_has_no_absurd_item(columns: int) -> None:
    for kind in KINDS.values():
        assert warnings_of(kind(np.ones((12, columns))), 2) == ("before",)


@pytest.mark.parametrize("dataset", ["wechat", "tiktok"])
def test_nothing_is_absurd_in_the_sample(tiny: Settings, dataset: str) -> None:
    assert list(records.require(tiny, "preprocess_multimodal.py", dataset).warnings) == []
