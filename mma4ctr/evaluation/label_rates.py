"""Label-rate predictors: how far a result could come from click rates alone, without any content.

A pooled AUC is mostly the difference between users who click a lot and users who do not. So every results table has
rows for three predictors that know nothing but the click rates of the training rows.
"""

from __future__ import annotations

import numpy as np
import scipy.special

PRIOR_ROWS = 10.0  # a rate is smoothed by this many rows at the mean rate
NAMES = ("user_rate", "item_rate", "user_item_rate")


def smoothed_rate(index: np.ndarray, click: np.ndarray, number: int) -> np.ndarray:
    """Return the click rate of each user or item, drawn towards the mean rate where there are few rows.

    Parameters
    ----------
    index : (rows,) int array
        The user or item of each training row.
    click : (rows,) array of 0 and 1
    number : int
        How many users or items there are.

    Returns
    -------
    (number,) float64 array
        (clicks + 10 * mean) / (rows + 10); the mean itself without rows.
    """
    mean = click.mean()
    clicks = np.bincount(index, weights=click, minlength=number)
    return (clicks + PRIOR_ROWS * mean) / (np.bincount(index, minlength=number) + PRIOR_ROWS)


def predictors(training: np.ndarray, test: np.ndarray) -> dict[str, np.ndarray]:
    """Predict the clicks of the test rows from the click rates of the training rows.

    Parameters
    ----------
    training, test : (n, 3) and (m, 3) int arrays
        User index, item index, click.

    Returns
    -------
    dict of str to (m,) float32 array
        ``user_rate``, ``item_rate``, and ``user_item_rate``: both added in log-odds around the mean rate.
    """
    users, items, _ = np.maximum(training.max(axis=0), test.max(axis=0)) + 1
    user = scipy.special.logit(smoothed_rate(training[:, 0], training[:, 2], users))[test[:, 0]]
    item = scipy.special.logit(smoothed_rate(training[:, 1], training[:, 2], items))[test[:, 1]]
    log_odds = (user, item, user + item - scipy.special.logit(training[:, 2].mean()))
    return {name: scipy.special.expit(x).astype(np.float32) for name, x in zip(NAMES, log_odds, strict=True)}
