"""Tell test rows whose user or item has no training row from the others."""

from __future__ import annotations

import numpy as np

from mma4ctr import metrics


def figures(training: np.ndarray, test: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Return the AUC on the test rows whose user and item have training rows, and what has none.

    Parameters
    ----------
    training, test : (n, 3) and (m, 3) int arrays
        User, item, click.
    scores : (m,) float array
        Of the test rows.

    Returns
    -------
    dict
        auc_seen (nan without both classes), rows_seen, unseen_users, unseen_items.
    """
    known = [np.isin(test[:, column], training[:, column]) for column in (0, 1)]
    seen = known[0] & known[1]
    return {
        "auc_seen": metrics.auc(test[seen, 2], scores[seen]), "rows_seen": int(seen.sum()),
        "unseen_users": len(np.unique(test[~known[0], 0])), "unseen_items": len(np.unique(test[~known[1], 1])),
    }  # fmt: skip
