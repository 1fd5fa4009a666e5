"""What a user met before a row, in the training part alone, so that no label of another part is seen."""

from __future__ import annotations

import dataclasses

import numpy as np

from mma4ctr.inputs.rows import TaskRows

LONGEST = 50  # the most recent items that are kept where nothing else is asked for


@dataclasses.dataclass(frozen=True)
class Histories:
    """The history of every row, as bounds in one list.

    Attributes
    ----------
    items : (n,) int32 array
        The items of all training rows with one label, in the order of the rows.
    bounds : (rows, 2) int64 array
        For each row where its history begins and ends in `items`.
    length : int
        No history is longer.
    """

    items: np.ndarray
    bounds: np.ndarray
    length: int


def earlier(task: TaskRows, label: int, length: int = LONGEST) -> Histories:
    """Return which items a user met in training rows before each row, the `length` most recent.

    Parameters
    ----------
    task : TaskRows
    label : int
        1 for the items that the user clicked, 0 for those that the user did not.
    length : int
    """
    counted = np.zeros(len(task.rows), dtype=np.int64)
    training = task.parts["training"]
    counted[training] = task.rows[training, 2] == label
    before = np.cumsum(counted) - counted
    users = task.rows[:, 0]
    first_row = np.searchsorted(users, users)  # of the row's user
    bounds = np.column_stack([np.maximum(before[first_row], before - length), before])
    return Histories(task.rows[counted == 1, 1], bounds, length)
