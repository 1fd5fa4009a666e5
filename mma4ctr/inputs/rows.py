"""The rows of a task that a feature covers, split into training, validation and test rows."""

from __future__ import annotations

import dataclasses

import numpy as np

from mma4ctr.cli import UserError
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.registry import TASKS
from mma4ctr.features.build import load_item_ids
from mma4ctr.protocol import PARTS, PROTOCOLS, Parts
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
    items = reading.load(settings, "items", dataset=TASKS[task].dataset)
    covered = places_in(ids, items)[rows[:, 1]] >= 0
    return TaskRows(rows, PROTOCOLS[protocol].split(rows[:, 0], covered, settings.seed, settings.user_order))


def load(settings: Settings, task: str, protocol: str, feature: str) -> TaskRows:
    """Load the rows of a task and split those whose item has `feature`, as `protocol` has it."""
    return _covered(settings, task, protocol, load_item_ids(settings, TASKS[task].dataset, feature))


def load_fused(settings: Settings, task: str, protocol: str) -> TaskRows:
    """Load the rows of a task and split those whose item has every modality, which all fused features share."""
    return _covered(settings, task, protocol, reading.load(settings, "fused_items", dataset=TASKS[task].dataset))


def cause(settings: Settings, task: str, protocol: str, feature: str, found: TaskRows) -> str:
    """Return why a part of a task has no row or a single class, and what to do about it: the first that holds."""
    users, clicks = found.rows[:, 0], found.rows[:, 2]
    covered = clicks[np.concatenate(list(found.parts.values()))]
    own = settings.own_of(TASKS[task].dataset)
    of_log = "".join(f" with {key} {value} of path.json" for key, value in own.items())
    causes = {
        f"no row of the log is a click{of_log}; lower it, or use a log with clicks" if own else
        "no row of the log is a click; use a log with clicks": not clicks.any(),
        f"every row of the log is a click{of_log}; use a log with rows without a click": clicks.all(),
        f"no row's item has what {feature} needs; look what step 2 counted": len(covered) == 0,
        f"of the {len(covered):,} rows whose item has what {feature} needs, all are of one class; use more data":
            covered.all() or not covered.any(),
        f"the most active user has {np.bincount(users).max()} rows, and the {protocol} protocol takes test rows from "
        "users with 10 or more; use more data, or --protocol published":
            not PROTOCOLS[protocol].orders_users and np.bincount(users).max() < 10,
    }  # fmt: skip
    kept = len(np.unique(users))
    otherwise = (f"{len(covered):,} rows of {kept:,} users are too few; keep more users (lower min_interactions in "
                 "path.json) or use more data")  # fmt: skip
    return next((why for why, holds in causes.items() if holds), otherwise)


def require_both_classes(settings: Settings, task: str, protocol: str, feature: str, found: TaskRows) -> None:
    """Raise `UserError` if a part has no row or a single class."""
    for name in PARTS:
        clicks = int(found.part(name)[:, 2].sum())
        if not 0 < clicks < len(found.parts[name]):
            why = cause(settings, task, protocol, feature, found)
            raise UserError(f"{task}, {feature}, {protocol}: the {name} part has {len(found.parts[name])} rows and "
                            f"{clicks} clicks, expected both classes: {why}")  # fmt: skip
