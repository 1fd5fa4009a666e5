"""A small problem for any model of the registry, and what comes of training it there."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from mma4ctr.inputs import gather
from mma4ctr.inputs.gather import Inputs
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.models import registry
from mma4ctr.models.contract import Model
from mma4ctr.schedule import Schedule
from mma4ctr.training.batches import batches_of_parts
from mma4ctr.training.checkpoints import Checkpoint
from mma4ctr.training.engine import probabilities_of
from mma4ctr.training.trainer import Trainer
from small_problem import CPU, everything_of

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


def trained(
    name: str, inputs: Inputs, schedule: Schedule = FIXED, checkpoint: Checkpoint | None = None, device=CPU
) -> Model:
    """Return a model after its training."""
    return Trainer(new(name, inputs), batches_of_parts(inputs, "clean", device), schedule, checkpoint).run()


def state_of(model: Model) -> dict[str, bytes]:
    """Return the bytes of all weights and buffers."""
    return {
        name: value.numpy().tobytes() for name, value in model.state_dict().items() if value.layout == torch.strided
    }


def scores_of(model: Model, inputs: Inputs, device: torch.device = CPU) -> np.ndarray:
    """Return the score of every row of a task."""
    parts, found = batches_of_parts(inputs, "clean", device), np.zeros(len(inputs.task.rows), dtype=np.float32)
    for name, places in inputs.task.parts.items():
        found[places] = probabilities_of(model, parts[name])
    return found
