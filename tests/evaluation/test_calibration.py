"""Platt's scaling: log-odds of any scale and shift become probabilities, by the validation rows alone."""

from __future__ import annotations

import numpy as np
import pytest

from mma4ctr.evaluation import metrics
from mma4ctr.evaluation.calibration import calibrated_logloss


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (25.0, -3.0), (0.01, 40.0)])
def test_any_line_of_the_log_odds_is_undone(scale: float, shift: float) -> None:
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=40_000)
    labels = (rng.random(40_000) < 1 / (1 + np.exp(-log_odds))).astype(np.int32)
    scores, half = scale * log_odds + shift, slice(20_000, None)
    found = calibrated_logloss(scores[:20_000], labels[:20_000], scores[half], labels[half])
    right = metrics.logloss(labels[half], (1 / (1 + np.exp(-log_odds[half]))).astype(np.float32))
    assert found == pytest.approx(right, abs=2e-3)
