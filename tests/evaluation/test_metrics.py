"""Metrics equal scikit-learn and loops over rows, users and replicates.

Asserted: AUC with ties, LogLoss clipped at float32 epsilon, AUC within users weighted by rows, the bootstrap over users
against literally drawing users' rows, and the three label-rate predictors.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from mma4ctr.evaluation import bootstrap, label_rates, metrics

# (user, label, score): few distinct scores, so that many tie.
PREDICTIONS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.500001, 0.9, 1.0])),
    min_size=1, max_size=60,
)  # fmt: skip


def arrays(predictions: list[tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return users, labels and float32 scores."""
    users, labels, scores = zip(*predictions, strict=True)
    return np.array(users), np.array(labels), np.array(scores, dtype=np.float32)


def auc_pair_by_pair(labels: np.ndarray, scores: np.ndarray) -> float:
    """Compare every positive with every negative; a tie counts half."""
    won = total = 0.0
    for positive in scores[labels == 1].tolist():
        for negative in scores[labels == 0].tolist():
            won += 1.0 if positive > negative else 0.5 if positive == negative else 0.0
            total += 1
    return won / total if total else math.nan


@given(predictions=PREDICTIONS)
def test_auc(predictions: list) -> None:
    _, labels, scores = arrays(predictions)
    assert metrics.auc(labels, scores) == pytest.approx(auc_pair_by_pair(labels, scores), abs=1e-12, nan_ok=True)


@given(predictions=PREDICTIONS)
def test_average_precision(predictions: list) -> None:
    _, labels, scores = arrays(predictions)
    expected = average_precision_score(labels, scores) if labels.any() else math.nan
    assert metrics.average_precision(labels, scores) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(predictions=PREDICTIONS)
def test_logloss(predictions: list) -> None:
    _, labels, scores = arrays(predictions)
    epsilon, losses = float(np.finfo(np.float32).eps), []
    for label, score in zip(labels.tolist(), scores.tolist(), strict=True):
        clipped = min(max(score, epsilon), 1 - epsilon)
        losses.append(-math.log(clipped if label else 1 - clipped))
    found = metrics.logloss(labels, scores)
    assert found == pytest.approx(sum(losses) / len(losses), rel=1e-9)
    # scikit-learn clips at the epsilon of the dtype, and works in it.
    assert found == pytest.approx(log_loss(labels, scores, labels=[0, 1]), rel=1e-4, abs=1e-6)


@given(predictions=PREDICTIONS)
def test_auc_within_users(predictions: list) -> None:
    users, labels, scores = arrays(predictions)
    found, rows = metrics.user_aucs(users, labels, scores)
    total = weight = 0.0
    for user in range(max(users) + 1):
        own = users == user
        expected = auc_pair_by_pair(labels[own], scores[own])
        assert rows[user] == own.sum()
        assert found[user] == pytest.approx(expected, abs=1e-12, nan_ok=True)
        if not math.isnan(expected):
            total, weight = total + expected * own.sum(), weight + own.sum()
    expected = total / weight if weight else math.nan
    assert metrics.gauc(users, labels, scores) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@settings(max_examples=60)
@given(predictions=PREDICTIONS, seed=st.integers(0, 1000))
def test_replicates_draw_users_with_all_their_rows(predictions: list, seed: int) -> None:
    users, labels, scores = arrays(predictions)
    _, users = np.unique(users, return_inverse=True)
    number = int(users.max()) + 1
    weights = bootstrap.user_weights(number, 6, seed)
    found = bootstrap.auc_replicates(users, labels, scores, weights)
    assert found.shape == (6,)
    for replicate in range(6):
        rows = [
            row
            for user in range(number)
            for _ in range(int(weights[user, replicate]))
            for row in np.flatnonzero(users == user).tolist()
        ]
        both = 0 < labels[rows].sum() < len(rows)
        expected = roc_auc_score(labels[rows], scores[rows]) if both else math.nan
        assert found[replicate] == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_each_replicate_draws_as_many_users_as_there_are() -> None:
    weights = bootstrap.user_weights(40, 300, seed=3)
    assert weights.shape == (40, 300)
    assert (weights.sum(axis=0) == 40).all()
    assert np.array_equal(weights, bootstrap.user_weights(40, 300, seed=3))
    assert not np.array_equal(weights, bootstrap.user_weights(40, 300, seed=4))
    assert abs((weights == 0).mean() - math.exp(-1)) < 0.02  # drawn with replacement


