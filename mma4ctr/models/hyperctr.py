"""HyperCTR (He et al., CIKM 2021): hypergraphs of users and of items in every modality and time slot.

docs/models/graphs.md says how each part is read where the paper leaves more than one way.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import torch
from torch import nn

from mma4ctr.cli import UserError
from mma4ctr.models.contract import EARLY_STOP, Batch, Graph, Model, Rows, Sizes, Tables
from mma4ctr.models.parts.hypergraphs import HGCN, Hypergraphs, Incidence, joined_by, pairs_of
from mma4ctr.models.parts.interest import interests_of, is_interested
from mma4ctr.models.parts.items import Table, UserTable
from mma4ctr.models.parts.modalities import Modalities
from mma4ctr.models.parts.sequence import mean_of_present, require_at_least_1, require_choice
from mma4ctr.models.parts.shared import look_up
from mma4ctr.models.parts.temporal import Fusion, TemporalAttention
from mma4ctr.models.parts.tower import Tower, require_tower

OF_USERS, OF_ITEMS = 12, 13  # tell what is sampled for the two hypergraphs apart


@dataclasses.dataclass(frozen=True)
class Config:
    """What HyperCTR can be told; see docs/models/graphs.md."""

    embedding: int = 32
    history_length: int = 50
    heads: int = 2
    layers: int = 3
    hidden: tuple[int, ...] = (128, 64, 32)
    activation: str = "relu"
    dropout: float = 0.0
    slots: int = 4
    neighbours: int = 20
    threshold: float = 0.0
    edge_weights: str = "one"
    modalities: str = ""
    convolution: str = "hypergraph"
    attention: bool = True
    passes: int = 2
    refreshes: int = 16

    def __post_init__(self) -> None:
        require_tower(self.hidden, self.activation, self.dropout)
        require_at_least_1(self, "embedding", "history_length", "heads", "layers", "slots", "neighbours", "passes",
                           "refreshes")  # fmt: skip
        require_choice("edge_weights", self.edge_weights, ("one", "learned"))
        require_choice("convolution", self.convolution, ("hypergraph", "graph"))
        if self.embedding % self.heads:
            raise UserError(f"embedding is {self.embedding}, expected a multiple of heads, which is {self.heads}")
        if not 0 <= self.threshold < 1:
            raise UserError(f"threshold is {self.threshold:g}, expected 0 (a user's mean) or a share below 1")


class HyperCTR(Model):
    """A tower over [the user, as sequence and as group; the item; the item among those clicked with it]."""

    version = 1
    needs: ClassVar[frozenset[str]] = frozenset({"user", "item", "item_content", "history", "graph", "slot"})
    Config = Config
    schedule = EARLY_STOP
    is_shared = False

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        assert graph is not None
        self.config, self.sizes, self.clicks, self.refreshes = config, sizes, graph, config.refreshes
        self.modalities, width = Modalities(sizes, config.modalities), config.embedding
        self.user = UserTable(sizes.users, width)
        self.item = Table(sizes.items + 1, width, padding_idx=sizes.items)
        self.contents = nn.Linear(self.modalities.width, width, bias=False)  # the sum of projections of modalities
        self.places = Table(config.history_length, width)
        self.attention = TemporalAttention(width, config.heads) if config.attention else None
        self.is_hyper = config.convolution == "hypergraph"
        nodes = (sizes.users, sizes.items) if self.is_hyper else (sizes.users + sizes.items,)
        kinds = len(self.modalities) if self.is_hyper else 1
        self.register_buffer("interests", torch.zeros(sizes.slots, sizes.users, len(self.modalities)))
        incidences = self._incidences(seed=0)  # until `prepare`, of users who are interested in everything
        self.graphs = nn.ModuleList(
            Hypergraphs(number, sizes.slots, kinds, one) for number, one in zip(nodes, incidences, strict=True)
        )
        is_weighted = config.edge_weights == "learned"
        self.convolutions = nn.ModuleList(HGCN(width, config.layers, kinds, is_weighted=is_weighted) for _ in nodes)
        self.fusion = Fusion(width)
        self.tower = Tower(3 * width, config.hidden, config.activation, config.dropout)
        self.output = nn.Linear(self.tower.width, 1)

    def _incidences(self, seed: int) -> list[Incidence]:
        """Return the hyperedges of users and of items by the interests; with `convolution` graph those of both."""
        users, items, slots = (column.numpy() for column in self.clicks[:3])  # type: ignore[union-attr]
        sizes, most = self.sizes, self.config.neighbours
        if not self.is_hyper:
            return [pairs_of(users, items, slots, (sizes.users, sizes.items), sizes.slots)]
        interested = is_interested(self.interests, self.config.threshold).cpu().numpy()[slots, users]
        return [
            joined_by(items, users, slots, interested, sizes.users, sizes.slots, most, (seed, OF_USERS)),
            joined_by(users, items, slots, interested, sizes.items, sizes.slots, most, (seed, OF_ITEMS)),
        ]

    def prepare(self, training: Rows, seed: int) -> None:
        """Learn what users are interested in, and build the hypergraphs that follow from it."""
        if self.is_hyper:
            first = torch.zeros(1, dtype=torch.int64, device=self.user.weight.device)
            batch, _ = next(iter(training.batches(1, first)))
            content = self.modalities.of(batch.item_content)  # type: ignore[arg-type]
            self.interests = interests_of(
                self.clicks, self.sizes.users, self.sizes.slots, content, self.config.embedding, self.config.passes,
                seed,
            )  # fmt: skip
        for graphs, incidence in zip(self.graphs, self._incidences(seed), strict=True):
            graphs.connect(incidence, self.interests.device)  # type: ignore[operator]

    def tables(self, item_content: torch.Tensor | None) -> Tables:
        """Return the projected content of the items (items + 1, width), and what nodes are in each slot.

        The latter are two tables, of users and of items; with `convolution` graph one of both.
        """
        contents = self.contents(self.modalities.joined(item_content))  # type: ignore[arg-type]
        nodes = [self.user.weight[: self.sizes.users], contents[: self.sizes.items]]  # no unknown ones
        nodes = nodes if self.is_hyper else [torch.cat(nodes)]
        return contents, *(one(*pair) for one, *pair in zip(self.convolutions, self.graphs, nodes, strict=True))

    def sequential(self, user: torch.Tensor, items: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
        """Return what a user's clicks are as a sequence (rows, width).

        The user's vector is part of every place. The last one is always seen: it is the user alone where there was no
        click.

        Parameters
        ----------
        user : (rows, width) float tensor
        items : (rows, length, width) float tensor
        history : (rows, length) int64 tensor
        """
        length = history.shape[1]
        before = torch.arange(length - 1, -1, -1, device=history.device)
        places = self.places(before.clamp(max=self.places.num_embeddings - 1))
        seen = (history != self.sizes.items) | (before == 0)
        sequence = user.unsqueeze(1) + items + places
        return mean_of_present(sequence, seen) if self.attention is None else self.attention(sequence, seen)

    def admit(self, items: int) -> bool:
        """Make room; nobody who is unknown is in a hyperedge."""
        self.item.append(items)
        return super().admit(items)

    def _before(self, graph: int, table: torch.Tensor, index: Any, known: int, begin: int, slot: Any) -> torch.Tensor:
        """Return what users or items (rows,) are in the hyperedges before the slots (rows,); 0 for an unknown one.

        There are so many `known` ones, and their nodes stand from `begin` on.
        """
        is_known = index < known
        nodes, slots = (begin + index).where(is_known, 0), slot.where(is_known, 0)
        return self.graphs[graph].before(table, nodes, slots)  # type: ignore[operator]

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Return the last hidden layer (rows, width)."""
        contents, *convolved = self.shared(batch)
        user, item, slot, history = batch.user, batch.item, batch.slot, batch.history
        # The ids of histories and candidates are taken together: the gradient of the table is written once.
        ids = self.item(torch.cat((history, item.unsqueeze(1)), dim=1))  # type: ignore[union-attr, arg-type]
        users, items = self.sizes.users, self.sizes.items
        group = self._before(0, convolved[0], user, users, 0, slot)
        relatives = self._before(-1, convolved[-1], item, items, 0 if self.is_hyper else users, slot)
        clicked = ids[:, :-1] + look_up(contents, history)  # type: ignore[arg-type]
        fused = self.fusion(self.sequential(self.user(user), clicked, history), group)  # type: ignore[arg-type]
        # Of the candidate the content is projected here, so that the projections are trained with every batch.
        content = self.contents(self.modalities.joined(batch.item_content[item]))  # type: ignore[index]
        return self.tower(torch.cat((fused, ids[:, -1] + content, relatives), dim=1))

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the log-odds (rows,) of a click."""
        return self.output(self.hidden(batch)).squeeze(1)
