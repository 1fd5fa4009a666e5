"""THACIL (Chen et al., MM 2018): attention at two levels inside blocks of time, then among the blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.models.contract import EARLY_STOP, Batch, Graph, Model, Sizes
from mma4ctr.models.parts.items import Items
from mma4ctr.models.parts.sequence import require_at_least_1
from mma4ctr.models.parts.tower import Tower, require_tower

BOUND = 5.0  # of the scores of forward attention, before they are projected


@dataclasses.dataclass(frozen=True)
class Config:
    """`embedding`: of either level; `block_length`: how many clicks a block has, the last block the most recent."""

    embedding: int = 32
    history_length: int = 40
    block_length: int = 10
    heads: int = 8
    hidden: tuple[int, ...] = (128,)
    activation: str = "relu"
    dropout: float = 0.2

    def __post_init__(self) -> None:
        require_tower(self.hidden, self.activation, self.dropout)
        require_at_least_1(self, "embedding", "history_length", "block_length", "heads")
        if 2 * self.embedding % self.heads:
            raise UserError(
                f"embedding is {self.embedding}, of which both levels together are {2 * self.embedding}: expected a "
                f"multiple of the {self.heads} heads"
            )


def softmax_of_seen(scores: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Return the softmax over the last dimension but one where `seen`; 0 elsewhere, and where nothing is.

    Parameters
    ----------
    scores : (..., places, width) float32 tensor
        Each of the numbers of a place has a score of its own.
    seen : (..., places) bool tensor
    """
    hidden = ~seen.unsqueeze(-1)
    lowest = torch.finfo(scores.dtype).min  # not -inf, whose softmax over nothing is not a number
    return torch.softmax(scores.masked_fill(hidden, lowest), dim=-2).masked_fill(hidden, 0)


class VanillaAttention(nn.Module):
    """A weighted sum of values, each number with its own weights: W2 ReLU(W1 value + U query + b) + c.

    Parameters
    ----------
    width, query : int
        Of a value, of a query.
    dropout : float
        Of the hidden layer.
    """

    def __init__(self, width: int, query: int, dropout: float) -> None:
        super().__init__()
        self.of_value, self.of_query = nn.Linear(width, width), nn.Linear(query, width, bias=False)
        self.dropout, self.score = nn.Dropout(dropout), nn.Linear(width, width)

    def forward(self, values: torch.Tensor, query: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return the sum (..., width) of values (..., places, width) where `present` (..., places).

        `query` (..., places or 1, query) is one of each place, or one for all.
        """
        hidden = self.dropout(torch.relu(self.of_value(values) + self.of_query(query)))
        return (softmax_of_seen(self.score(hidden), present) * values).sum(-2)


class ForwardAttention(nn.Module):
    """Multi-head additive self-attention in which a block sees the blocks before it; 0 for the first one.

    Parameters
    ----------
    width, heads : int
    dropout : float
        Of queries, keys and values.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key, self.value = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.score = nn.Linear(width // heads, width // heads, bias=False)  # the same for every head
        self.dropout = nn.Dropout(dropout)

    def forward(self, blocks: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return what each block (rows, blocks, width) sees, of those `present` (rows, blocks)."""
        number = blocks.shape[1]
        # (rows, heads, blocks, width of a head)
        query, key, value = (
            self.dropout(layer(blocks)).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = self.score(BOUND * torch.tanh((query.unsqueeze(3) + key.unsqueeze(2)) / BOUND))
        before = torch.ones(number, number, dtype=torch.bool, device=blocks.device).tril(-1)
        weights = softmax_of_seen(scores, (before & present.unsqueeze(1)).unsqueeze(1))
        return (weights * value.unsqueeze(2)).sum(3).transpose(1, 2).flatten(2)


class THACIL(Model):
    """[attention over the blocks; candidate] -> hidden layers -> log-odds."""

    needs: ClassVar[frozenset[str]] = frozenset({"item", "item_content", "history"})
    Config = Config
    schedule: ClassVar[Mapping[str, object]] = MappingProxyType({**EARLY_STOP, "weight_decay": 5e-5})

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        width, self.block_length = config.embedding, config.block_length
        self.ids = Items(sizes, width, contents=False)  # the item level
        self.contents = Items(sizes, width, ids=False)  # in place of the paper's category level
        self.of_ids = VanillaAttention(width, width, config.dropout)
        self.of_contents = VanillaAttention(width, width, config.dropout)
        self.among_blocks = ForwardAttention(2 * width, config.heads, config.dropout)
        self.normalise = nn.LayerNorm(2 * width)
        self.of_candidate = VanillaAttention(2 * width, 2 * width, config.dropout)
        self.tower = Tower(4 * width, config.hidden, config.activation, config.dropout)
        self.output = nn.Linear(self.tower.width, 1)

    def in_blocks(self, history: torch.Tensor) -> torch.Tensor:
        """Return histories (rows, length) as (rows, blocks, block length), padded in front."""
        missing = -history.shape[1] % self.block_length
        return functional.pad(history, (missing, 0), value=self.ids.absent).unflatten(1, (-1, self.block_length))

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Return the last hidden layer (rows, width)."""
        item: torch.Tensor = batch.item  # type: ignore[assignment]
        blocks = self.in_blocks(batch.history)  # type: ignore[arg-type]
        (own, ids), (kind, contents) = (level(batch, item, blocks) for level in (self.ids, self.contents))
        present = self.ids.present(blocks)
        within = torch.cat((self.of_ids(ids, contents, present), self.of_contents(contents, ids, present)), dim=2)
        is_block = present.any(2)
        states = self.normalise(within + self.among_blocks(within, is_block))
        candidate = torch.cat((own, kind), dim=1)
        interest = self.of_candidate(states, candidate.unsqueeze(1), is_block)
        return self.tower(torch.cat((interest, candidate), dim=1))

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the log-odds (rows,) of a click."""
        return self.output(self.hidden(batch)).squeeze(1)
