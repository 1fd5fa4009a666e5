"""How often a row's user and item occurred before it, in the training part alone."""

from __future__ import annotations

import numpy as np

from mma4ctr.data.ordering import grouped
from mma4ctr.inputs.rows import TaskRows


def _before(groups: np.ndarray, moments: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return, for each row, the sum of `counted` (rows, k) over earlier rows of its group: (rows, k) int64.

    Rows of one group and one moment do not see one another.
    """
    order, new_moment = grouped(groups, moments)
    sums = np.cumsum(counted[order], axis=0, dtype=np.int64)
    before = np.vstack([np.zeros((1, counted.shape[1]), dtype=np.int64), sums])
    groups, places = groups[order], np.arange(len(order))
    new_group = np.r_[True, groups[1:] != groups[:-1]]
    first_of_group, first_of_moment = (
        np.maximum.accumulate(np.where(begins, places, 0)) for begins in (new_group, new_moment)
    )
    found = np.empty_like(sums)
    found[order] = before[first_of_moment] - before[first_of_group]
    return found


def earlier(task: TaskRows, moments: np.ndarray) -> np.ndarray:
    """Return how often the user and the item of each row occurred in training rows before it.

    A row itself, and others of the same moment, are not counted: a rate that leaves only the row itself out moves
    against its label.

    Parameters
    ----------
    task : TaskRows
    moments : (rows,) int32 array
        See `slots.moments`.

    Returns
    -------
    (rows, 4) float32 array
        Rows of the user, clicks among them, rows of the item, clicks among them.
    """
    counted = np.zeros((len(task.rows), 2), dtype=np.int64)
    training = task.parts["training"]
    counted[training] = np.column_stack([np.ones(len(training), dtype=np.int64), task.rows[training, 2]])
    return np.hstack([_before(task.rows[:, column], moments, counted) for column in (0, 1)]).astype(np.float32)
