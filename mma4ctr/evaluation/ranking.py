"""Each click of the test against items that its user never met, as the HyperCTR paper tests (section 3.1.3).

A click's rank among its candidates is 1 + how many of them score higher + half of those that score the same. With one
item that counts, the click itself, the usual figures are functions of it, of which the mean over clicks is taken:

AUC        1 - (rank - 1) / candidates
NDCG@k     1 / log2(1 + rank) where rank <= k, else 0: the best possible sum of gains is 1
Recall@k   1 where rank <= k, else 0
MRR        1 / rank
"""

from __future__ import annotations

import numpy as np

from mma4ctr.data.item_rows import places_in

FIGURES_AT = 10  # the k of NDCG@k and Recall@k
DENSE = 4  # where there are fewer items than so many times what is drawn, all of them are put into a random order
KEYS = 2**22  # random keys that are kept at a time
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


def distinct_unmet(
    rng: np.random.Generator, met: np.ndarray, users: np.ndarray, items: np.ndarray, number: int, width: int
) -> np.ndarray:
    """Draw items that users never met, evenly, none of them twice for one user.

    Parameters
    ----------
    rng, met, users, items, number, width
        See `unmet`.

    Returns
    -------
    (n, at most number) int64 array
        -1 behind the others where a user has fewer unmet items; -1 throughout for a user who met nearly all of many.
    """
    if len(items) <= DENSE * number:
        at_once = max(1, KEYS // max(len(items), 1))
        parts = [users[start : start + at_once] for start in range(0, len(users), at_once)]
        return np.vstack([_in_random_order(rng, met, part, items, width)[:, :number] for part in parts])
    drawn = unmet(rng, met, users, items, number, width)
    for _ in range(ROUNDS):
        order = np.argsort(drawn, axis=1, kind="stable")
        ranked = np.take_along_axis(drawn, order, axis=1)
        rows, places = np.nonzero((ranked[:, 1:] == ranked[:, :-1]) & (ranked[:, 1:] >= 0))
        if len(rows) == 0:
            return drawn
        drawn[rows, order[rows, places + 1]] = unmet(rng, met, users[rows], items, 1, width)[:, 0]
    drawn[np.unique(rows)] = -1
    return drawn


def _in_random_order(
    rng: np.random.Generator, met: np.ndarray, users: np.ndarray, items: np.ndarray, width: int
) -> np.ndarray:
    """Return the unmet items (n, items) int64 of users (n,) in a random order, -1 behind them."""
    keys = rng.random((len(users), len(items)))
    codes = users.astype(np.int64)[:, None] * width + items
    keys[places_in(met, codes.ravel()).reshape(codes.shape) >= 0] = np.inf
    order = keys.argsort(axis=1)
    return np.where(np.take_along_axis(keys, order, axis=1) < np.inf, items[order], -1)


def ranks_of_clicks(clicked: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the rank (n,) float64 of each click among its candidates; see the head of this file.

    Parameters
    ----------
    clicked : (n,) float array
    others : (n, number) float array
        nan where there is no candidate.
    """
    own = clicked[:, None]
    return 1 + (others > own).sum(1) + (others == own).sum(1) / 2


def figures_of_ranks(ranks: np.ndarray, candidates: np.ndarray, k: int = FIGURES_AT) -> dict[str, float]:
    """Return the means over clicks of the figures of ranks (n,) among so many `candidates` (n,) beside the click."""
    within = ranks <= k
    return {
        "auc": float((1 - (ranks - 1) / candidates).mean()),
        f"ndcg@{k}": float(np.where(within, 1 / np.log2(1 + ranks), 0).mean()),
        f"recall@{k}": float(within.mean()),
        "mrr": float((1 / ranks).mean()),
    }
