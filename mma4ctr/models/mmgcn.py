"""MMGCN (Wei et al., ACM MM 2019): a graph of users and items in every modality, and what they are in all of them.

docs/models/graphs.md says how each part is read where the paper and its code leave more than one way.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import EARLY_STOP, Batch, Graph, Model, Sizes, Tables
from mma4ctr.models.parts.hypergraphs import Theta
from mma4ctr.models.parts.items import Table
from mma4ctr.models.parts.modalities import Modalities
from mma4ctr.models.parts.sequence import require_at_least_1
from mma4ctr.models.parts.slots import seen_before
from mma4ctr.models.parts.sparse import Rows, bounds_of, product


@dataclasses.dataclass(frozen=True)
class Config:
    """What MMGCN can be told; see docs/models/graphs.md."""

    embedding: int = 32
    layers: int = 2
    widest: int = 256
    modalities: str = ""
    slots: int = 4
    refreshes: int = 64

    def __post_init__(self) -> None:
        require_at_least_1(self, "embedding", "layers", "widest", "slots", "refreshes")


class Neighbours(nn.Module):
    """The clicks of each slot as a graph of users, who come first, and items; and one slot more, without clicks.

    Parameters
    ----------
    clicks : Graph
    users, items, slots : int
    """

    places: torch.Tensor  # (2 * clicks,) int32: the neighbours of each node of each slot
    bounds: torch.Tensor  # ((slots + 1) * nodes + 1,) int32: where each node's are
    met: torch.Tensor  # (nodes, slots) bool: whether it has any

    def __init__(self, clicks: Graph, users: int, items: int, slots: int) -> None:
        super().__init__()
        nodes, self.blocks = users + items, slots + 1
        pairs = np.unique(torch.stack([clicks.slots, clicks.users, clicks.items + users]).numpy(), axis=1)  # type: ignore[list-item]
        one, other = pairs[0] * nodes + pairs[1], pairs[0] * nodes + pairs[2]
        ends = np.column_stack([np.r_[one, other], np.r_[other, one]])
        ends = ends[np.lexsort(ends.T[::-1])]
        bounds = bounds_of(ends[:, 0], self.blocks * nodes)
        met = np.ascontiguousarray((np.diff(bounds)[: slots * nodes] > 0).reshape(slots, nodes).T)
        for name, array in (("places", ends[:, 1].astype(np.int32)), ("bounds", bounds), ("met", met)):
            self.register_buffer(name, torch.from_numpy(array))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the mean of each node's neighbours ((slots + 1) * nodes, width); 0 without any."""
        matrix = Rows(self.places, self.bounds)
        return product(values, matrix, matrix) / self.bounds.diff().clamp(min=1).unsqueeze(1)


class Layer(nn.Module):
    """LeakyReLU(W3 h + x), with h = LeakyReLU(mean of the neighbours' W1 v) and x = LeakyReLU(W2 v) + id.

    Parameters
    ----------
    inputs, width : int
        Of a node's vector v before and after it.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.aggregated, self.own = Theta(inputs, width, bias=False), Theta(inputs, width, bias=False)
        self.combined = Theta(width, width, bias=False)

    def forward(self, neighbours: Neighbours, values: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Return vectors (blocks * nodes, width) of nodes (nodes or blocks * nodes, inputs) with ids (nodes, width)."""

        def of_blocks(vectors: torch.Tensor) -> torch.Tensor:
            return vectors if len(vectors) > len(ids) else vectors.repeat(neighbours.blocks, 1)

        around = functional.leaky_relu(neighbours(of_blocks(self.aggregated(values))))
        own = of_blocks(functional.leaky_relu(self.own(values))) + ids.repeat(neighbours.blocks, 1)
        return functional.leaky_relu(self.combined(around) + own)

    def alone(self, values: torch.Tensor) -> torch.Tensor:
        """Return vectors (n, width) of nodes (n, inputs) without neighbours whose ids say nothing."""
        return functional.leaky_relu(functional.leaky_relu(self.own(values)))


