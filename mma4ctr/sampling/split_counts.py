"""What a sample leaves for training and testing: kept users, their rows, and the positives of each part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mma4ctr.protocol import split_by_time


@dataclass(frozen=True)
class Counts:
    """Counts of a log; positives are (tasks,) int64, of all rows, or of rows that reach validation and test part.

    A row reaches a part where its user is kept and its item has all three modalities, as fused features need.
    """

    rows: int
    positives: np.ndarray
    kept_users: int
    kept_rows: int
    fused_rows: int
    validation_positives: np.ndarray
    test_positives: np.ndarray

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def count(
    user: np.ndarray, item: np.ndarray, time: np.ndarray, labels: np.ndarray, complete: np.ndarray, minimum: int
) -> Counts:
    """Count the rows of whole users.

    Repeats and the split are those of the clean protocol.

    Parameters
    ----------
    user, item, time : (rows,) integers; equal times keep their order.
    labels : (rows, tasks) bool
    complete : (items,) bool, the item has all three modalities.
    minimum : rows of a kept user, repeated ones included.
    """
    rows_of = np.bincount(user)
    keep = np.flatnonzero(rows_of[user] >= minimum)
    order = keep[np.lexsort((time[keep], user[keep]))]
    pair = user[order].astype(np.int64) * len(complete) + item[order]
    order = order[np.sort(np.unique(pair, return_index=True)[1])]
    parts = split_by_time(
        user[order], complete[item[order]], seed=0
    )  # of these users' rows, as fused features take them
    positives = [labels[order[parts[name]]].sum(axis=0) for name in ("validation", "test")]
    kept_users = int((rows_of >= minimum).sum())
    return Counts(len(user), labels.sum(axis=0), kept_users, len(keep), int(complete[item[keep]].sum()), *positives)
