"""Factors of clicks equal dense ridge regression in float64, and a slot's know nothing of the slots from it on."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st

from mma4ctr.models.contract import Batch, Graph, Sizes
from mma4ctr.models.parts.evidence import PENALISED, Standardised, rates_of, regression_of
from mma4ctr.models.parts.factors import SlotFactors, WholeFactors, factors_of

USERS, ITEMS, SLOTS, RANK = 30, 8, 3, 7
SIZES = Sizes(users=USERS, items=ITEMS, slots=SLOTS)


def clicks_of(seed: int, number: int = 120) -> Graph:
    """Return clicks, no user's twice on one item, each in a slot."""
    rng = np.random.default_rng(seed)
    pairs = np.unique(np.column_stack([rng.integers(0, USERS, number), rng.integers(0, ITEMS, number)]), axis=0)
    users, items = (torch.from_numpy(column.copy()) for column in pairs.T)
    return Graph(users, items, torch.from_numpy(rng.integers(0, SLOTS, len(pairs))))


def dense(clicks: Graph, chosen: np.ndarray) -> np.ndarray:
    """Return the matrix (users, items) of some clicks."""
    matrix = np.zeros((USERS, ITEMS))
    matrix[clicks.users.numpy()[chosen], clicks.items.numpy()[chosen]] = 1
    return matrix


def weights_of(matrix: np.ndarray, shrinkage: float) -> np.ndarray:
    """Return the weights (from, to) of the ridge regressions of each item on all others, one after another."""
    penalty, weights = shrinkage * matrix.sum(), np.zeros((ITEMS, ITEMS))
    for item in range(ITEMS):
        others = np.delete(np.arange(ITEMS), item)
        known = matrix[:, others]
        weights[others, item] = np.linalg.solve(
            known.T @ known + penalty * np.eye(len(others)), known.T @ matrix[:, item]
        )
    return weights


@given(seed=st.integers(0, 2**32 - 1), shrinkage=st.floats(0.005, 1.0))
def test_all_factors_but_the_last_are_the_regression_of_what_they_keep(seed: int, shrinkage: float) -> None:
    matrix = dense(clicks_of(seed), np.ones(len(clicks_of(seed).users), dtype=bool))
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    values[RANK:] = 0  # what the truncation leaves of the clicks
    kept = (left * values) @ right
    found = factors_of(scipy.sparse.csr_array(matrix), RANK, shrinkage).astype(np.float64)
    inverse = np.linalg.inv(kept.T @ kept + shrinkage * matrix.sum() * np.eye(ITEMS))
    expected = -inverse / np.diag(inverse)
    products = found @ found.T / (1 - (found**2).sum(1))
    off = ~np.eye(ITEMS, dtype=bool)
    np.testing.assert_allclose(products[off], expected[off], atol=2e-5)


def test_the_closed_form_is_one_regression_for_each_item() -> None:
    clicks = clicks_of(0)
    matrix = dense(clicks, np.ones(len(clicks.users), dtype=bool))
    inverse = np.linalg.inv(matrix.T @ matrix + 0.1 * matrix.sum() * np.eye(ITEMS))
    off = ~np.eye(ITEMS, dtype=bool)
    np.testing.assert_allclose((-inverse / np.diag(inverse))[off], weights_of(matrix, 0.1)[off], atol=1e-12)


def test_twice_the_users_have_the_same_factors() -> None:
    matrix = scipy.sparse.csr_array(dense(clicks_of(1), np.ones(len(clicks_of(1).users), dtype=bool)))
    once, twice = (factors_of(one, 3, 0.1) for one in (matrix, scipy.sparse.vstack([matrix, matrix]).tocsr()))
    np.testing.assert_allclose(once @ once.T, twice @ twice.T, atol=1e-5)


@pytest.mark.parametrize("clicked", [[], [(0, 1)], [(0, 1), (0, 2)], [(0, 1), (1, 1)], [(0, 1), (1, 2)]])
def test_few_clicks_have_few_factors(clicked: list) -> None:
    matrix = np.zeros((USERS, ITEMS))
    for user, item in clicked:
        matrix[user, item] = 1
    found = factors_of(scipy.sparse.csr_array(matrix), RANK, 0.1)
    assert found.shape == (ITEMS, RANK) and np.isfinite(found).all()
    assert not found[matrix.sum(0) == 0].any()


def batch_of(seed: int, rows: int = 40) -> Batch:
    rng = np.random.default_rng(seed)
    draw = lambda high, *shape: torch.from_numpy(rng.integers(0, high, shape))  # noqa: E731
    return Batch(user=draw(USERS, rows), item=draw(ITEMS, rows), slot=draw(SLOTS + 1, rows),
                 history=draw(ITEMS + 1, rows, 5), unclicked=draw(ITEMS + 1, rows, 5))  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_what_histories_say_row_by_row(seed: int) -> None:
    clicks, batch = clicks_of(seed), batch_of(seed)
    found = SlotFactors(clicks, SIZES, 4, 0.05)(batch)
    slots = clicks.slots.numpy()
    for row in range(len(batch.item)):
        matrix = np.vstack([dense(clicks, slots < int(batch.slot[row])).T, np.zeros(USERS)]).T
        factors = factors_of(scipy.sparse.csr_array(matrix), 4, 0.05).astype(np.float64)
        own = factors[int(batch.item[row])]
        for column, history in enumerate((batch.history[row], batch.unclicked[row])):
            expected = sum(float(factors[item] @ own) for item in history.tolist()) / (1 - own @ own)
            assert float(found[row, column]) == pytest.approx(expected, abs=1e-5)
    assert not found[batch.slot == 0].any()


