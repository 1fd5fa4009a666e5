"""Hypergraphs: Eq. 5 against dense algebra in float64 and two libraries, hyperedges against a loop over clicks."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mma4ctr.models.parts.hypergraphs import HGCN, START_OF_WEIGHT, Hypergraphs, Incidence, joined_by, pairs_of

KINDS = 2


def incidence_of(matrix: np.ndarray, kinds: np.ndarray) -> Incidence:
    """Return the entries of an incidence matrix (nodes, hyperedges) bool."""
    edges, nodes = np.nonzero(matrix.T)
    return Incidence(nodes, edges, kinds)


def made(matrix: np.ndarray, kinds: np.ndarray) -> Hypergraphs:
    return Hypergraphs(len(matrix), 1, KINDS, incidence_of(matrix, kinds))


def dense(matrix: np.ndarray, weights: torch.Tensor) -> torch.Tensor:
    """Return D_v^-1/2 H W D_e^-1 H^T D_v^-1/2, 1/0 taken as 0, from Eq. 5 as printed."""
    incidence = torch.from_numpy(matrix.astype(np.float64))

    def diagonal(values: torch.Tensor, power: float) -> torch.Tensor:
        inverse = [value**power if value else 0.0 for value in values.tolist()]
        return torch.diag(torch.tensor(inverse, dtype=torch.float64))

    nodes = diagonal((incidence @ torch.diag(weights)).sum(1), -0.5)
    return nodes @ incidence @ torch.diag(weights) @ diagonal(incidence.sum(0), -1.0) @ incidence.T @ nodes


matrices = st.integers(0, 2**32 - 1).map(
    lambda seed: (lambda rng: rng.random((rng.integers(1, 9), rng.integers(1, 9))) < rng.random())(
        np.random.default_rng(seed)
    )
)


@settings(max_examples=60, deadline=None)
@given(matrix=matrices, seed=st.integers(0, 1000), weighted=st.booleans())
def test_eq_5_is_its_dense_algebra(matrix: np.ndarray, seed: int, weighted: bool) -> None:
    """With nodes in no hyperedge and hyperedges without a node, which random matrices have."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, KINDS, matrix.shape[1])
    weights = torch.from_numpy(rng.uniform(0.1, 3, KINDS) if weighted else np.ones(KINDS))
    values = torch.from_numpy(rng.normal(size=(len(matrix), 3))).requires_grad_()
    found = made(matrix, kinds)(values, weights)
    expected = dense(matrix, weights[kinds]) @ values
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)
    direction = torch.from_numpy(rng.normal(size=found.shape))
    gradients = [torch.autograd.grad((one * direction).sum(), values)[0] for one in (found, expected)]
    torch.testing.assert_close(*gradients, atol=1e-12, rtol=1e-12)


def test_degrees_of_none_and_gradients_of_weights() -> None:
    matrix = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1]], dtype=bool)  # node 2, hyperedge 2
    graphs, values = made(matrix, np.array([0, 1, 0, 1])), torch.randn(4, 3, dtype=torch.float64)
    weights = torch.tensor([0.7, 1.9], dtype=torch.float64, requires_grad=True)
    found = graphs(values, weights)
    assert not found[2].any() and found.isfinite().all() and found[[0, 1, 3]].all()
    assert torch.autograd.gradcheck(lambda *given: graphs(*given), (values.requires_grad_(), weights))


