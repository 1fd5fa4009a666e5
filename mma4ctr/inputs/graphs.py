"""Who clicked what in the training part, as a graph of users and items."""

from __future__ import annotations

import torch

from mma4ctr.inputs.rows import TaskRows
from mma4ctr.inputs.slots import Slots
from mma4ctr.models.contract import Graph


def clicks(task: TaskRows, slots: Slots | None = None) -> Graph:
    """Return the clicks of the training part, in the order of the rows, with the slots of theirs if there are any."""
    places = task.parts["training"]
    places = places[task.rows[places, 2] == 1]
    users, items = (torch.from_numpy(task.rows[places, column].astype("int64")) for column in (0, 1))
    return Graph(users, items, None if slots is None else torch.from_numpy(slots.of_rows[places]))
