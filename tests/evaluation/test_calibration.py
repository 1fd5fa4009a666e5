"""Platt's scaling: log-odds of any scale and shift become probabilities, by the validation rows alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from mma4ctr.evaluation import metrics
from mma4ctr.evaluation.calibration import calibrated_logloss, platt


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (25.0, -3.0), (0.01, 40.0)])
def test_any_line_of_the_log_odds_is_undone(scale: float, shift: float) -> None:
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=40_000)
    labels = (rng.random(40_000) < 1 / (1 + np.exp(-log_odds))).astype(np.int32)
    scores, half = scale * log_odds + shift, slice(20_000, None)
    found = calibrated_logloss(scores[:20_000], labels[:20_000], scores[half], labels[half])
    right = metrics.logloss(labels[half], (1 / (1 + np.exp(-log_odds[half]))).astype(np.float32))
    assert found == pytest.approx(right, abs=2e-3)


@given(seed=st.integers(0, 1000), rate=st.sampled_from([0.001, 0.1, 0.5, 0.99]), slope=st.sampled_from([-5, 0, 1, 30]))
def test_the_fit_is_that_of_a_logistic_regression(seed: int, rate: float, slope: float) -> None:
    """Classes that the scores tell apart, where the slope has no bound but the penalty, included."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=300)
    labels = (rng.random(300) < 1 / (1 + np.exp(-slope * scores - np.log(rate / (1 - rate))))).astype(np.int32)
    labels[:2] = 0, 1
    found = np.array(platt(scores, labels))
    expected = LogisticRegression(C=1e6, tol=1e-10, max_iter=10_000).fit(scores[:, None], labels)
    both = np.array([found, [expected.coef_[0, 0], expected.intercept_[0]]])
    losses = [np.logaddexp(0, -(2 * labels - 1) * (a * scores + b)).sum() + a * a / 2e6 for a, b in both]
    assert losses[0] <= losses[1] + 1e-7
    if np.abs(both).max() < 50:
        np.testing.assert_allclose(*both, rtol=1e-3, atol=1e-4)
