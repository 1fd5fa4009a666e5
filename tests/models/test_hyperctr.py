"""HyperCTR: its parts against other ways to compute them, what a row may see, its ablations."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

from mma4ctr.cli import UserError
from mma4ctr.inputs import gather
from mma4ctr.inputs.gather import Inputs
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.models.contract import Batch
from mma4ctr.models.hyperctr import Config, HyperCTR
from mma4ctr.models.layers import initialise
from mma4ctr.models.parts.interest import UserInterest, is_interested
from mma4ctr.models.parts.temporal import Fusion, TemporalAttention
from mma4ctr.schedule import Schedule
from mma4ctr.training.batches import batches_of_parts
from mma4ctr.training.trainer import Trainer
from small_problem import CPU, everything_of

OPTIONS = {"history_length": 6, "slot_number": 3}
Problem = tuple[Inputs, np.ndarray]


@functools.cache
def problem(seed: int = 0, rows: int = 400) -> Problem:
    return everything_of(HyperCTR.needs, seed, rows=rows, **OPTIONS)


def new(inputs: Inputs, seed: int = 0, **options: object) -> HyperCTR:
    """Return a started and prepared model, with weights large enough that everything has a part in its scores."""
    config = Config(**{"embedding": 8, "history_length": 6, "slots": 3, "hidden": (16, 8), "activation": "tanh",
                       **options})  # fmt: skip
    model = HyperCTR(config, inputs.sizes, inputs.graph)
    initialise(model, 0, 0, None)
    with torch.no_grad():
        for table in (model.user, model.item, model.places):
            table.weight.mul_(10)
    model.prepare(batches_of_parts(inputs, "clean", CPU)["training"], seed)
    return model.eval()


def batch_of(inputs: Inputs, part: str = "training") -> Batch:
    rows = batches_of_parts(inputs, "clean", CPU)[part]
    return rows.take(torch.arange(len(rows)))[0]


@torch.no_grad()
def scores(model: HyperCTR, batch: Batch) -> torch.Tensor:
    return model(batch)


def test_fusion_is_the_outer_product_and_has_its_parameters() -> None:
    fusion, one, other = Fusion(64), torch.randn(7, 64), torch.randn(7, 64)
    assert fusion.weight.numel() == 65 * 65 * 64 == 270_400
    assert [name for name, _ in fusion.named_parameters()] == ["weight"]
    ends = [torch.cat([vectors, torch.ones(7, 1)], dim=1) for vectors in (one, other)]
    expected = torch.einsum("ra,rb,wab->rw", *ends, fusion.weight.view(64, 65, 65))
    torch.testing.assert_close(fusion(one, other), expected, atol=1e-5, rtol=1e-4)


def test_attention_is_that_of_torch_at_the_last_place() -> None:
    ours, theirs = TemporalAttention(8, 2), nn.MultiheadAttention(8, 2, bias=False, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.out_proj.weight.copy_(ours.joined.weight)
    sequence, seen = torch.randn(5, 6, 8), torch.rand(5, 6) < 0.5
    seen[:, -1] = True
    whole, _ = theirs(sequence, sequence, sequence, key_padding_mask=~seen)
    first, _, second = ours.feed
    expected = torch.relu(whole[:, -1] @ first.weight.T + first.bias) @ second.weight.T + second.bias
    torch.testing.assert_close(ours(sequence, seen), expected)


def test_interest_is_eq_9_and_10_of_a_loop() -> None:
    content = [torch.randn(5, 4), torch.randn(5, 3)]
    network = UserInterest(3, 5, content, 6, np.random.default_rng(0))
    users, items = torch.tensor([0, 1, 2, 0]), torch.tensor([4, 1, 4, 2])

    def f(user: int, item: int, kind: int, other: int) -> torch.Tensor:
        attribute = content[kind][other] @ network.projections[kind]
        return (network.users[user] * network.items[item] * (network.bilinear @ attribute)).sum()

    losses, sigmoids = [], []
    for kind in range(2):
        for user, item in zip(users.tolist(), items.tolist(), strict=True):
            others = torch.stack([f(user, item, kind, other) for other in items.tolist() if other != item])
            losses.append(others.logsumexp(0) - f(user, item, kind, item))
            sigmoids.append(torch.sigmoid(f(user, item, kind, item)))
    torch.testing.assert_close(network.loss(users, items), torch.stack(losses).mean())
    torch.testing.assert_close(network.interests(users, items), torch.stack(sigmoids).view(2, 4).T.detach())
    assert network.loss(users[:1], items[:1]) == 0  # nothing to tell it from


def test_interest_begins_at_the_threshold_and_the_largest_always_stays() -> None:
    interests = torch.tensor([[0.2, 0.6, 0.5], [0.1, 0.3, 0.2], [0.0, 0.0, 0.0]])
    assert is_interested(interests, 0.0).tolist() == [[False, True, True], [False, True, True], [True] * 3]
    assert is_interested(interests, 0.55).tolist() == [[False, True, False], [False, True, False], [True] * 3]


def test_interests_are_running_means_that_differ_between_users() -> None:
    inputs, _ = problem()
    interests = new(inputs).interests
    graph = inputs.graph
    for slot in range(3):
        clicked = torch.unique(graph.users[graph.slots <= slot])
        assert (interests[slot, clicked] > 0).all() and (interests[slot] < 1).all()
        others = torch.ones(inputs.users, dtype=torch.bool)
        others[clicked] = False
        assert not interests[slot, others].any()
    assert 0.1 < is_interested(interests[2], 0.0).float().mean() < 0.9


def with_slot_flipped(inputs: Inputs, moments: np.ndarray, slot: int) -> Inputs:
    """Return the inputs as they are made when all training rows of a slot have the other label."""
    rows, training = inputs.task.rows.copy(), inputs.task.parts["training"]
    flipped = training[inputs.slots.of_rows[training] == slot]
    rows[flipped, 2] = 1 - rows[flipped, 2]
    return gather.made_of(TaskRows(rows, inputs.task.parts), inputs.users, inputs.items, inputs.needs,
                          content=inputs.content, moments=moments, **OPTIONS)  # fmt: skip


@pytest.mark.parametrize("convolution", ["hypergraph", "graph"])
@pytest.mark.parametrize("slot", [0, 1, 2])
def test_what_rows_see_of_graphs_and_interests_does_not_follow_the_labels_of_their_slot(
    slot: int, convolution: str
) -> None:
    inputs, moments = problem()
    models = [new(one, convolution=convolution) for one in (inputs, with_slot_flipped(inputs, moments, slot))]
    assert models[0].interests[:slot].numpy().tobytes() == models[1].interests[:slot].numpy().tobytes()
    batch, seen = batch_of(inputs), []
    for model in models:
        tables = model.tables(batch.item_content)[1:]
        nodes = (batch.user, batch.item) if len(tables) == 2 else (batch.user, inputs.users + batch.item)
        pairs = ((model.graphs[0], tables[0], nodes[0]), (model.graphs[-1], tables[-1], nodes[1]))
        seen.append([graphs.before(table, node, batch.slot).detach() for graphs, table, node in pairs])
    for one, other in zip(*seen, strict=True):
        own = batch.slot <= slot
        assert one[own].numpy().tobytes() == other[own].numpy().tobytes()
        assert slot == 2 or not torch.equal(one[~own], other[~own])
    last = [model.graphs[0].degrees.view(3, -1)[slot] for model in models]
    assert not torch.equal(*last)  # but the graph of the slot itself does


def test_no_hyperedge_has_more_than_the_neighbours() -> None:
    inputs, _ = problem(rows=800)
    sizes = {most: [int(graphs.edge_bounds.diff().max()) for graphs in new(inputs, neighbours=most).graphs]
             for most in (2, 4, 20)}  # fmt: skip
    assert sizes[2] == [2, 2] and sizes[4] == [4, 4] and min(sizes[20]) > 4
    one, other, again = (new(inputs, seed, neighbours=2).graphs[0].node for seed in (0, 1, 0))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_padding_changes_nothing() -> None:
    inputs, _ = problem()
    model, batch = new(inputs), batch_of(inputs)
    longer = torch.cat([torch.full((len(batch.user), 3), inputs.items), batch.history], dim=1)
    for attention in (model.attention, None):
        model.attention = attention
        torch.testing.assert_close(scores(model, batch._replace(history=longer)), scores(model, batch))


def test_scores_depend_on_what_they_should() -> None:
    inputs, _ = problem()
    model, batch = new(inputs), batch_of(inputs, "test")
    before = scores(model, batch)
    changes = {
        "user": batch.user.roll(1), "item": batch.item.roll(1), "history": batch.history.roll(1, 0),
        "slot": torch.zeros_like(batch.slot), "item_content": batch.item_content.flip(0),
    }  # fmt: skip
    for name, value in changes.items():
        share = (scores(model, batch._replace(**{name: value})) != before).float().mean()
        assert share > 0.5, name
    turned = batch._replace(history=batch.history.flip(1))
    full = (batch.history != inputs.items).all(1)
    assert (scores(model, turned)[full] != before[full]).all()


# Options -> what they change: how many numbers are trained, and whether the hyperedges are others.
ABLATIONS = (
    ({"modalities": "visual"}, -2 * 8, True),
    ({"modalities": "textual"}, -4 * 8, True),
    ({"modalities": "textual,visual"}, 0, False),
    ({"convolution": "graph"}, -3 * 64, True),
    ({"attention": False}, -(4 * 64 + 2 * 72), False),
    ({"layers": 1}, -4 * 64, False),
    ({"edge_weights": "learned"}, 2 * 2, False),
    ({"neighbours": 1}, 0, True),
    ({"threshold": 1e-9}, 0, True),
    ({"hidden": (8,)}, (24 * 8 + 8 + 9) - (24 * 16 + 16 + 16 * 8 + 8 + 9), False),
)


@pytest.mark.parametrize(("options", "parameters", "edges"), ABLATIONS)
def test_ablations_change_what_they_should(options: dict, parameters: int, edges: bool) -> None:
    inputs, _ = problem()
    batch, models = batch_of(inputs, "test"), [new(inputs), new(inputs, **options)]
    numbers = [sum(parameter.numel() for parameter in model.parameters()) for model in models]
    assert numbers[1] - numbers[0] == parameters
    nodes = [model.graphs[0].node for model in models]
    assert (not torch.equal(*nodes)) == edges
    is_another = not torch.equal(*(scores(model, batch) for model in models))
    assert is_another == (options not in ({"modalities": "textual,visual"}, {"edge_weights": "learned"}))


def test_one_modality_sees_the_other_nowhere() -> None:
    inputs, _ = problem()
    model, batch = new(inputs, modalities="textual"), batch_of(inputs)
    content = batch.item_content.clone()
    content[:, :4] = torch.rand(len(content), 4)  # the visual one
    assert torch.equal(scores(model, batch._replace(item_content=content)), scores(model, batch))


def test_everything_is_trained() -> None:
    inputs, _ = problem()
    model = new(inputs, edge_weights="learned", layers=2)
    model(batch_of(inputs)).square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if not parameter.grad.any()] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "embedding is 32, expected a multiple of heads, which is 3"),
        ({"neighbours": 0}, "neighbours is 0, expected 1 or more"),
        ({"edge_weights": "two"}, "edge_weights is 'two', expected one of one, learned"),
        ({"convolution": "tree"}, "convolution is 'tree', expected one of hypergraph, graph"),
        ({"threshold": 1.0}, "threshold is 1, expected 0 .* or a share below 1"),
        ({"hidden": ()}, "hidden is .*, expected widths"),
    ],
)
def test_bad_settings_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Config(**options)


def test_a_modality_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="modalities is 'acoustic', expected some of visual,textual"):
        new(problem()[0], modalities="acoustic")


def test_training_finds_a_planted_signal() -> None:
    inputs, _ = problem(seed=1, rows=3000)
    config = Config(embedding=8, history_length=6, slots=3, hidden=(16,), passes=1)
    schedule = Schedule(epochs=4, batch_size=128, loss="bce", interruption=False, learning_rate=0.01)
    trainer = Trainer(HyperCTR(config, inputs.sizes, inputs.graph), batches_of_parts(inputs, "clean", CPU), schedule)
    before = [layer.weight.detach().clone() for layer in trainer.model.convolutions[0].layers]
    trainer.run()
    assert trainer.progress.history[-1]["valid_auc"] > 0.6
    assert trainer.model.held is None
    for layer, start in zip(trainer.model.convolutions[0].layers, before, strict=True):
        assert not torch.equal(layer.weight, start)
