"""MIMN against a loop in NumPy over its equations, and what its memory must and must not depend on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.evaluation import metrics
from mma4ctr.models import registry
from mma4ctr.models.contract import Batch, Model
from mma4ctr.models.parts.memory import KEPT, Transfer, addressing, utilisation_loss
from sequence_rows import ITEMS, LENGTH, LENGTHS, batch_of, new, padded, strong, summaries

SLOTS, WIDTH, UNITS = 4, 8, 5
WAYS = [{}, {"channels": 0}, {"channels": 3}, {"utilisation": 0.0}, {"memory_slots": 1}]
every_way = pytest.mark.parametrize("options", WAYS)


def mimn(**options: object) -> Model:
    """Return a small MIMN with strong weights, in float64."""
    return strong(new("mimn", units=UNITS, attention=(6, 4), dropout=0.0, **options)).double()


def in_float64(batch: Batch) -> Batch:
    return batch._replace(item_content=batch.item_content.double())


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def softmax(values: np.ndarray) -> np.ndarray:
    raised = np.exp(values - values.max())
    return raised / raised.sum()


def gru(
    weights: Mapping[str, np.ndarray], names: tuple[str, ...], inputs: list[np.ndarray], state: np.ndarray
) -> np.ndarray:
    """Return the next state of a GRU: `names` are the weights of each input, then those of the state."""
    *of_inputs, of_state = names
    given = sum(weights[f"{name}.weight"] @ one for name, one in zip(of_inputs, inputs, strict=True))
    given = given + weights[f"{of_inputs[0]}.bias"]
    known = weights[f"{of_state}.weight"] @ state + weights[f"{of_state}.bias"]
    reset, update, fresh = np.split(given, 3)
    of_reset, of_update, of_fresh = np.split(known, 3)
    update = sigmoid(update + of_update)
    return (1 - update) * np.tanh(fresh + sigmoid(reset + of_reset) * of_fresh) + update * state


class Loop:
    """The memory of one row, an item at a time, without padding."""

    def __init__(self, model: Model, channels: int, balanced: bool) -> None:
        self.weights = {name: value.numpy() for name, value in model.centre.state_dict().items()}
        self.memory = np.tanh(self.weights["start.memory"])
        self.slots, self.width = self.memory.shape
        self.controller, self.read = np.zeros(UNITS), np.zeros(self.width)
        self.written, self.states = np.zeros(self.slots), np.zeros((self.slots, UNITS))
        self.channels, self.balanced = channels, balanced

    def asked(self, item: np.ndarray) -> tuple[np.ndarray, ...]:
        controller = gru(self.weights, ("of_item", "of_read", "of_controller"), [item, self.read], self.controller)
        found = self.weights["heads.weight"] @ controller + self.weights["heads.bias"]
        parts = np.split(found, np.cumsum([self.width, self.width, 1, 1, self.width]))
        looks = []
        for key, strength in ((np.tanh(parts[0]), parts[2]), (np.tanh(parts[1]), parts[3])):
            alike = [key @ slot / np.linalg.norm(key) / np.linalg.norm(slot) for slot in self.memory]
            looks.append(softmax((1 + np.log1p(np.exp(strength))) * np.array(alike)))
        return controller, *looks, sigmoid(parts[4]), np.tanh(parts[5])

    def take(self, item: np.ndarray) -> None:
        controller, reading, writing, erase, add = self.asked(item)
        if self.balanced:
            raw = self.weights["transfer.weight"] @ (self.written / LENGTH) + self.weights["transfer.bias"]
            writing = sum(
                weight * softmax(row) for weight, row in zip(writing, raw.reshape(self.slots, -1), strict=True)
            )
        names = ("channel_of_item", "channel_of_memory", "channel_of_state")
        for slot in np.argsort(-reading)[: self.channels]:
            self.states[slot] = gru(self.weights, names, [item, self.memory[slot]], self.states[slot])
        self.read = sum(weight * slot for weight, slot in zip(reading, self.memory, strict=True))
        self.memory = np.array([slot * (1 - weight * erase) + weight * add
                                for weight, slot in zip(writing, self.memory, strict=True)])  # fmt: skip
        self.controller, self.written = controller, self.written + writing


def loop_over(model: Model, items: torch.Tensor, options: Mapping[str, object]) -> Loop:
    loop = Loop(model, options.get("channels", 1), options.get("utilisation", 1.0) > 0)
    for item in items.numpy():
        loop.take(item)
    return loop


def items_of(model: Model, batch: Batch, row: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a row's candidate (width,) and the items (items, width) of its history, without padding."""
    candidate, history = model.items(batch, batch.item[row], batch.history[row])
    return candidate, history[batch.history[row] != ITEMS]


