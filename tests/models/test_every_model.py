"""What holds for every model of the registry: no label leaks, nothing is left to chance, a killed run goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from mma4ctr.evaluation import metrics
from mma4ctr.inputs import gather
from mma4ctr.inputs.gather import Inputs
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.models import registry
from mma4ctr.models.contract import Model
from mma4ctr.models.layers import initialise
from mma4ctr.schedule import Schedule
from mma4ctr.training.batches import batches_of_parts
from mma4ctr.training.checkpoints import Checkpoint
from mma4ctr.training.engine import probabilities_of
from mma4ctr.training.trainer import Trainer
from small_problem import CPU, everything_of

NAMES = registry.names()
LENGTH, SLOTS = 6, 3
FIXED = Schedule(epochs=2, batch_size=100, loss="bce", interruption=False, learning_rate=0.01, lr_change=False)


def problem_for(name: str, seed: int = 0, signal: float = 1.0, rows: int = 400) -> tuple[Inputs, np.ndarray]:
    """Return inputs for a model, and the place in time (rows,) of each row."""
    return everything_of(registry.load(name).needs, seed, signal, rows, history_length=LENGTH, slot_number=SLOTS)


def with_labels(inputs: Inputs, flipped: np.ndarray, moments: np.ndarray) -> Inputs:
    """Return the inputs as they are made when the rows at some places have the other label."""
    rows = inputs.task.rows.copy()
    rows[flipped, 2] = 1 - rows[flipped, 2]
    return gather.made_of(
        TaskRows(rows, inputs.task.parts), inputs.users, inputs.items, inputs.needs, content=inputs.content,
        context=inputs.context, moments=moments, history_length=LENGTH, slot_number=SLOTS,
    )  # fmt: skip


def options_of(name: str) -> dict[str, object]:
    """Return the options with which a model fits the small problem."""
    fields = {field.name for field in dataclasses.fields(registry.load(name).Config)}
    small: dict[str, object] = {"slots": SLOTS, "history_length": LENGTH}
    return {key: value for key, value in small.items() if key in fields}


def new(name: str, inputs: Inputs) -> Model:
    """Return a new model for inputs."""
    return registry.build(name, options_of(name), inputs.sizes, inputs.graph)


def trained(name: str, inputs: Inputs, schedule: Schedule = FIXED, checkpoint: Checkpoint | None = None) -> Model:
    """Return a model after its training."""
    return Trainer(new(name, inputs), batches_of_parts(inputs, "clean", CPU), schedule, checkpoint).run()


def state_of(model: Model) -> dict[str, bytes]:
    """Return the bytes of all weights and buffers."""
    return {
        name: value.numpy().tobytes() for name, value in model.state_dict().items() if value.layout == torch.strided
    }


def scores_of(model: Model, inputs: Inputs) -> np.ndarray:
    """Return the score of every row of a task."""
    parts, found = batches_of_parts(inputs, "clean", CPU), np.zeros(len(inputs.task.rows), dtype=np.float32)
    for name, places in inputs.task.parts.items():
        found[places] = probabilities_of(model, parts[name])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_labels_of_other_parts_change_no_weight_and_no_score(name: str) -> None:
    inputs, moments = problem_for(name)
    others = np.concatenate([inputs.task.parts["validation"], inputs.task.parts["test"]])
    flipped = with_labels(inputs, others, moments)
    models = [trained(name, one) for one in (inputs, flipped)]
    assert state_of(models[0]) == state_of(models[1])
    scores = [scores_of(*pair) for pair in zip(models, (inputs, flipped), strict=True)]
    assert scores[0].tobytes() == scores[1].tobytes()
    assert len(np.unique(scores[0])) > 20  # it does tell rows apart


@pytest.mark.parametrize("name", [name for name in NAMES if "content" not in registry.load(name).needs])
def test_a_row_sees_neither_its_own_label_nor_a_later_one(name: str) -> None:
    inputs, moments = problem_for(name)
    model = new(name, inputs).eval()
    initialise(model, 0, 0, None)
    weights, before = dict(model.named_parameters()), scores_of(model, inputs)
    training = inputs.task.parts["training"]
    changed = 0
    for place in training[np.argsort(moments[training])][:: len(training) // 8]:
        flipped = with_labels(inputs, np.array([place]), moments)
        other = new(name, flipped).eval()
        initialise(other, 0, 0, None)
        other.load_state_dict(weights, strict=False)
        after, earlier = scores_of(other, flipped), moments <= moments[place]
        assert after[earlier].tobytes() == before[earlier].tobytes()
        changed += (after != before).sum()
    assert changed > 0 or not registry.load(name).needs & {"history", "unclicked", "counts", "graph"}


@pytest.mark.parametrize("name", NAMES)
def test_labels_without_signal_cannot_be_predicted(name: str) -> None:
    aucs, errors = [], []
    for seed in range(3):
        given, moments = problem_for(name, seed, rows=1500)
        shuffled = np.random.default_rng([1, seed]).permutation(given.task.rows[:, 2])
        inputs = with_labels(given, np.flatnonzero(shuffled != given.task.rows[:, 2]), moments)
        test = inputs.task.part("test")
        schedule = dataclasses.replace(FIXED, epochs=1, batch_size=200, seed=seed)
        predicted = probabilities_of(trained(name, inputs, schedule), batches_of_parts(inputs, "clean", CPU)["test"])
        clicks = int(test[:, 2].sum())
        aucs.append(metrics.auc(test[:, 2], predicted))
        errors.append(((len(test) + 1) / (12 * clicks * (len(test) - clicks))) ** 0.5)
    assert abs(np.mean(aucs) - 0.5) < 4 * np.mean(errors) / 3**0.5


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_run_goes_on_to_the_same_weights(name: str, tmp_path: Path) -> None:
    inputs, _ = problem_for(name)
    whole = trained(name, inputs)
    checkpoint = Checkpoint(tmp_path / "state.pt", "run")
    trained(name, inputs, dataclasses.replace(FIXED, epochs=1), checkpoint)
    assert state_of(trained(name, inputs, FIXED, Checkpoint(tmp_path / "state.pt", "run"))) == state_of(whole)
