"""The rows of a task that a feature covers, split into training, validation and test rows."""

from __future__ import annotations

import dataclasses

import numpy as np

from mma4ctr.data.item_rows import places_in
from mma4ctr.features.build import load_item_ids
from mma4ctr.protocol import PROTOCOLS, Parts
from mma4ctr.settings import Settings
from mma4ctr.store import reading


@dataclasses.dataclass(frozen=True)
class TaskRows:
    """The rows of a task.

    Attributes
    ----------
    rows : (n, 3) int32 array
        User index, item index, click; sorted by user and time.
    parts : dict of str to (part rows,) int64 array
        The places in `rows` of the training, validation and test rows.
    """

    rows: np.ndarray
    parts: Parts

    def part(self, name: str) -> np.ndarray:
        """Return the rows (m, 3) of one part."""
        return self.rows[self.parts[name]]


def _covered(settings: Settings, task: str, protocol: str, ids: np.ndarray) -> TaskRows:
    rows = reading.load(settings, "rows", task=task, protocol=protocol)
    items = reading.load(settings, "items", dataset=settings.dataset_of(task))
    covered = places_in(ids, items)[rows[:, 1]] >= 0
    return TaskRows(rows, PROTOCOLS[protocol].split(rows[:, 0], covered, settings.seed, settings.user_order))


def load(settings: Settings, task: str, protocol: str, feature: str) -> TaskRows:
    """Load the rows of a task and split those whose item has `feature`, as `protocol` has it."""
    return _covered(settings, task, protocol, load_item_ids(settings, settings.dataset_of(task), feature))


def load_fused(settings: Settings, task: str, protocol: str) -> TaskRows:
    """Load the rows of a task and split those whose item has every modality, which all fused features share."""
    return _covered(settings, task, protocol, reading.load(settings, "fused_items", dataset=settings.dataset_of(task)))
