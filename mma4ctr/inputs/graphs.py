"""Who clicked what in the training part, as a graph of users and items."""

from __future__ import annotations

import torch

from mma4ctr.inputs.rows import TaskRows
from mma4ctr.inputs.slots import Slots
from mma4ctr.models.contract import Graph


def labelled(task: TaskRows, label: int, slots: Slots | None) -> Graph:
    """Return the rows of the training part that have a label, in their order, with their slots if there are any."""
    places = task.parts["training"]
    places = places[task.rows[places, 2] == label]
    users, items = (torch.from_numpy(task.rows[places, column].astype("int64")) for column in (0, 1))
    return Graph(users, items, None if slots is None else torch.from_numpy(slots.of_rows[places]))


def clicks(task: TaskRows, slots: Slots | None = None, *, unclicked: bool = False) -> Graph:
    """Return the clicks of the training part and, if asked for, the rows without one."""
    found = labelled(task, 1, slots)
    return found._replace(unclicked=labelled(task, 0, slots)) if unclicked else found
