"""MMa4CTR taken further: who the user is, what was clicked and what was passed by, and how often, beside the content.

All that a row sees lies before it: histories and counts end there, and the clicks that factors are made of before its
time slot; the published user embedding knows the row's own label. docs/models/plus.md has the equations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import nn

from mma4ctr.cli import UserError
from mma4ctr.models.contract import EARLY_STOP, Batch, Graph, Model, Rows, Sizes
from mma4ctr.models.parts.activation_unit import softmax_of_present
from mma4ctr.models.parts.evidence import RATES, Standardised, rates_of, regression_of
from mma4ctr.models.parts.factors import SlotFactors, WholeFactors, histories_of
from mma4ctr.models.parts.item_fields import RowFields
from mma4ctr.models.parts.neighbours import Neighbours
from mma4ctr.models.parts.sequence import require_at_least_0, require_at_least_1, sum_of
from mma4ctr.models.parts.tower import Tower, require_tower
from mma4ctr.models.parts.weighted import WeightedItems

FITTED_ROWS = 65_536  # training rows from which the scale of what is counted is taken
ROWS_AT_ONCE = 8_192


@dataclasses.dataclass(frozen=True)
class Config:
    """What MMa4CTR+ can be told; see docs/models/plus.md."""

    embedding: int = 32
    history_length: int = 200
    attended: int = 50
    hidden: tuple[int, ...] = (256, 128)
    activation: str = "relu"
    dropout: float = 0.5
    id_dropout: float = 0.0
    slots: int = 32
    rank: int = 64
    shrinkage: float = 0.005
    most_values: int = 0
    modalities: str = ""
    ids: bool = True
    contents: bool = True
    histories: bool = True
    factors: bool = True
    neighbours: bool = True
    rates: bool = True
    causal: bool = True
    head_start: bool = True

    def __post_init__(self) -> None:
        require_tower(self.hidden, self.activation, self.dropout)
        if not 0 <= self.id_dropout < 1:
            raise UserError(f"id_dropout is {self.id_dropout:g}, expected a share from 0 to below 1")
        require_at_least_1(self, "embedding", "history_length", "attended", "slots", "rank")
        require_at_least_0(self, "most_values")
        if self.shrinkage <= 0:
            raise UserError(f"shrinkage is {self.shrinkage:g}, expected a number above 0")


class MMa4CTRPlus(Model):
    """A tower over [user, context, candidate, both histories as the candidate sees them, what is counted]."""

    version = 4
    needs: ClassVar[frozenset[str]] = frozenset(
        {"user", "item", "context", "item_content", "history", "unclicked", "counts", "graph", "slot"}
    )
    Config = Config
    schedule: ClassVar[Mapping[str, object]] = MappingProxyType({**EARLY_STOP, "weight_decay": 0.0001})
    ablations: ClassVar[Mapping[str, Mapping[str, object]]] = MappingProxyType(
        {
            "without content": {"contents": False},
            "without histories": {"histories": False, "factors": False, "neighbours": False},
            "without attention to histories": {"histories": False},
            "without factors of clicks": {"factors": False},
            "without neighbours": {"neighbours": False},
            "without rates": {"rates": False},
            "without a head start": {"head_start": False},
            "without ids": {"ids": False},
            "whole instead of causal tables": {"causal": False},
            "batch_softmax instead of bce": {"loss": "batch_softmax"},
        }
    )

    base_rate: torch.Tensor
    weights: torch.Tensor

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        assert graph is not None
        self.config, width = config, config.embedding
        self.items = WeightedItems(sizes, width, config.modalities, ids=config.ids, contents=config.contents)
        self.rows = RowFields(sizes, width, users=config.ids, most_values=config.most_values)
        for table in (self.items.ids, self.rows.users, self.rows.contexts):
            if table is not None:
                table.dropout = config.id_dropout
        attended = 2 if config.histories else 0  # what was clicked, and what was passed by
        self.keys = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(attended))
        kind = SlotFactors if config.causal else WholeFactors
        self.factors = kind(graph, sizes, config.rank, config.shrinkage) if config.factors else None
        self.register_buffer("base_rate", torch.tensor(0.5))
        self.neighbours: Neighbours | None = None
        if config.neighbours:
            chosen: Any = self.items.contents.modalities if config.contents else None  # type: ignore[union-attr]
            self.neighbours = Neighbours(graph, sizes, config.rank, chosen, causal=config.causal)
        counted = RATES * config.rates + 4 * config.factors + (self.neighbours.number if self.neighbours else 0)
        self.register_buffer("weights", torch.zeros(counted))
        self.standardised = Standardised(counted)
        vectors = self.rows.number + 1 + config.ids + 2 * attended
        self.tower = Tower(vectors * width + counted, config.hidden, config.activation, config.dropout)
        self.output = nn.Linear(self.tower.width, 1)

    @torch.no_grad()
    def prepare(self, training: Rows, seed: int) -> None:
        """Take the click rate of training rows, the scale of what is counted, and what that says by itself."""
        order = torch.randperm(len(training), generator=torch.Generator().manual_seed(seed))[:FITTED_ROWS]
        parts = list(training.batches(ROWS_AT_ONCE, order.to(self.base_rate.device)))
        clicks = torch.cat([clicks for _, clicks in parts])
        self.base_rate.copy_(clicks.mean().clamp(1e-6, 1 - 1e-6))
        if self.neighbours is not None:
            self.neighbours.fit(parts[0][0].item_content, self.base_rate)  # type: ignore[arg-type]
        counted = torch.cat([self.fixed(batch) for batch, _ in parts])
        self.standardised.fit(counted)
        if self.config.head_start:
            self.weights.copy_(regression_of(self.standardised(counted), clicks))

    def fixed(self, batch: Batch) -> torch.Tensor:
        """Return what is counted of rows (rows, columns): rates, what factors and neighbours make of histories."""
        counts: torch.Tensor = batch.counts  # type: ignore[assignment]
        found = [rates_of(counts, self.base_rate)[:, : RATES * self.config.rates]]  # no column of it without rates
        if self.factors is not None:
            said = self.factors(batch)
            lengths = torch.stack([self.items.present(one).sum(1) for one in histories_of(batch)], dim=1)
            found += [said, said / lengths.clamp(min=1)]
        if self.neighbours is not None:
            found.append(self.neighbours(batch))
        return torch.cat(found, dim=1)

    def counted(self, batch: Batch) -> torch.Tensor:
        """Return what is counted of rows (rows, columns), as training rows have it."""
        return self.standardised(self.fixed(batch) if batch.fixed is None else batch.fixed)

    def attended(
        self, key: nn.Module, candidate: torch.Tensor, items: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean (rows, width) of items (rows, length, width), weighted by what the candidate has of them."""
        scores = torch.bmm(items, key(candidate).unsqueeze(2)).squeeze(2) / candidate.shape[1] ** 0.5
        return sum_of(items, softmax_of_present(scores, present))

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Return the last hidden layer (rows, width)."""
        return self._hidden(batch, self.counted(batch))

    def _hidden(self, batch: Batch, counted: torch.Tensor) -> torch.Tensor:
        recent = [one[:, -self.config.attended :] for one in histories_of(batch)] if self.config.histories else []
        candidate, *histories = self.items(batch, batch.item, *recent)  # type: ignore[arg-type]
        fields = self.rows(batch)
        found = [candidate, fields]
        if self.config.ids:
            found.append(fields[:, : candidate.shape[1]] * candidate)  # the user's field is the first
        for key, items, places in zip(self.keys, histories, recent, strict=True):
            seen = self.attended(key, candidate, items, self.items.present(places))
            found += [seen, seen * candidate]
        return self.tower(torch.cat([*found, counted], dim=1))

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the log-odds (rows,) of a click."""
        counted = self.counted(batch)
        return self.output(self._hidden(batch, counted)).squeeze(1) + counted @ self.weights
