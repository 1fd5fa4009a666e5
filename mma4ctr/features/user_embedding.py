"""User embeddings: what a user clicked minus what the user passed by, in the space of one modality.

Made of the whole history, as published, an embedding is one vector a user, which knows the click of every row that it
is made from, so that a training row finds its own label in it. A causal one is made anew for each row, of those before.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.sparse

from mma4ctr import reduction

COLUMNS_AT_ONCE = 16  # item columns that are widened to float64 at a time
FINENESS = 2**24  # steps in 1 of what is summed over rows: sums of whole numbers are exact in any order


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
    signs, number = signs_of(rows, places, len(items), users)
    result = np.empty((users, items.shape[1]))
    for start in range(0, items.shape[1], COLUMNS_AT_ONCE):
        columns = slice(start, start + COLUMNS_AT_ONCE)
        result[:, columns] = signs @ reduction.min_max(items[:, columns]).astype(np.float64)
    return result / number


def signs_of(rows: np.ndarray, places: np.ndarray, items: int, users: int) -> tuple[scipy.sparse.csr_array, np.ndarray]:
    """Return clicks minus other rows of each user and item (users, items), and each user's rows (users, 1), at least 1.

    Parameters
    ----------
    rows, places
        See `clicked_minus_unclicked`.
    items, users : int
    """
    user, place, click = rows[:, 0], places[rows[:, 1]], rows[:, 2]
    has = place >= 0
    user, place, sign = user[has], place[has], 2.0 * click[has] - 1
    signs = scipy.sparse.csr_array((sign, (user, place)), shape=(users, items))
    return signs, np.maximum(np.bincount(user, minlength=users), 1)[:, None]


def by_svd(items: np.ndarray, length: int) -> np.ndarray:
    """Reduce (m, columns) to (m, length) by a truncated SVD, zero-padded where there are fewer columns.

    PCA would take the mean item away, which is what tells a user's click rate: it is added for each click and taken
    away for each other row.
    """
    columns = items.shape[1]
    kept = [max(columns - length, 0), columns - 1]
    _, axes = scipy.linalg.eigh(reduction.scatter(items, np.zeros(columns)), subset_by_index=kept)
    axes = reduction.of_one_sign(axes[:, ::-1])
    return reduction.pad_columns(reduction.Components(np.zeros(columns), axes).transform(items), length)


# user_reduction -> how items are reduced before a causal embedding sums them, as the whole one is after its sums.
ITEM_REDUCTIONS = {"pca": by_svd, "average_pooling": reduction.average_pooling}


def reduced_items(items: np.ndarray, method: str, length: int) -> np.ndarray:
    """Return the items (m, columns), min-max scaled and then reduced over items: (m, length) float32.

    No click has a part in it, so that sums over a user's rows know the clicks of these rows alone.
    """
    return ITEM_REDUCTIONS[method](reduction.min_max(items), length).astype(np.float32)


def before_each_row(rows: np.ndarray, counts: np.ndarray, places: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the mean of clicked items minus unclicked ones over the rows of the user before each row.

    The sums are running ones of whole numbers: linear in rows, and no other user's row changes a bit of them.

    Parameters
    ----------
    rows : (n, 3) int array
        User index, item index, click; sorted by user and time.
    counts : (n,) bool array
        Which rows a later one may see.
    places : (item indices,) int array
        Where each item index stands in `items`, -1 for an item without the modality.
    items : (m, length) float32 array
        See `reduced_items`.

    Returns
    -------
    (n, length) float32 array
        0 for a row with nothing before it.
    """
    place = places[rows[:, 1]]
    counts = counts & (place >= 0)
    sign = np.where(counts, 2 * rows[:, 2].astype(np.int64) - 1, 0)
    first = np.searchsorted(rows[:, 0], rows[:, 0])  # of the row's user
    number = _sum_before(counts.astype(np.int64), first)
    steps = np.rint(items * np.float64(FINENESS)).astype(np.int64)
    result = np.empty((len(rows), items.shape[1]), dtype=np.float32)
    for column in range(items.shape[1]):
        result[:, column] = _sum_before(sign * steps[place, column], first) / (np.maximum(number, 1) * FINENESS)
    return result


def _sum_before(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the sum (n,) int64 of the values (n,) between the first row of each row's user and the row itself."""
    before = np.cumsum(values) - values
    return before - before[first]


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