@pytest.mark.parametrize("slot", range(SLOTS))
def test_a_slot_knows_nothing_of_the_slots_from_it_on(slot: int) -> None:
    clicks, batch = clicks_of(5), batch_of(5)
    there = clicks.slots < slot
    earlier = Graph(*(column[there] for column in clicks[:3]))
    one, other = (SlotFactors(graph, SIZES, 4, 0.05)(batch) for graph in (clicks, earlier))
    rows = batch.slot <= slot
    assert one[rows].numpy().tobytes() == other[rows].numpy().tobytes()
    assert (one[~rows] != other[~rows]).any()


def test_the_whole_history_knows_the_click_of_the_row_itself() -> None:
    clicks = clicks_of(2)
    factors = WholeFactors(clicks, SIZES, 4, 0.05)
    user, item = int(clicks.users[0]), int(clicks.items[0])
    batch = Batch(user=torch.tensor([user]), item=torch.tensor([item]), slot=torch.tensor([0]),
                  history=torch.full((1, 5), ITEMS), unclicked=torch.full((1, 5), ITEMS))  # fmt: skip
    table = factors.table[0].double()
    met = [int(one) for one, own in zip(clicks.items, clicks.users, strict=True) if int(own) == user]
    expected = sum(float(table[one] @ table[item]) for one in met) / (1 - float(table[item] @ table[item]))
    assert item in met and float(factors(batch)[0, 0]) == pytest.approx(expected, abs=1e-5) and expected > 0.01
    assert float(factors(batch)[0, 1]) == 0


@pytest.mark.parametrize("kind", [SlotFactors, WholeFactors])
def test_new_items_and_an_unknown_user_say_nothing(kind: type) -> None:
    factors, batch = kind(clicks_of(3), SIZES, 4, 0.05), batch_of(3)
    before = factors(batch)
    factors.admit(2)
    assert torch.equal(factors(batch), before)
    new = batch._replace(item=torch.full_like(batch.item, ITEMS + 2))
    assert not factors(new).any()
    stranger = batch._replace(user=torch.full_like(batch.user, USERS), history=torch.full_like(batch.history, ITEMS))
    assert not factors(stranger)[:, 0].any()


@given(counts=st.lists(st.tuples(*[st.integers(0, 50)] * 2), min_size=2, max_size=2), rate=st.floats(0.01, 0.99))
def test_rates_are_smoothed_log_odds_less_those_of_all_rows(counts: list, rate: float) -> None:
    (user, user_clicks), (item, item_clicks) = ((max(one), min(one)) for one in counts)
    found = rates_of(torch.tensor([[user, user_clicks, item, item_clicks]], dtype=torch.float32), torch.tensor(rate))
    log_odds = lambda shown, clicked: np.log((clicked + 10 * rate) / (shown - clicked + 10 * (1 - rate)))  # noqa: E731
    own = [
        log_odds(user, user_clicks) - np.log(rate / (1 - rate)),
        log_odds(item, item_clicks) - np.log(rate / (1 - rate)),
    ]
    expected = [*own, sum(own), *np.log1p([user, user_clicks, item, item_clicks])]
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-3)


def test_standardised_columns_have_mean_0_and_deviation_1() -> None:
    values = torch.from_numpy(np.random.default_rng(0).normal(3, 5, (400, 2)).astype(np.float32))
    values = torch.cat((values, torch.full((400, 1), 7.0)), dim=1)
    scale = Standardised(3)
    scale.fit(values)
    found = scale(values).double()
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(0, correction=0), [1, 1, 0], atol=1e-5)


@given(seed=st.integers(0, 2**32 - 1))
def test_the_regression_is_at_its_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((300, 3))
    clicks = (rng.random(300) < 1 / (1 + np.exp(-values @ [1.0, -0.5, 0.0] - 0.3))).astype(np.float32)
    found = regression_of(torch.from_numpy(values), torch.from_numpy(clicks)).double().numpy()
    shift = lambda bias: 1 / (1 + np.exp(-(values @ found + bias))) - clicks  # noqa: E731
    low, high = -10.0, 10.0
    for _ in range(60):  # the constant that is left out
        middle = (low + high) / 2
        low, high = (middle, high) if shift(middle).sum() < 0 else (low, middle)
    gradient = PENALISED * values.T @ shift(low) + found
    np.testing.assert_allclose(gradient, 0, atol=0.05)


def test_the_regression_of_one_class_or_of_no_columns_says_nothing() -> None:
    values = torch.randn(20, 3)
    assert not regression_of(values, torch.ones(20)).any()
    assert regression_of(values[:, :0], torch.arange(20) % 2).shape == (0,)
