"""Time slots: the training rows cut into equal numbers in time order, so that a row sees the slots before its own."""

from __future__ import annotations

import dataclasses

import numpy as np

from mma4ctr.inputs.rows import TaskRows
from mma4ctr.settings import Settings
from mma4ctr.store import reading

NUMBER = 4  # slots where nothing else is asked for


@dataclasses.dataclass(frozen=True)
class Slots:
    """The slot of every row.

    Attributes
    ----------
    of_rows : (rows,) int64 array
        From 0; `number` for a row after all training rows.
    number : int
        How many slots the training rows are cut into.
    """

    of_rows: np.ndarray
    number: int


def moments(settings: Settings, task: str, protocol: str) -> np.ndarray:
    """Return the place in time (rows,) int32 of each row of a task, among all kept rows of all users."""
    return reading.load(settings, "moments", task=task, protocol=protocol)[:, 0]


def cut(task: TaskRows, moments: np.ndarray, number: int = NUMBER) -> Slots:
    """Cut the training rows into `number` slots of equal numbers of rows, as far as equal moments allow."""
    known = np.sort(moments[task.parts["training"]])
    begins = known[np.arange(1, number) * len(known) // number]
    after = known[-1] + 1
    return Slots(np.searchsorted(np.r_[begins, after], moments, side="right").astype(np.int64), number)
