"""DIN, DIEN, GRU4Rec and Caser against RecBole's layers with the same weights copied over.

RecBole pads behind, with item 0. Its Dice has no parameters and normalises nothing, so that activations are ReLU here.
"""

from __future__ import annotations

import importlib
import types

import pytest
import torch
from torch import nn

pytest.importorskip("recbole", reason="RecBole is not installed; make test installs it")

from baseline import adapter
from mma4ctr.models.parts.sequence import moved_to_front
from mma4ctr.models.parts.tower import Tower
from sequence_rows import ITEMS, LENGTH, USERS, batch_of, new, strong, summaries

adapter.recbole()  # without it RecBole does not run on NumPy 2
layers = importlib.import_module("recbole.model.layers")
caser, dien, gru4rec = (importlib.import_module(f"recbole.model.sequential_recommender.{name}")
                        for name in ("caser", "dien", "gru4rec"))  # fmt: skip
torch.autograd.set_detect_anomaly(False)  # importing SINE turns it on
LENGTHS = (1, 2, 6, 4, 6, 3)  # RecBole takes no empty history
CONFIG = {
    "USER_ID_FIELD": "user_id", "ITEM_ID_FIELD": "item_id", "LIST_SUFFIX": "_list", "NEG_PREFIX": "neg_",
    "ITEM_LIST_LENGTH_FIELD": "item_length", "MAX_ITEM_LIST_LENGTH": LENGTH, "device": "cpu", "embedding_size": 8,
    "hidden_size": 8, "num_layers": 1, "dropout_prob": 0.0, "loss_type": "BPR", "nh": 3, "nv": 2, "reg_weight": 0.0,
}  # fmt: skip
DATASET = types.SimpleNamespace(num=lambda field: ITEMS + 1, user_num=USERS + 1)
PLACES = torch.arange(LENGTH).view(1, -1)
BATCH, SIZES_OF_HISTORIES = batch_of(LENGTHS), torch.tensor(LENGTHS)


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def shifted(table: torch.Tensor) -> torch.Tensor:
    """Return a table whose rows begin with that of no item, as RecBole's do."""
    return torch.cat((torch.zeros(1, table.shape[1]), table[:ITEMS]))


def behind() -> torch.Tensor:
    """Return the histories (rows, length) as RecBole has them: padded behind with 0, items from 1."""
    moved = moved_to_front(BATCH.history, ITEMS)
    return torch.where(moved == ITEMS, 0, moved + 1)


def unit_into(theirs: nn.Module, unit: nn.Module) -> None:
    """Copy an activation unit into RecBole's attention."""
    own = [unit.joined, *(layer for layer in unit.tower.layers if isinstance(layer, nn.Linear))]
    linear = [layer for layer in theirs.att_mlp_layers.mlp_layers if isinstance(layer, nn.Linear)]
    for to, source in zip([*linear, theirs.dense], [*own, unit.score], strict=True):
        to.load_state_dict(source.state_dict())


@pytest.mark.parametrize("softmax", [False, True])
def test_din(softmax: bool) -> None:
    options = {"activation": "relu", "attention": (7, 5), "softmax": softmax, "contents": False, "normalised": False}
    model = strong(new("din", **options)).eval()
    attention = layers.SequenceAttLayer(PLACES, [32, 7, 5], "relu", softmax, return_seq_weight=False)
    unit_into(attention, model.unit)
    table = nn.functional.embedding(behind(), shifted(model.items.ids.weight))
    candidate = model.items.ids(BATCH.item)
    summary = attention(candidate, table, SIZES_OF_HISTORIES).squeeze(1) * (1 if softmax else 8**0.5)
    close(summaries(model, BATCH), summary)
    tower = layers.MLPLayers([16, 10, 6], activation="relu")
    for to, source in zip(tower.mlp_layers[1::3], model.tower.layers[::2], strict=True):
        to.load_state_dict(source.state_dict())
    close(model(BATCH), model.output(tower(torch.cat((candidate, summary), dim=1))).squeeze(1))


