"""DESTINE (Xu et al., CIKM 2021): self-attention between fields, whose unary part is disentangled from the pairwise."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import nn

from mma4ctr.cli import UserError
from mma4ctr.models.contract import EARLY_STOP, Batch, Graph, Model, Sizes
from mma4ctr.models.parts.fields import Fields, Linear, NormalisedTower
from mma4ctr.models.parts.sequence import require_at_least_1, require_choice
from mma4ctr.models.parts.tower import require_tower


@dataclasses.dataclass(frozen=True)
class Config:
    """See docs/models/fields.md."""

    embedding: int = 32
    attention: int = 64
    heads: int = 2
    layers: int = 5
    residual: str = "each"
    unary: str = "mean"
    scaled: bool = False
    biased: bool = False
    linear: bool = False
    hidden: tuple[int, ...] = ()
    dropout: float = 0.2
    ids: bool = True
    contents: bool = True

    def __post_init__(self) -> None:
        require_at_least_1(self, "embedding", "attention", "heads", "layers")
        require_choice("residual", self.residual, ("each", "last"))
        require_choice("unary", self.unary, ("mean", "learned"))
        require_tower(self.hidden or (1,), "relu", self.dropout)
        if self.attention % self.heads:
            raise UserError(f"attention is {self.attention}, expected a multiple of the {self.heads} heads")


class Layer(nn.Module):
    """Disentangled self-attention (Eq. 1-8), without what follows it.

    Parameters
    ----------
    width : int
        Of the fields that come in.
    config : Config
    """

    def __init__(self, width: int, config: Config) -> None:
        super().__init__()
        self.heads, self.unary_kind = config.heads, config.unary
        self.query = nn.Linear(width, config.attention, bias=config.biased)
        self.key = nn.Linear(width, config.attention, bias=config.biased)
        self.value = nn.Linear(width, config.attention, bias=config.biased)
        queries = config.attention if config.unary == "mean" else config.heads
        self.unary = nn.Linear(width, queries, bias=config.biased)
        self.scale = (config.attention // config.heads) ** -0.5 if config.scaled else 1.0
        self.dropout = nn.Dropout(config.dropout)

    def _of_heads(self, projected: torch.Tensor) -> torch.Tensor:
        """Return what each head has (rows, heads, fields, width of a head) of (rows, fields, attention)."""
        return projected.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def _unary(self, fields: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Return the unary scores (rows, heads, 1, fields): a key's are the same for every query (Eq. 5)."""
        if self.unary_kind == "learned":
            return self.unary(fields).transpose(1, 2).unsqueeze(2)
        query = self._of_heads(self.unary(fields.mean(1, keepdim=True)))  # the mean query is the query of the mean
        return query @ key.transpose(2, 3)

    def weights(self, fields: torch.Tensor) -> torch.Tensor:
        """Return the attention weights (rows, heads, queries, keys) of fields (rows, fields, width); rows sum to 2.

        The keys are not whitened: what is subtracted from all of them alike cancels in the softmax.
        """
        query, key = self._of_heads(self.query(fields)), self._of_heads(self.key(fields))
        whitened = query - query.mean(2, keepdim=True)
        pairwise = (self.scale * whitened) @ key.transpose(2, 3)
        return torch.softmax(pairwise, dim=3) + torch.softmax(self._unary(fields, key), dim=3)

    def forward(self, fields: torch.Tensor) -> torch.Tensor:
        """Return the fields (rows, fields, attention), those of the heads side by side (Eq. 7-8)."""
        found = self.dropout(self.weights(fields)) @ self._of_heads(self.value(fields))
        return found.transpose(1, 2).flatten(2)


class DESTINE(Model):
    """Fields through layers of disentangled self-attention, then a logistic regression over all of them (Eq. 10)."""

    version = 1
    needs: ClassVar[frozenset[str]] = frozenset({"user", "item", "context", "item_content"})
    Config = Config
    schedule = MappingProxyType({**EARLY_STOP, "weight_decay": 5e-6})

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        chosen = {"ids": config.ids, "contents": config.contents}
        self.fields = Fields(sizes, config.embedding, **chosen)
        widths = [config.embedding] + [config.attention] * (config.layers - 1)
        self.layers = nn.ModuleList(Layer(width, config) for width in widths)
        added = widths if config.residual == "each" else widths[:1]
        self.residuals = nn.ModuleList(nn.Linear(width, config.attention, bias=config.biased) for width in added)
        self.is_each = config.residual == "each"
        self.output = nn.Linear(self.fields.number * config.attention, 1)
        self.linear = Linear(sizes, **chosen) if config.linear else None
        inputs = self.fields.number * config.embedding
        self.tower = NormalisedTower(inputs, config.hidden, config.dropout) if config.hidden else None

    def _interacted(self, fields: torch.Tensor) -> torch.Tensor:
        """Return the fields (rows, fields, attention) after the layers and the residual connections (Eq. 9)."""
        states = fields
        if self.is_each:
            for layer, residual in zip(self.layers, self.residuals, strict=True):
                states = torch.relu(layer(states) + residual(states))
            return states
        for layer in self.layers:
            states = layer(states)
        return torch.relu(states + self.residuals[0](fields))

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Return the fields after the last layer, side by side (rows, fields x attention)."""
        return self._interacted(self.fields(batch)).flatten(1)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the log-odds (rows,) of a click."""
        fields = self.fields(batch)
        scores = self.output(self._interacted(fields).flatten(1)).squeeze(1)
        if self.linear is not None:
            scores = scores + self.linear(batch)
        return scores if self.tower is None else scores + self.tower(fields.flatten(1))
