"""LogLoss after calibration: what is left of it once scores are turned into probabilities on the validation rows."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from mma4ctr.evaluation import metrics

NAME = "logloss_calibrated"  # in the metrics of a run
PENALTY = 1e-6  # on the squared slope: where scores tell all clicks apart, it would grow without end
STEPS = 100


def platt(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the slope and intercept with which ``sigmoid(slope * score + intercept)`` fits the labels best.

    By Newton's method, each step halved until the loss falls: the loss is convex (Platt, 1999, without his change of
    the labels). scikit-learn's logistic regression gives the same, and takes longer to import than most runs to score.

    Parameters
    ----------
    scores : (rows,) float64 array
        Of about unit spread.
    labels : (rows,) array of 0 and 1
    """
    columns, penalty = np.column_stack([scores, np.ones(len(scores))]), np.array([PENALTY, 0.0])

    def loss(at: np.ndarray) -> float:
        log_odds = columns @ at
        return float(np.logaddexp(0.0, log_odds).sum() - log_odds @ labels + (penalty * at**2).sum() / 2)

    rate = np.clip(labels.mean(), metrics.EPSILON, 1 - metrics.EPSILON)
    found = np.array([0.0, np.log(rate / (1 - rate))])
    for _ in range(STEPS):
        predicted = expit(columns @ found)
        gradient = columns.T @ (predicted - labels) + penalty * found
        curvature = (columns.T * (predicted * (1 - predicted))) @ columns + np.diag(penalty)
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        before = loss(found)
        while loss(found - step) > before and np.abs(step).max() > metrics.EPSILON:
            step /= 2
        found = found - step
        if np.abs(step).max() <= metrics.EPSILON:
            break
    return float(found[0]), float(found[1])


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
    middle, spread = float(validation.mean(dtype=np.float64)), float(validation.std(dtype=np.float64))
    known, asked = ((one.astype(np.float64) - middle) / (spread or 1.0) for one in (validation, test))
    slope, intercept = platt(known, validation_labels)
    return metrics.logloss(labels, expit(slope * asked + intercept).astype(np.float32))
