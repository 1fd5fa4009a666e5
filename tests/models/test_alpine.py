"""ALPINE against a loop in NumPy over its equations; its edges, and what its scores must and must not depend on."""

from __future__ import annotations

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
from mma4ctr.models.parts.temporal_graph import GraphLSTM, edges_of
from sequence_rows import ITEMS, LENGTH, USERS, batch_of, new, strong

WIDTH = 8
CLICKED, UNCLICKED = (0, 1, 2, 6, 4, 6, 3, 0), (3, 0, 6, 6, 1, 2, 0, 0)
every_way = pytest.mark.parametrize("options", [{}, {"edges": 3}, {"ids": True}, {"ids": True, "contents": False}])


def alpine(**options: object) -> Model:
    """Return a small ALPINE with strong weights, in float64."""
    return strong(new("alpine", **{"dropout": 0.0, **options})).double()


def rows_of(clicked: tuple[int, ...] = CLICKED, unclicked: tuple[int, ...] = UNCLICKED, length: int = LENGTH) -> Batch:
    """Return rows with both histories, in float64; in row 3 an item comes again and again."""
    batch = batch_of(clicked, length)
    history = batch.history.clone()
    if len(clicked) > 3:
        history[3] = torch.tensor([5, 7, 5, 2, 5, 5])
    return batch._replace(
        history=history, unclicked=batch_of(unclicked, length, 1).history, item_content=batch.item_content.double()
    )


def padded(batch: Batch, clicked: int = 3, unclicked: int = 1) -> Batch:
    """Return the batch with so many more empty places in front of its histories."""
    return batch._replace(history=functional.pad(batch.history, (clicked, 0), value=ITEMS),
                          unclicked=functional.pad(batch.unclicked, (unclicked, 0), value=ITEMS))  # fmt: skip


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def linked_to(values: np.ndarray, place: int, number: int) -> list[int]:
    """Return the earlier places that the item at a place is linked to, the most similar first."""
    norms = np.linalg.norm(values, axis=1)
    found = {other: values[other] @ values[place] / (norms[other] * norms[place]) for other in range(place - 1)}
    return sorted(found, key=lambda other: (-round(found[other], 6), -other))[:number]


def graph_lstm(weights: dict[str, np.ndarray], items: np.ndarray, values: np.ndarray, number: int) -> np.ndarray:
    """Return the states (items, width) of one row, an item at a time."""
    width = items.shape[1]
    states, left = np.zeros((len(items), width)), np.zeros((len(items), width))
    memory = np.zeros(width)
    for place, item in enumerate(items):
        before = states[place - 1] if place else np.zeros(width)
        others = linked_to(values, place, number)
        state_of_others = states[others].mean(0) if others else np.zeros(width)
        memory_of_others = left[others].mean(0) if others else np.zeros(width)
        given = weights["of_item.weight"] @ item + weights["of_item.bias"]
        outputs = []
        for part, known, kept in (
            (given[: 4 * width], weights["of_state.weight"] @ before, memory),
            (given[4 * width :], weights["of_linked.weight"] @ state_of_others, memory_of_others),
        ):
            enter, keep, leave, fresh = np.split(part + known, 4)
            kept = sigmoid(keep) * kept + sigmoid(enter) * np.tanh(fresh)
            outputs.append((kept, sigmoid(leave) * np.tanh(kept)))
        (memory, of_chain), (left[place], of_links) = outputs
        states[place] = of_chain + of_links
    return states


@every_way
@torch.inference_mode()
def test_scores_follow_the_equations(options: dict) -> None:
    model, batch = alpine(**options).eval(), rows_of()
    scores = model(batch).numpy()
    for row, score in enumerate(scores):
        candidate, clicked, unclicked = (one.numpy() for one in model.items(
            batch, batch.item[row], batch.history[row][batch.history[row] != ITEMS],
            batch.unclicked[row][batch.unclicked[row] != ITEMS]))  # fmt: skip
        odds = float(model.output.bias)
        found = []
        for network, items, history in (
            (model.clicked, clicked, batch.history),
            (model.unclicked, unclicked, batch.unclicked),
        ):
            values = (
                items if options.get("contents") is False else batch.item_content[history[row]].numpy()[-len(items) :]
            )
            weights = {name: value.numpy() for name, value in network.states.state_dict().items()}
            states = graph_lstm(weights, items, values, options.get("edges", 1))
            raised = np.exp(states @ candidate / WIDTH**0.5)
            found.append(raised @ states / raised.sum() if len(items) else np.zeros(WIDTH))
        found.append(model.users.weight[batch.user[row]].numpy())
        outputs = np.split(model.output.weight[0].numpy(), 3)
        for share, one, tower, output in zip((0.58, 0.18, 0.24), found, model.towers, outputs, strict=True):
            hidden = np.concatenate([one, candidate])
            for layer in tower.layers:
                if isinstance(layer, torch.nn.Linear):
                    hidden = np.maximum(layer.weight.numpy() @ hidden + layer.bias.numpy(), 0)
            odds += share * output @ hidden
        np.testing.assert_allclose(score, odds, atol=1e-10)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 10), st.booleans())
@settings(max_examples=40, deadline=None)
def test_edges_go_to_the_most_similar_items_before_the_one_before(
    seed: int, length: int, number: int, is_repeated: bool
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(3, length, 4))
    if is_repeated:  # of another length, which is the same similarity but for its last digits
        values = values[:, rng.integers(0, length, length)] * rng.uniform(0.5, 2, (length, 1))
    edges = edges_of(torch.from_numpy(values), number).numpy()
    assert edges.shape == (3, length, min(number, length))
    assert (edges <= np.maximum(np.arange(length) - 2, -1)[:, None]).all()
    for row in range(3):
        for place in range(length):
            assert edges[row, place][edges[row, place] >= 0].tolist() == linked_to(values[row], place, number)


