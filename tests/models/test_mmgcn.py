"""MMGCN against the paper's equations, node by node; what a row may see."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch.nn.functional import leaky_relu, normalize

from mma4ctr.cli import UserError
from mma4ctr.inputs import gather
from mma4ctr.inputs.gather import Inputs
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.models.contract import Batch
from mma4ctr.models.layers import initialise
from mma4ctr.models.mmgcn import MMGCN, Config
from mma4ctr.schedule import Schedule
from mma4ctr.training.batches import batches_of_parts
from mma4ctr.training.trainer import Trainer
from small_problem import CPU, everything_of

USERS, ITEMS, SLOTS = 20, 30, 3
NODES = USERS + ITEMS


@functools.cache
def problem(seed: int = 0, rows: int = 400) -> tuple[Inputs, np.ndarray]:
    return everything_of(MMGCN.needs, seed, rows=rows, slot_number=SLOTS)


def new(inputs: Inputs, **options: object) -> MMGCN:
    model = MMGCN(Config(**{"embedding": 5, "slots": SLOTS, **options}), inputs.sizes, inputs.graph)
    initialise(model, 0, 0, None)
    return model.eval()


def batch_of(inputs: Inputs) -> Batch:
    rows = batches_of_parts(inputs, "clean", CPU)["training"]
    return rows.take(torch.arange(len(rows)))[0]


def node_by_node(model: MMGCN, batch: Batch, neighbours: list[list[int]]) -> torch.Tensor:
    """Return what nodes (nodes, width) are in a graph that is given by the neighbours of each node."""
    total = torch.zeros(NODES, 5, dtype=torch.float64)
    for one, columns in zip(model.modalities, (slice(0, 4), slice(4, 6)), strict=True):
        content = batch.item_content[:ITEMS, columns].double()
        content = content if one.narrowed is None else one.narrowed(content)
        values = normalize(torch.cat([one.preferences.weight, content]))
        for layer in one.layers:
            found = []
            for node, others in enumerate(neighbours):
                parts = [layer.aggregated.weight @ values[other] for other in others]
                around = leaky_relu(torch.stack(parts).mean(0)) if parts else torch.zeros(5, dtype=torch.float64)
                own = leaky_relu(layer.own.weight @ values[node]) + model.ids.weight[node]
                found.append(leaky_relu(layer.combined.weight @ around + own))
            values = torch.stack(found)
        total = total + values
    return total / 2


@pytest.mark.parametrize("options", [{}, {"layers": 1, "widest": 3}])
def test_it_is_the_equations_node_by_node(options: dict) -> None:
    inputs, _ = problem()
    model, batch, graph = new(inputs, **options).double(), batch_of(inputs), inputs.graph
    blocks: list[list[set[int]]] = [[set() for _ in range(NODES)] for _ in range(SLOTS + 1)]
    for user, item, slot in zip(graph.users.tolist(), graph.items.tolist(), graph.slots.tolist(), strict=True):
        blocks[slot][user].add(USERS + item)
        blocks[slot][USERS + item].add(user)
    with torch.no_grad():
        expected = [node_by_node(model, batch, [sorted(others) for others in block]) for block in blocks]
        (table,) = model.tables(batch.item_content.double())
        torch.testing.assert_close(table, torch.cat(expected))
        scores = model(batch._replace(item_content=batch.item_content.double()))
        for row in range(0, len(scores), 7):
            user, item, slot = int(batch.user[row]), USERS + int(batch.item[row]), int(batch.slot[row])
            vectors = []
            for node in (user, item):
                met = [expected[earlier][node] for earlier in range(slot) if blocks[earlier][node]]
                vectors.append(torch.stack(met or [expected[SLOTS][node]]).mean(0))
            torch.testing.assert_close(scores[row], vectors[0] @ vectors[1] + model.start.bias[0])


@pytest.mark.parametrize("slot", [0, 1, 2])
def test_rows_do_not_see_the_labels_of_their_slot(slot: int) -> None:
    inputs, moments = problem()
    rows, training = inputs.task.rows.copy(), inputs.task.parts["training"]
    flipped = training[inputs.slots.of_rows[training] == slot]
    rows[flipped, 2] = 1 - rows[flipped, 2]
    other = gather.made_of(TaskRows(rows, inputs.task.parts), USERS, ITEMS, inputs.needs, content=inputs.content,
                           moments=moments, slot_number=SLOTS)  # fmt: skip
    batch = batch_of(inputs)
    before, after = (new(one)(batch).detach() for one in (inputs, other))
    own = batch.slot <= slot
    assert before[own].numpy().tobytes() == after[own].numpy().tobytes()
    assert slot == 2 or not torch.equal(before[~own], after[~own])


def test_one_modality_sees_the_other_nowhere() -> None:
    inputs, _ = problem()
    model, batch = new(inputs, modalities="visual"), batch_of(inputs)
    content = batch.item_content.clone()
    content[:, 4:] = torch.rand(len(content), 2)
    assert torch.equal(model(batch._replace(item_content=content)), model(batch))
    content[:, :4] = torch.rand(len(content), 4)
    assert not torch.equal(model(batch._replace(item_content=content)), model(batch))


def test_everything_is_trained() -> None:
    inputs, _ = problem()
    model = new(inputs, widest=3)
    assert [one.narrowed is None for one in model.modalities] == [False, True]
    model(batch_of(inputs)).square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if not parameter.grad.any()] == []


def test_bad_settings_are_named() -> None:
    with pytest.raises(UserError, match="layers is 0, expected 1 or more"):
        Config(layers=0)
    with pytest.raises(UserError, match="modalities is 'smell', expected some of visual,textual"):
        new(problem()[0], modalities="smell")


def test_training_finds_a_planted_signal() -> None:
    inputs, _ = problem(seed=1, rows=3000)
    schedule = Schedule(epochs=4, batch_size=100, loss="bce", interruption=False, learning_rate=0.01)
    model = MMGCN(Config(embedding=8, slots=SLOTS, refreshes=8), inputs.sizes, inputs.graph)
    trainer = Trainer(model, batches_of_parts(inputs, "clean", CPU), schedule)
    trainer.run()
    assert trainer.progress.history[-1]["valid_auc"] > 0.6
