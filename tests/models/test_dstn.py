"""DSTN against its equations, one row and one item at a time in float64."""

from __future__ import annotations

import pytest
import torch

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

SMALL = {"embedding": 4, "attention": 5, "hidden": (8, 6), "dropout": 0.0}
every_variant = pytest.mark.parametrize("variant", ["pooling", "self", "interactive"])


def weighted_sum(model: Model, variant: str, side: str, target: torch.Tensor, items: list) -> torch.Tensor:
    """Return the sum of a row's items by the paper's equations, one item after another."""
    if not items:
        return torch.zeros(12, dtype=torch.float64)
    if variant == "pooling":
        return sum(items)
    weights = getattr(model, side).weights
    scores = []
    for item in items:
        joined = torch.cat([target, item]) if variant == "interactive" else item
        hidden = torch.clamp(weights.joined.weight @ joined + weights.joined.bias, min=0)
        scores.append(torch.exp(weights.score.weight[0] @ hidden + weights.score.bias[0]))
    total = sum(scores) if variant == "self" else 1
    return sum(score / total * item for score, item in zip(scores, items, strict=True))


@every_variant
def test_it_follows_the_equations(variant: str) -> None:
    model, batch = strong("dstn", variant=variant, **SMALL), batch_of()
    found = model(batch)
    for row, item in enumerate(batch.item.tolist()):
        target = torch.cat([row_fields(model, batch, row), fields_of(model, batch, item)]).flatten()
        sums = [
            weighted_sum(model, variant, side, target, [fields_of(model, batch, one).flatten() for one in known(items)])
            for side, items in (("clicked", batch.history[row]), ("unclicked", batch.unclicked[row]))
        ]
        torch.testing.assert_close(found[row], log_odds(model, torch.cat([target, *sums])), atol=1e-9, rtol=1e-9)


@every_variant
def test_padding_changes_nothing(variant: str) -> None:
    padding_changes_nothing(strong("dstn", variant=variant, **SMALL).eval())
    padding_changes_nothing(strong("dstn", variant=variant, **SMALL))


@every_variant
def test_every_input_counts(variant: str) -> None:
    model, batch = strong("dstn", variant=variant, **SMALL), batch_of((6, 5, 4, 3, 2))
    for side in ("history", "unclicked"):
        other = getattr(batch, side).clone()
        other[:, -1] = (other[:, -1] + 1) % ITEMS
        assert differs(model, batch, **{side: other})
    assert differs(model, batch, history=batch.unclicked, unclicked=batch.history)  # which one is which matters
    assert differs(model, batch, item=(batch.item + 1) % ITEMS)
    assert differs(model, batch, user=(batch.user + 1) % 4)
    assert differs(model, batch, context=1 - batch.context.clamp(max=1))
    assert differs(model, batch, item_content=2 * batch.item_content)


def test_only_the_interactive_weights_know_the_candidate() -> None:
    batch = batch_of((6, 5))
    others = torch.arange(ITEMS).expand(2, -1)

    def weights(variant: str) -> torch.Tensor:
        model = strong("dstn", variant=variant, **SMALL)
        rows: list[torch.Tensor] = []
        model.clicked.register_forward_hook(lambda layer, given, found: rows.append(found))
        for item in others.T:
            model(batch._replace(item=item))
        return torch.stack(rows)

    for variant in ("pooling", "self"):
        assert torch.equal(weights(variant)[1:], weights(variant)[:-1])
    interactive = weights("interactive")
    assert (interactive[0] - interactive[1]).abs().max() > 1e-3
    assert (interactive.sum(2) - 1).abs().min() > 1e-3  # not normalised


def test_ids_and_contents_may_be_left_out() -> None:
    batch = batch_of()
    by_id = strong("dstn", contents=False, **SMALL)
    assert torch.equal(by_id(batch), by_id(batch._replace(item_content=3 * batch.item_content)))
    by_content = strong("dstn", ids=False, **SMALL)
    alike = batch._replace(item_content=batch.item_content[:1] * (torch.arange(ITEMS + 1) < ITEMS)[:, None])
    assert torch.equal(by_content(alike), by_content(alike._replace(item=torch.zeros_like(batch.item))))
    with pytest.raises(UserError, match="nothing of an item is left"):
        new("dstn", ids=False, contents=False)


@pytest.mark.parametrize("side", ["history", "unclicked"])
def test_what_either_history_says_is_learnt(side: str) -> None:
    assert auc_after_training(new("dstn", hidden=(32, 16), attention=16, dropout=0.1), side) > 0.75


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "gated"}, "variant is 'gated', expected one of pooling, self, interactive"),
        ({"attention": 0}, "attention is 0, expected 1 or more"),
        ({"dropout": 1.0}, "dropout is 1, expected a share from 0 to below 1"),
    ],
)
def test_bad_settings_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        registry.load("dstn").Config(**options)


def test_items_looked_up_first_or_projected_first_are_the_same() -> None:
    model, batch = strong("dstn", **SMALL), batch_of()
    few = Batch(item_content=batch.item_content)
    places = batch.history[3:4]  # fewer places than items
    many, _ = model.items(few, places, batch.history)
    torch.testing.assert_close(model.items(few, places)[0], many)
