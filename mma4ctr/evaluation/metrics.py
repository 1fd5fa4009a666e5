"""How good predictions are: AUC with an interval over users, AUC within users, average precision, LogLoss."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

REPLICATES = 1_000
EPSILON = float(np.finfo(np.float32).eps)


def logloss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean logistic loss in nats, probabilities clipped to [eps, 1 - eps] with the epsilon of float32."""
    clipped = np.clip(probabilities.astype(np.float64), EPSILON, 1 - EPSILON)
    return float(-np.where(labels > 0, np.log(clipped), np.log1p(-clipped)).mean())


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve over all rows, a tie counting half; nan with a single class."""
    positives = int(np.count_nonzero(labels))
    return float(roc_auc_score(labels, scores)) if 0 < positives < len(labels) else float("nan")


def tensor_logloss(labels: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
    """Return what `logloss` does, as a float64 scalar on the device of its two tensors (rows,)."""
    clipped = probabilities.double().clamp(EPSILON, 1 - EPSILON)
    return -torch.where(labels > 0, clipped.log(), torch.log1p(-clipped)).mean()


def tensor_auc(labels: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Return what `auc` does, as a float64 scalar on the device of its two tensors (rows,), nothing copied from it.

    By the rank sum of the positives (Mann and Whitney), ties at their mean rank. Halves of ranks are exact in float64
    for up to 9e7 rows.
    """
    ranked, order = scores.sort()
    clicked = labels.index_select(0, order) > 0
    below, not_above = (torch.searchsorted(ranked, ranked, right=right) for right in (False, True))
    rank = (below + not_above + 1).double() / 2  # mean rank of equal scores, from 1
    positives = clicked.sum().double()
    rank_sum = (rank * clicked).sum()
    return (rank_sum - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))


def user_aucs(users: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUC within each user.

    Parameters
    ----------
    users : (rows,) int array
    labels : (rows,) array of 0 and 1
    scores : (rows,) float array

    Returns
    -------
    aucs : (users,) float64 array
        By the rank sum of each user's positives, ties at their mean rank; nan for a user with a single class.
    rows : (users,) int64 array
        How many rows each user has.
    """
    order = np.lexsort((scores, users))
    user, label, score = users[order], labels[order] > 0, scores[order]
    number = np.arange(len(user))
    new_run = np.ones(len(user), dtype=bool)
    new_run[1:] = (user[1:] != user[:-1]) | (score[1:] != score[:-1])
    run = np.cumsum(new_run) - 1
    first = number[new_run]
    last = np.append(first[1:], len(user)) - 1
    rows = np.bincount(user)
    start = np.cumsum(rows) - rows
    rank = (first[run] + last[run]) / 2 - start[user] + 1  # mean rank within the user, from 1
    positives = np.bincount(user, weights=label)
    rank_sum = np.bincount(user, weights=rank * label)
    with np.errstate(invalid="ignore", divide="ignore"):
        aucs = (rank_sum - positives * (positives + 1) / 2) / (positives * (rows - positives))
    return aucs, rows


def gauc(users: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean of the users' own AUCs, weighted by rows, over users with both classes (DIN, 2018)."""
    aucs, rows = user_aucs(users, labels, scores)
    both = np.isfinite(aucs)
    return float(np.average(aucs[both], weights=rows[both])) if both.any() else float("nan")


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
    """Return the AUC of each replicate (replicates,) float64 of a bootstrap over users.

    Users, not rows, are drawn with replacement, since the rows of a user are not independent. The same users and seed
    give the same draws, so that the replicates of two models on the same test rows can be subtracted from one another.
    """
    distinct, number = np.unique(users, return_inverse=True)
    return auc_replicates(number, labels, scores, user_weights(len(distinct), replicates, seed))


def interval(replicates: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile interval of bootstrap replicates; nan without any."""
    if np.isnan(replicates).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(replicates, [2.5, 97.5])
    return float(low), float(high)


def evaluate(
    users: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, seed: int
) -> tuple[dict[str, float], np.ndarray]:
    """Return every figure of a results table for one set of predictions.

    Parameters
    ----------
    users : (rows,) int array
    labels : (rows,) array of 0 and 1
    probabilities : (rows,) float32 array
    seed : int
        Of the bootstrap.

    Returns
    -------
    figures : dict
        auc, auc_low, auc_high, gauc, average_precision, logloss, test_positives.
    replicates : (1000,) float64 array
        The AUC of each bootstrap replicate.
    """
    replicates = bootstrap_auc(users, labels, probabilities, seed)
    low, high = interval(replicates)
    figures = {
        "auc": auc(labels, probabilities),
        "auc_low": low,
        "auc_high": high,
        "gauc": gauc(users, labels, probabilities),
        "average_precision": float(average_precision_score(labels, probabilities)),
        "logloss": logloss(labels, probabilities),
        "test_positives": int(np.count_nonzero(labels)),
    }
    return figures, replicates