def test_the_interval_is_that_of_users_not_of_rows() -> None:
    """Copies of each user's rows say nothing new, so that they leave the interval where it is."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(60), 5) * 7  # any ids
    labels = rng.integers(0, 2, 300)
    scores = (labels * 0.3 + rng.random(300)).astype(np.float32)
    low, high = bootstrap.interval(bootstrap.bootstrap_auc(users, labels, scores, seed=1, replicates=400))
    assert low < metrics.auc(labels, scores) < high
    many = (np.tile(array, 10) for array in (users, labels, scores))
    assert bootstrap.interval(bootstrap.bootstrap_auc(*many, seed=1, replicates=400)) == pytest.approx(
        (low, high), abs=1e-12
    )
    order = rng.permutation(300)
    shuffled = bootstrap.interval(
        bootstrap.bootstrap_auc(users[order], labels[order], scores[order], seed=1, replicates=400)
    )
    assert shuffled == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_a_single_class_has_no_auc(label: int) -> None:
    users, labels, scores = np.arange(4), np.full(4, label), np.linspace(0, 1, 4, dtype=np.float32)
    figures = (
        metrics.auc(labels, scores),
        metrics.gauc(users, labels, scores),
        *bootstrap.interval(bootstrap.bootstrap_auc(users, labels, scores, seed=0, replicates=5)),
    )
    assert all(map(math.isnan, figures))


def test_evaluate_returns_every_figure() -> None:
    rng = np.random.default_rng(2)
    users, labels = np.repeat(np.arange(30), 10), rng.integers(0, 2, 300)
    scores = rng.random(300).astype(np.float32)
    figures, _ = metrics.evaluate(users, labels, scores, seed=5)
    low, high = bootstrap.interval(bootstrap.bootstrap_auc(users, labels, scores, seed=5))
    assert figures == {
        "auc": pytest.approx(roc_auc_score(labels, scores), rel=1e-12),
        "auc_low": low,
        "auc_high": high,
        "gauc": metrics.gauc(users, labels, scores),
        "average_precision": pytest.approx(average_precision_score(labels, scores), rel=1e-12),
        "logloss": metrics.logloss(labels, scores),
        "test_positives": int(labels.sum()),
    }


def rate_of(rows: list, column: int, value: int, mean: float) -> float:
    """Return the click rate over the rows with this user or item, ten more rows at the mean rate added."""
    clicks = [row[2] for row in rows if row[column] == value]
    return (sum(clicks) + 10 * mean) / (len(clicks) + 10)


ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 1)), min_size=1, max_size=60)


@given(training=ROWS.filter(lambda rows: 0 < sum(row[2] for row in rows) < len(rows)), test=ROWS)
def test_label_rate_predictors(training: list, test: list) -> None:
    mean = sum(row[2] for row in training) / len(training)
    found = label_rates.predictors(np.array(training, np.int32), np.array(test, np.int32))
    assert tuple(found) == ("user_rate", "item_rate", "user_item_rate")
    for place, (user, item, _) in enumerate(test):
        user_rate, item_rate = rate_of(training, 0, user, mean), rate_of(training, 1, item, mean)
        odds = user_rate / (1 - user_rate) * item_rate / (1 - item_rate) / (mean / (1 - mean))
        expected = (user_rate, item_rate, odds / (1 + odds))
        assert [column[place] for column in found.values()] == pytest.approx(expected, rel=1e-5)


def test_label_rates_of_test_rows_play_no_part() -> None:
    training, test = np.array([[0, 0, 1], [1, 1, 0]]), np.array([[0, 1, 1], [1, 0, 0]])
    flipped = test * [1, 1, 0] + [0, 0, 1] - test * [0, 0, 1]
    first, second = (label_rates.predictors(training, part) for part in (test, flipped))
    assert all(np.array_equal(first[name], second[name]) for name in label_rates.NAMES)
