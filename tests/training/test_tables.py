"""Shared tables: with runs of one batch it is ordinary training, with longer ones they get their batches' mean."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import Batch, Graph, Model, NoConfig, Sizes, Tables
from mma4ctr.models.layers import initialise
from mma4ctr.models.parts.shared import look_up
from mma4ctr.training import engine
from mma4ctr.training.batches import Batches, batches_of_parts
from mma4ctr.training.engine import Engine, order_of_rows
from small_problem import CPU, bytes_of, changed, inputs_of

NEEDS = frozenset({"user", "item", "content", "item_content"})
SCHEDULE = changed(batch_size=64)  # 300 training rows: five batches, the last one shorter


class Tabled(Model):
    """Items through two layers, as a table; a second table of what users are, through one."""

    needs = NEEDS
    is_shared = False

    def __init__(self, config: NoConfig, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.first, self.second = nn.Linear(sizes.item_columns, 8), nn.Linear(8, 4)
        self.user, self.user_layer = nn.Embedding(sizes.users, 4), nn.Linear(4, 4)
        self.output = nn.Linear(sizes.content, 1)
        self.computed = 0

    def tables(self, item_content: torch.Tensor | None) -> Tables:
        self.computed += 1
        return self.second(torch.tanh(self.first(item_content))), self.user_layer(self.user.weight)

    def hidden(self, batch: Batch) -> torch.Tensor:
        items, users = self.shared(batch)
        own = self.second(torch.tanh(self.first(batch.item_content[batch.item])))  # trained with every batch, too
        # Of the tables one is taken in place, one as PyTorch has it.
        return look_up(items, batch.item) * users[batch.user] + own * self.user(batch.user)

    def forward(self, batch: Batch) -> torch.Tensor:
        return self.hidden(batch).sum(1) + self.output(batch.content).squeeze(1)


def new(refreshes: int) -> Tabled:
    model = Tabled(NoConfig(), inputs_of(needs=NEEDS).sizes)
    model.refreshes = refreshes
    initialise(model, 0, 0, None)
    return model


@pytest.fixture
def training() -> Batches:
    return batches_of_parts(inputs_of(needs=NEEDS), "clean", CPU)["training"]


def trained(model: Tabled, training: Batches, epochs: int = 3) -> Tabled:
    optimiser = Engine().optimiser(model, SCHEDULE)
    for epoch in range(epochs):
        Engine().train_epoch(model, optimiser, training, SCHEDULE, epoch, 0)
    return model


def batches_in_order(training: Batches, epoch: int) -> Iterator[tuple[Batch, torch.Tensor]]:
    return training.batches(SCHEDULE.batch_size, order_of_rows(len(training), SCHEDULE, epoch, 0))


def test_runs_of_one_batch_are_ordinary_training(training: Batches) -> None:
    tabled, naive = trained(new(refreshes=5), training), new(refreshes=0)
    optimiser = torch.optim.Adam(naive.parameters(), lr=SCHEDULE.learning_rate)
    for epoch in range(3):
        for batch, clicks in batches_in_order(training, epoch):
            optimiser.zero_grad()
            functional.binary_cross_entropy_with_logits(naive(batch), clicks).backward()
            optimiser.step()
    for one, other in zip(tabled.parameters(), naive.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    assert tabled.computed == naive.computed == 15 and tabled.held is None


def test_more_refreshes_than_batches_change_nothing(training: Batches) -> None:
    assert bytes_of(trained(new(refreshes=500), training)) == bytes_of(trained(new(refreshes=5), training))


def test_a_run_takes_the_mean_of_its_batches_gradients(training: Batches) -> None:
    """By hand: runs of three and two batches, the tables computed at the start of each, weights stepped with each."""
    tabled, by_hand = trained(new(refreshes=2), training, epochs=1), new(refreshes=0)
    optimiser = torch.optim.Adam(by_hand.parameters(), lr=SCHEDULE.learning_rate)
    every = [(batch._replace(content=batch.content.clone()), clicks) for batch, clicks in batches_in_order(training, 0)]
    for run in (every[:3], every[3:]):
        start = copy.deepcopy(by_hand)  # the gradient of the tables is that at the start of the run
        tables = start.tables(run[0][0].item_content)
        sums = [torch.zeros_like(table) for table in tables]
        for number, (batch, clicks) in enumerate(run):
            values = tuple(table.detach().clone().requires_grad_() for table in tables)
            by_hand.held = values
            optimiser.zero_grad()
            functional.binary_cross_entropy_with_logits(by_hand(batch), clicks).backward()
            sums = [total + value.grad for total, value in zip(sums, values, strict=True)]
            if number == len(run) - 1:
                torch.autograd.backward(tables, [total / len(run) for total in sums])
                for parameter, at_start in zip(by_hand.parameters(), start.parameters(), strict=True):
                    parts = [one for one in (parameter.grad, at_start.grad) if one is not None]
                    parameter.grad = sum(parts) if parts else None
            optimiser.step()
    for one, other in zip(tabled.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    assert tabled.computed == 2
    assert bytes_of(tabled) != bytes_of(trained(new(refreshes=5), training, epochs=1))


def test_scoring_computes_the_tables_once(training: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "EVALUATION_ROWS", 50)
    model = new(refreshes=2)
    with torch.no_grad():
        alone, hidden = model(next(training.batches(300))[0]), model.hidden(next(training.batches(300))[0])
    model.computed = 0
    torch.testing.assert_close(Engine().log_odds(model, training), alone)
    torch.testing.assert_close(torch.from_numpy(engine.hidden_of(model, training)), hidden)
    assert model.computed == 2 and model.held is None


def test_a_table_without_gradient_is_held_as_it_is(training: Batches) -> None:
    model = new(refreshes=2)
    for layer in (model.first, model.second, model.user_layer, model.user):
        layer.requires_grad_(False)
    before = bytes_of(model.first)
    trained(model, training, epochs=1)
    assert bytes_of(model.first) == before and model.output.weight.grad is not None
