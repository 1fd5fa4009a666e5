"""What a user clicked before a row, in the training part alone, so that no label of another part is seen."""

from __future__ import annotations

import dataclasses

import numpy as np

from mma4ctr.inputs.rows import TaskRows

LONGEST = 50  # the most recent clicks that are kept where nothing else is asked for


@dataclasses.dataclass(frozen=True)
class Histories:
    """The history of every row, as bounds in one list.

    Attributes
    ----------
    items : (clicks,) int32 array
        The clicked items of all training rows, in the order of the rows.
    bounds : (n, 2) int64 array
        For each row where its history begins and ends in `items`.
    length : int
        No history is longer.
    """

    items: np.ndarray
    bounds: np.ndarray
    length: int


def clicked(task: TaskRows, length: int = LONGEST) -> Histories:
    """Return which items a user clicked in the training part before each row, the `length` most recent."""
    clicks = np.zeros(len(task.rows), dtype=np.int64)
    training = task.parts["training"]
    clicks[training] = task.rows[training, 2]
    before = np.cumsum(clicks) - clicks
    users = task.rows[:, 0]
    first_row = np.searchsorted(users, users)  # of the row's user
    bounds = np.column_stack([np.maximum(before[first_row], before - length), before])
    return Histories(task.rows[clicks == 1, 1], bounds, length)
