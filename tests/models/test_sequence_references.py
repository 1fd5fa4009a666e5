"""Sequence models against PyTorch's own layers and loops that take one row at a time, without padding."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import Model
from mma4ctr.models.layers import Dice
from mma4ctr.models.parts.encoder import Encoder
from sequence_rows import ITEMS, LENGTH, LENGTHS, batch_of, new, strong, summaries, vectors

ROWS = range(len(LENGTHS))


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", [(9, 3), (4, 5, 3)])
def test_dice_is_its_formula_in_training_and_after_it(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer, alpha = Dice(3), torch.tensor([0.3, -0.2, 1.5])
    assert not layer.alpha.any()
    layer.alpha.data = alpha
    running_mean, running_variance = torch.zeros(3), torch.ones(3)
    for _ in range(3):
        values = 3 * torch.randn(shape) + 1
        flat = values.reshape(-1, 3)
        mean, variance = flat.mean(0), ((flat - flat.mean(0)) ** 2).mean(0)
        share = 1 / (1 + torch.exp(-(values - mean) / torch.sqrt(variance + 1e-8)))
        close(layer(values), share * values + (1 - share) * alpha * values)
        unbiased = variance * len(flat) / (len(flat) - 1)
        running_mean = 0.9 * running_mean + 0.1 * mean
        running_variance = 0.9 * running_variance + 0.1 * unbiased
    layer.eval()
    share = 1 / (1 + torch.exp(-(values - running_mean) / torch.sqrt(running_variance + 1e-8)))
    close(layer(values), share * values + (1 - share) * alpha * values)


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_dnn_pools_the_items(pooling: str) -> None:
    model, batch = strong(new("dnn", pooling=pooling)).eval(), batch_of()
    for row, summary in zip(ROWS, summaries(model, batch), strict=True):
        _, items = vectors(model, batch, row)
        close(summary, items.sum(0) / (max(len(items), 1) if pooling == "mean" else 1))


CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru4rec": nn.GRUCell}


def states_of(cell: nn.Module, items: torch.Tensor) -> list[torch.Tensor]:
    """Return the states of a cell that goes over the items (items, width) of one row."""
    state, found = None, []
    for item in items:
        state = cell(item.unsqueeze(0), state)
        found.append((state[0] if isinstance(state, tuple) else state)[0])
    return found


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.parametrize("name", CELLS)
def test_recurrent_models_are_cells_over_the_bare_history(name: str, pooling: str) -> None:
    model, batch = strong(new(name, pooling=pooling)).eval(), batch_of()
    cell = CELLS[name](8, 8)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in model.states.state_dict().items()})
    for row, summary in zip(ROWS, summaries(model, batch), strict=True):
        states = states_of(cell, vectors(model, batch, row)[1]) or [torch.zeros(8)]
        close(summary, states[-1] if pooling == "last" else torch.stack(states).mean(0))


def reference_encoder(encoder: Encoder, activation: str) -> nn.TransformerEncoder:
    """Return PyTorch's encoder with the same weights."""
    layers = []
    for own in encoder.layers:
        layer = nn.TransformerEncoderLayer(8, own.heads, 32, 0.0, activation, batch_first=True)
        pairs = {"self_attn.out_proj": own.joined, "linear1": own.feed[0], "linear2": own.feed[3],
                 "norm1": own.attended, "norm2": own.fed}  # fmt: skip
        state = {f"{path}.{kind}": getattr(one, kind) for path, one in pairs.items() for kind in ("weight", "bias")}
        state |= {f"self_attn.in_proj_{kind}": getattr(own.projected, kind) for kind in ("weight", "bias")}
        layer.load_state_dict(state)
        layers.append(layer)
    stack = nn.TransformerEncoder(layers[0], len(layers), enable_nested_tensor=False)
    stack.layers = nn.ModuleList(layers)
    return stack.eval()


