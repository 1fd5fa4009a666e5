"""Context columns: what is known of the circumstances of a row. Every data set has the user's device."""

from __future__ import annotations

import dataclasses

import numpy as np

from mma4ctr.settings import Settings
from mma4ctr.store import reading


@dataclasses.dataclass(frozen=True)
class Context:
    """Context columns of users.

    Attributes
    ----------
    values : (users, columns) int64 array
        Each value's place among the sorted distinct values of its column.
    sizes : tuple of int
        How many distinct values each column has.
    """

    values: np.ndarray
    sizes: tuple[int, ...]


def load(settings: Settings, dataset: str) -> Context:
    """Return the device of each user."""
    known, places = np.unique(reading.load(settings, "users", dataset=dataset)[:, 1], return_inverse=True)
    return Context(places.reshape(-1, 1).astype(np.int64), (len(known),))
