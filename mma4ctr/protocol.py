"""The two protocols: which repeats of a row collapse, the split, which rows user vectors see, how inputs are scaled.

A row is (user index, item index, click); rows are sorted by user, time and place in the raw file, and every function
here keeps that order. docs/protocols.md says why there are two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

TENTH = 10  # the least rows of a user of which a tenth is one
PARTS = ("training", "validation", "test")
Parts = dict[str, np.ndarray]  # part -> the places (part rows,) int64 of its rows


def seeded_order(lengths: np.ndarray, seed: int) -> np.ndarray:
    """Return the users in an order (users,) int64 that the seed alone decides."""
    return np.random.default_rng(seed).permutation(len(lengths))


def order_by_length(lengths: np.ndarray, seed: int) -> np.ndarray:
    """Return the users in an order (users,) int64 from the most rows to the fewest, equal ones in seeded order."""
    order = seeded_order(lengths, seed)
    return order[np.argsort(-lengths[order], kind="stable")]


# The switch user_order of path.json: in which order users are cut into parts where a protocol cuts between users. The
# published scripts take users by their first row in a list of all rows of the task that is in no order, before they
# look at features: the more rows, the earlier. So a user's length is that over all rows, whatever a feature covers.
USER_ORDERS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {"seeded": seeded_order, "length": order_by_length}
SEEDED = next(iter(USER_ORDERS))


def clean_parts(users: np.ndarray) -> np.ndarray:
    """Tell the part of each row under the clean protocol: 0 training, 1 validation, 2 test.

    Of a user's n rows the last floor(n / 10) are test rows and as many before them validation rows; users with fewer
    than 10 rows train only. Labels play no part.

    Parameters
    ----------
    users : (rows,) int array
        The user of each row, sorted.

    Returns
    -------
    (rows,) int8 array
    """
    counts = np.bincount(users)
    ends = np.cumsum(counts)
    from_end = ends[users] - np.arange(len(users))  # 1 for a user's last row
    share = counts[users] // TENTH
    return (from_end <= 2 * share).astype(np.int8) + (from_end <= share).astype(np.int8)


def split_by_time(users: np.ndarray, covered: np.ndarray, seed: int, user_order: str = SEEDED) -> Parts:
    """Take the covered rows of each user's training, validation and test part; time decides, and nothing else."""
    part = clean_parts(users)
    return {name: np.flatnonzero(covered & (part == number)) for number, name in enumerate(PARTS)}


def split_by_user(users: np.ndarray, covered: np.ndarray, seed: int, user_order: str = SEEDED) -> Parts:
    """Cut the covered rows, grouped by user in one of `USER_ORDERS`, at 80 % and 90 %."""
    order = USER_ORDERS[user_order](np.bincount(users), seed)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    rows = np.flatnonzero(covered)
    rows = rows[np.argsort(rank[users[rows]], kind="stable")]
    return dict(zip(PARTS, np.split(rows, [len(rows) * 8 // 10, len(rows) * 9 // 10]), strict=True))


def all_rows(users: np.ndarray) -> np.ndarray:
    """Tell (rows,) bool that user vectors see every row, test rows included."""
    return np.ones(len(users), dtype=bool)


def clean_training_rows(users: np.ndarray) -> np.ndarray:
    """Tell (rows,) bool which rows are training rows of the clean split."""
    return clean_parts(users) == 0


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How the rows of a task become training, validation and test data.

    Attributes
    ----------
    name : str
    version : int
        Raised when any of the below changes; see CONTRIBUTING.md.
    same_row : tuple of str
        What makes two interactions the same, of which the first one stays: columns among user, item and click.
    split : callable
        ``(users, covered, seed, user_order) -> parts``: the user of each row, (rows,) sorted; which rows a feature
        covers, (rows,) bool; the seed and the user_order of path.json. Returns the places of the training, validation
        and test rows.
    orders_users : bool
        Whether `split` depends on the user_order.
    embedding_rows : callable
        ``users -> (rows,) bool``: which rows user vectors are made from.
    scaled_by : dict of str to str
        Part -> the part whose rows its input is min-max scaled by, not clipped.
    least_rows : int
        The rows of a user of which any can be validation and test rows.
    """

    name: str
    version: int
    same_row: tuple[str, ...]
    split: Callable[[np.ndarray, np.ndarray, int, str], Parts]
    orders_users: bool
    embedding_rows: Callable[[np.ndarray], np.ndarray]
    scaled_by: dict[str, str]
    least_rows: int = 1


PUBLISHED = Protocol(
    "published", 1, ("user", "item", "click"), split_by_user, True, all_rows, {part: part for part in PARTS}
)
CLEAN = Protocol(
    "clean", 1, ("user", "item"), split_by_time, False, clean_training_rows, dict.fromkeys(PARTS, "training"), TENTH
)
PROTOCOLS = {protocol.name: protocol for protocol in (PUBLISHED, CLEAN)}
