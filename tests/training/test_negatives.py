"""Drawn negatives: each sampler against its definition, the estimate of frequencies, and the corrected loss."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.inputs.gather import Inputs
from mma4ctr.models.contract import Batch, Model, Sizes
from mma4ctr.models.parts.items import Items
from mma4ctr.schedule import NEGATIVES, OBSERVED, Schedule
from mma4ctr.training.batches import Batches, batches_of_parts
from mma4ctr.training.engine import probabilities_of
from mma4ctr.training.negatives import Frequencies, Sampled, corrected_softmax, others
from mma4ctr.training.trainer import Trainer
from small_problem import CPU, everything_of

DRAWN = [name for name in NEGATIVES if name != OBSERVED]
SCHEDULE = Schedule(epochs=3, batch_size=32, loss="bce", learning_rate=0.05, lr_change=False, interruption=False)


class Scorer(Model):
    """A bilinear model whose scores depend on user, item, history, content and context."""

    needs = frozenset({"user", "item", "item_content", "history", "context"})

    def __init__(self, config: object, sizes: Sizes, graph: None = None) -> None:
        super().__init__(config, sizes, graph)
        self.items, self.user = Items(sizes, 4), torch.nn.Embedding(sizes.users, 4)
        self.output = torch.nn.Linear(6, 1)

    def forward(self, batch: Batch) -> torch.Tensor:
        history, item = self.items(batch, batch.history, batch.item)
        features = torch.cat([self.user(batch.user) * item + history.sum(1), batch.context.float()], dim=1)
        return self.output(features).squeeze(1)


def sampled(negatives: str, **changes: object) -> tuple[Sampled, Inputs]:
    """Return the sampler of a small problem."""
    inputs, _ = everything_of(Scorer.needs, history_length=5)
    schedule = dataclasses.replace(SCHEDULE, negatives=negatives, **changes)
    model = Scorer(None, inputs.sizes)
    return Sampled(batches_of_parts(inputs, "clean", CPU)["training"], schedule, model, 0, 0), inputs


def test_other_places_are_even_and_never_ones_own() -> None:
    own = np.repeat(np.arange(5), 4000)
    drawn = others(np.random.default_rng(0), own, 3, 5)
    assert not (drawn == own).any()
    for place in range(5):
        counts = np.bincount(drawn[:, own == place].ravel(), minlength=5)
        expected = 3 * 4000 / 4
        assert counts[place] == 0
        assert (abs(np.delete(counts, place) - expected) < 5 * expected**0.5).all()


def test_frequencies_of_a_stream_are_found() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(50, 0.5)) * 0.9 + 0.1 / 50
    found = Frequencies(50)
    for _ in range(400):
        found.see(rng.choice(50, size=128, p=shares))
    np.testing.assert_allclose(np.exp(found.log_shares(np.arange(50))), shares, rtol=0.5)
    assert abs(np.log(np.exp(found.log_shares(np.arange(50))) / shares).mean()) < 0.1


def test_a_stream_that_drifts_is_followed() -> None:
    rng, found = np.random.default_rng(0), Frequencies(4)
    for shares in ([0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]):
        for _ in range(100):
            found.see(rng.choice(4, size=64, p=shares))
    np.testing.assert_allclose(np.exp(found.log_shares(np.arange(4))), shares, rtol=0.4)


def test_the_corrected_loss_is_that_over_all_items() -> None:
    """With known frequencies the mean of what is estimated is the sum over all other items of exp(score)."""
    rng = np.random.default_rng(0)
    scores, shares, own = rng.normal(size=6), np.array([0.4, 0.3, 0.1, 0.1, 0.05, 0.05]), 1
    drawn = rng.choice(6, size=(20, 20_000), p=shares)
    loss = [corrected_softmax(torch.from_numpy(np.vstack([scores[[own]], scores[one][:, None]])),
                              torch.from_numpy(np.log(shares[one])[:, None]), torch.from_numpy((one != own)[:, None]))
            for one in drawn.T[:4000]]  # fmt: skip
    others_of = np.exp(np.array([float(one) for one in loss]) + scores[own]) - np.exp(scores[own])
    expected = np.exp(np.delete(scores, own)).sum()
    assert abs(others_of.mean() - expected) < 4 * others_of.std() / len(others_of) ** 0.5
    uncorrected = np.mean([np.exp(scores[one])[one != own].sum() for one in drawn.T[:4000]]) / 20 * 6
    assert abs(uncorrected - expected) > 10 * others_of.std() / len(others_of) ** 0.5


def draws_of(negatives: str, epochs: int = 60, **changes: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what is drawn in many epochs: own items (n,), drawn ones (k, n), and how often each item is clicked."""
    own, drawn = [], []
    sampler, _ = sampled(negatives, **changes)
    for epoch in range(epochs):
        order = torch.from_numpy(np.random.default_rng(epoch).permutation(len(sampler)))
        for batch, clicks in sampler.batches(64, order):
            rows = int(clicks.sum())
            found = np.searchsorted(sampler.items, batch.item.numpy()).reshape(-1, rows)
            own.append(found[0])
            drawn.append(found[1:])
    return np.concatenate(own), np.hstack(drawn), np.bincount(sampler.own, minlength=len(sampler.items))


def assert_shares(drawn: np.ndarray, expected: np.ndarray) -> None:
    counts = np.bincount(drawn.ravel(), minlength=len(expected))
    deviation = (drawn.size * expected * (1 - expected)) ** 0.5
    assert (abs(counts - drawn.size * expected) < 5 * deviation + 1).all()


