"""How sure an AUC is: a bootstrap over users, whose replicates give intervals and paired differences."""

from __future__ import annotations

import numpy as np
import scipy.sparse

REPLICATES = 1_000
FEWEST_USERS = 5  # with both classes; of four, one draw in 64 is of one user alone, of three one in nine


def users_with_both_classes(users: np.ndarray, labels: np.ndarray) -> int:
    """Return how many users have a click and a row without one among rows (rows,)."""
    clicked = labels > 0
    return len(np.intersect1d(users[clicked], users[~clicked]))


def user_weights(users: int, replicates: int, seed: int) -> np.ndarray:
    """Return how often each user is drawn in each bootstrap replicate, (users, replicates) float64."""
    rng = np.random.default_rng(seed)
    drawn = [np.bincount(rng.integers(0, users, users), minlength=users) for _ in range(replicates)]
    return np.array(drawn, dtype=np.float64).T


def auc_replicates(users: np.ndarray, labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the AUC of each bootstrap replicate over users.

    The AUC of weighted rows needs, for every score at which a positive stands, the weight of the negatives below it.
    Both are sparse matrices (positive scores, users), computed once, so that a replicate is two sparse products.

    Parameters
    ----------
    users : (rows,) int array
        Users numbered from 0.
    labels : (rows,) array of 0 and 1
    scores : (rows,) float array
    weights : (users, replicates) float64 array
        See `user_weights`.

    Returns
    -------
    (replicates,) float64 array
        nan where a replicate has a single class.
    """
    positive = labels > 0
    levels, level = np.unique(scores[positive], return_inverse=True)
    above = np.searchsorted(levels, scores[~positive])  # the first positive level that is not below the negative
    tied = np.isin(scores[~positive], levels)
    half = np.where(tied, 0.5, 1.0)
    shape = (len(levels) + 1, weights.shape[0])
    negative_user = users[~positive]
    gained = scipy.sparse.csr_array((half, (above, negative_user)), shape=shape)
    gained += scipy.sparse.csr_array(
        (np.full(int(tied.sum()), 0.5), (above[tied] + 1, negative_user[tied])), shape=shape
    )
    standing = scipy.sparse.csr_array((np.ones(len(level)), (level, users[positive])), shape=shape)
    pairs = np.empty(weights.shape[1])
    at_once = max(1, 8_000_000 // shape[0])
    for start in range(0, weights.shape[1], at_once):
        part = weights[:, start : start + at_once]
        pairs[start : start + at_once] = ((standing @ part) * np.cumsum(gained @ part, axis=0)).sum(axis=0)
    positives = np.bincount(users[positive], minlength=shape[1]) @ weights
    negatives = np.bincount(negative_user, minlength=shape[1]) @ weights
    with np.errstate(invalid="ignore", divide="ignore"):
        return pairs / (positives * negatives)


def bootstrap_auc(
    users: np.ndarray, labels: np.ndarray, scores: np.ndarray, seed: int, replicates: int = REPLICATES
) -> np.ndarray:
    """Return the AUC of each replicate of a bootstrap over users.

    Users, not rows, are drawn with replacement, since the rows of a user are not independent. The same users and seed
    give the same draws, so that the replicates of two models on the same test rows can be subtracted from one another.

    Returns
    -------
    (replicates,) float64 array
        nan throughout where fewer than `FEWEST_USERS` users have both classes: there is no interval then.
    """
    if users_with_both_classes(users, labels) < FEWEST_USERS:
        return np.full(replicates, np.nan)
    distinct, number = np.unique(users, return_inverse=True)
    return auc_replicates(number, labels, scores, user_weights(len(distinct), replicates, seed))


def interval(replicates: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile interval of bootstrap replicates; nan without any."""
    if np.isnan(replicates).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(replicates, [2.5, 97.5])
    return float(low), float(high)
