"""Users and items as a model would be shown them after all training rows, from which batches of pairs are gathered.

A row after all training rows has

user, item   their indices; one user more than there are, who is unknown, and new items behind the one that is none
content      the user's, and the item's in the run's feature, scaled as the test part is
history      the user's last training clicks, and the last training rows without a click
counts       of all training rows
slot         the one after all others
context      columns of users (the device) as the user has them. A column of the data set in which every item has one
             value (author, music) is the item's, an item without a row having the commonest value; every other one is
             that of the user's last training row, or last row at all, and of an unknown user the commonest value
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from mma4ctr.inputs.context import Context
from mma4ctr.inputs.gather import Inputs
from mma4ctr.inputs.histories import Histories
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.models.contract import Batch
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.training.batches import PartContent, of_items

Columns = dict[str, torch.Tensor]


def last_bounds(task: TaskRows, histories: Histories, label: int, users: int) -> np.ndarray:
    """Return where each user's last items with a label begin and end in a list of histories.

    Returns
    -------
    (users + 1, 2) int64 array
        The last one, of a user without a row, is empty.
    """
    training = task.part("training")
    met = np.bincount(training[training[:, 2] == label, 0], minlength=users)
    ends = np.cumsum(met)
    bounds = np.column_stack([np.maximum(ends - met, ends - histories.length), ends])
    return np.vstack([bounds, np.zeros((1, 2), dtype=np.int64)]).astype(np.int64)


def last_counts(task: TaskRows, column: int, number: int) -> np.ndarray:
    """Return the training rows and clicks (number, 2) float32 of each user (column 0) or item (column 1)."""
    training = task.part("training")
    rows = np.bincount(training[:, column], minlength=number)
    clicks = np.bincount(training[:, column], weights=training[:, 2], minlength=number)
    return np.column_stack([rows, clicks]).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class LastContext:
    """The context of a row after all training rows; see the head of this file.

    Attributes
    ----------
    of_users : (users + 1, columns) int64 array
    of_items : (items, columns) int64 array
    is_of_item : (columns,) bool array
        Which columns are the item's.
    """

    of_users: np.ndarray
    of_items: np.ndarray
    is_of_item: np.ndarray


def last_context(task: TaskRows, context: Context, users: int, items: int, extra: int) -> LastContext:
    """Return the context of users and items, of which `extra` more have no row."""
    rows, own = task.rows, context.of_users.shape[1]
    training = task.parts["training"]
    values = context.of(rows, np.arange(len(rows)))
    commonest = np.array([np.bincount(column).argmax() for column in values[training].T], dtype=np.int64)
    is_of_item, of_each = of_items(values, rows[:, 1], items)
    is_of_item[:own] = False
    of_each[np.bincount(rows[:, 1], minlength=items) == 0] = commonest
    last = np.full(users, -1)
    for places in (np.arange(len(rows)), np.sort(training)):  # rows are in the order of time: the last one stays
        last[rows[places, 0]] = places
    of_users = np.tile(commonest, (users + 1, 1))
    of_users[:users][last >= 0] = values[last[last >= 0]]
    of_users[:users, :own] = context.of_users
    return LastContext(of_users, np.vstack([of_each, np.tile(commonest, (extra, 1))]), is_of_item)


class Shown:
    """Users and items on a device.

    Parameters
    ----------
    inputs : Inputs
    protocol : str
    device : torch.device
    new : (n, item columns) float32 array, optional
        The content of new items, unscaled.

    Attributes
    ----------
    users, items : int
        How many indices there are: the last user is unknown; behind the items of the data set stand one that is none,
        and the new ones.
    """

    def __init__(self, inputs: Inputs, protocol: str, device: torch.device, new: np.ndarray | None = None) -> None:
        self.inputs, self.needs, self.device = inputs, inputs.needs, device
        extra = 1 + (0 if new is None else len(new))
        self.users, self.items = inputs.users + 1, inputs.items + extra
        task, of_user, of_item = inputs.task, dict[str, np.ndarray](), dict[str, np.ndarray]()
        self.item_content: torch.Tensor | None = None
        self.user_content: torch.Tensor | None = None
        if inputs.content:
            self._take_content(inputs, protocol, new)
        self.met: Columns = {}
        for name, histories, label in (("history", inputs.history, 1), ("unclicked", inputs.unclicked, 0)):
            if histories:
                of_user[name] = last_bounds(task, histories, label, inputs.users)
                self.met[name] = torch.from_numpy(np.append(histories.items, inputs.items).astype(np.int64)).to(device)
                self.steps = torch.arange(-histories.length, 0, device=device)
        if inputs.counts is not None:
            of_user["counts"] = last_counts(task, 0, self.users)
            of_item["counts"] = last_counts(task, 1, self.items)
        if inputs.context:
            context = last_context(task, inputs.context, inputs.users, inputs.items, extra)
            of_user["context"], of_item["context"] = context.of_users, context.of_items
            self.is_of_item = torch.from_numpy(context.is_of_item).to(device)
        self.of_user, self.of_item = (
            {name: torch.from_numpy(column).to(device) for name, column in columns.items()}
            for columns in (of_user, of_item)
        )

    def _take_content(self, inputs: Inputs, protocol: str, new: np.ndarray | None) -> None:
        content = inputs.content
        assert content is not None
        scaled_by = PROTOCOLS[protocol].scaled_by["test"]
        part = PartContent(content, inputs.task.part(scaled_by), inputs.task.parts[scaled_by], self.device)
        part.scale(*part.column_range())
        width = content.users.shape[1]

        self.part, scaled = part, self._scaled
        self.user_content = scaled(np.vstack([content.users, np.zeros((1, width), dtype=np.float32)]), slice(width))
        self.item_content = part.every_item(content)
        if new is not None:
            self.item_content = torch.cat((self.item_content, scaled(new, slice(width, None))))

    def _scaled(self, table: np.ndarray, columns: slice) -> torch.Tensor:
        """Return content (n, columns) on the device, scaled as the test part is."""
        known = torch.from_numpy(table.copy()).to(self.device)
        return known.sub_(self.part.lowest[columns]).mul_(self.part.factor[columns])  # type: ignore[index]

    def take_user(self, content: np.ndarray) -> None:
        """Give the unknown user some content (user columns,), unscaled."""
        assert self.user_content is not None
        self.user_content[-1] = self._scaled(content[None], slice(self.user_content.shape[1]))[0]

    def _history(self, name: str, bounds: torch.Tensor) -> torch.Tensor:
        places, items = bounds[:, 1:] + self.steps, self.met[name]
        return items[torch.where(places >= bounds[:, :1], places, len(items) - 1)]

    def of_users(self, users: torch.Tensor) -> Batch:
        """Return what belongs to some users (n,) alone; `content` has their columns of it."""
        found = {name: column.index_select(0, users) for name, column in self.of_user.items()}
        histories = {name: self._history(name, found[name]) for name in self.met}
        own = self.user_content if "content" in self.needs else None
        return Batch(
            user=users if "user" in self.needs else None,
            content=None if own is None else own.index_select(0, users),
            item_content=self._table, history=histories.get("history"), unclicked=histories.get("unclicked"),
            counts=found.get("counts"), context=found.get("context"),
            slot=torch.full_like(users, self.inputs.slots.number) if self.inputs.slots else None,
        )  # fmt: skip

    def of_items(self, items: torch.Tensor) -> Batch:
        """Return what belongs to some items (n,) alone; `content` has their columns of it."""
        found = {name: column.index_select(0, items) for name, column in self.of_item.items()}
        table = self.item_content if "content" in self.needs else None
        return Batch(
            item=items if "item" in self.needs else None,
            content=None if table is None else table.index_select(0, items),
            item_content=self._table, counts=found.get("counts"), context=found.get("context"),
        )  # fmt: skip

    @property
    def _table(self) -> torch.Tensor | None:
        return self.item_content if "item_content" in self.needs else None

    def joined(self, users: Batch, items: Batch) -> Batch:
        """Return the rows of users (n) and items (n), one beside the other."""
        both = {"content": None, "counts": None, "context": items.context}
        for name in ("content", "counts"):
            one, other = getattr(users, name), getattr(items, name)
            both[name] = None if one is None else torch.cat((one, other), dim=1)
        if users.context is not None:
            both["context"] = torch.where(self.is_of_item, items.context, users.context)  # type: ignore[arg-type]
        return users._replace(item=items.item, **both)

    def pairs(self, users: torch.Tensor, items: torch.Tensor) -> Batch:
        """Return the rows of pairs: users (n,) and items (n,)."""
        return self.joined(self.of_users(users), self.of_items(items))

    def grid(self, users: Batch, items: Batch, shape: tuple[int, int]) -> Batch:
        """Return the rows of every one of (a) users with every one of (b) items, those of the first user first."""
        every, each = shape
        return self.joined(
            _changed(users, lambda column: column.repeat_interleave(each, 0)),
            _changed(items, lambda column: column.repeat(every, *(1,) * (column.dim() - 1))),
        )


def _changed(batch: Batch, change) -> Batch:  # type: ignore[no-untyped-def]
    """Return a batch each of whose columns was changed, but the content of every item."""
    columns = {name: change(column) for name, column in batch._asdict().items()
               if column is not None and name != "item_content"}  # fmt: skip
    return batch._replace(**columns)