def states_of(model: Model, batch: Batch) -> object:
    _, history = model.items(batch, batch.item, batch.history)
    return model.centre(history, model.items.present(batch.history))


@every_way
@torch.inference_mode()
def test_the_memory_follows_its_equations(options: dict) -> None:
    model, batch = mimn(**options).eval(), in_float64(batch_of())
    state, summary = states_of(model, batch), summaries(model, batch)
    for row in range(len(LENGTHS)):
        candidate, items = items_of(model, batch, row)
        loop = loop_over(model, items, options)
        for name in ("memory", "controller", "read", "written"):
            np.testing.assert_allclose(getattr(state, name)[row], getattr(loop, name), atol=1e-11)
        np.testing.assert_allclose(state.channels[row], loop.states, atol=1e-11)
        controller, reading, *_ = loop.asked(candidate.numpy())
        expected = [items.numpy().sum(0), controller, reading @ loop.memory]
        if loop.channels:
            keys = model.of_channel(torch.from_numpy(loop.states))
            scores = model.unit(candidate.expand(1, -1), keys.unsqueeze(0), torch.ones(1, loop.slots, dtype=torch.bool))
            expected.append(softmax(WIDTH**-0.5 * scores[0].numpy()) @ keys.numpy())
        np.testing.assert_allclose(summary[row], np.concatenate(expected), atol=1e-11)


@every_way
def test_padding_leaves_memory_and_states_exactly_as_they_started(options: dict) -> None:
    model, batch = mimn(**options), in_float64(batch_of((0, 0)))
    started, state = model.centre.begin(batch.item_content[:2]), states_of(model, batch)
    assert all(torch.equal(one, other) for one, other in zip(started, state, strict=True))


@every_way
@pytest.mark.parametrize("is_training", [False, True])
def test_padding_changes_nothing(options: dict, is_training: bool) -> None:
    model, found = mimn(**options).train(is_training), []
    for batch in (in_float64(batch_of()), padded(in_float64(batch_of()))):
        model.zero_grad()
        scores, penalty = model(batch), model.penalty()
        (scores.sum() + (penalty or 0)).backward()
        assert (penalty is not None) == (is_training and options.get("utilisation", 1) > 0)
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        found.append([scores, penalty if penalty is not None else scores.new_zeros(()), *gradients])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-8)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
@settings(max_examples=25, deadline=None)
def test_weights_sum_to_1_before_and_after_the_transfer(seed: int, size: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    memory, keys, strengths = (size * torch.randn(shape, generator=generator, dtype=torch.float64)
                               for shape in ((3, SLOTS, WIDTH), (3, 2, WIDTH), (3, 2, 1)))  # fmt: skip
    weights = addressing(memory, keys, strengths.abs())
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(2), torch.ones(3, 2, dtype=torch.float64))
    transfer = Transfer(SLOTS).double()
    torch.nn.init.normal_(transfer.weight, generator=generator)
    spread = transfer(weights[:, 1], torch.rand(3, SLOTS, generator=generator, dtype=torch.float64))
    torch.testing.assert_close(spread.sum(1), torch.ones(3, dtype=torch.float64))


