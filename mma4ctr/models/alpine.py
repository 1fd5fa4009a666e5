"""ALPINE (Li et al., ACM MM 2019): interest, lack of interest and the user, each as it concerns the candidate."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import EARLY_STOP, Batch, Graph, Model, Sizes
from mma4ctr.models.parts.activation_unit import softmax_of_present
from mma4ctr.models.parts.items import Items, UserTable
from mma4ctr.models.parts.sequence import moved_to_front, require_at_least_0, require_at_least_1, sum_of
from mma4ctr.models.parts.temporal_graph import GraphLSTM, edges_of
from mma4ctr.models.parts.tower import Tower, require_tower

COMPARED = 2**21  # pairs of items that are compared at a time: 16 MB


@dataclasses.dataclass(frozen=True)
class Config:
    """What ALPINE can be told; see docs/models/memory.md."""

    embedding: int = 32
    history_length: int = 20
    edges: int = 1
    hidden: tuple[int, ...] = (128,)
    activation: str = "relu"
    dropout: float = 0.3
    interest: float = 0.58
    uninterest: float = 0.18
    levels: float = 0.24
    ids: bool = False
    contents: bool = True

    def __post_init__(self) -> None:
        require_tower(self.hidden, self.activation, self.dropout)
        require_at_least_1(self, "embedding", "history_length", "edges")
        require_at_least_0(self, "interest", "uninterest", "levels")


class Interest(nn.Module):
    """What a history says of the candidate: the states of a graph LSTM, weighted by their product with it.

    Parameters
    ----------
    width : int
        Of an item and of a state.
    dropout : float
        The share of the states that is dropped while training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.states, self.dropout = GraphLSTM(width), nn.Dropout(dropout)
        self.scale = width**-0.5

    def forward(
        self, candidate: torch.Tensor, items: torch.Tensor, present: torch.Tensor, edges: torch.Tensor
    ) -> torch.Tensor:
        """Return (rows, width); 0 where the history is empty.

        Parameters
        ----------
        candidate : (rows, width) float32 tensor
        items : (rows, length, width) float32 tensor
            Padded behind.
        present : (rows, length) bool tensor
        edges : (rows, length, number) int64 tensor
        """
        states = self.dropout(self.states(items, edges))
        scores = torch.bmm(states, candidate.unsqueeze(2)).squeeze(2)
        return sum_of(states, softmax_of_present(self.scale * scores, present))


class ALPINE(Model):
    """The weighted sum of three log-odds: from clicked items, from items not clicked, and from the user."""

    needs: ClassVar[frozenset[str]] = frozenset({"user", "item", "item_content", "history", "unclicked"})
    Config = Config
    schedule = EARLY_STOP

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        width = config.embedding
        self.items = Items(sizes, width, ids=config.ids, contents=config.contents)
        self.users = UserTable(sizes.users, width)
        self.clicked, self.unclicked = Interest(width, config.dropout), Interest(width, config.dropout)
        self.towers = nn.ModuleList(
            Tower(2 * width, config.hidden, config.activation, config.dropout) for _ in range(3)
        )
        self.output = nn.Linear(3 * config.hidden[-1], 1)
        self.shares = (config.interest, config.uninterest, config.levels)
        self.edges, self.compares_contents = config.edges, config.contents

    def _edges(self, batch: Batch, history: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Return the edges (rows, length, number) of histories: by content, by what items are learnt to be without."""
        rows = max(1, COMPARED // history.shape[1] ** 2)
        if not self.compares_contents:
            return torch.cat([edges_of(some, self.edges) for some in items.split(rows)])
        content: torch.Tensor = batch.item_content  # type: ignore[assignment]
        return torch.cat([edges_of(functional.embedding(some, content), self.edges) for some in history.split(rows)])

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Return the last hidden layers of the three side by side (rows, width), each times its share."""
        histories = [moved_to_front(one, self.items.absent) for one in (batch.history, batch.unclicked)]  # type: ignore[arg-type]
        candidate, *items = self.items(batch, batch.item, *histories)  # type: ignore[arg-type]
        found = [
            network(candidate, values, self.items.present(history), self._edges(batch, history, values))
            for network, history, values in zip((self.clicked, self.unclicked), histories, items, strict=True)
        ]
        found.append(self.users(batch.user))
        layers = (tower(torch.cat((one, candidate), dim=1)) for tower, one in zip(self.towers, found, strict=True))
        return torch.cat([share * layer for share, layer in zip(self.shares, layers, strict=True)], dim=1)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the log-odds (rows,) of a click."""
        return self.output(self.hidden(batch)).squeeze(1)
