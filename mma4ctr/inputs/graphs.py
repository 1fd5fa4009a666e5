"""Who clicked what in the training part, as a graph of users and items."""

from __future__ import annotations

import torch

from mma4ctr.inputs.rows import TaskRows
from mma4ctr.models.contract import Graph


def clicks(task: TaskRows) -> Graph:
    """Return the clicks of the training part, in the order of the rows."""
    training = task.part("training")
    edges = torch.from_numpy(training[training[:, 2] == 1, :2].astype("int64"))
    return Graph(edges[:, 0].contiguous(), edges[:, 1].contiguous())