def with_places(encoder: Encoder, items: torch.Tensor) -> torch.Tensor:
    """Return items (1, places, width) with the embeddings of their places, counted from the last one."""
    return encoder.normalise(items + encoder.places.weight[: len(items)].flip(0)).unsqueeze(0)


@pytest.mark.parametrize(("name", "activation"), [("transformer4rec", "relu"), ("bert4rec", "gelu")])
def test_encoders_are_those_of_pytorch_over_the_bare_history(name: str, activation: str) -> None:
    model, batch = strong(new(name, layers=3, heads=4)).eval(), batch_of()
    reference = reference_encoder(model.encoder, activation)
    for row, summary in zip(ROWS, summaries(model, batch), strict=True):
        candidate, items = vectors(model, batch, row)
        given = with_places(model.encoder, torch.cat((items, candidate.unsqueeze(0))))
        mask = nn.Transformer.generate_square_subsequent_mask(given.shape[1]) if name == "transformer4rec" else None
        close(summary, reference(given, mask=mask)[0, -1])


def test_the_cloze_loss_is_the_masked_item_among_those_masked_in_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    from mma4ctr.models import bert4rec

    model, batch = strong(new("bert4rec", cloze=0.5)), batch_of()
    kept, masks = bert4rec.one_of_present, []
    monkeypatch.setattr(bert4rec, "one_of_present", lambda present: masks.append(kept(present)) or masks[-1])
    model(batch)
    known, states, targets, names = [row for row in ROWS if LENGTHS[row]], [], [], []
    reference = reference_encoder(model.encoder, "gelu")
    for row, masked in zip(known, masks[0], strict=True):
        _, items = vectors(model, batch, row)
        place = int(masked.nonzero()) - (LENGTH - len(items))
        names.append(int(batch.history[row][masked]))
        targets.append(items[place])
        given = torch.cat((items[:place], model.mask.vector.unsqueeze(0), items[place + 1 :]))
        places = model.encoder.places.weight[1 : len(items) + 1].flip(0)  # the candidate's place is the first one
        states.append(reference(model.encoder.normalise(given + places).unsqueeze(0))[0, place])
    losses = []
    for own, (state, name) in enumerate(zip(states, names, strict=True)):
        others = [k for k, other in enumerate(names) if other != name or k == own]
        scores = torch.stack([state @ targets[k] for k in others])
        losses.append(torch.logsumexp(scores, 0) - state @ targets[own])
    close(model.penalty(), 0.5 * torch.stack(losses).mean())


def test_every_item_of_a_history_is_masked_equally_often() -> None:
    from mma4ctr.models.bert4rec import one_of_present

    torch.manual_seed(0)
    present = torch.tensor([[False, True, True, True], [False, False, False, True]]).repeat(3000, 1)
    found = one_of_present(present)
    assert (found.sum(1) == 1).all() and not (found & ~present).any()
    counts = found[::2].sum(0)[1:]
    assert (counts - 1000).abs().max() < 5 * math.sqrt(3000 * 2 / 9)


@pytest.mark.parametrize("is_training", [False, True])
@pytest.mark.parametrize("softmax", [False, True])
def test_din_weighs_each_item_by_itself(softmax: bool, is_training: bool) -> None:
    model = strong(new("din", activation="relu", attention=(7, 5), softmax=softmax)).train(is_training)
    batch, unit = batch_of(), model.unit
    for row, summary in zip(ROWS, summaries(model, batch), strict=True):
        candidate, items = vectors(model, batch, row)
        scores = []
        for item in items:
            joined = torch.cat((candidate, item, candidate - item, candidate * item))
            scores.append(unit.score(unit.tower(torch.relu(unit.joined(joined)))))
        if not scores:
            close(summary, torch.zeros(8))
            continue
        weights = torch.cat(scores)
        weights = torch.softmax(weights / 8**0.5, 0) if softmax else weights
        close(summary, (weights.unsqueeze(1) * items).sum(0))


