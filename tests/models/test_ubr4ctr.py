"""UBR4CTR against its equations in float64, and what it retrieves against a search of every user's archive."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attention_rows import (
    ITEMS,
    auc_after_training,
    batch_of,
    differs,
    fields_of,
    known,
    log_odds,
    new,
    padding_changes_nothing,
    row_fields,
    strong,
)
from mma4ctr.cli import UserError
from mma4ctr.models import registry
from mma4ctr.models.contract import Batch, Model
from mma4ctr.models.ubr4ctr import best_places, opened

SMALL = {"embedding": 4, "retrieved": 3, "selection": (5, 3), "hidden": (8, 6), "dropout": 0.0, "normalised": False}


def probabilities(model: Model, fields: torch.Tensor) -> torch.Tensor:
    """Return the probability of each field (fields,) of one row (fields, 4), head by head."""
    layer = model.selection
    spread = ((fields - fields.mean(1, keepdim=True)) ** 2).mean(1, keepdim=True) + 1e-5
    given = (fields - fields.mean(1, keepdim=True)) / spread.sqrt() * layer.normalise.weight + layer.normalise.bias
    query, key, value = (given @ layer.attention.in_proj_weight.T + layer.attention.in_proj_bias).split(4, dim=1)
    heads = []
    for head in (slice(0, 2), slice(2, 4)):
        scores = query[:, head] @ key[:, head].T / 2**0.5
        heads.append(torch.exp(scores) / torch.exp(scores).sum(1, keepdim=True) @ value[:, head])
    joined = layer.attention.out_proj
    values = given + torch.cat(heads, dim=1) @ joined.weight.T + joined.bias
    for one in (layer.tower.layers[0], layer.tower.layers[2]):
        values = torch.clamp(values @ one.weight.T + one.bias, min=0)
    return 1 / (1 + torch.exp(-(values @ layer.score.weight[0] + layer.score.bias)))


def cosine(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return one @ other / (one @ one).sqrt() / (other @ other).sqrt()


@torch.no_grad()
def searched(model: Model, batch: Batch, row: int) -> tuple[torch.Tensor, list[tuple[float, torch.Tensor]]]:
    """Return the target of one row, and (match, fields) of the clicks that are to be retrieved, best first."""
    candidate = fields_of(model, batch, int(batch.item[row]))
    target = torch.cat([row_fields(model, batch, row), candidate])
    gates = (probabilities(model, target) >= 0.5)[3:]
    archive = []
    for place, item in enumerate(known(batch.history[row])):
        fields = fields_of(model, batch, item)
        match = sum(cosine(candidate[k], fields[k]) for k in range(3) if gates[k]) + torch.zeros((), dtype=fields.dtype)
        archive.append((match, place, fields.flatten()))
    archive.sort(key=lambda one: (-float(one[0]), -one[1]))
    return target.flatten(), [(match, fields) for match, _, fields in archive[:3]]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_follows_the_equations(seed: int) -> None:
    model, batch = strong("ubr4ctr", seed, **SMALL), batch_of()
    selection, gates = model.selection, []
    selection.tower.layers[0].weight.data *= 4
    selection.score.register_forward_hook(lambda layer, given, found: gates.append(found[:, -3:]))
    model(batch)
    with torch.no_grad():
        selection.score.bias -= gates[0].median()  # half of the gates are open
    found = model(batch)
    rows = (gates[1] > 0).squeeze(2).tolist()
    assert len({tuple(row) for row in rows}) > 2  # other ones in other rows
    for row in range(len(found)):
        target, clicks = searched(model, batch, row)
        interest = torch.zeros(12, dtype=torch.float64)
        if clicks:
            query = model.query.weight @ target + model.query.bias
            weights = [torch.exp(match + query @ fields) for match, fields in clicks]
            interest = sum(w / sum(weights) * fields for w, (_, fields) in zip(weights, clicks, strict=True))
        torch.testing.assert_close(found[row], log_odds(model, torch.cat([target, interest])), atol=1e-8, rtol=1e-8)


@given(
    arrays(np.int64, (4, 9), elements=st.integers(-2, 2)), arrays(np.int64, 4, elements=st.integers(0, 9)),
    st.integers(1, 12),
)  # fmt: skip
def test_the_best_are_those_of_a_search_user_by_user(scores: np.ndarray, lengths: np.ndarray, number: int) -> None:
    present = np.arange(9) >= 9 - lengths[:, None]
    found = best_places(torch.from_numpy(scores).float(), torch.from_numpy(present), number)
    assert found.shape == (4, min(number, 9))
    for row in range(4):
        order = sorted(np.flatnonzero(present[row]), key=lambda place: (-scores[row, place], -place))
        places = found[row].tolist()
        assert places[: len(order)] == order[:number]
        assert len(set(places)) == len(places)


def test_gates_are_open_or_closed_and_pass_gradients_on() -> None:
    given = torch.tensor([0.1, 0.4999, 0.5, 0.9], requires_grad=True)
    gates = opened(given)
    assert gates.tolist() == [0, 0, 1, 1]
    (gates * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert given.grad.tolist() == [1, 2, 3, 4]
    model = strong("ubr4ctr", **SMALL)
    model(batch_of()).sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in model.selection.score.parameters())
    assert model.rows.users.weight.grad.abs().max() > 0


@pytest.mark.parametrize("field", ["none", "all"])
def test_without_an_open_gate_the_most_recent_are_retrieved(field: str) -> None:
    model, batch = strong("ubr4ctr", **SMALL), batch_of((6, 6, 6, 6))
    with torch.no_grad():
        model.selection.score.bias.fill_(-1e3 if field == "none" else 1e3)
    assert set(model.gates(torch.randn(5, 24, dtype=torch.float64)).flatten().tolist()) == {float(field == "all")}
    earlier = batch.history.clone()
    earlier[:, :3] = torch.randint(0, ITEMS, (4, 3), generator=torch.Generator().manual_seed(7))
    assert torch.equal(model(batch), model(batch._replace(history=earlier))) == (field == "none")


def test_padding_changes_nothing() -> None:
    padding_changes_nothing(strong("ubr4ctr", **SMALL).eval())
    padding_changes_nothing(strong("ubr4ctr", **SMALL | {"normalised": True}))


def test_every_input_counts() -> None:
    model, batch = strong("ubr4ctr", **SMALL | {"retrieved": 6}), batch_of((6, 5, 4, 3, 2))
    other = batch.history.clone()
    other[:, -1] = (other[:, -1] + 1) % ITEMS
    assert differs(model, batch, history=other)
    assert differs(model, batch, item=(batch.item + 1) % ITEMS)
    assert differs(model, batch, user=(batch.user + 1) % 4)
    assert differs(model, batch, context=1 - batch.context.clamp(max=1))
    assert differs(model, batch, item_content=batch.item_content * torch.tensor([1, 2, 1, -1, 1]))


@pytest.mark.parametrize("left_out", ["ids", "contents"])
def test_ids_and_contents_may_be_left_out(left_out: str) -> None:
    model, batch = strong("ubr4ctr", **SMALL, **{left_out: False}), batch_of()
    assert torch.isfinite(model(batch)).all()
    assert model.items.number == (2 if left_out == "ids" else 1)
    other = batch._replace(item_content=batch.item_content + (torch.arange(ITEMS + 1) < ITEMS)[:, None])
    assert torch.equal(model(batch), model(other)) == (left_out == "contents")


def test_what_the_history_says_is_learnt() -> None:
    assert auc_after_training(new("ubr4ctr", hidden=(32, 16), retrieved=4), "history", 40) > 0.75


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retrieved": 0}, "retrieved is 0, expected 1 or more"),
        ({"heads": 3}, "embedding is 16, expected a multiple of the 3 heads"),
        ({"selection": ()}, r"selection is \(\), expected widths of 1 or more"),
    ],
)
def test_bad_settings_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        registry.load("ubr4ctr").Config(**options)
