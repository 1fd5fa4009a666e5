"""LogLoss after calibration: what is left of it once scores are turned into probabilities on the validation rows."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from mma4ctr.evaluation import metrics

NAME = "logloss_calibrated"  # in the metrics of a run


def calibrated_logloss(
    validation: np.ndarray, validation_labels: np.ndarray, test: np.ndarray, labels: np.ndarray
) -> float:
    """Return the LogLoss of scores after Platt's scaling, fitted on the validation rows.

    Parameters
    ----------
    validation, test : (rows,) float arrays
        Scores: any numbers that rise with the chance of a click.
    validation_labels, labels : (rows,) int arrays
    """
    # Scores of any size, or the solver stops before it is there.
    middle, spread = float(validation.mean(dtype=np.float64)), float(validation.std(dtype=np.float64))
    known, asked = ((one.astype(np.float64)[:, None] - middle) / (spread or 1.0) for one in (validation, test))
    fitted = LogisticRegression(C=1e6).fit(known, validation_labels)
    return metrics.logloss(labels, fitted.predict_proba(asked)[:, 1].astype(np.float32))
