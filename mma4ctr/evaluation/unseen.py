"""Tell test rows whose user or item has no training row from the others."""

from __future__ import annotations

import numpy as np

from mma4ctr.evaluation import metrics


def seen_rows(training: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """Return which test rows have a user and an item with training rows, and counts.

    Parameters
    ----------
    training, test : (n, 3) and (m, 3) int arrays
        User, item, click.

    Returns
    -------
    seen : (m,) bool array
    counts : dict
        rows_seen, and how many unseen_users and unseen_items the test rows have.
    """
    known = [np.isin(test[:, column], training[:, column]) for column in (0, 1)]
    unseen = [len(np.unique(test[~known[column], column])) for column in (0, 1)]
    seen = known[0] & known[1]
    return seen, {"rows_seen": int(seen.sum()), "unseen_users": unseen[0], "unseen_items": unseen[1]}


def figures(training: np.ndarray, test: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Return the counts of `seen_rows` and auc_seen, the AUC of the scores (m,) on the seen rows."""
    seen, counts = seen_rows(training, test)
    return {"auc_seen": metrics.auc(test[seen, 2], scores[seen]), **counts}