def test_layers_are_shared_by_slots_and_learn_weights() -> None:
    rng = np.random.default_rng(0)
    matrices = [rng.random((5, 6)) < 0.4 for _ in range(2)]
    kinds = rng.integers(0, KINDS, 12)
    both = np.block([[matrices[0], np.zeros((5, 6), dtype=bool)], [np.zeros((5, 6), dtype=bool), matrices[1]]])
    network = HGCN(4, 3, KINDS, is_weighted=True).double()
    for layer in network.layers:
        layer.weight.data = torch.from_numpy(layer.draw("weight", (4, 4), rng))
    graphs = Hypergraphs(5, 2, KINDS, incidence_of(both, kinds))
    network.weights.data = torch.tensor([-1.0, 2.0]).double()
    values = torch.from_numpy(rng.normal(size=(5, 4)))
    found = network(graphs, values)
    weights = torch.nn.functional.softplus(network.weights.detach())
    for slot, matrix in enumerate(matrices):
        expected = values
        for layer in network.layers:
            smooth = dense(matrix, weights[kinds[6 * slot : 6 * slot + 6]])
            expected = torch.relu(smooth @ expected @ layer.weight.T)
        torch.testing.assert_close(found[5 * slot : 5 * slot + 5], expected)
    found.sum().backward()
    assert network.weights.grad.abs().min() > 0
    assert torch.nn.functional.softplus(torch.tensor(START_OF_WEIGHT)).item() == pytest.approx(1)


def test_it_is_what_torch_geometric_has_for_equal_weights() -> None:
    """Its convolution normalises rows, D^-1 H B^-1 H^T; between D^1/2 and D^-1/2 it is Eq. 5."""
    convolution = pytest.importorskip("torch_geometric.nn").HypergraphConv(3, 3, bias=False)
    rng = np.random.default_rng(1)
    matrix = rng.random((7, 5)) < 0.5
    nodes, edges, _ = incidence_of(matrix, np.zeros(5, dtype=int))
    degree = torch.from_numpy(matrix.sum(1)).float().unsqueeze(1)
    values, scale = torch.randn(7, 3), torch.where(degree > 0, degree, 1) ** 0.5
    with torch.no_grad():
        convolution.lin.weight.copy_(torch.eye(3))
        theirs = scale * convolution(values / scale, torch.from_numpy(np.stack([nodes, edges])))
    torch.testing.assert_close(made(matrix, np.zeros(5, dtype=int))(values, torch.ones(KINDS)), theirs)


def test_it_is_what_dhg_has_for_any_weights() -> None:
    structure = pytest.importorskip("dhg")
    matrix, kinds = np.random.default_rng(2).random((7, 5)) < 0.5, np.array([0, 1, 1, 0, 1])
    edges = [tuple(np.flatnonzero(column).tolist()) for column in matrix.T]
    weights, values = torch.tensor([0.5, 2.0]), torch.randn(7, 3)
    theirs = structure.Hypergraph(7, edges, e_weight=weights[kinds].tolist())
    ours = made(matrix, kinds)(values, weights)
    torch.testing.assert_close(ours, theirs.smoothing_with_HGNN(values))


