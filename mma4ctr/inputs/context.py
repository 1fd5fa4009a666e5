"""Context columns: what is known of the circumstances of a row: the user's device, then columns of the data set."""

from __future__ import annotations

import dataclasses

import numpy as np

from mma4ctr.data.registry import dataset_of
from mma4ctr.settings import Settings
from mma4ctr.store import reading


@dataclasses.dataclass(frozen=True)
class Context:
    """Context columns: of users, then of rows.

    Attributes
    ----------
    of_users : (users, user columns) int64 array
        Each value's place among the sorted distinct values of its column.
    of_rows : (rows of the task, row columns) int32 array
        The same of the data set's own columns.
    sizes : tuple of int
        How many distinct values each column has.
    """

    of_users: np.ndarray
    of_rows: np.ndarray
    sizes: tuple[int, ...]

    def of(self, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return the context (n, columns) int64 of rows (n, 3) that stand at `places` (n,) among those of the task."""
        return np.hstack([self.of_users[rows[:, 0]], self.of_rows[places].astype(np.int64)])


def load(settings: Settings, task: str, protocol: str) -> Context:
    """Return the device of each user, and the data set's own columns of each row of a task."""
    dataset = settings.dataset_of(task)
    known, places = np.unique(reading.load(settings, "users", dataset=dataset)[:, 1], return_inverse=True)
    devices, rows = places.reshape(-1, 1).astype(np.int64), reading.load(settings, "rows", task=task, protocol=protocol)
    columns, own, sizes = dataset_of(settings, dataset).context, np.zeros((len(rows), 0), dtype=np.int32), [len(known)]
    if columns:
        own = reading.load(settings, "context", task=task, protocol=protocol)
        values = reading.load_json(settings, "context_values", dataset=dataset)
        sizes += [len(values[column]) for column in columns]
    return Context(devices, own, tuple(sizes))
