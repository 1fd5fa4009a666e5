"""UBR4CTR (Qin et al., SIGIR 2020): attention over what a learned query retrieves of the clicks before a row."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.models.contract import EARLY_STOP, Batch, Graph, Model, Sizes
from mma4ctr.models.parts.activation_unit import softmax_of_present
from mma4ctr.models.parts.item_fields import ItemFields, RowFields
from mma4ctr.models.parts.sequence import require_at_least_1, require_widths, sum_of
from mma4ctr.models.parts.tower import Tower, require_tower


@dataclasses.dataclass(frozen=True)
class Config:
    """`history_length`: the archive, of which `retrieved` clicks are used; `selection`: the layers of the gates."""

    embedding: int = 16
    history_length: int = 100
    retrieved: int = 20
    heads: int = 2
    selection: tuple[int, ...] = (20, 10)
    hidden: tuple[int, ...] = (200, 80)
    activation: str = "relu"
    dropout: float = 0.2
    normalised: bool = True
    ids: bool = True
    contents: bool = True

    def __post_init__(self) -> None:
        require_tower(self.hidden, self.activation, self.dropout)
        require_at_least_1(self, "embedding", "history_length", "retrieved", "heads")
        require_widths("selection", self.selection)
        if self.embedding % self.heads:
            raise UserError(f"embedding is {self.embedding}, expected a multiple of the {self.heads} heads")


class FieldSelection(nn.Module):
    """How likely the query should use each field of a row: self-attention over the fields, then layers over each."""

    def __init__(self, width: int, heads: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.normalise = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.tower = Tower(width, hidden)
        self.score = nn.Linear(hidden[-1], 1)

    def forward(self, fields: torch.Tensor) -> torch.Tensor:
        """Return probabilities (rows, fields) of fields (rows, fields, width)."""
        given = self.normalise(fields)
        found = given + self.attention(given, given, given, need_weights=False)[0]
        return torch.sigmoid(self.score(self.tower(found))).squeeze(2)


def opened(probabilities: torch.Tensor) -> torch.Tensor:
    """Return 1 where a probability is 1/2 or more, otherwise 0; gradients pass as if it were the probability.

    The straight-through estimator of Bengio, Leonard and Courville (2013).
    """
    gates = (probabilities >= 0.5).to(probabilities.dtype)
    return gates + (probabilities - probabilities.detach())


def matches(candidate: torch.Tensor, items: torch.Tensor, gates: torch.Tensor) -> torch.Tensor:
    """Return how well items match the query: the sum of the cosines of the fields whose gates are open.

    Parameters
    ----------
    candidate : (rows, fields, width) float32 tensor
    items : (rows, length, fields, width) float32 tensor
    gates : (rows, fields) float32 tensor

    Returns
    -------
    (rows, length) float32 tensor
    """
    query = functional.normalize(candidate, dim=2) * gates.unsqueeze(2)
    return torch.bmm(functional.normalize(items, dim=3).flatten(2), query.flatten(1).unsqueeze(2)).squeeze(2)


def best_places(scores: torch.Tensor, present: torch.Tensor, number: int) -> torch.Tensor:
    """Return the places (rows, up to `number`) of the best scores, best first; among equals the last place is better.

    Exact, unlike the search server of the paper. Where fewer are `present` (rows, length), places that are not follow.
    """
    last_first = scores.masked_fill(~present, -torch.inf).flip(1)
    order = torch.sort(last_first, dim=1, descending=True, stable=True).indices  # top-k promises no order of equals
    return scores.shape[1] - 1 - order[:, :number]


class UBR4CTR(Model):
    """[user, context, candidate; attention over the retrieved clicks] -> batch normalisation -> hidden -> log-odds."""

    needs: ClassVar[frozenset[str]] = frozenset({"user", "item", "context", "item_content", "history"})
    Config = Config
    schedule = EARLY_STOP

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.embedding, self.retrieved = config.embedding, config.retrieved
        self.items = ItemFields(sizes, config.embedding, ids=config.ids, contents=config.contents)
        self.rows = RowFields(sizes, config.embedding)
        self.selection = FieldSelection(config.embedding, config.heads, config.selection)
        width = self.items.number * config.embedding
        target = self.rows.number * config.embedding + width
        self.query = nn.Linear(target, width)
        self.tower = Tower(
            target + width, config.hidden, config.activation, config.dropout, normalised=config.normalised
        )
        self.output = nn.Linear(self.tower.width, 1)

    def split(self, values: torch.Tensor) -> torch.Tensor:
        """Return fields (..., fields, embedding) that were side by side."""
        return values.unflatten(-1, (-1, self.embedding))

    def gates(self, target: torch.Tensor) -> torch.Tensor:
        """Return which fields (rows, fields of an item) the query uses; all fields of a row have a say in it."""
        return opened(self.selection(self.split(target))[:, -self.items.number :])

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Return the last hidden layer (rows, width)."""
        history: torch.Tensor = batch.history  # type: ignore[assignment]
        read = self.items.reader(batch, history.numel())
        candidate = read(batch.item)  # type: ignore[arg-type]
        target = torch.cat((self.rows(batch), candidate), dim=1)
        gates = self.gates(target)
        with torch.no_grad():  # which clicks are the best has no gradient; how well these match has one
            scores = matches(self.split(candidate), self.split(read(history)), gates)
            chosen = history.gather(1, best_places(scores, self.items.present(history), self.retrieved))
        clicks = read(chosen)
        scores = matches(self.split(candidate), self.split(clicks), gates)
        scores = scores + torch.bmm(clicks, self.query(target).unsqueeze(2)).squeeze(2)
        interest = sum_of(clicks, softmax_of_present(scores, self.items.present(chosen)))
        return self.tower(torch.cat((target, interest), dim=1))

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the log-odds (rows,) of a click."""
        return self.output(self.hidden(batch)).squeeze(1)
