"""Each click of the test against items that its user never met, as the HyperCTR paper tests (section 3.1.3)."""

from __future__ import annotations

import numpy as np

from mma4ctr.data.item_rows import places_in

ROUNDS = 200  # of draws that may be rejected; a user who has met all but one in a hundred items is done by then


def unmet(
    rng: np.random.Generator, met: np.ndarray, users: np.ndarray, items: np.ndarray, number: int, width: int
) -> np.ndarray:
    """Draw items that users never met, evenly and with replacement.

    Parameters
    ----------
    rng : numpy.random.Generator
    met : (pairs,) int64 array
        What was met, as user * width + item: sorted, each pair once.
    users : (n,) int array
    items : (k,) int array
        The items that are drawn from, sorted.
    number : int
        How many for each user.
    width : int
        More than the largest item.

    Returns
    -------
    (n, number) int64 array
        -1 throughout for a user who met nearly all of the items.
    """
    drawn = items[rng.integers(0, len(items), size=(len(users), number))].astype(np.int64)
    codes = users.astype(np.int64)[:, None] * width
    for _ in range(ROUNDS):
        rows, places = np.nonzero(places_in(met, (codes + drawn).ravel()).reshape(drawn.shape) >= 0)
        if len(rows) == 0:
            return drawn
        drawn[rows, places] = items[rng.integers(0, len(items), size=len(rows))]
    drawn[np.unique(rows)] = -1
    return drawn


def auc_of_clicks(clicked: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return, for each click, the share (n,) float64 of the others that it scores above, ties counting half.

    Parameters
    ----------
    clicked : (n,) float array
    others : (n, number) float array
    """
    own = clicked[:, None]
    return (others < own).mean(1) + (others == own).mean(1) / 2
