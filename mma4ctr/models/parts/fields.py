"""The fields of a row, each as one vector: its user, its item, its context columns, and what its item contains."""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import Batch, Sizes
from mma4ctr.models.layers import Normalisation
from mma4ctr.models.parts.items import Table, require_something


class Fields(nn.Module):
    """User, item and every context column as an embedding, every modality of the item as a projection of its columns.

    All embeddings are rows of one table, a field's values after those of the field before it. A modality is one dense
    field: 0 for an item without content.

    Parameters
    ----------
    sizes : Sizes
    width : int
        Of each field.
    ids, contents : bool
        Whether the item's id, and its modalities, are among the fields.

    Attributes
    ----------
    number : int
        How many fields there are.

    Raises
    ------
    UserError
        If neither the item's id nor its modalities are.
    """

    first: torch.Tensor

    def __init__(self, sizes: Sizes, width: int, *, ids: bool = True, contents: bool = True) -> None:
        super().__init__()
        require_something(ids=ids, contents=contents)
        values = (sizes.users, *([sizes.items] if ids else []), *sizes.context)
        self.ids, self.values = ids, values
        self.embeddings = Table(sum(values), width)
        first = torch.tensor([0, *itertools.accumulate(values)][:-1])
        self.register_buffer("first", first, persistent=False)  # of each field, in the table
        self.columns = [columns for _, columns in sizes.modalities] if contents else []
        self.modalities = nn.ModuleList(nn.Linear(columns, width, bias=False) for columns in self.columns)
        self.number = len(values) + len(self.columns)
        self.held: torch.Tensor | None = None

    def hold(self, content: torch.Tensor | None) -> None:
        """Project the modalities of all items once, for batches that follow; with None, let go of them."""
        self.held = None if content is None or not self.columns else self._projected(content)

    def _projected(self, content: torch.Tensor) -> torch.Tensor:
        """Return the modalities (n, modalities, width) of content (n, columns)."""
        parts = content.split(self.columns, dim=1)
        return torch.stack([project(part) for project, part in zip(self.modalities, parts, strict=True)], dim=1)

    def admit(self, items: int) -> None:
        """Make room for an unknown user, and for new items behind one that is none."""
        number, *others = self.values
        more, begin = {number: 1}, 1
        if self.ids:
            more[number + others[0]], begin = 1 + items, items + 2
        self.embeddings.insert(more)
        self.first = self.first + torch.tensor([0, 1, *(begin for _ in others)][: len(self.first)]).to(self.first)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the fields (rows, fields, width): those with embeddings, then the modalities."""
        chosen = [batch.user, *([batch.item] if self.ids else [])]
        indices = torch.stack(chosen, dim=1)  # type: ignore[arg-type]
        if batch.context is not None:
            indices = torch.cat((indices, batch.context), dim=1)
        embedded = self.embeddings(indices + self.first)
        if not self.columns:
            return embedded
        if self.held is not None:
            return torch.cat((embedded, self.held[batch.item]), dim=1)
        content = functional.embedding(batch.item, batch.item_content)  # type: ignore[arg-type]
        return torch.cat((embedded, self._projected(content)), dim=1)


class Linear(nn.Module):
    """The first-order term: a weight for each value of a field with embeddings and for each column of the content.

    Parameters
    ----------
    sizes : Sizes
    ids, contents : bool
        See `Fields`.
    """

    def __init__(self, sizes: Sizes, *, ids: bool = True, contents: bool = True) -> None:
        super().__init__()
        self.fields = Fields(sizes, 1, ids=ids, contents=contents)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the sum (rows,) of the weights of what a row has."""
        return self.fields(batch).sum((1, 2))


class NormalisedTower(nn.Module):
    """Linear layers, each batch-normalised, with ReLU and dropout, that end in one number.

    Parameters
    ----------
    inputs : int
    hidden : sequence of int
        The widths of the layers.
    dropout : float
    """

    def __init__(self, inputs: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width_in, width in itertools.pairwise((inputs, *hidden)):
            layers += [nn.Linear(width_in, width), Normalisation(width), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1], 1))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return one number (rows,) for values (rows, inputs)."""
        return self.layers(values).squeeze(1)
