"""THACIL against its equations, block by block and number by number in float64."""

from __future__ import annotations

import pytest
import torch

from attention_rows import (
    ITEMS,
    auc_after_training,
    batch_of,
    differs,
    known,
    log_odds,
    new,
    padded,
    padding_changes_nothing,
    row_of,
    strong,
)
from mma4ctr.cli import UserError
from mma4ctr.models import registry
from mma4ctr.models.contract import Batch, Model
from mma4ctr.models.thacil import VanillaAttention

SMALL = {"embedding": 4, "block_length": 2, "heads": 2, "hidden": (6,), "dropout": 0.0}


def softmax_sum(scores: list[torch.Tensor], values: list[torch.Tensor]) -> torch.Tensor:
    """Return the sum (width,) of values whose every number is weighted by the softmax of its own scores."""
    found = torch.zeros_like(values[0])
    for k in range(len(found)):
        weights = [torch.exp(score[k]) for score in scores]
        found[k] = sum(weight / sum(weights) * value[k] for weight, value in zip(weights, values, strict=True))
    return found


def vanilla(layer: VanillaAttention, values: list[torch.Tensor], queries: list[torch.Tensor]) -> torch.Tensor:
    scores = []
    for value, query in zip(values, queries, strict=True):
        hidden = layer.of_value.weight @ value + layer.of_value.bias + layer.of_query.weight @ query
        scores.append(layer.score.weight @ torch.clamp(hidden, min=0) + layer.score.bias)
    return softmax_sum(scores, values)


def seen_before(model: Model, blocks: list[torch.Tensor], place: int) -> torch.Tensor:
    """Return what a block sees of those before it, head by head."""
    layer, heads = model.among_blocks, []
    query = layer.query.weight @ blocks[place] + layer.query.bias
    for head in (slice(0, 4), slice(4, 8)):
        scores, values = [], []
        for block in blocks[:place]:
            joined = query[head] + (layer.key.weight @ block)[head]
            scores.append(layer.score.weight @ (5 * torch.tanh(joined / 5)))
            values.append((layer.value.weight @ block)[head])
        heads.append(softmax_sum(scores, values) if scores else torch.zeros(4, dtype=torch.float64))
    return torch.cat(heads)


@torch.no_grad()
def expected(model: Model, batch: Batch, row: int) -> torch.Tensor:
    """Return the log-odds of one row."""

    def levels(item: int) -> tuple[torch.Tensor, torch.Tensor]:
        return model.ids.ids.weight[item], model.contents.contents.weight @ batch.item_content[item]

    items, within = known(batch.history[row]), []
    first = len(items) % 2  # blocks are counted from the most recent click
    for block in ([items[:first]] if first else []) + [items[k : k + 2] for k in range(first, len(items), 2)]:
        ids, contents = ([levels(item)[level] for item in block] for level in (0, 1))
        within.append(torch.cat([vanilla(model.of_ids, ids, contents), vanilla(model.of_contents, contents, ids)]))
    candidate, states = torch.cat(levels(int(batch.item[row]))), []
    for place, block in enumerate(within):
        state = block + seen_before(model, within, place)
        spread = ((state - state.mean()) ** 2).mean() + 1e-5
        states.append((state - state.mean()) / spread.sqrt() * model.normalise.weight + model.normalise.bias)
    interest = torch.zeros_like(candidate)
    if states:
        interest = vanilla(model.of_candidate, states, [candidate] * len(states))
    return log_odds(model, torch.cat([interest, candidate]))


def test_it_follows_the_equations() -> None:
    model, batch = strong("thacil", **SMALL), batch_of()
    found = model(batch)
    for row in range(len(found)):
        torch.testing.assert_close(found[row], expected(model, batch, row), atol=1e-9, rtol=1e-9)


def test_a_block_sees_the_blocks_before_it_alone() -> None:
    layer = strong("thacil", **SMALL).among_blocks
    blocks = torch.randn(2, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    present = torch.tensor([[True] * 5, [False, False, True, True, True]])
    found = layer(blocks, present)
    assert not found[0, 0].any()
    assert not found[1, :3].any()
    for place in range(5):
        other = blocks.clone()
        other[:, place] += 1
        changed = (layer(other, present) - found).abs().amax(2) > 1e-9
        # Its own query counts, too, where there is more than one block to choose from.
        assert changed[0].tolist() == [k > place or (k == place and k > 1) for k in range(5)]
        assert changed[1].tolist() == [place >= 2 and (k > place or (k == place and k > 3)) for k in range(5)]


@pytest.mark.parametrize("block_length", [1, 2, 4, 10])
def test_padding_changes_nothing(block_length: int) -> None:
    options = SMALL | {"block_length": block_length}
    padding_changes_nothing(strong("thacil", **options).eval())
    padding_changes_nothing(strong("thacil", **options))


def test_blocks_are_counted_from_the_most_recent_click() -> None:
    model, batch = strong("thacil", **SMALL | {"block_length": 4}), padded(batch_of((6,)), 1)
    blocks = model.in_blocks(batch.history)
    assert blocks[0].tolist() == [[ITEMS, ITEMS, *known(batch.history[0])[:2]], known(batch.history[0])[2:]]
    turned = batch._replace(history=batch.history[:, [0, 2, 1, 6, 5, 4, 3]])
    torch.testing.assert_close(model(batch), model(turned))  # the order inside a block does not matter
    across = batch._replace(history=batch.history[:, [0, 1, 3, 2, 4, 5, 6]])
    assert differs(model, batch, history=across.history)


def test_every_input_counts() -> None:
    model, batch = strong("thacil", **SMALL), batch_of((6, 5, 4, 3, 2))
    for place in (-2, -1):
        other = batch.history.clone()
        other[:, place] = (other[:, place] + 1) % ITEMS
        assert differs(model, batch, history=other)
    assert differs(model, batch, item=(batch.item + 1) % ITEMS)
    assert differs(model, batch, item_content=2 * batch.item_content)
    assert torch.isfinite(model(row_of(batch_of((0,)), 0))).all()


def test_what_the_history_says_is_learnt() -> None:
    model = new("thacil", embedding=16, block_length=3, heads=2, hidden=(32,), dropout=0.1)
    assert auc_after_training(model, "history", 40) > 0.75
    assert model.schedule["weight_decay"] == 5e-5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block_length": 0}, "block_length is 0, expected 1 or more"),
        ({"heads": 7}, "embedding is 32, of which both levels together are 64: expected a multiple of the 7 heads"),
        ({"hidden": ()}, r"hidden is \(\), expected widths of 1 or more"),
    ],
)
def test_bad_settings_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        registry.load("thacil").Config(**options)
