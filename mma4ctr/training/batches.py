"""The rows of one part on the device, from which batches are gathered."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import numpy as np
import torch

from mma4ctr import reduction
from mma4ctr.inputs.content import Content
from mma4ctr.inputs.gather import Inputs
from mma4ctr.models.contract import Batch, Model
from mma4ctr.protocol import PARTS, PROTOCOLS

EVALUATION_ROWS = 8_192  # rows scored at a time
Columns = dict[str, torch.Tensor]  # what a batch is gathered by -> (rows, ...) tensor


def occurring(table: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of `table` that occur in `index` (n,), and the index into those; both are copies."""
    occurs = np.zeros(len(table), dtype=bool)
    occurs[index] = True
    place = np.cumsum(occurs, dtype=np.int32) - 1
    return table[occurs], place[index]


class PartContent:
    """The content of the users and items that occur in a part, or of every item there is.

    Where no others are kept, the lowest and highest value of a column over the part's rows is that over the two
    tables, and scaling the tables once scales every batch.

    Attributes
    ----------
    users, items : (users of the part, columns) and (items of the part, columns) float32 tensors
        Of users, the part's rows where each sees its user differently.
    places : pair of (n,) int32 arrays
        Row of `users`, and of `items`, of each row of the part.
    """

    def __init__(
        self, content: Content, rows: np.ndarray, places: np.ndarray, device: torch.device, *, every_item: bool = False
    ) -> None:
        if content.of_rows is None:
            users, user_places = occurring(content.users, rows[:, 0])
        else:
            users, user_places = content.of_rows[places], np.arange(len(rows), dtype=np.int32)
        items, item_places = content.items.copy(), content.places[rows[:, 1]]
        if not every_item:
            items, item_places = occurring(content.items, item_places)
        self.users, self.items = (torch.from_numpy(table).to(device) for table in (users, items))
        self.places = user_places, item_places
        self.factor: torch.Tensor | None = None
        self.lowest: torch.Tensor | None = None

    @property
    def width(self) -> int:
        """The columns of a row."""
        return self.users.shape[1] + self.items.shape[1]

    def column_range(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the lowest and the highest value (columns,) float32 of each column over the rows."""
        tables = (self.users, self.items)
        return torch.cat([table.amin(0) for table in tables]), torch.cat([table.amax(0) for table in tables])

    def scale(self, lowest: torch.Tensor, highest: torch.Tensor) -> None:
        """Min-max scale the columns, in place, by the range (columns,) of some part, not clipped."""
        factor = reduction.inverse_range(lowest.cpu().numpy(), highest.cpu().numpy()).astype(np.float32)
        self.factor, self.lowest = torch.from_numpy(factor).to(lowest.device), lowest
        width = self.users.shape[1]
        for table, columns in ((self.users, slice(width)), (self.items, slice(width, None))):
            table.sub_(self.lowest[columns]).mul_(self.factor[columns])

    def every_item(self, content: Content) -> torch.Tensor:
        """Return the items of the data set by index (items + 1, columns), scaled as this part is; zeros for none."""
        assert self.lowest is not None and self.factor is not None, "scale the part first"
        width, covered = self.users.shape[1], content.places >= 0
        table = torch.zeros(len(content.places) + 1, content.items.shape[1], device=self.users.device)
        known = torch.from_numpy(content.items[content.places[covered]]).to(table.device)
        table[torch.from_numpy(np.flatnonzero(covered)).to(table.device)] = (
            known.sub_(self.lowest[width:]).mul_(self.factor[width:])
        )  # fmt: skip
        return table

    def gather(self, user: torch.Tensor, item: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
        """Return the content (n, columns) of the rows with these places (n,), in `out` where it is given."""
        return torch.cat((self.users.index_select(0, user), self.items.index_select(0, item)), dim=1, out=out)


def of_items(columns: np.ndarray, items: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Tell which columns of rows say something of the item, and what they say of each item.

    Parameters
    ----------
    columns : (rows, k) int64 array
    items : (rows,) int32 array
    number : int
        Of all items.

    Returns
    -------
    (k,) bool array
        Whether all rows of an item have one value, which makes it a column of the item.
    (number, k) int64 array
        The value of each item; 0 where it has no row.
    """
    values = np.zeros((number, columns.shape[1]), dtype=np.int64)
    values[items] = columns
    return (values[items] == columns).all(axis=0), values


class Batches:
    """The rows of one part on the device, from which batches are gathered: only what the model needs.

    Parameters
    ----------
    inputs : Inputs
    part : str
    device : torch.device
    every_item : bool
        Whether items that do not occur in the part may be shown, too; see `with_items`.

    Attributes
    ----------
    rows : (n, 3) int32 array
        User index, item index, click; on the host.
    clicks : (n,) float32 tensor
    columns : dict of str to (n, ...) tensor
        What a batch is gathered by.
    content : PartContent or None
    """

    def __init__(self, inputs: Inputs, part: str, device: torch.device, *, every_item: bool = False) -> None:
        self.inputs, self.needs, self.every_item = inputs, inputs.needs, every_item
        self.rows, places = inputs.task.part(part), inputs.task.parts[part]
        rows = self.rows
        self.clicks = torch.from_numpy(rows[:, 2].astype(np.float32)).to(device)
        self.content = None
        if inputs.content:
            self.content = PartContent(inputs.content, rows, places, device, every_item=every_item)
        self.item_content: torch.Tensor | None = None
        columns: dict[str, np.ndarray] = {}
        if self.content and "content" in self.needs:
            columns["user_place"], columns["item_place"] = self.content.places
        for name, column in (("user", 0), ("item", 1)):
            if name in self.needs:
                columns[name] = rows[:, column].astype(np.int64)
        self.met: Columns = {}  # the items that histories are cut from, and one that stands for none
        for name, histories in (("history", inputs.history), ("unclicked", inputs.unclicked)):
            if histories:
                columns[name] = histories.bounds[places]
                self.met[name] = torch.from_numpy(np.append(histories.items, inputs.items).astype(np.int64)).to(device)
                self.steps = torch.arange(-histories.length, 0, device=device)
        if inputs.context:
            columns["context"] = inputs.context.of(rows, places)
        if inputs.counts is not None:
            columns["counts"] = inputs.counts[places]
        if inputs.slots:
            columns["slot"] = inputs.slots.of_rows[places]
        self.columns: Columns = {name: torch.from_numpy(column).to(device) for name, column in columns.items()}

    def __len__(self) -> int:
        return len(self.clicks)

    def scale(self, lowest: torch.Tensor, highest: torch.Tensor) -> None:
        """Min-max scale the content by the range (columns,) of some part, not clipped."""
        if self.content and self.inputs.content:
            self.content.scale(lowest, highest)
            if "item_content" in self.needs:
                self.item_content = self.content.every_item(self.inputs.content)

    def _history(self, name: str, columns: Columns) -> torch.Tensor | None:
        """Return histories (n, length) int64 from where they begin and end; see `Batch`."""
        if name not in columns:
            return None
        bounds, items = columns[name], self.met[name]
        places = bounds[:, 1:] + self.steps
        return items[torch.where(places >= bounds[:, :1], places, len(items) - 1)]

    def _batch(self, columns: Columns, out: torch.Tensor | None = None) -> Batch:
        gathered = "user_place" in columns and self.content is not None
        return Batch(
            user=columns.get("user"),
            item=columns.get("item"),
            content=self.content.gather(columns["user_place"], columns["item_place"], out) if gathered else None,  # type: ignore[union-attr]
            item_content=self.item_content,
            history=self._history("history", columns),
            unclicked=self._history("unclicked", columns),
            counts=columns.get("counts"),
            context=columns.get("context"),
            slot=columns.get("slot"),
            fixed=columns.get("fixed"),
        )

    def take(self, places: torch.Tensor) -> tuple[Batch, torch.Tensor]:
        """Return the rows at `places` (n,) and their clicks (n,), in memory of their own."""
        columns = {name: column.index_select(0, places) for name, column in self.columns.items()}
        return self._batch(columns), self.clicks.index_select(0, places)

    @functools.cached_property
    def _of_items(self) -> Columns:
        """What a row gets for another item: its place in the content, and values of context, by item index."""
        device, number, rows = self.clicks.device, self.inputs.items, self.inputs.task.rows
        found: Columns = {}
        if "item_place" in self.columns and self.content and self.inputs.content:
            places = self.inputs.content.places.astype(np.int64)
            if not self.every_item:
                places[self.rows[:, 1]] = self.content.places[1]
            found["item_place"] = torch.from_numpy(places).to(device)
        if "context" in self.columns and self.inputs.context:
            context = self.inputs.context.of(rows, np.arange(len(rows)))
            is_of_item, values = of_items(context, rows[:, 1], number)
            found |= {
                "context": torch.from_numpy(values).to(device),
                "of_item": torch.from_numpy(is_of_item).to(device),
            }
        return found

    def with_items(self, places: torch.Tensor, items: torch.Tensor) -> Batch:
        """Return the rows at `places` (n,), once for each of k others items that are shown instead of their own.

        Columns of context whose value follows from the item are those of the other item; the others stay.

        Parameters
        ----------
        places : (n,) int64 tensor
        items : (k, n) int64 tensor
            Items that have rows in this part, or in any with `every_item`.

        Returns
        -------
        Batch
            Of k n rows, those of the first items first.
        """
        shown, known = items.reshape(-1), self._of_items
        columns = {name: column.index_select(0, places).repeat(len(items), *(1,) * (column.dim() - 1))
                   for name, column in self.columns.items() if name != "fixed"}  # fmt: skip
        if "item" in columns:
            columns["item"] = shown
        if "item_place" in known:
            columns["item_place"] = known["item_place"].index_select(0, shown)
        if "context" in known:
            columns["context"] = torch.where(known["of_item"], known["context"][shown], columns["context"])
        return self._batch(columns)

    def batches(self, size: int, order: torch.Tensor | None = None) -> Iterator[tuple[Batch, torch.Tensor]]:
        """Yield batches of at most `size` rows and their clicks, of all rows or of those of `order` in turn.

        Every batch's content is gathered into the same memory: use one before asking for the next.
        """
        columns = {**self.columns, "click": self.clicks}
        if order is not None:
            columns = {name: column.index_select(0, order) for name, column in columns.items()}
        # Fresh memory for each batch costs more than gathering it: the kernel clears every page first.
        content = self.content if "user_place" in columns else None
        memory = content.users.new_empty(min(size, len(self)), content.width) if content else None
        for parts in zip(*(column.split(size) for column in columns.values()), strict=True):
            batch = dict(zip(columns, parts, strict=True))
            clicks = batch.pop("click")
            yield self._batch(batch, None if memory is None else memory[: len(clicks)]), clicks


@contextlib.contextmanager
def fixed_once(model: Model, *parts: Batches) -> Iterator[None]:
    """Have what is fixed of the rows of some parts in their batches, computed once for all that is done meanwhile."""
    try:
        for part in parts:
            found = []
            for batch, _ in part.batches(EVALUATION_ROWS):
                with torch.no_grad():
                    one = model.fixed(batch)
                if one is None:
                    break
                found.append(one)
            if found:
                part.columns["fixed"] = torch.cat(found)
        yield
    finally:
        for part in parts:
            part.columns.pop("fixed", None)


def batches_of_parts(inputs: Inputs, protocol: str, device: torch.device) -> dict[str, Batches]:
    """Return the batches of each part, the content scaled as `protocol` has it."""
    parts = {name: Batches(inputs, name, device) for name in PARTS}
    ranges = {name: part.content.column_range() for name, part in parts.items() if part.content}
    for name, part in parts.items():
        if part.content:
            part.scale(*ranges[PROTOCOLS[protocol].scaled_by[name]])
    return parts