class Products(nn.Module):
    """Inner products of the two halves of what comes in."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        first, second = values.chunk(2, dim=-1)
        return (first * second).sum(-1)


def test_dien() -> None:
    model = strong(new("dien", activation="relu", attention="unit", unit=(7, 5), contents=False))
    extractor = dien.InterestExtractorNetwork(8, 8, [16, 1])
    extractor.gru.load_state_dict(model.extractor.state_dict())
    extractor.auxiliary_net = Products()
    evolution = dien.InterestEvolvingLayer(PLACES, 8, 8, [32, 7, 5], "relu", gru="AUGRU")
    unit_into(evolution.attention_layer, model.attention)
    cell = evolution.dynamic_rnn.rnn
    with torch.no_grad():
        for ours, kind in ((model.evolution.of_input, "ih"), (model.evolution.of_state, "hh")):
            for parameter in ("weight", "bias"):
                getattr(cell, f"{parameter}_{kind}").copy_(getattr(ours, parameter))
    # Every place of the row before has another item, so that no pair is left out, as RecBole leaves out none.
    history = (torch.arange(len(LENGTHS)).unsqueeze(1) * 2 + torch.arange(LENGTH)) % ITEMS
    batch = BATCH._replace(history=history)
    items = nn.functional.embedding(history, model.items.ids.weight)
    full = torch.full((len(LENGTHS),), LENGTH)
    found = summaries(model, batch)
    states, loss = extractor(items, full, items.roll(1, 0))
    close(found, evolution(model.items.ids(BATCH.item), states, full))
    close(model.penalty(), loss)
    items = nn.functional.embedding(behind(), shifted(model.items.ids.weight))
    states, _ = extractor(items, SIZES_OF_HISTORIES, items.roll(1, 0))
    expected = evolution(model.items.ids(BATCH.item), states, SIZES_OF_HISTORIES)
    for is_training in (True, False):
        close(summaries(model.train(is_training), BATCH), expected)


def test_gru4rec() -> None:
    model = strong(new("gru4rec", contents=False)).eval()
    theirs = gru4rec.GRU4Rec(CONFIG, DATASET).eval()
    with torch.no_grad():
        theirs.item_embedding.weight.copy_(shifted(model.items.ids.weight))
        for name, parameter in model.states.named_parameters():
            if "weight" in name:
                getattr(theirs.gru_layers, name).copy_(parameter)
            else:
                parameter.zero_()  # RecBole's has no bias
        theirs.dense.weight.copy_(torch.eye(8))
        theirs.dense.bias.zero_()
    close(summaries(model, BATCH), theirs(behind(), SIZES_OF_HISTORIES))


def test_caser() -> None:
    model = strong(new("caser", heights=tuple(range(1, LENGTH + 1)), horizontal=3, vertical=2, contents=False)).eval()
    theirs = caser.Caser(CONFIG, DATASET).eval()
    convolutions, found = model.convolutions, []
    theirs.fc1.register_forward_hook(lambda layer, given, out: found.append(torch.relu(out)))
    with torch.no_grad():
        theirs.item_embedding.weight.copy_(shifted(model.items.ids.weight))
        for to, source in zip(theirs.conv_h, convolutions.horizontal, strict=True):
            to.weight.copy_(source.weight.transpose(1, 2).unsqueeze(1))  # (filters, 1, height, width)
            to.bias.copy_(source.bias)
        theirs.conv_v.weight.copy_(convolutions.vertical.weight.view(2, 1, LENGTH, 1))
        theirs.conv_v.bias.copy_(convolutions.vertical.bias)
        # Theirs: vertical filters by width, then horizontal ones; ours: horizontal ones, then widths by filter.
        horizontal, vertical = model.layer[1].weight.split([18, 16], dim=1)
        theirs.fc1.weight.copy_(torch.cat((vertical.view(8, 8, 2).transpose(1, 2).flatten(1), horizontal), dim=1))
        theirs.fc1.bias.copy_(model.layer[1].bias)
    in_front = torch.where(BATCH.history == ITEMS, 0, BATCH.history + 1)
    theirs(BATCH.user + 1, in_front)
    close(summaries(model, BATCH)[:, :8], found[0])


def test_towers_and_its_dice() -> None:
    """RecBole's Dice is SiLU: no normalisation, and an alpha that is no parameter."""
    values = torch.randn(9, 4)
    close(layers.Dice(4)(values), nn.functional.silu(values))
    assert not list(layers.Dice(4).parameters())
    assert not torch.allclose(Tower(4, (4,), "dice").layers[1](values), nn.functional.silu(values))
