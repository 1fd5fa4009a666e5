"""The input of the MLP, kept as the factors it is made of: one table of users, one of items, and rows that join them.

Written out, every row would be one user's vector beside one item's vector. Instead a batch is gathered on the device
from the two tables, and what depends on the rows of a part (the min-max scaling) is computed exactly from the distinct
users and items that occur in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch

from mma4ctr import reduction
from mma4ctr.catalogue import FEATURES, LENGTH_0_FEATURE
from mma4ctr.cli import UserError
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.registry import TASKS
from mma4ctr.features import item_tables
from mma4ctr.protocol import PARTS, PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts


@dataclasses.dataclass(frozen=True)
class Factors:
    """What one feature of one task is made of, on the host.

    users : (users, user columns) float32
    items : (items, item columns) float32
    rows : (n, 3) int32, row of `users`, row of `items` or -1 where the feature does not cover the item, click
    parts : the places in `rows` of the training, validation and test rows
    """

    users: np.ndarray
    items: np.ndarray
    rows: np.ndarray
    parts: dict[str, np.ndarray]

    @property
    def in_features(self) -> int:
        """The number of columns of the MLP's input."""
        return self.users.shape[1] + self.items.shape[1]


def load_users(settings: Settings, task: str, feature: str, protocol: str, users: np.ndarray) -> np.ndarray:
    """Return the user columns (users, columns) float32: an embedding for each modality of the feature.

    With user_embedding_length 0 it is the bare user id, which only vat_concat takes (published tables 5.1.5, 5.2.5).
    """
    length = settings.user_embedding_length
    if length == 0 and feature != LENGTH_0_FEATURE:
        raise UserError(
            f"{settings.file}: user_embedding_length is 0, which only {LENGTH_0_FEATURE} takes, not {feature}; "
            "set it to 1 or more"
        )
    if length == 0:
        return users[:, :1].astype(np.float32)
    keys = {"task": task, "protocol": protocol, "reduction": settings.user_reduction, "length": length}
    tables = [
        artifacts.load(settings, "user_embedding", modality=name, **keys) for name in FEATURES[feature].modalities
    ]
    return np.hstack(tables)


def load_factors(settings: Settings, task: str, feature: str, protocol: str) -> Factors:
    """Load what `feature` of `task` is made of, and split its rows as `protocol` has it.

    Raises
    ------
    UserError
        If an artefact is missing, or a part has no row or a single class.
    """
    dataset = TASKS[task].dataset
    users = artifacts.load(settings, "users", dataset=dataset)
    item_ids = artifacts.load(settings, "items", dataset=dataset)
    task_rows = artifacts.load(settings, "rows", task=task, protocol=protocol)
    ids, items = item_tables.load_items(settings, dataset, feature)
    task_rows[:, 1] = places_in(ids, item_ids)[task_rows[:, 1]]
    parts = PROTOCOLS[protocol].split(task_rows[:, 0], task_rows[:, 1] >= 0, settings.seed)
    for name in PARTS:
        clicks = int(task_rows[parts[name], 2].sum())
        if not 0 < clicks < len(parts[name]):
            raise UserError(
                f"{task}, {feature}, {protocol}: the {name} part has {len(parts[name])} rows and {clicks} clicks, "
                "expected both classes; lower min_interactions in path.json or use more data"
            )
    return Factors(load_users(settings, task, feature, protocol, users), items, task_rows, parts)


