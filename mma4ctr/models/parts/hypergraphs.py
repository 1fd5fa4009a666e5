"""Hypergraphs of time slots and the convolution over them: Eq. 5 of HyperCTR (CIKM 2021), after HGNN (AAAI 2019)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.parts.slots import seen_before
from mma4ctr.models.parts.sparse import Rows, bounds_of, product

START_OF_WEIGHT = math.log(math.e - 1)  # its softplus is 1


class Incidence(NamedTuple):
    """Which nodes are in which hyperedges, of all time slots side by side; no node is in a hyperedge of another slot.

    Attributes
    ----------
    nodes, edges : (entries,) int64 arrays
        The node ``slot * nodes of a slot + node`` and the hyperedge of each entry, by hyperedge and node.
    kinds : (hyperedges,) int64 array
        Which weight each hyperedge has: its modality.
    """

    nodes: np.ndarray
    edges: np.ndarray
    kinds: np.ndarray


def sampled(edges: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return which entries (n,) bool stay when at most so many of each hyperedge do, drawn evenly.

    `edges` (n,) int64 are sorted.
    """
    order = np.lexsort((rng.random(len(edges)), edges))
    places = np.arange(len(edges))
    first = np.maximum.accumulate(np.where(np.r_[True, edges[1:] != edges[:-1]], places, 0)) if len(edges) else places
    stays = np.zeros(len(edges), dtype=bool)
    stays[order] = places - first < most
    return stays