def clicks_of(seed: int = 0, number: int = 300) -> tuple[np.ndarray, ...]:
    """Return owners, members, slots and kinds of made-up clicks: 6 owners, 9 members, 3 slots."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 6, number), rng.integers(0, 9, number), rng.integers(0, 3, number),
            rng.random((number, KINDS)) < 0.6)  # fmt: skip


def members_of(incidence: Incidence) -> list[tuple[int, frozenset[int]]]:
    """Return the kind and the nodes of each hyperedge."""
    nodes = [frozenset(incidence.nodes[incidence.edges == edge].tolist()) for edge in range(len(incidence.kinds))]
    return list(zip(incidence.kinds.tolist(), nodes, strict=True))


def by_loop(owners: np.ndarray, members: np.ndarray, slots: np.ndarray, kinds: np.ndarray) -> dict:
    found: dict[tuple[int, int, int], set[int]] = defaultdict(set)
    for owner, member, slot, own in zip(owners.tolist(), members.tolist(), slots.tolist(), kinds, strict=True):
        for kind in np.flatnonzero(own).tolist():
            found[slot, owner, kind].add(slot * 9 + member)
    return found


def test_hyperedges_are_those_of_a_loop_over_clicks() -> None:
    clicks = clicks_of()
    loop = sorted((kind, sorted(nodes)) for (_, _, kind), nodes in by_loop(*clicks).items())
    found = joined_by(*clicks, 9, 3, 20, (0,))
    assert sorted((kind, sorted(nodes)) for kind, nodes in members_of(found)) == loop
    assert (np.diff(found.edges) >= 0).all()


def test_no_hyperedge_has_more_than_the_neighbours_and_they_are_drawn_evenly() -> None:
    clicks = clicks_of()
    loop = by_loop(*clicks)
    whole = [nodes for _, nodes in sorted(loop.items())]
    times: dict[frozenset[int], int] = defaultdict(int)
    for seed in range(200):
        drawn = [nodes for _, nodes in members_of(joined_by(*clicks, 9, 3, 2, (seed,)))]
        for few, all_of_it in zip(drawn, whole, strict=True):
            assert few <= all_of_it and len(few) == min(2, len(all_of_it))
        times[drawn[0]] += 1
    pairs = len(whole[0]) * (len(whole[0]) - 1) / 2
    assert len(times) == pairs and max(times.values()) < 4 * 200 / pairs


def test_a_slot_does_not_depend_on_the_clicks_of_another() -> None:
    owners, members, slots, kinds = clicks_of()
    fewer = slots != 2
    one = joined_by(owners, members, slots, kinds, 9, 3, 3, (5,))
    other = joined_by(owners[fewer], members[fewer], slots[fewer], kinds[fewer], 9, 3, 3, (5,))
    assert one.nodes[: len(other.nodes)].tobytes() == other.nodes.tobytes() and len(one.nodes) > len(other.nodes)


def test_without_clicks_there_is_nothing() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    for empty in (joined_by(nothing, nothing, nothing, np.zeros((0, KINDS), dtype=bool), 4, 2, 3, (0,)),
                  pairs_of(nothing, nothing, nothing, (2, 2), 2)):  # fmt: skip
        graphs, values = Hypergraphs(4, 2, KINDS, empty), torch.ones(8, 3, requires_grad=True)
        found = graphs(values, torch.ones(KINDS))
        found.sum().backward()
        assert found.shape == (8, 3) and not found.any() and not values.grad.any()


def test_pairs_are_a_graph_convolution() -> None:
    """Half of I + D^-1/2 A D^-1/2 for nodes that have a neighbour."""
    users, items, slots = np.array([0, 0, 1, 1, 0]), np.array([1, 2, 1, 1, 2]), np.array([0, 0, 0, 0, 1])
    graphs = Hypergraphs(5, 2, 1, pairs_of(users, items, slots, (2, 3), 2))
    values = torch.randn(10, 3, dtype=torch.float64)
    adjacency = torch.zeros(10, 10, dtype=torch.float64)
    for user, item, slot in zip(users, items, slots, strict=True):
        one, other = 5 * slot + user, 5 * slot + 2 + item
        adjacency[one, other] = adjacency[other, one] = 1
    degree = adjacency.sum(1)
    scale = torch.where(degree > 0, degree.clamp(min=1) ** -0.5, 0)
    expected = 0.5 * (torch.diag((degree > 0).double()) + scale[:, None] * adjacency * scale) @ values
    torch.testing.assert_close(graphs(values, torch.ones(1, dtype=torch.float64)), expected)


def test_what_a_row_sees_is_the_mean_over_the_slots_before_its_own() -> None:
    graphs = Hypergraphs(9, 3, KINDS, joined_by(*clicks_of(number=25), 9, 3, 20, (0,)))
    table, rng = torch.randn(27, 4), np.random.default_rng(3)
    nodes, slot = torch.from_numpy(rng.integers(0, 9, 40)), torch.from_numpy(rng.integers(0, 4, 40))
    found = graphs.before(table, nodes, slot)
    met = graphs.degrees.sum(1) > 0
    lengths = set()
    for row, (node, now) in enumerate(zip(nodes.tolist(), slot.tolist(), strict=True)):
        seen = [table[9 * earlier + node] for earlier in range(now) if met[9 * earlier + node]]
        lengths.add(len(seen))
        torch.testing.assert_close(found[row], torch.stack(seen).mean(0) if seen else torch.zeros(4))
    assert len(lengths) > 2
