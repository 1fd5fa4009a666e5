"""The contract of models: what is found, what is configured, what is gathered, and how every parameter starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import mlp
from load_path import load_path
from mma4ctr import models
from mma4ctr.cli import UserError
from mma4ctr.data.registry import TASKS
from mma4ctr.inputs import gather
from mma4ctr.models import layers, registry
from mma4ctr.models.contract import Batch, Graph, Model, NoConfig, Sizes
from mma4ctr.models.layers import initialise
from mma4ctr.protocol import PARTS
from mma4ctr.settings import Settings
from mma4ctr.store import reading
from mma4ctr.training.batches import batches_of_parts
from mma4ctr.training.engine import Engine
from mma4ctr.training.trainer import Trainer
from samples import own_runs
from small_problem import CPU, bytes_of, changed, inputs_of

# A model as a user would add it: one file. It takes everything that there is.
TASTE = """
import dataclasses
import torch
from torch import nn
from mma4ctr.models.contract import Model

@dataclasses.dataclass(frozen=True)
class Config:
    width: int = 4
    history_length: int = 6
    decay: float = 0.0

class Taste(Model):
    needs = frozenset({"user", "item", "content", "item_content", "history", "context", "graph"})
    Config = Config

    def __init__(self, config, sizes, graph=None):
        super().__init__(config, sizes, graph)
        self.decay, self.clicks = config.decay, len(graph.users)
        self.user = nn.Embedding(sizes.users, config.width)
        self.item = nn.Embedding(sizes.items + 1, config.width, padding_idx=sizes.items)
        self.device = nn.Embedding(sizes.context[0], 1)
        self.unused = nn.Linear(3, 3)
        self.output = nn.Linear(config.width + sizes.content + sizes.item_columns + 1, 1)

    def forward(self, batch):
        liked = self.item(batch.history).sum(1) + self.user(batch.user)
        seen = batch.item_content[batch.history].mean(1)
        joined = (liked * self.item(batch.item), batch.content, seen, self.device(batch.context[:, 0]))
        return self.output(torch.cat(joined, dim=1)).squeeze(1)

    def penalty(self):
        return self.decay * self.user.weight.square().sum() if self.decay else None
"""
TRAIN = ("--epochs", "2", "--batch_size", "1024", "--loss", "bce", "--device", "cpu")


@pytest.fixture
def taste(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a model whose one file is put into the folder of models for a test."""
    (tmp_path / "taste.py").write_text(TASTE)
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    registry.load.cache_clear()
    yield "taste"
    registry.load.cache_clear()
    sys.modules.pop("mma4ctr.models.taste", None)


def test_a_model_is_one_file(taste: str, tiny: Settings, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    to = ["--paths", str(own_runs(tiny, tmp_path).file), "--model", taste, *TRAIN]
    assert registry.names()[0] == "mma4ctr" and taste in registry.names()
    (run,) = mlp.main(to)
    assert mlp.main(to) == [run]
    (other,) = mlp.main([*to, "--set", "width=8", "decay=0.1"])
    assert mlp.main([*to, "--set", "width=4"]) == [run]  # the default is no setting
    assert "finished before" in capsys.readouterr().out
    saved = load_path(tmp_path / "path.json").saved_path
    config, found = (json.loads((saved / other / f"{name}.json").read_text()) for name in ("config", "metrics"))
    assert (config["model"], config["options"]) == ("taste", {"width": 8, "decay": 0.1})
    assert found["model"] == "taste" and 0 < found["auc"] < 1
    assert 0 < found["logloss_calibrated"] < 1 and found["logloss_calibrated"] != found["logloss"]
    assert not (saved / other / "hidden.npy").exists()
    lines = [line.split(",") for line in (saved / "results.csv").read_text().splitlines()]
    assert [line[3:5] for line in lines if line[0] in (run, other)] == [["vat_concat", "taste"]] * 2


def test_another_version_of_a_model_runs_again(
    taste: str, tiny: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = ["--paths", str(own_runs(tiny, tmp_path).file), "--model", taste, *TRAIN]
    first = mlp.main(to)
    monkeypatch.setattr(registry.load(taste), "version", 2)
    assert mlp.main(to) != first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nothing"], "unknown model 'nothing'; the models are mma4ctr"),
        (
            ["--set", "hidden"],
            "--set 'hidden': expected name=value; the model mma4ctr has the names hidden, activation",
        ),
        (["--set", "depth=3"], "--set 'depth=3': expected name=value"),
        (["--set", "hidden=a,b"], "--set hidden='a,b': expected whole numbers between commas"),
        (["--set", "hidden=8,0"], r"hidden is \(8, 0\), expected widths of 1 or more"),
        (["--set", "activation=step"], "activation is 'step', expected one of tanh, relu"),
    ],
)
def test_bad_models_and_settings_are_named(arguments: list[str], message: str) -> None:
    values = dict(zip(arguments[::2], arguments[1::2], strict=True))
    with pytest.raises(UserError, match=message):
        registry.config_of(values.get("--model", "mma4ctr"), [values["--set"]] if "--set" in values else [])


def test_settings_are_read_by_their_types() -> None:
    config = registry.config_of("mma4ctr", ["hidden=16,4", "activation=relu"])
    assert config.hidden == (16, 4)
    assert registry.options_of(config) == {"hidden": (16, 4), "activation": "relu"}
    model = registry.build("mma4ctr", registry.options_of(config), Sizes(item_columns=9))
    assert [tuple(weight.shape) for weight in model.parameters()][::2] == [(16, 9), (4, 16), (1, 4)]


