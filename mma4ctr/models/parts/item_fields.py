"""What is known of items and rows as fields side by side, each an embedding of the same width."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import Batch, Sizes
from mma4ctr.models.parts.items import Table, UserTable, require_something


class ItemFields(nn.Module):
    """Every item as fields: the embedding of its id, and a linear projection of each modality of its content.

    Where a batch has more places than there are items, all items are projected once and then looked up; otherwise the
    content is looked up first.

    Parameters
    ----------
    sizes : Sizes
    width : int
        Of a field.
    ids, contents : bool
        Whether the id, and the modalities, are among them.

    Attributes
    ----------
    number : int
        How many fields there are.

    Raises
    ------
    UserError
        If there is none.
    """

    def __init__(self, sizes: Sizes, width: int, *, ids: bool = True, contents: bool = True) -> None:
        super().__init__()
        require_something(ids=ids, contents=contents)
        self.absent = sizes.items  # the index that stands for no item
        modalities = (sizes.modalities or (("content", sizes.item_columns),)) if contents else ()
        self.columns = [columns for _, columns in modalities]
        self.ids = Table(sizes.items + 1, width, padding_idx=sizes.items) if ids else None
        self.contents = nn.ModuleList(nn.Linear(columns, width, bias=False) for columns in self.columns)
        self.number = len(self.columns) + ids
        self.held: torch.Tensor | None = None

    def hold(self, content: torch.Tensor | None) -> None:
        """Compute the fields of all items once, for batches that follow; with None, let go of them."""
        self.held = None if content is None else self._table(content)

    def _table(self, content: torch.Tensor) -> torch.Tensor:
        """Return the fields (items + 1, number * width) of all items; where new ones were admitted, theirs follow."""
        ids = [] if self.ids is None else [self.ids.weight]
        return torch.cat([*ids, *(self._projected(content) if self.columns else [])], dim=1)

    def admit(self, items: int) -> None:
        """Make room for new items behind the one that is none."""
        if self.ids is not None:
            self.ids.append(items)

    def _projected(self, content: torch.Tensor) -> list[torch.Tensor]:
        """Return the fields [(..., width), ...] of content (..., columns)."""
        return [layer(part) for layer, part in zip(self.contents, content.split(self.columns, dim=-1), strict=True)]

    def _rows(self, table: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return rows (..., columns) of a table; no gradient reaches the last one, which stays 0."""
        return functional.embedding(places, table, padding_idx=self.absent)

    def reader(self, batch: Batch, places: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return what looks up the fields (..., number * width) of items (...,) int64, for about so many `places`."""
        held = self.held
        if held is not None:
            return lambda items: functional.embedding(items, held)
        ids = [] if self.ids is None else [self.ids.weight]
        if not self.columns:
            return lambda items: self._rows(ids[0], items)
        content: torch.Tensor = batch.item_content  # type: ignore[assignment]
        if places > self.absent:
            table = self._table(content)
            return lambda items: self._rows(table, items)
        return lambda items: torch.cat(
            [*(self._rows(table, items) for table in ids), *self._projected(functional.embedding(items, content))],
            dim=-1,
        )

    def forward(self, batch: Batch, *places: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the fields (..., number * width) of the items at each of `places` (...,) int64; 0 where no item is."""
        read = self.reader(batch, sum(one.numel() for one in places))
        return tuple(read(one) for one in places)

    def present(self, history: torch.Tensor) -> torch.Tensor:
        """Tell (...,) bool which places of a history hold an item."""
        return history != self.absent


class RowFields(nn.Module):
    """What is known of a row beside its item as fields: an embedding of its user and one of each context column.

    Parameters
    ----------
    sizes : Sizes
    width : int
        Of a field.
    users : bool
        Whether the user is among them.
    most_values : int
        Context columns with more values than that are left out: each is an id by another name. 0: none is.

    Attributes
    ----------
    number : int
        How many fields there are.
    """

    starts: torch.Tensor

    def __init__(self, sizes: Sizes, width: int, *, users: bool = True, most_values: int = 0) -> None:
        super().__init__()
        self.users = UserTable(sizes.users, width) if users else None
        self.kept = [place for place, values in enumerate(sizes.context) if not most_values or values <= most_values]
        values = np.array([sizes.context[place] for place in self.kept], dtype=np.int64)
        self.contexts = Table(int(values.sum()), width)  # the values of all columns, one column after another
        self.register_buffer("starts", torch.from_numpy(np.cumsum(values) - values), persistent=False)
        self.number = users + len(self.kept)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the fields (rows, number * width)."""
        context: torch.Tensor = batch.context  # type: ignore[assignment]
        context = context if len(self.kept) == context.shape[1] else context[:, self.kept]
        contexts = self.contexts(context + self.starts).flatten(1)
        return contexts if self.users is None else torch.cat((self.users(batch.user), contexts), dim=1)
