"""Tables of users and items, and what an item is: the embedding of its id plus its projected content."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.models.contract import Batch, Sizes

DEVIATION = 0.05  # of the normal numbers that an embedding starts from: small, so that log-odds start near their bias


class Table(nn.Embedding):
    """Embeddings that start small; see `DEVIATION`. The row at `padding_idx` is and stays 0.

    Attributes
    ----------
    dropout : float
        The share of rows that training does without in each batch, as if these ids were unknown, so that what else is
        known of them has to do (Volkovs, Yu and Poutanen, DropoutNet, NIPS 2017). The others count for more meanwhile.
    """

    dropout: float = 0.0

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return how the embeddings start."""
        drawn = DEVIATION * rng.standard_normal(shape)
        if self.padding_idx is not None:
            drawn[self.padding_idx] = 0
        return drawn

    def known(self) -> torch.Tensor:
        """Return the embeddings (rows, width), without those that are dropped while training."""
        if not self.training or not self.dropout:
            return self.weight
        kept = torch.rand(len(self.weight), 1, device=self.weight.device) >= self.dropout
        return self.weight * (kept / (1 - self.dropout))

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        """Return the embeddings (..., width) at some places (...,) int64."""
        return functional.embedding(places, self.known(), self.padding_idx)

    def append(self, rows: int) -> None:
        """Add so many rows of 0 behind the others: ids that nothing was learnt of."""
        self.insert({self.num_embeddings: rows})

    def insert(self, rows: Mapping[int, int]) -> None:
        """Add rows of 0 before some places: place -> how many, in ascending order."""
        parts, begin = [], 0
        for place, number in rows.items():
            parts += [self.weight[begin:place], self.weight.new_zeros(number, self.embedding_dim)]
            begin = place
        self.weight = nn.Parameter(torch.cat([*parts, self.weight[begin:]]).detach())
        self.num_embeddings = len(self.weight)


class UserTable(Table):
    """Embeddings of users."""

    def admit(self, items: int) -> None:
        """Make room for an unknown user."""
        self.append(1)


def require_something(*, ids: bool, contents: bool) -> None:
    """Raise `UserError` where neither the id nor the content of an item plays a part."""
    if not ids and not contents:
        raise UserError("ids=false contents=false: nothing of an item is left; leave one of them true")


class Items(nn.Module):
    """Every item as a vector: the embedding of its id plus a linear projection of its content; either may be left out.

    Where a batch has more places than there are items, all items are projected once and then looked up; otherwise the
    content is looked up first.

    Parameters
    ----------
    sizes : Sizes
    width : int
        Of a vector.
    ids, contents : bool
        Whether the id, and the content, play a part.
    projection : nn.Module, optional
        Of content (..., item columns); a linear layer where it is left out.

    Raises
    ------
    UserError
        If neither does.
    """

    def __init__(
        self, sizes: Sizes, width: int, *, ids: bool = True, contents: bool = True, projection: nn.Module | None = None
    ) -> None:
        super().__init__()
        require_something(ids=ids, contents=contents)
        self.absent = sizes.items  # the index that stands for no item
        self.ids = Table(sizes.items + 1, width, padding_idx=sizes.items) if ids else None
        self.contents: nn.Module | None = None
        if contents:
            self.contents = projection or nn.Linear(sizes.item_columns, width, bias=False)
        self.held: torch.Tensor | None = None

    def admit(self, items: int) -> None:
        """Make room for new items behind the one that is none."""
        if self.ids is not None:
            self.ids.append(items)

    def hold(self, content: torch.Tensor | None) -> None:
        """Compute the vectors of all items once, for batches that follow; with None, let go of them."""
        self.held = None if content is None else self.table(Batch(item_content=content))

    def table(self, batch: Batch) -> torch.Tensor:
        """Return the vectors of all items (items + 1, width); the last one, which stands for no item, is 0.

        Where new items were admitted, theirs follow.
        """
        if self.contents is None:
            return self.ids.known()  # type: ignore[union-attr]
        projected = self.contents(batch.item_content)
        return projected if self.ids is None else projected + self.ids.known()

    def forward(self, batch: Batch, *places: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the vectors (..., width) of the items at each of `places` (...,) int64, of histories or candidates."""
        if self.held is not None:
            return tuple(functional.embedding(one, self.held) for one in places)
        if self.contents is None or sum(one.numel() for one in places) > self.absent:
            table = self.table(batch)
            return tuple(self._rows(table, one) for one in places)
        content: torch.Tensor = batch.item_content  # type: ignore[assignment]
        found = tuple(self.contents(functional.embedding(one, content)) for one in places)
        if self.ids is None:
            return found
        weight = self.ids.known()
        return tuple(values + self._rows(weight, one) for values, one in zip(found, places, strict=True))

    def _rows(self, table: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return rows (..., width) of a table; no gradient reaches the last one, which stays 0."""
        return functional.embedding(places, table, padding_idx=self.absent)

    def present(self, history: torch.Tensor) -> torch.Tensor:
        """Tell (...,) bool which places of a history hold an item."""
        return history != self.absent