def test_the_transfer_starts_by_keeping_weights_where_they_are() -> None:
    model = new("mimn", units=UNITS)
    kept = model.centre.transfer(torch.eye(SLOTS), torch.zeros(SLOTS, SLOTS))
    torch.testing.assert_close(kept.diagonal(), torch.full((SLOTS,), float(np.exp(KEPT) / (np.exp(KEPT) + SLOTS - 1))))


def test_the_penalty_is_how_unevenly_slots_were_written() -> None:
    written = torch.tensor([[4.0, 0, 0, 0], [3, 3, 3, 3]])
    assert float(utilisation_loss(written)) == pytest.approx((9 + 1 + 1 + 1 + 0) / 2)
    model, batch = mimn(utilisation=0.5).train(), in_float64(batch_of())
    model(batch)
    expected = 0.5 * utilisation_loss(states_of(model, batch).written)
    torch.testing.assert_close(model.penalty(), expected)
    assert model.penalty() is None  # a batch is fined once
    model.eval()(batch)
    assert model.penalty() is None


def test_the_penalty_evens_out_what_is_written() -> None:
    model, batch = mimn(utilisation=1.0).train(), in_float64(batch_of((6,) * 8))
    optimiser, found = torch.optim.Adam(model.parameters(), lr=0.05), []
    for _ in range(12):
        optimiser.zero_grad()
        model(batch)
        penalty = model.penalty()
        penalty.backward()
        optimiser.step()
        found.append(float(penalty.detach()))
    assert found[-1] < 0.2 * found[0]


@every_way
@torch.inference_mode()
def test_what_a_score_depends_on(options: dict) -> None:
    model, batch = mimn(**options).eval(), in_float64(batch_of((6, 5, 4)))
    before = model(batch)
    turned = batch.history.clone()
    turned[:, -2:] = turned[:, -2:].flip(1)
    turned[:, -2:] = torch.where(turned[:, -2:-1] == turned[:, -1:], (turned[:, -2:] + 1) % ITEMS, turned[:, -2:])
    for other in ({"item": (batch.item + 1) % ITEMS}, {"history": turned}, {"item_content": 2 * batch.item_content}):
        assert ((model(batch._replace(**other)) - before).abs() > 1e-6).all()
    assert torch.equal(model(batch._replace(user=(batch.user + 1) % 4)), before)
    alone = batch._replace(item=batch.item[:1], history=batch.history[:1])
    torch.testing.assert_close(model(alone), before[:1])


def test_wrong_settings_are_refused() -> None:
    for options, message in (
        ({"channels": 5}, "channels is 5, expected 0 .none. to memory_slots, 4"),
        ({"memory_slots": 0}, "memory_slots is 0"),
        ({"utilisation": -1.0}, "utilisation is -1, expected 0 or more"), ({"units": 0}, "units is 0"),
        ({"attention": ()}, "attention is"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=message):
            new("mimn", **options)
    config = registry.load("mimn").Config()
    assert (config.embedding, config.memory_slots, config.units, config.hidden) == (16, 4, 32, (200, 80))


def test_what_the_history_says_of_the_candidate_is_learnt() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    kind = torch.randint(0, 2, (656, 1), generator=generator)
    history = 2 * torch.randint(0, ITEMS // 2, (656, LENGTH), generator=generator) + kind
    batch = batch_of((LENGTH,) * 656)._replace(history=history)
    clicks = (batch.item % 2 == kind[:, 0]).float()
    model = new("mimn")
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    learnt, tested = (batch._replace(item=batch.item[part], history=batch.history[part], user=batch.user[part])
                      for part in (slice(256), slice(256, None)))  # fmt: skip
    for _ in range(20):
        optimiser.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(model(learnt), clicks[:256])
        (loss + model.penalty()).backward()
        optimiser.step()
    with torch.inference_mode():
        assert metrics.auc(clicks[256:].numpy(), model.eval()(tested).numpy()) > 0.8