class Modality(nn.Module):
    """What users and items are in one modality.

    Parameters
    ----------
    users, columns : int
    config : Config
    """

    def __init__(self, users: int, columns: int, config: Any) -> None:
        super().__init__()
        self.narrowed = nn.Linear(columns, config.widest) if columns > config.widest else None
        width = min(columns, config.widest)
        self.preferences = Table(users, width)
        self.layers = nn.ModuleList(
            Layer(config.embedding if depth else width, config.embedding) for depth in range(config.layers)
        )

    def forward(self, neighbours: Neighbours, content: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Return vectors (blocks * nodes, width) from the items' content (items, columns) and ids (nodes, width)."""
        items = content if self.narrowed is None else self.narrowed(content)
        values = functional.normalize(torch.cat((self.preferences.weight, items)))
        for layer in self.layers:
            values = layer(neighbours, values, ids)
        return values

    def unknown(self, content: torch.Tensor) -> torch.Tensor:
        """Return vectors (1 + n, width) of an unknown user and of n items (n, columns), none of which has a click."""
        items = content if self.narrowed is None else self.narrowed(content)
        values = functional.normalize(functional.pad(items, (0, 0, 1, 0)))
        for layer in self.layers:
            values = layer.alone(values)  # type: ignore[operator]
        return values


class Bias(nn.Module):
    """A number that log-odds start from."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return how it starts."""
        return np.zeros(shape)


class MMGCN(Model):
    """The inner product of a user and an item, each the mean over modalities of what it is in that graph."""

    version = 1
    needs: ClassVar[frozenset[str]] = frozenset({"user", "item", "item_content", "graph", "slot"})
    Config = Config
    schedule = EARLY_STOP
    is_shared = False

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        assert graph is not None
        self.users, self.items, self.refreshes = sizes.users, sizes.items, config.refreshes
        self.admits = False
        self.chosen = Modalities(sizes, config.modalities)
        self.neighbours = Neighbours(graph, sizes.users, sizes.items, sizes.slots)
        self.ids = Table(sizes.users + sizes.items, config.embedding)
        self.modalities = nn.ModuleList(
            Modality(sizes.users, place.stop - place.start, config) for place in self.chosen.columns.values()
        )
        self.start = Bias()

    def tables(self, item_content: torch.Tensor | None) -> Tables:
        """Return one table: what nodes are in each slot, then without clicks.

        Once somebody was admitted another follows: an unknown user, no item, the new items.
        """
        contents = self.chosen.of(item_content)  # type: ignore[arg-type]
        found = [one(self.neighbours, content[: self.items], self.ids.weight)
                 for one, content in zip(self.modalities, contents, strict=True)]  # fmt: skip
        table = sum(found[1:], found[0]) / len(found)
        if not self.admits:
            return (table,)
        others = [one.unknown(content[self.items :])  # type: ignore[operator]
                  for one, content in zip(self.modalities, contents, strict=True)]  # fmt: skip
        return table, sum(others[1:], others[0]) / len(others)

    def admit(self, items: int) -> bool:
        """Take whoever is unknown for a node without clicks."""
        self.admits = True
        return True

    def _vectors(self, tables: Tables, index: Any, known: int, begins: tuple[int, int], slot: Any) -> torch.Tensor:
        """Return what users or items (rows,) are before the slots (rows,): (rows, width).

        There are so many `known` ones; `begins` are their places in the graph, and those of unknown ones behind it.
        """
        table, *others = tables
        is_known = index < known
        nodes = (begins[0] + index).where(is_known, 0)
        found = seen_before(table, self.neighbours.met, nodes, slot, alone=True)
        if not others:
            return found
        places = (begins[1] + index - known).where(~is_known, 0)
        return torch.where(is_known.unsqueeze(1), found, functional.embedding(places, others[0]))

    def _of_users(self, tables: Tables, batch: Batch) -> torch.Tensor:
        return self._vectors(tables, batch.user, self.users, (0, 0), batch.slot)

    def _of_items(self, tables: Tables, batch: Batch) -> torch.Tensor:
        return self._vectors(tables, batch.item, self.items, (self.users, 1), batch.slot)

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Return the products (rows, width) whose sum is the inner product."""
        tables = self.shared(batch)
        return self._of_users(tables, batch) * self._of_items(tables, batch)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the log-odds (rows,) of a click."""
        return self.hidden(batch).sum(1) + self.start.bias

    def score_all(self, users: Batch, items: Batch) -> torch.Tensor:
        """Return the log-odds (a, b) of a users with b items: inner products of what each is."""
        tables, slot = self.shared(users), users.slot[:1].expand(len(items.item))  # type: ignore[index, arg-type]
        return self._of_users(tables, users) @ self._of_items(tables, items._replace(slot=slot)).T + self.start.bias

    def output_bias(self) -> nn.Parameter:
        """Return the bias that log-odds start from."""
        return self.start.bias