def fused_rows(settings: Settings, task: str, protocol: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the rows (n, 3) int32 of a task (user, item, click) and the places of each part for the fused features."""
    dataset = TASKS[task].dataset
    task_rows = artifacts.load(settings, "rows", task=task, protocol=protocol)
    ids, fused = (artifacts.load(settings, name, dataset=dataset) for name in ("items", "fused_items"))
    covered = places_in(fused, ids)[task_rows[:, 1]] >= 0
    return task_rows, PROTOCOLS[protocol].split(task_rows[:, 0], covered, settings.seed)


def occurring(table: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of `table` that occur in `index` (n,), and the index into those; both are copies."""
    occurs = np.zeros(len(table), dtype=bool)
    occurs[index] = True
    place = np.cumsum(occurs, dtype=np.int32) - 1
    return table[occurs], place[index]


class Batches:
    """The rows of one part on the device, from which batches are gathered.

    Only the users and items that occur in the part are kept, so that the lowest and highest value of a column over the
    part's rows is that over the two tables, and scaling the tables once scales every batch.

    Parameters
    ----------
    factors : Factors
    part : (n,) int64 array
        Places of the part's rows.
    device : torch.device

    Attributes
    ----------
    users, items : (users of the part, columns) and (items of the part, columns) float32 tensors
    user_index, item_index : (n,) int32 tensors
        Row of `users` and of `items`.
    clicks : (n,) float32 tensor
    """

    def __init__(self, factors: Factors, part: np.ndarray, device: torch.device) -> None:
        part_rows = factors.rows[part]
        users, user_index = occurring(factors.users, part_rows[:, 0])
        items, item_index = occurring(factors.items, part_rows[:, 1])
        clicks = part_rows[:, 2].astype(np.float32)
        on_device = (torch.from_numpy(array).to(device) for array in (users, items, user_index, item_index, clicks))
        self.users, self.items, self.user_index, self.item_index, self.clicks = on_device

    def __len__(self) -> int:
        return len(self.clicks)

    def column_range(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the lowest and the highest value (columns,) float32 of each input column over the rows."""
        tables = (self.users, self.items)
        return torch.cat([table.amin(0) for table in tables]), torch.cat([table.amax(0) for table in tables])

    def scale(self, lowest: torch.Tensor, highest: torch.Tensor) -> None:
        """Min-max scale the input columns, in place, by the range (columns,) of some part, not clipped."""
        factor = reduction.inverse_range(lowest.cpu().numpy(), highest.cpu().numpy()).astype(np.float32)
        factor = torch.from_numpy(factor).to(lowest.device)
        width = self.users.shape[1]
        for table, columns in ((self.users, slice(width)), (self.items, slice(width, None))):
            table.sub_(lowest[columns]).mul_(factor[columns])

    def _gather(
        self, user_index: torch.Tensor, item_index: torch.Tensor, out: torch.Tensor | None = None
    ) -> torch.Tensor:
        return torch.cat(
            (self.users.index_select(0, user_index), self.items.index_select(0, item_index)), dim=1, out=out
        )

    def take(self, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return input (n, columns) and clicks (n,) of the rows at `places` (n,), in memory of their own."""
        user_index, item_index, clicks = (
            column.index_select(0, places) for column in (self.user_index, self.item_index, self.clicks)
        )
        return self._gather(user_index, item_index), clicks

    def batches(self, size: int, order: torch.Tensor | None = None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield input (at most size, columns) and clicks (at most size,) of all rows, or of those of `order` in turn.

        Every batch is gathered into the same memory: use one before asking for the next.
        """
        rows = (self.user_index, self.item_index, self.clicks)
        if order is not None:
            rows = tuple(column.index_select(0, order) for column in rows)
        # Fresh memory for each batch costs more than gathering it: the kernel clears every page first.
        memory = self.users.new_empty(min(size, len(self)), self.users.shape[1] + self.items.shape[1])
        for user_index, item_index, clicks in zip(*(column.split(size) for column in rows), strict=True):
            yield self._gather(user_index, item_index, memory[: len(user_index)]), clicks


def batches_of_parts(factors: Factors, protocol: str, device: torch.device) -> dict[str, Batches]:
    """Return the batches of each part, scaled as `protocol` has it.

    Published: every part is scaled by its own rows. Clean: every part by the training rows, not clipped.
    """
    parts = {name: Batches(factors, factors.parts[name], device) for name in PARTS}
    ranges = {name: part.column_range() for name, part in parts.items()}
    for name, part in parts.items():
        part.scale(*ranges[name if protocol == "published" else "training"])
    return parts
