"""User embeddings: what a user clicked minus what the user passed by, in the space of one modality."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from mma4ctr import reduction

COLUMNS_AT_ONCE = 16  # item columns that are widened to float64 at a time


def clicked_minus_unclicked(rows: np.ndarray, places: np.ndarray, items: np.ndarray, users: int) -> np.ndarray:
    """Return each user's mean of clicked items minus unclicked ones, items min-max scaled.

    (sum over clicked items - sum over unclicked items) / number of the user's rows whose item has the modality,
    and zeros for a user who has none.

    Parameters
    ----------
    rows : (n, 3) int array
        User index, item index, click.
    places : (item indices,) int array
        Where each item index stands in `items`, -1 for an item without the modality.
    items : (m, columns) float32 array
        The modality of the items.
    users : int
        The number of users.

    Returns
    -------
    (users, columns) float64 array
    """
    user, place, click = rows[:, 0], places[rows[:, 1]], rows[:, 2]
    has = place >= 0
    user, place, sign = user[has], place[has], 2.0 * click[has] - 1
    signs = scipy.sparse.csr_array((sign, (user, place)), shape=(users, len(items)))
    number = np.maximum(np.bincount(user, minlength=users), 1)[:, None]
    result = np.empty((users, items.shape[1]))
    for start in range(0, items.shape[1], COLUMNS_AT_ONCE):
        columns = slice(start, start + COLUMNS_AT_ONCE)
        result[:, columns] = signs @ reduction.min_max(items[:, columns]).astype(np.float64)
    return result / number


def by_pca(embedding: np.ndarray, length: int) -> np.ndarray:
    """Reduce (users, columns) to (users, length) by PCA over users, zero-padded where there are fewer components."""
    return reduction.pad_columns(reduction.reduce_to(embedding, length), length)


# The switch user_reduction of path.json; average pooling is what the published scripts ran.
REDUCTIONS = {"pca": by_pca, "average_pooling": reduction.average_pooling}


def finish(embedding: np.ndarray, devices: np.ndarray, method: str, length: int) -> np.ndarray:
    """Reduce the embeddings, append the device, and min-max scale every column over users.

    Parameters
    ----------
    embedding : (users, columns) float64 array
    devices : (users,) int array
    method : str
        ``pca`` or ``average_pooling``.
    length : int

    Returns
    -------
    (users, length + 1) float32 array
    """
    reduced = REDUCTIONS[method](embedding, length)
    return reduction.min_max(np.column_stack([reduced, devices]).astype(np.float64))