def joined_by(
    owners: np.ndarray, members: np.ndarray, slots: np.ndarray, kinds: np.ndarray, nodes: int, number: int, most: int,
    seed: tuple[int, ...],
) -> Incidence:  # fmt: skip
    """Return a hyperedge for each (slot, owner, modality) of clicks: at most so many of its members, drawn evenly.

    Every slot has draws of its own, so that a slot's hyperedges do not depend on the clicks of another.

    Parameters
    ----------
    owners, members, slots : (clicks,) int64 arrays
        What a hyperedge belongs to, what it joins, and when.
    kinds : (clicks, modalities) bool array
        In which modalities each click counts.
    nodes, number : int
        How many members there may be in a slot, and how many slots there are.
    most : int
        How many members of a hyperedge stay.
    seed : tuple of int
    """
    parts: list[Incidence] = []
    begin = 0
    for slot in range(number):
        here = np.flatnonzero(slots == slot)
        clicks, modalities = np.nonzero(kinds[here])
        edges = owners[here][clicks] * kinds.shape[1] + modalities
        edges, joined = np.divmod(np.unique(edges * nodes + members[here][clicks]), nodes)
        stays = sampled(edges, most, np.random.default_rng([*seed, slot]))
        known, places = np.unique(edges[stays], return_inverse=True)
        parts.append(Incidence(slot * nodes + joined[stays], begin + places, known % kinds.shape[1]))
        begin += len(known)
    return Incidence(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def pairs_of(users: np.ndarray, items: np.ndarray, slots: np.ndarray, sizes: tuple[int, int], number: int) -> Incidence:
    """Return a hyperedge for each (slot, user, item) of clicks, which joins these two nodes: a graph.

    Users come first among the nodes of a slot. With hyperedges of two, Eq. 5 is half of I + D^-1/2 A D^-1/2, the
    first-order graph convolution of (Kipf and Welling, ICLR 2017, Eq. 6).
    """
    nodes = sum(sizes)
    pairs = np.unique((slots * sizes[0] + users) * sizes[1] + items)
    owners, item = np.divmod(pairs, sizes[1])
    slot, user = np.divmod(owners, sizes[0])
    ends = np.column_stack([user, sizes[0] + item]) + nodes * slot[:, None]
    return Incidence(ends.reshape(-1), np.repeat(np.arange(len(pairs)), 2), np.zeros(len(pairs), dtype=np.int64))


def inverse(values: torch.Tensor, power: float = 1.0) -> torch.Tensor:
    """Return values ** -power, 0 where a value is 0: a degree of none."""
    some = values > 0
    return torch.where(some, torch.where(some, values, 1) ** -power, 0)


class Hypergraphs(nn.Module):
    """The hypergraphs of all time slots, side by side.

    Parameters
    ----------
    nodes, slots : int
        Nodes of a slot, and how many slots.
    kinds : int
        How many weights there are among hyperedges.
    incidence : Incidence
    """

    node: torch.Tensor  # (entries,) int32, by hyperedge
    edge: torch.Tensor  # (entries,) int32, by node
    edge_bounds: torch.Tensor  # (hyperedges + 1,) int32: where each hyperedge's entries are in `node`
    node_bounds: torch.Tensor  # (slots * nodes + 1,) int32: where each node's entries are in `edge`
    kind: torch.Tensor  # (hyperedges,) int64
    degrees: torch.Tensor  # (slots * nodes, kinds) float32: how many hyperedges of each kind a node is in
    met: torch.Tensor  # (nodes, slots) bool: whether it is in any

    def __init__(self, nodes: int, slots: int, kinds: int, incidence: Incidence) -> None:
        super().__init__()
        self.nodes, self.slots, self.kinds = nodes, slots, kinds
        self.connect(incidence, torch.device("cpu"))

    def connect(self, incidence: Incidence, device: torch.device) -> None:
        """Take other hyperedges, on a device."""
        nodes, edges, kinds = incidence
        places = self.nodes * self.slots
        by_node = np.argsort(nodes, kind="stable")
        counts = np.bincount(nodes * self.kinds + kinds[edges], minlength=places * self.kinds)
        # The matrix twice, by hyperedges and by nodes: what is summed, and where each sum begins and ends.
        arrays = {
            "node": nodes.astype(np.int32),
            "edge": edges[by_node].astype(np.int32),
            "edge_bounds": bounds_of(edges, len(kinds)),
            "node_bounds": bounds_of(nodes[by_node], places),
            "kind": kinds.astype(np.int64),
            "degrees": counts.reshape(places, self.kinds).astype(np.float32),
            "met": (counts.reshape(self.slots, self.nodes, self.kinds).sum(2) > 0).T,
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)).to(device))

    def forward(self, values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return D_v^-1/2 H W D_e^-1 H^T D_v^-1/2 values, what Eq. 5 does to nodes before its layer and activation.

        Parameters
        ----------
        values : (slots * nodes, width) float tensor
        weights : (kinds,) float tensor
            Of a hyperedge, by its kind; a node's degree is the sum of its hyperedges' weights, as HGNN has it.
        """
        scale = inverse(self.degrees.to(values.dtype) @ weights, 0.5).unsqueeze(1)
        size = inverse(self.edge_bounds.diff().to(values.dtype))
        by_edge, by_node = Rows(self.node, self.edge_bounds), Rows(self.edge, self.node_bounds)
        edges = product(scale * values, by_edge, by_node) * (weights[self.kind] * size).unsqueeze(1)
        return scale * product(edges, by_node, by_edge)

    def before(self, table: torch.Tensor, nodes: torch.Tensor, slot: torch.Tensor) -> torch.Tensor:
        """Return `seen_before` of what these hypergraphs made of their nodes; 0 for a node that was in no hyperedge."""
        return seen_before(table, self.met, nodes, slot)


class Theta(nn.Linear):
    """A linear layer without a bias that starts Gaussian, so that a ReLU after it leaves values as large as before."""

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return how the weights start."""
        return (2 / shape[1]) ** 0.5 * rng.standard_normal(shape)


class HGCN(nn.Module):
    """Layers of Eq. 5, shared by all slots: ReLU(D_v^-1/2 H W D_e^-1 H^T D_v^-1/2 X Theta).

    Parameters
    ----------
    width, layers : int
    kinds : int
        How many weights there are among hyperedges.
    is_weighted : bool
        Whether they are learned, and positive by softplus; they start at 1.
    """

    def __init__(self, width: int, layers: int, kinds: int, *, is_weighted: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Theta(width, width, bias=False) for _ in range(layers))
        self.weights = nn.Parameter(torch.full((kinds,), START_OF_WEIGHT)) if is_weighted else None
        self.kinds = kinds

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return how the weights of hyperedges start."""
        return np.full(shape, START_OF_WEIGHT)

    def forward(self, graphs: Hypergraphs, values: torch.Tensor) -> torch.Tensor:
        """Return what nodes (nodes, width) are in each slot after the layers, (slots * nodes, width)."""
        weights = values.new_ones(self.kinds) if self.weights is None else functional.softplus(self.weights)
        first, *others = self.layers
        values = torch.relu(graphs(first(values).repeat(graphs.slots, 1), weights))
        for layer in others:
            values = torch.relu(graphs(layer(values), weights))
        return values
