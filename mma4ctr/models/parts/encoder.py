"""The encoder of a transformer (Vaswani et al., NeurIPS 2017) over a history and the candidate after it."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.models.parts.items import Table
from mma4ctr.models.parts.sequence import SequenceConfig, require_at_least_1


@dataclasses.dataclass(frozen=True)
class EncoderConfig(SequenceConfig):
    """`layers` of self-attention with so many `heads`; the feed-forward layers are four times as wide as an item."""

    layers: int = 2
    heads: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least_1(self, "layers", "heads")
        if self.embedding % self.heads:
            raise UserError(f"embedding is {self.embedding}, expected a multiple of the {self.heads} heads")


class Layer(nn.Module):
    """Self-attention, then a feed-forward network; each is added to what it was given, and the sum is normalised.

    Parameters
    ----------
    width, heads : int
    activation : nn.Module
        Of the feed-forward network, which is 4 x `width` wide.
    dropout : float
    """

    def __init__(self, width: int, heads: int, activation: nn.Module, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.projected, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), activation, nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.attended, self.fed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: torch.Tensor, seen: torch.Tensor, queries: int | None = None) -> torch.Tensor:
        """Return the states (rows, queries, width) of the last places.

        Parameters
        ----------
        states : (rows, places, width) float32 tensor
        seen : (rows or 1, places or 1, places) bool tensor
            Which places (the last dimension) each place sees; every one sees one or more.
        queries : int, optional
            How many of the last places; all of them where it is left out.
        """
        rows, places, width = states.shape
        queries = queries or places
        # (3, rows, heads, places, width of a head)
        split = self.projected(states).view(rows, places, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind()
        mask = seen[:, None, -queries:]  # the same for every head
        found = functional.scaled_dot_product_attention(query[:, :, -queries:], key, value, attn_mask=mask)
        found = found.transpose(1, 2).reshape(rows, queries, width)
        states = self.attended(states[:, -queries:] + self.dropout(self.joined(found)))
        return self.fed(states + self.dropout(self.feed(states)))


class Encoder(nn.Module):
    """Items plus embeddings of their places, normalised, through layers of self-attention.

    Places are counted from the last one, so that padding in front changes nothing.

    Parameters
    ----------
    config : EncoderConfig
    activation : type of nn.Module
        Of the feed-forward networks.
    """

    def __init__(self, config: Any, activation: type[nn.Module]) -> None:
        super().__init__()
        self.places = Table(config.history_length + 1, config.embedding)
        self.normalise, self.dropout = nn.LayerNorm(config.embedding), nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            Layer(config.embedding, config.heads, activation(), config.dropout) for _ in range(config.layers)
        )

    def forward(self, items: torch.Tensor, seen: torch.Tensor, *, is_last: bool = True) -> torch.Tensor:
        """Return the state of the last place (rows, width), or those of all places (rows, places, width).

        Parameters
        ----------
        items : (rows, places, width) float32 tensor
        seen : (rows or 1, places or 1, places) bool tensor
            See `Layer.forward`.
        is_last : bool
            Whether the last place is all that is wanted: the last layer then computes no other.
        """
        before = torch.arange(items.shape[1] - 1, -1, -1, device=items.device)
        places = self.places(before.clamp(max=self.places.num_embeddings - 1))
        states = self.dropout(self.normalise(items + places))
        *inner, outer = self.layers
        for layer in inner:
            states = layer(states, seen)
        states = outer(states, seen, 1 if is_last else None)
        return states.squeeze(1) if is_last else states