def test_states_reach_back_along_edges_and_to_nothing_later() -> None:
    torch.manual_seed(0)
    network, items = GraphLSTM(WIDTH).double(), torch.randn(1, 6, WIDTH, dtype=torch.float64, requires_grad=True)
    edges = torch.tensor([-1, -1, 0, -1, 1, 2]).view(1, 6, 1)
    none = torch.full_like(edges, -1)
    with torch.no_grad():
        network.of_state.weight.zero_()  # the chain then carries its memory alone, which the forget gate lets go
        network.of_item.bias[WIDTH : 2 * WIDTH] = -1e3
    for found, expected in ((edges, [{0}, {1}, {0, 2}, {3}, {1, 4}, {0, 2, 5}]), (none, [{k} for k in range(6)])):
        states = network(items, found)
        for place in range(6):
            (gradient,) = torch.autograd.grad(states[0, place].sum(), items, retain_graph=True)
            assert set(gradient[0].abs().sum(1).nonzero().squeeze(1).tolist()) == expected[place]


@every_way
@pytest.mark.parametrize("is_training", [False, True])
def test_padding_changes_nothing(options: dict, is_training: bool) -> None:
    model, found = alpine(**options).train(is_training), []
    for batch in (rows_of(), padded(rows_of())):
        model.zero_grad()
        scores = model(batch)
        scores.sum().backward()
        found.append([scores, *(parameter.grad for parameter in model.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-8)


@every_way
@torch.inference_mode()
def test_what_a_score_depends_on(options: dict) -> None:
    model, batch = alpine(**options).eval(), rows_of((6, 5, 4), (4, 5, 6))
    before = model(batch)

    def changed(**changes: torch.Tensor) -> bool:
        return bool(((model(batch._replace(**changes)) - before).abs() > 1e-7).all())

    def another(history: torch.Tensor) -> torch.Tensor:
        return torch.cat((history[:, :-1], (history[:, -1:] + 1) % ITEMS), dim=1)

    assert changed(item=(batch.item + 1) % ITEMS) and changed(user=(batch.user + 1) % USERS)
    assert changed(history=another(batch.history)) and changed(unclicked=another(batch.unclicked))
    assert changed(history=batch.unclicked, unclicked=batch.history)
    assert changed(item_content=2 * batch.item_content) == options.get("contents", True)
    alone = Batch(**{name: getattr(batch, name)[:1] for name in ("user", "item", "history", "unclicked")},
                  item_content=batch.item_content)  # fmt: skip
    torch.testing.assert_close(model(alone), before[:1])


@torch.inference_mode()
def test_each_share_is_that_of_its_part() -> None:
    batch = rows_of((6, 5, 4), (4, 5, 6))
    others = {"interest": {"history": batch.unclicked}, "uninterest": {"unclicked": batch.history},
              "levels": {"user": (batch.user + 1) % USERS}}  # fmt: skip
    for name in others:
        model = alpine(**{name: 0.0}).eval()
        for part, change in others.items():
            assert torch.equal(model(batch._replace(**change)), model(batch)) == (part == name)


@torch.inference_mode()
def test_edges_are_the_same_a_few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = alpine(edges=2).eval(), rows_of()
    whole = model(batch)
    monkeypatch.setattr("mma4ctr.models.alpine.COMPARED", 3 * LENGTH**2)
    assert torch.equal(model(batch), whole)


def test_an_empty_history_trains() -> None:
    for lengths in ((0, 0, 0), (0,), (1, 0)):
        model = new("alpine")
        scores = model(batch_of(lengths)._replace(unclicked=batch_of(lengths[::-1], seed=1).history))
        scores.sum().backward()
        assert all(torch.isfinite(found).all() for found in (scores, *(one.grad for one in model.parameters())))


def test_wrong_settings_are_refused() -> None:
    for options, message in (
        ({"edges": 0}, "edges is 0, expected 1 or more"), ({"interest": -0.5}, "interest is -0.5, expected 0 or more"),
        ({"hidden": ()}, "hidden is"), ({"history_length": 0}, "history_length is 0"),
        ({"embedding": 0}, "embedding is 0"), ({"contents": False}, "nothing of an item is left"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=message):
            new("alpine", **options)
    config = registry.load("alpine").Config()
    assert (config.embedding, config.history_length, config.hidden, config.edges) == (32, 20, (128,), 1)


@pytest.mark.parametrize("name", ["history", "unclicked"])
def test_what_either_history_says_of_the_candidate_is_learnt(name: str) -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    batch = batch_of((LENGTH,) * 656)
    kind = torch.randint(0, 2, (656, 1), generator=generator)
    told = 2 * torch.randint(0, ITEMS // 2, (656, LENGTH), generator=generator) + kind
    batch = batch._replace(unclicked=batch_of((LENGTH,) * 656, seed=1).history)._replace(**{name: told})
    clicks = ((batch.item % 2 == kind[:, 0]) == (name == "history")).float()
    learnt, tested = (
        batch._replace(**{one: getattr(batch, one)[part] for one in ("user", "item", "history", "unclicked")})
        for part in (slice(256), slice(256, None))
    )
    model = new("alpine", ids=True)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(20):
        optimiser.zero_grad()
        functional.binary_cross_entropy_with_logits(model(learnt), clicks[:256]).backward()
        optimiser.step()
    with torch.inference_mode():
        assert metrics.auc(clicks[256:].numpy(), model.eval()(tested).numpy()) > 0.75
