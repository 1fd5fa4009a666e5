"""The rows of a task: which repeats collapse, which rows a feature covers, how they are split.

A row is (user index, item index, click); rows are sorted by user, time and place in the raw file, and every function
here keeps that order.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from mma4ctr.tables import PARTS

# What makes two interactions of a task the same, of which the first one stays.
SAME_ROW = {"published": ("user", "item", "click"), "clean": ("user", "item")}


def task_rows(interactions: pl.DataFrame, label: str, protocol: str) -> np.ndarray:
    """Return the rows (n, 3) int32 of one task from sorted interactions, repeats collapsed as `protocol` has it.

    Parameters
    ----------
    interactions : polars.DataFrame
        Columns ``user`` and ``item`` (indices) and the labels, sorted.
    label : str
        The column to predict.
    """
    frame = interactions.select("user", "item", click=label)
    frame = frame.unique(list(SAME_ROW[protocol]), keep="first", maintain_order=True)
    return frame.cast(pl.Int32).to_numpy()


def places_in(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return where each of `wanted` (n,) stands in the sorted `ids` (m,), int32, and -1 where it does not."""
    if len(ids) == 0:
        return np.full(len(wanted), -1, dtype=np.int32)
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[place] == wanted, place, -1).astype(np.int32)


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
    share = counts[users] // 10
    return (from_end <= 2 * share).astype(np.int8) + (from_end <= share).astype(np.int8)


def _published_split(users: np.ndarray, covered: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Cut the covered rows, grouped by user in seeded order, at 80 % and 90 %."""
    order = np.random.default_rng(seed).permutation(int(users.max(initial=-1)) + 1)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    rows = np.flatnonzero(covered)
    rows = rows[np.argsort(rank[users[rows]], kind="stable")]
    return dict(zip(PARTS, np.split(rows, [len(rows) * 8 // 10, len(rows) * 9 // 10]), strict=True))


def _clean_split(users: np.ndarray, covered: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Take the covered rows of each user's training, validation and test part."""
    del seed  # time decides
    part = clean_parts(users)
    return {name: np.flatnonzero(covered & (part == number)) for number, name in enumerate(PARTS)}


SPLITS = {"published": _published_split, "clean": _clean_split}


def split(protocol: str, users: np.ndarray, covered: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Split the rows of a task 8:1:1.

    Parameters
    ----------
    protocol : str
    users : (rows,) int array
        The user of each row of the task, sorted.
    covered : (rows,) bool array
        Which rows the feature covers.
    seed : int
        The seed of path.json; it orders the users of the published protocol.

    Returns
    -------
    dict of str to (part rows,) int64 array
        The places of the training, validation and test rows.
    """
    return SPLITS[protocol](users, covered, seed)


def embedding_rows(protocol: str, users: np.ndarray) -> np.ndarray:
    """Tell (rows,) bool which rows user embeddings are made from: all, or the training rows of the clean split."""
    return np.ones(len(users), dtype=bool) if protocol == "published" else clean_parts(users) == 0
