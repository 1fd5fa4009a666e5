"""Training equals a plain loop written out here.

Asserted: the losses against their formulas, the starting bias, the learning rate of each epoch, what a validation
interruption undoes and redraws, and what the order of batches and the first weights depend on.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mma4ctr.evaluation import metrics
from mma4ctr.models import losses
from mma4ctr.models.contract import Batch
from mma4ctr.models.layers import initialise
from mma4ctr.schedule import Schedule
from mma4ctr.training import engine
from mma4ctr.training.batches import Batches
from mma4ctr.training.cuda_graph import CudaGraph
from mma4ctr.training.engine import Engine
from mma4ctr.training.trainer import Trainer
from small_problem import IN_FEATURES, SCHEDULE, bytes_of, changed, inputs_of, new_model, script

# ------------------------------------------------------------------ the same in a plain loop


def first_weights(seed: int, attempt: int, bias: float | None) -> nn.Sequential:
    """Draw the weights of 7-8-4-1, layer by layer, weight before bias."""
    rng, layers = np.random.default_rng([seed, attempt]), []
    for narrow, wide in itertools.pairwise((IN_FEATURES, 8, 4, 1)):
        layer, bound = nn.Linear(narrow, wide), 1 / np.sqrt(narrow)
        weight = rng.uniform(-bound, bound, (wide, narrow))
        drawn = rng.uniform(-bound, bound, wide)
        layer.weight.data = torch.tensor(weight, dtype=torch.float32)
        layer.bias.data = torch.tensor(drawn, dtype=torch.float32)
        layers += [layer, nn.Tanh()]
    if bias is not None:
        layers[-2].bias.data.fill_(bias)
    return nn.Sequential(*layers[:-1])


def loss_by_formula(loss: str, log_odds: torch.Tensor, clicks: torch.Tensor) -> torch.Tensor:
    """Return the loss of one batch, as the formulas say."""
    probability = 1 / (1 + torch.exp(-log_odds))
    if loss == "bce":
        return -(clicks * torch.log(probability) + (1 - clicks) * torch.log(1 - probability)).mean()
    return -(clicks * torch.log(torch.exp(probability) / torch.exp(probability).sum())).sum()


def plain_epoch(net, optimiser, rate: float, batches: Batches, schedule: Schedule, draw: list[int]) -> None:
    """Go through the rows once, in the order that `draw` (seed, epoch, attempt) gives."""
    whole, clicks = next(batches.batches(len(batches)))
    order = np.random.default_rng(draw).permutation(len(batches)).tolist()
    for group in optimiser.param_groups:
        group["lr"] = rate
    for start in range(0, len(order), schedule.batch_size):
        places = order[start : start + schedule.batch_size]
        optimiser.zero_grad()
        loss_by_formula(schedule.loss, net(whole.content[places])[:, 0], clicks[places]).backward()
        optimiser.step()


def plain_training(batches: Batches, schedule: Schedule, aucs: list[float]) -> tuple[nn.Sequential, list]:
    """Train as DESIGN says, validation AUCs given; return the weights and (rate, attempts) of each epoch."""
    rate_of_clicks = float(batches.clicks.mean())
    bias = np.log(rate_of_clicks / (1 - rate_of_clicks)) if schedule.loss == "bce" else None
    left, interruptions, history, standing = iter(aucs), 0, [], None
    for epoch in range(schedule.epochs):
        for attempt in range(5):
            if epoch == 0:
                net = first_weights(schedule.seed, attempt, bias)
                optimiser = torch.optim.Adam(net.parameters())
            else:
                net, state = copy.deepcopy(standing)
                optimiser = torch.optim.Adam(net.parameters())
                optimiser.load_state_dict(state)
            halvings = (epoch // 5 if schedule.lr_change else 0) + interruptions
            rate = schedule.learning_rate / 2**halvings
            plain_epoch(net, optimiser, rate, batches, schedule, [schedule.seed, epoch, attempt])
            if next(left) > 0.5 or not schedule.interruption or attempt == 4:
                break
            interruptions += 1
        standing = (net, optimiser.state_dict())
        history.append((rate, attempt + 1))
    return net, history


GOOD, BAD = 0.7, 0.5  # 0.5 itself is interrupted
SCRIPTS = {
    "undisturbed": [GOOD] * 4,
    "a later epoch undone": [GOOD, GOOD, BAD, 0.3, GOOD, GOOD],
    "the first epoch drawn anew": [BAD, 0.2, GOOD, GOOD, GOOD, GOOD],
    "an epoch kept after five attempts": [GOOD, *[BAD] * 5, GOOD, GOOD],
    "the first epoch kept after five attempts": [*[BAD] * 5, BAD, GOOD, GOOD, GOOD],
    "never above a half": [BAD] * 20,
}


@pytest.mark.parametrize("loss", ["bce", "batch_softmax"])
@pytest.mark.parametrize("aucs", SCRIPTS.values(), ids=SCRIPTS)
def test_training_is_the_plain_loop(parts, monkeypatch, aucs: list[float], loss: str) -> None:
    schedule = changed(loss=loss, learning_rate=0.02 if loss == "bce" else 0.005)
    script(monkeypatch, aucs)
    trainer = Trainer(new_model(), parts, schedule)
    found = trainer.run()
    expected, history = plain_training(parts["training"], schedule, aucs)
    for one, other in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-3)
    entries = trainer.progress.history
    assert [(entry["learning_rate"], entry["attempts"]) for entry in entries] == history
    assert [entry["epoch"] for entry in entries] == [1, 2, 3, 4]
    assert trainer.progress.interruptions == sum(attempts - 1 for _, attempts in history)


def test_an_epoch_kept_after_five_attempts_is_recorded(parts, monkeypatch) -> None:
    script(monkeypatch, SCRIPTS["an epoch kept after five attempts"])
    trainer = Trainer(new_model(), parts, SCHEDULE)
    trainer.run()
    entries = trainer.progress.history
    assert [entry["kept_below_half"] for entry in entries] == [False, True, False, False]
    assert [entry["attempts"] for entry in entries] == [1, 5, 1, 1]
    assert [entry["interruptions"] for entry in entries] == [0, 4, 4, 4]
    assert [entry["learning_rate"] for entry in entries] == [0.02, *[0.02 / 16] * 3]


def test_without_interruption_nothing_is_undone(parts, monkeypatch) -> None:
    script(monkeypatch, [BAD] * 4)
    trainer = Trainer(new_model(), parts, changed(interruption=False))
    found = trainer.run()
    assert trainer.progress.interruptions == 0
    script(monkeypatch, [GOOD] * 4)
    assert bytes_of(found) == bytes_of(Trainer(new_model(), parts, changed(interruption=False)).run())


def test_an_undone_epoch_leaves_no_trace(parts, monkeypatch) -> None:
    """Weights and optimiser before the second attempt are, to the bit, those before the first."""
    seen, original = [], Engine.train_epoch

    def train_epoch(self, mlp, optimiser, batches, schedule, epoch, attempt):
        state = optimiser.state_dict()["state"]
        moments = [value.numpy().tobytes() for own in state.values() for value in own.values()]
        seen.append((epoch, attempt, bytes_of(mlp), moments, optimiser.param_groups[0]["lr"]))
        return original(self, mlp, optimiser, batches, schedule, epoch, attempt)

    monkeypatch.setattr(Engine, "train_epoch", train_epoch)
    script(monkeypatch, [GOOD, BAD, BAD, GOOD])
    Trainer(new_model(), parts, changed(epochs=2)).run()
    assert [(epoch, attempt) for epoch, attempt, *_ in seen] == [(0, 0), (1, 0), (1, 1), (1, 2)]
    assert seen[1][2:4] == seen[2][2:4] == seen[3][2:4]
    assert [rate for *_, rate in seen] == [0.02, 0.02, 0.01, 0.005]
    assert len(seen[1][3]) == 3 * len(seen[1][2])  # step and two moments of each parameter


# ------------------------------------------------------------------ losses and first weights

LOG_ODDS = st.lists(st.tuples(st.floats(-8, 8), st.integers(0, 1)), min_size=1, max_size=30)


@given(rows=LOG_ODDS)
def test_losses(rows: list[tuple[float, int]]) -> None:
    log_odds, clicks = (torch.tensor(column, dtype=torch.float32) for column in zip(*rows, strict=True))
    probabilities = [1 / (1 + np.exp(-x)) for x, _ in rows]
    total = sum(np.exp(p) for p in probabilities)
    # Summed over the clicks of the batch, not divided by their number.
    softmax = -sum(click * np.log(np.exp(p) / total) for p, (_, click) in zip(probabilities, rows, strict=True))
    entropy = -sum(np.log(p if click else 1 - p) for p, (_, click) in zip(probabilities, rows, strict=True))
    assert float(losses.LOSSES["batch_softmax"](log_odds, clicks)) == pytest.approx(softmax, rel=1e-4, abs=1e-5)
    assert float(losses.LOSSES["bce"](log_odds, clicks)) == pytest.approx(entropy / len(rows), rel=1e-4, abs=1e-5)


def test_batch_softmax_grows_with_the_clicks_of_a_batch() -> None:
    log_odds, clicks = torch.zeros(8), torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0])
    one = losses.batch_softmax_loss(log_odds, clicks)
    three = losses.batch_softmax_loss(log_odds, torch.tensor([1.0, 1, 1, 0, 0, 0, 0, 0]))
    assert float(one) == pytest.approx(np.log(8))
    assert float(three) == pytest.approx(3 * np.log(8))


def test_the_model_is_linear_tanh_and_so_on_to_one_log_odds(parts) -> None:
    mlp = Trainer(new_model(), parts, SCHEDULE).model
    batch = np.random.default_rng(0).random((5, IN_FEATURES)).astype(np.float32)
    values, parameters = batch.astype(np.float64), [p.detach().numpy() for p in mlp.parameters()]
    for weight, bias in zip(parameters[0:4:2], parameters[1:4:2], strict=True):
        values = np.tanh(values @ weight.T + bias)
    expected = values @ parameters[4].T + parameters[5]
    np.testing.assert_allclose(mlp(Batch(content=torch.from_numpy(batch))).detach().numpy(), expected[:, 0], atol=1e-6)


def test_bce_starts_at_the_log_odds_of_the_training_clicks(parts) -> None:
    trainer = Trainer(new_model(), parts, SCHEDULE)
    rows = inputs_of().task.part("training")
    rate = rows[:, 2].sum() / len(rows)
    assert trainer.model.output.bias.item() == pytest.approx(np.log(rate / (1 - rate)), rel=1e-5)
    drawn = Trainer(new_model(), parts, changed(loss="batch_softmax")).model
    assert bytes_of(drawn)[:-1] == bytes_of(trainer.model)[:-1]
    assert bytes_of(drawn) == bytes_of(first_weights(SCHEDULE.seed, 0, None))


def test_first_weights_follow_from_seed_and_attempt_alone() -> None:
    mlp, drawn = new_model(), {}
    for seed, attempt in ((0, 0), (0, 1), (1, 0), (1, 1)):
        torch.manual_seed(seed * 7 + 1)
        initialise(mlp, seed, attempt, None)
        drawn[seed, attempt] = bytes_of(mlp)
    assert len({tuple(weights) for weights in drawn.values()}) == 4
    for key, weights in drawn.items():
        initialise(mlp, *key, None)
        assert bytes_of(mlp) == weights


# ------------------------------------------------------------------ learning rate and order


def test_learning_rate_of_each_epoch() -> None:
    rates = [changed(learning_rate=0.8).rate(epoch, 0) for epoch in range(12)]
    assert rates == [0.8] * 5 + [0.4] * 5 + [0.2] * 2
    assert changed(learning_rate=0.8).rate(5, 2) == 0.1
    constant = changed(learning_rate=0.8, lr_change=False)
    assert [constant.rate(epoch, 0) for epoch in (0, 5, 30)] == [0.8] * 3
    assert constant.rate(30, 3) == 0.1


def test_the_order_of_an_epoch_follows_from_seed_epoch_and_attempt(parts, monkeypatch) -> None:
    """Every row once an epoch, the last batch short, another order for each epoch, attempt and seed."""
    orders, original = {}, Batches.batches

    def batches(self, size, order=None):
        if order is not None:
            orders[len(orders)] = tuple(order.tolist())
        return original(self, size, order)

    monkeypatch.setattr(Batches, "batches", batches)
    for schedule in (SCHEDULE, SCHEDULE, changed(seed=4)):
        script(monkeypatch, [GOOD, BAD, GOOD])
        Trainer(new_model(), parts, dataclasses.replace(schedule, epochs=2)).run()
    assert len(orders) == 9
    assert all(sorted(order) == list(range(300)) for order in orders.values())
    assert [orders[k] for k in range(3)] == [orders[k] for k in range(3, 6)]
    assert len(set(orders.values())) == 6
    sizes = [len(clicks) for _, clicks in original(parts["training"], SCHEDULE.batch_size)]
    assert sizes == [64, 64, 64, 64, 44]


def test_validation_scores_every_row_with_the_model(parts) -> None:
    trainer = Trainer(new_model(), parts, SCHEDULE)
    whole, clicks = next(parts["validation"].batches(50))
    log_odds = trainer.model(whole).detach()
    found = Engine().validate(trainer.model, parts["validation"], changed(batch_size=20))
    probabilities = torch.sigmoid(log_odds).numpy()
    assert found["valid_auc"] == pytest.approx(metrics.auc(clicks.numpy(), probabilities), rel=1e-12)
    assert found["valid_logloss"] == pytest.approx(metrics.logloss(clicks.numpy(), probabilities), rel=1e-6)
    assert engine.probabilities_of(trainer.model, parts["validation"]) == pytest.approx(probabilities, rel=1e-6)
    assert engine.hidden_of(trainer.model, parts["validation"]).shape == (50, 4)


@pytest.mark.parametrize("engine_class", [Engine, CudaGraph])
@pytest.mark.parametrize("loss", ["bce", "batch_softmax"])
def test_validation_loss_is_that_of_shuffled_batches(parts, loss: str, engine_class: type[Engine]) -> None:
    """Rows in another order give another loss, but the same AUC and LogLoss to the bit."""
    model, validation = Trainer(new_model(), parts, SCHEDULE).model, parts["validation"]
    whole, clicks = next(validation.batches(50))
    log_odds = model(whole).detach()
    found = {}
    for seed in (3, 4):
        schedule = changed(batch_size=20, loss=loss, seed=seed)
        found[seed] = engine_class().validate(model, validation, schedule)
        order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,))).permutation(50)
        shuffled = log_odds[order].split(20), clicks[order].split(20)
        losses = [loss_by_formula(loss, *batch).item() for batch in zip(*shuffled, strict=True)]
        assert found[seed]["valid_loss"] == pytest.approx(sum(losses) / 3, rel=1e-5)
        assert engine_class().validate(model, validation, schedule) == found[seed]
    assert found[3]["valid_loss"] != pytest.approx(found[4]["valid_loss"], rel=1e-4)
    assert found[3]["valid_auc"] == found[4]["valid_auc"] == metrics.tensor_auc(clicks, torch.sigmoid(log_odds)).item()
    assert found[3]["valid_logloss"] == found[4]["valid_logloss"]


def test_validation_rows_have_the_same_order_in_every_epoch_and_attempt(parts, monkeypatch) -> None:
    """A model that learns nothing has one validation loss, whatever is undone."""
    trainer = Trainer(new_model(), parts, changed(loss="batch_softmax", batch_size=20, learning_rate=1e-12))
    monkeypatch.setattr(engine.metrics, "tensor_auc", lambda *_: torch.tensor(0.4).double())
    trainer._start = lambda attempt: None
    trainer.run()
    assert [entry["attempts"] for entry in trainer.progress.history] == [5] * 4
    first, *others = (entry["valid_loss"] for entry in trainer.progress.history)
    assert others == pytest.approx([first] * 3, rel=1e-6)