def test_random_ones_are_even() -> None:
    own, drawn, clicked = draws_of("random")
    items = len(clicked)
    expected = (1 - np.bincount(own, minlength=items) / len(own)) / (items - 1)
    assert_shares(drawn, expected)
    assert not (drawn == own).any()


def test_those_of_the_batch_come_as_often_as_they_are_clicked() -> None:
    _, drawn, clicked = draws_of("in_batch")
    assert_shares(drawn, clicked / clicked.sum())


def test_mixed_ones_come_from_both() -> None:
    _, drawn, clicked = draws_of("mixed", alpha=0.75, negatives_each=4)
    assert_shares(drawn[:3], clicked / clicked.sum())
    assert_shares(drawn[3:], np.full(len(clicked), 1 / len(clicked)))


def test_hard_ones_are_the_highest_of_their_pool() -> None:
    sampler, _ = sampled("hard", pool=10, negatives_each=3)
    twin, _ = sampled("hard", pool=10, negatives_each=3)
    twin.model.load_state_dict(sampler.model.state_dict())
    order = torch.arange(20)
    batch, _ = next(sampler.batches(20, order))
    pool = others(twin.rng, twin.own[:20], 10, len(twin.items))
    rows = torch.from_numpy(twin.clicked[:20])
    scores = sampler.model.eval()(twin.whole.with_items(rows, twin._indices(pool))).view(10, 20)
    for place in range(20):
        best = scores[:, place].argsort(descending=True)[:3].numpy()
        expected = sampler.items[pool[best, place]]
        assert batch.item.view(4, 20)[1:, place].tolist() == expected.tolist()


@pytest.mark.parametrize("negatives", DRAWN)
def test_a_drawn_row_is_its_click_with_another_item(negatives: str) -> None:
    sampler, inputs = sampled(negatives)
    batch, clicks = next(sampler.batches(16, torch.arange(16)))
    rows = sampler.whole.rows[sampler.clicked[:16]]
    assert clicks.view(5, 16).sum(1).tolist() == [16, 0, 0, 0, 0]
    assert batch.item[:16].tolist() == rows[:, 1].tolist()
    for name in ("user", "history", "context"):
        values = getattr(batch, name)
        assert all(torch.equal(values[:16], values[start : start + 16]) for start in range(16, 80, 16))
    assert set(batch.item.tolist()) <= set(inputs.task.part("training")[:, 1].tolist())


def test_context_of_the_item_changes_with_it_and_other_context_stays() -> None:
    inputs, _ = everything_of(Scorer.needs)
    author = (inputs.task.rows[:, 1] % 4).astype(np.int32)[:, None]
    context = dataclasses.replace(inputs.context, of_rows=author)
    rows = Batches(dataclasses.replace(inputs, context=context), "training", CPU)
    shown = torch.tensor([[3, 5, 6], [9, 2, 4]])
    batch = rows.with_items(torch.arange(3), shown)
    assert batch.context[:, 1].tolist() == (shown.reshape(-1) % 4).tolist()
    assert batch.context[:, 0].tolist() == 2 * rows.columns["context"][:3, 0].tolist()


@pytest.mark.parametrize("negatives", DRAWN)
def test_a_signal_is_learned_and_repeats_to_the_byte(negatives: str) -> None:
    found = []
    for _ in range(2):
        inputs, _ = everything_of(Scorer.needs, signal=4.0, rows=1500, history_length=5)
        schedule = dataclasses.replace(SCHEDULE, negatives=negatives, epochs=5, pool=3, negatives_each=2)
        parts = batches_of_parts(inputs, "clean", CPU)
        trainer = Trainer(Scorer(None, inputs.sizes), parts, schedule)
        found.append(probabilities_of(trainer.run(), parts["training"]))
    assert found[0].tobytes() == found[1].tobytes()
    sampler = Sampled(parts["training"], dataclasses.replace(schedule, negatives="random"), trainer.model, 9, 0)
    batch, clicks = next(sampler.batches(len(sampler), torch.arange(len(sampler))))
    with torch.no_grad():
        scores = trainer.model.eval()(batch)
    assert scores[clicks == 1].mean() > scores[clicks == 0].mean() + 0.005


def test_the_loss_of_drawn_rows_is_the_schedule_s() -> None:
    sampler, _ = sampled("random")
    _, clicks = next(sampler.batches(8, torch.arange(8)))
    log_odds = torch.randn(len(clicks))
    expected = functional.binary_cross_entropy_with_logits(log_odds, clicks)
    assert torch.equal(sampler.loss(log_odds, clicks), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"negatives": "some"}, "negatives is 'some', expected one of observed, random"),
        ({"negatives": "hard", "pool": 2}, "pool is 2, fewer than the 4 negatives"),
        ({"negatives": "mixed", "alpha": 1.5}, "alpha is 1.5, expected a share from 0 to 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Schedule(**changes)


def test_counts_of_drawn_items_are_refused() -> None:
    inputs, _ = everything_of({"user", "item", "counts"})
    schedule = dataclasses.replace(SCHEDULE, negatives="random")
    with pytest.raises(UserError, match="--negatives random: Scorer needs the counts of a row"):
        Sampled(Batches(inputs, "training", CPU), schedule, Scorer(None, Sizes(20, 30, 0, 6, 0, (3, 4))), 0, 0)