# ---- what is gathered


@pytest.mark.parametrize("protocol", ["published", "clean"])
def test_only_what_is_needed_is_gathered_and_it_belongs_to_the_row(tiny: Settings, protocol: str) -> None:
    everything = {"user", "item", "content", "item_content", "history", "unclicked", "context", "slot"}
    full = gather.load(tiny, "tiktok_like", "vat_concat", protocol, everything, history_length=3)
    none = gather.load(tiny, "tiktok_like", "vat_concat", protocol, {"user"})
    parts, alone = (batches_of_parts(one, protocol, CPU) for one in (full, none))
    devices = reading.load(tiny, "users", dataset=TASKS["tiktok_like"].dataset)[:, 1]
    training = set(full.task.parts["training"].tolist())
    before: dict[tuple[int, int], list[int]] = {}
    histories: dict[int, list[list[int]]] = {0: [], 1: []}
    for place, (user, item, click) in enumerate(full.task.rows.tolist()):  # row by row
        for label in (0, 1):
            histories[label].append(([full.items] * 3 + before.setdefault((user, label), []))[-3:])
        if place in training:
            before[user, click].append(item)
    for name in PARTS:
        rows = full.task.part(name)
        batch, clicks = parts[name].take(torch.arange(len(rows)))
        assert batch.user.tolist() == rows[:, 0].tolist() and batch.item.tolist() == rows[:, 1].tolist()
        assert clicks.tolist() == rows[:, 2].tolist()
        assert batch.history.tolist() == [histories[1][place] for place in full.task.parts[name]]
        assert batch.unclicked.tolist() == [histories[0][place] for place in full.task.parts[name]]
        assert batch.slot.tolist() == full.slots.of_rows[full.task.parts[name]].tolist()
        known = np.unique(devices).tolist()
        assert batch.context[:, 0].tolist() == [known.index(devices[user]) for user in rows[:, 0]]
        item_columns = batch.content[:, -full.sizes.item_columns :]
        torch.testing.assert_close(batch.item_content[batch.item], item_columns)
        assert not batch.item_content[full.items].any()
        few, _ = next(alone[name].batches(7))
        assert [name for name, value in few._asdict().items() if value is not None] == ["user"]
        assert few.user.tolist() == rows[:7, 0].tolist()


def test_a_graph_has_the_training_clicks_alone(tiny: Settings) -> None:
    found = gather.load(tiny, "wechat", "vat_concat", "clean", {"graph"})
    rows = found.task.part("training")
    clicked = [(user, item) for user, item, click in rows.tolist() if click]
    assert list(zip(found.graph.users.tolist(), found.graph.items.tolist(), strict=True)) == clicked


# ---- how parameters start


class Everything(Model):
    """A layer of each kind."""

    def __init__(self, config: NoConfig, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.layers = nn.ModuleList([
            nn.Linear(3, 2), nn.Embedding(5, 2, padding_idx=4), nn.GRU(3, 2), nn.LSTMCell(3, 2), nn.Conv1d(3, 2, 2),
            nn.LayerNorm(3), nn.BatchNorm1d(3), nn.PReLU(), nn.MultiheadAttention(4, 2), nn.Bilinear(2, 3, 4),
        ])  # fmt: skip


def test_equal_seeds_start_every_layer_alike() -> None:
    drawn = []
    for seed, attempt, torch_seed in ((1, 0, 5), (1, 0, 6), (1, 1, 5), (2, 0, 5)):
        torch.manual_seed(torch_seed)
        model = Everything(NoConfig(), Sizes())
        initialise(model, seed, attempt, None)
        drawn.append(bytes_of(model))
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2] != drawn[3] != drawn[0]
    assert not model.layers[1].weight[4].any() and model.layers[1].weight[:4].all()


def test_a_parameter_without_a_known_start_is_named() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))

    model = Everything(NoConfig(), Sizes())
    model.own = Own()
    with pytest.raises(TypeError, match=r"the parameter own\.scale of a Own has no known start"):
        initialise(model, 0, 0, None)
    Own.draw = lambda self, name, shape, rng: rng.random(shape)
    initialise(model, 0, 0, None)
    assert (model.own.scale < 1).all()


# ---- what the engine does for a model


class Dropped(Model):
    """A model with a dropout, a parameter that is never used, and a penalty."""

    needs = frozenset({"content"})

    def __init__(self, config: NoConfig, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.unused, self.drop, self.output = nn.Linear(2, 2), nn.Dropout(0.5), nn.Linear(sizes.content, 1)
        self.modes: list[bool] = []

    def forward(self, batch: Batch) -> torch.Tensor:
        self.modes.append(self.training)
        return self.output(self.drop(batch.content)).squeeze(1)

    def penalty(self) -> torch.Tensor:
        return 1e4 * self.output.weight.square().sum()


def test_training_and_scoring_have_their_modes_and_the_penalty_counts() -> None:
    inputs = inputs_of()
    parts = batches_of_parts(inputs, "clean", CPU)
    trainer = Trainer(Dropped(NoConfig(), inputs.sizes), parts, changed(epochs=1, interruption=False, batch_size=300))
    started = layers.number_of_parameters(trainer.model), trainer.model.output.weight.detach().abs().sum()
    trainer.run()
    assert trainer.model.modes == [True, False]
    assert trainer.model.unused.weight.grad is None
    assert trainer.model.output.weight.detach().abs().sum() < started[1]  # nothing but the penalty is so strong
    one, again = (Engine().log_odds(trainer.model, parts["test"]) for _ in range(2))
    assert torch.equal(one, again)
