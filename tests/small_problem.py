"""A small problem that training is tested on: 20 users, 30 items and 400 rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Set

import numpy as np
import pytest
import torch
from torch import nn

from mma4ctr.inputs.content import Content
from mma4ctr.inputs.context import Context
from mma4ctr.inputs.gather import Inputs
from mma4ctr.inputs.gather import made_of as made_of_rows
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.models.contract import Sizes
from mma4ctr.models.mma4ctr import Config, MMa4CTR
from mma4ctr.protocol import CLEAN, PARTS, SEEDED, Parts
from mma4ctr.schedule import Schedule
from mma4ctr.training.engine import Engine

CPU = torch.device("cpu")
SCHEDULE = Schedule(
    epochs=4, learning_rate=0.02, batch_size=64, loss="bce", seed=3, lr_change=True, interruption=True, patience=None
)
IN_FEATURES = 7


def inputs_of(seed: int = 0, signal: float = 1.0, needs: Set[str] = MMa4CTR.needs) -> Inputs:
    """Return 20 users, 30 items and 400 rows whose clicks follow the first item column as far as `signal` says."""
    rng = np.random.default_rng(seed)
    users = rng.normal(size=(20, 3)).astype(np.float32)
    items = rng.normal(size=(30, 4)).astype(np.float32)
    pairs = np.column_stack([rng.integers(0, 20, 400), rng.integers(0, 30, 400)])
    clicks = rng.random(400) < 1 / (1 + np.exp(1 - 2 * signal * items[pairs[:, 1], 0]))
    rows = np.column_stack([pairs, clicks]).astype(np.int32)
    return made_of(users, items, rows, dict(zip(PARTS, np.split(np.arange(400), [300, 350]), strict=True)), needs)


def made_of(
    users: np.ndarray, items: np.ndarray, rows: np.ndarray, parts: Parts, needs: Set[str] = MMa4CTR.needs
) -> Inputs:
    """Return inputs whose users and items all have content, in order."""
    content = Content(users, items, np.arange(len(items), dtype=np.int32))
    return Inputs(TaskRows(rows, parts), len(users), len(items), needs, content)


def everything_of(
    needs: Set[str], seed: int = 0, signal: float = 1.0, rows: int = 400, **options: int
) -> tuple[Inputs, np.ndarray]:
    """Return a problem with all that a model may need, its rows sorted by user and time, each user's last ones tested.

    Parameters
    ----------
    needs : set of str
    seed : int
    signal : float
        How far clicks follow the first column of the item and of the user.
    rows : int
    **options
        The length of histories and the number of slots, as `gather.made_of` takes them.

    Returns
    -------
    Inputs
    (rows,) int32 array
        The place in time of each row.
    """
    rng = np.random.default_rng(seed)
    users, items, moments = rng.integers(0, 20, rows), rng.integers(0, 30, rows), rng.permutation(rows)
    order = np.lexsort([moments, users])
    users, items, moments = users[order], items[order], moments[order].astype(np.int32)
    matrix, taste = rng.normal(size=(30, 6)).astype(np.float32), rng.normal(size=20)
    clicks = rng.random(rows) < 1 / (1 + np.exp(1 - 2 * signal * (matrix[items, 0] + taste[users])))
    task = TaskRows(np.column_stack([users, items, clicks]).astype(np.int32), CLEAN.split(users, users >= 0, 0, SEEDED))
    own = np.zeros((20, 0), dtype=np.float32) if "content" not in needs else rng.normal(size=(20, 3)).astype(np.float32)
    content = Content(own, matrix, np.arange(30, dtype=np.int32), (("visual", 4), ("textual", 2)))
    context = Context(rng.integers(0, 3, (20, 1)), rng.integers(0, 4, (rows, 1), dtype=np.int32), (3, 4))
    made = made_of_rows(
        task, 20, 30, needs, content=content if needs & {"content", "item_content"} else None,
        context=context if "context" in needs else None, moments=moments, **options,
    )  # fmt: skip
    return made, moments


def new_model(in_features: int = IN_FEATURES) -> MMa4CTR:
    """Return MMa4CTR for so many inputs."""
    return MMa4CTR(Config(), Sizes(user_columns=in_features))


def changed(**changes: object) -> Schedule:
    """Return the usual schedule with some values changed."""
    return dataclasses.replace(SCHEDULE, **changes)


def bytes_of(module: nn.Module) -> list[bytes]:
    """Return the bytes of all weights."""
    return [parameter.detach().numpy().tobytes() for parameter in module.parameters()]


def without_seconds(history: list[dict]) -> list[dict]:
    """Return the history without what depends on the clock."""
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in history]


def script(monkeypatch: pytest.MonkeyPatch, aucs: list[float]) -> None:
    """Let validation report these AUCs, one after another."""
    left = iter(aucs)
    figures = {"valid_loss": 0.0, "valid_logloss": 0.0}
    monkeypatch.setattr(Engine, "validate", lambda *_: {**figures, "valid_auc": next(left)})