def test_scores_of_the_unit_are_0_where_there_is_no_item() -> None:
    model, batch = strong(new("din", activation="prelu")), batch_of()
    candidate, history = model.items(batch, batch.item, batch.history)
    present = model.items.present(batch.history)
    scores = model.unit(candidate, history, present)
    assert torch.equal(scores != 0, present)
    close(model.unit.eval()(candidate, history, present), scores)


def augru(model: Model, states: list[torch.Tensor], weights: torch.Tensor) -> torch.Tensor:
    """Return the last state of an AUGRU by its equations, a step at a time."""
    given = zip(model.evolution.of_input.weight.chunk(3), model.evolution.of_input.bias.chunk(3), strict=True)
    known = zip(model.evolution.of_state.weight.chunk(3), model.evolution.of_state.bias.chunk(3), strict=True)
    (w_r, b_r), (w_u, b_u), (w_h, b_h) = given
    (u_r, c_r), (u_u, c_u), (u_h, c_h) = known
    state = torch.zeros(8)
    for value, weight in zip(states, weights, strict=True):
        reset = torch.sigmoid(w_r @ value + b_r + u_r @ state + c_r)
        update = weight * torch.sigmoid(w_u @ value + b_u + u_u @ state + c_u)
        fresh = torch.tanh(w_h @ value + b_h + reset * (u_h @ state + c_h))
        state = (1 - update) * state + update * fresh
    return state


def test_dien_follows_its_equations_and_its_own_loss() -> None:
    model, batch = strong(new("dien", auxiliary=0.5)), batch_of()
    cell = nn.GRUCell(8, 8)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in model.extractor.state_dict().items()})
    found, rows = summaries(model, batch), [vectors(model, batch, row) for row in ROWS]
    states = [states_of(cell, items) for _, items in rows]
    for (candidate, _), own, summary in zip(rows, states, found, strict=True):
        scores = [state @ model.attention.weight.weight @ candidate for state in own]
        close(summary, augru(model, own, torch.softmax(torch.stack(scores), 0)) if own else torch.zeros(8))
    names = [[item for item in history.tolist() if item != ITEMS] for history in batch.history]
    losses = []
    for row, own in enumerate(states):
        other = rows[row - 1][1]
        for step in range(1, len(own)):
            losses.append(-functional.logsigmoid(own[step - 1] @ rows[row][1][step]))
            if step < len(other) and names[row - 1][step] != names[row][step]:
                losses.append(-functional.logsigmoid(-own[step - 1] @ other[step]))
    close(model.penalty(), 0.5 * torch.stack(losses).mean())
    assert model.eval()(batch).shape == (8,) and model.penalty() is None


def test_caser_slides_its_filters_over_the_last_items() -> None:
    model, batch = strong(new("caser", heights=(2, 3), horizontal=3, vertical=2)).eval(), batch_of()
    convolutions = model.convolutions
    for row, summary in zip(ROWS, summaries(model, batch), strict=True):
        _, items = vectors(model, batch, row)
        matrix = torch.cat((torch.zeros(LENGTH - len(items), 8), items))
        found = []
        for filters in convolutions.horizontal:
            for weight, bias in zip(filters.weight, filters.bias, strict=True):  # weight: (width, height)
                height = weight.shape[1]
                windows = [matrix[start : start + height] for start in range(LENGTH - height + 1)]
                found.append(torch.stack([torch.relu((window * weight.T).sum() + bias) for window in windows]).max())
        for column in matrix.T:
            for weight, bias in zip(convolutions.vertical.weight, convolutions.vertical.bias, strict=True):
                found.append(column @ weight + bias)
        layer = model.layer[1]
        close(summary[:8], torch.relu(layer.weight @ torch.stack(found) + layer.bias))
        assert torch.equal(summary[8:], model.users.weight[batch.user[row]])
