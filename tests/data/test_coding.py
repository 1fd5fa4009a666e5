"""Counts, codes and orders equal those of plain Python, for integers of any size and for text."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mma4ctr.data import coding
from mma4ctr.data.coding import Codes, GrowingCodes, Tally
from mma4ctr.data.kept_log import bounds_of
from mma4ctr.data.ordering import grouped

INTEGERS = st.one_of(st.integers(0, 50), st.integers(-(2**63), 2**63 - 1))
TEXTS = st.text(max_size=4).filter(lambda text: all(not 0xD800 <= ord(sign) < 0xE000 for sign in text))
BATCHES = st.one_of(*(st.lists(st.lists(values, min_size=1, max_size=12), min_size=1, max_size=6)
                      for values in (INTEGERS, st.integers(0, 50), TEXTS)))  # fmt: skip


def series_of(values: list) -> pl.Series:
    return pl.Series(values, dtype=pl.String if isinstance(values[0], str) else pl.Int64)


@given(batches=BATCHES, at_once=st.sampled_from([1, 5, 2**21]), dense=st.sampled_from([1, 20, 2**25]))
def test_tallies_and_codes(batches: list[list], at_once: int, dense: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coding, "AT_ONCE", at_once)
        patch.setattr(coding, "DENSE", dense)
        tally, growing = Tally(), GrowingCodes()
        numbers = []
        for batch in batches:
            tally.add(series_of(batch))
            numbers.append(growing.of(series_of(batch)))
        counts = tally.counts("id")
        values = [value for batch in batches for value in batch]
        assert dict(counts.rows()) == Counter(values) and len(counts) == len(set(values))
        known = counts["id"].sort()
        assert known.to_list() == sorted(set(values), key=lambda one: one.encode() if isinstance(one, str) else one)
        places = Codes(known).of(series_of(values))
        assert places.dtype == np.int32 and known.gather(places).to_list() == values
        ranked, ranks = growing.ranked()
        assert ranked.to_list() == known.to_list()
        assert ranks[np.concatenate(numbers)].tolist() == places.tolist()


def test_nothing_is_counted_in_an_empty_log() -> None:
    assert Tally().counts("user").rows() == []


def test_a_missing_value_is_the_first_one() -> None:
    codes = GrowingCodes()
    numbers = [codes.of(pl.Series(["b", None])), codes.of(pl.Series([None, "a"]))]
    values, ranks = codes.ranked()
    assert values.to_list() == [None, "a", "b"]
    assert ranks[np.concatenate(numbers)].tolist() == [2, 0, 0, 1]


@given(rows=st.lists(st.tuples(INTEGERS, st.integers(-3, 3)), max_size=30))
def test_rows_are_grouped_in_order(rows: list[tuple[int, int]]) -> None:
    first, second = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    order, begins = grouped(first, second.astype(np.int8))
    expected = sorted(range(len(rows)), key=lambda place: (*rows[place], place))
    assert order.tolist() == expected
    assert begins.tolist() == [k == 0 or rows[expected[k]] != rows[expected[k - 1]] for k in range(len(rows))]


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=40), rows=st.integers(1, 30))
def test_buckets_are_of_whole_users_and_not_much_longer_than_asked_for(lengths: list[int], rows: int) -> None:
    bounds = bounds_of(np.array(lengths), rows).tolist()
    assert bounds[0] == 0 and bounds[-1] == len(lengths) and bounds == sorted(set(bounds))
    assert all(sum(lengths[a:b]) < rows + 2 * max(lengths) for a, b in itertools.pairwise(bounds))
